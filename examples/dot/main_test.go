package main

import (
	"log/slog"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/server"
)

// A player walks, is seen to walk, and comes back where it left.
func TestADotMoves(t *testing.T) {
	s, err := server.Start(t.Context(), server.Config{
		World: dots{}, Backend: server.Memory, DataDir: t.TempDir(), Logger: slog.New(slog.DiscardHandler),
		HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", UDPAddr: "127.0.0.1:0",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Stop() }()
	c, err := client.New("http://"+s.HTTPAddr().String(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdleConnections()
	session, err := c.Register(t.Context(), "alice", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	realtime, err := session.Connect(t.Context(), client.RealtimeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer realtime.Close()
	realtime.SendIntent(rushgate.Intent{MoveX: 1})
	timeout := time.After(time.Minute)
	for x := 0.0; x < 1; {
		select {
		case v := <-realtime.Views():
			x = v.Self.X
			realtime.SendIntent(rushgate.Intent{MoveX: 1})
		case <-timeout:
			t.Fatal("the dot stays where it is")
		}
	}
	if err := session.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	again, err := c.Login(t.Context(), "alice", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if me, err := again.Me(t.Context()); err != nil || me.X < 1 || me.Zone != "plane" {
		t.Errorf("back at %+v, %v", me, err)
	}
}

func TestAnyIntentIsBorne(t *testing.T) {
	for _, move := range []float32{float32(math.NaN()), float32(math.Inf(1)), -9, 0} {
		if s := step(move); math.IsNaN(s) || math.Abs(s) > 0.2 {
			t.Errorf("%v moves by %v", move, s)
		}
	}
}

// docs/embedding.md begins with this file.
func TestDocumentBeginsWithThis(t *testing.T) {
	code, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../../docs/embedding.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(doc), "```go\n"+string(code)+"```\n") {
		t.Error("docs/embedding.md does not have main.go as it is")
	}
}
