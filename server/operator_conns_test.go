package server_test

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate/server"
)

// knock opens a connection to the operator's listener.
func knock(t *testing.T, s *server.Server) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.AdminAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute))
	return c
}

// A peer that opens connections and says nothing keeps the operator out neither of the page nor of what is under way.
func TestOperatorsConnectionsAreLimited(t *testing.T) {
	s := start(t, config(t, t.TempDir()))
	resp, err := http.Get("http://" + s.AdminAddr().String() + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	events := bufio.NewReader(resp.Body)
	silent := knock(t, s)
	for range 80 {
		knock(t, s)
	}
	if _, err := silent.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection idle longest is still open: %v", err)
	}
	if status, _ := operator(t, s, "/healthz"); status != http.StatusOK {
		t.Errorf("the operator is answered %d", status)
	}
	for seen := 0; seen < 2; { // the second was made after all that
		line, err := events.ReadString('\n')
		if err != nil {
			t.Fatalf("the stream has ended: %v", err)
		}
		if line == "event: samples\n" {
			seen++
		}
	}
}

func TestOperatorsHeadersAreLimited(t *testing.T) {
	s := start(t, config(t, t.TempDir()))
	c := knock(t, s)
	go io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: "+strings.Repeat("x", 16<<10)+"\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("16 KiB of headers: %s", resp.Status)
	}
}

// A peer that knocks with nonsense does not fill the log, unless the operator wants to see everything.
func TestNonsenseAtTheOperatorsListener(t *testing.T) {
	cfg := config(t, t.TempDir())
	dir := t.TempDir()
	token := dir + "/token"
	if err := os.WriteFile(token, []byte(strings.Repeat("0123456789", 4)), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.AdminAddr, cfg.AdminTokenFile, cfg.TLS = "0.0.0.0:0", token, true
	log := new(lockedBuffer)
	cfg.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s := start(t, cfg)
	_, port, err := net.SplitHostPort(s.AdminAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := c.Write([]byte(strings.Repeat("x", 5))); err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, c) // until the server has given up, and said so
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "handshake") && !strings.Contains(line, "level=DEBUG") {
			t.Errorf("logged %s", line)
		}
	}
	if !strings.Contains(log.String(), "handshake") {
		t.Errorf("nothing is logged at all:\n%s", log)
	}
}
