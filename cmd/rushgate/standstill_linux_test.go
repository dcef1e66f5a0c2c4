package main

import (
	"os"
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
	n.signal(t, syscall.SIGSTOP)
	time.Sleep(pause) // a process cannot be stopped in a test's time
	n.signal(t, syscall.SIGCONT)
	for name, s := range map[string]*client.Session{"silent": silent, "playing": playing} {
		if _, err := s.Me(t.Context()); err != nil {
			t.Errorf("%s, after a standstill of %v: %v", name, pause, err)
		}
	}
}
