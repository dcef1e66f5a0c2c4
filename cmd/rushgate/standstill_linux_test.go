package main

import (
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rushgate/rushgate/client"
)

// A node that is stopped for longer than a session lasts without a word, as a virtual machine is that moves, has lost
// no session when it goes on.
func TestAStoppedNodeLosesNoSession(t *testing.T) {
	t.Parallel()
	pause, timeout := 5*time.Second, "4s"
	if os.Getenv("RUSHGATE_LONG") != "" {
		pause, timeout = 2*time.Minute, "30s"
	}
	n := startNode(t, t.TempDir(), "--session-timeout", timeout)
	silent, err := newClient(t, n.http, client.Options{}).Register(t.Context(), "silent", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	playing, err := newClient(t, n.http, client.Options{}).Register(t.Context(), "playing", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	rt, err := playing.Connect(t.Context(), client.RealtimeOptions{WebSocket: true})
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	crowd := 2
	if os.Getenv("RUSHGATE_LONG") != "" {
		crowd = 60
	}
	var asked atomic.Int64
	playingByUDP := connectCrowd(t, n.http, crowd, &asked)
	before := asked.Load()
	n.signal(t, syscall.SIGSTOP)
	time.Sleep(pause) // a process cannot be stopped in a test's time
	n.signal(t, syscall.SIGCONT)
	for name, s := range map[string]*client.Session{"silent": silent, "playing": playing} {
		if _, err := s.Me(t.Context()); err != nil {
			t.Errorf("%s, after a standstill of %v: %v", name, pause, err)
		}
	}
	continued := time.Now()
	defer func() { t.Logf("all play again after %v", time.Since(continued)) }()
	for _, rt := range playingByUDP {
		for v := range rt.Views() { // each plays again, or the views end
			if v.ReceivedAt.After(continued) {
				break
			}
		}
		if rt.Err() != nil {
			t.Errorf("a player by UDP, after a standstill of %v: %v", pause, rt.Err())
		}
	}
	// One that asks again has waited for its answer before, or for as long as the pauses between tries are.
	most := int64(crowd) * int64(pause/(5*time.Second)+4)
	if n := asked.Load() - before; n > most {
		t.Errorf("%d requests of %d players in a standstill of %v, want %d at most", n, crowd, pause, most)
	}
}

// counting is a transport that counts requests.
type counting struct {
	http.RoundTripper
	n *atomic.Int64
}

func (c counting) RoundTrip(r *http.Request) (*http.Response, error) {
	c.n.Add(1)
	return c.RoundTripper.RoundTrip(r)
}

// connectCrowd has so many players play by UDP, and counts what they ask over HTTP.
func connectCrowd(t *testing.T, address string, players int, asked *atomic.Int64) (all []*client.Realtime) {
	t.Helper()
	for i := range players {
		transport := counting{http.DefaultTransport.(*http.Transport).Clone(), asked}
		c := newClient(t, address, client.Options{Transport: transport})
		s, err := c.Register(t.Context(), fmt.Sprintf("crowd-%d", i), "correct horse")
		if err != nil {
			t.Fatal(err)
		}
		rt, err := s.Connect(t.Context(), client.RealtimeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(rt.Close)
		<-rt.Views()
		all = append(all, rt)
	}
	return all
}
