package client_test

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/server"
)

// busyNode starts a real node that forgets its players.
func busyNode(t *testing.T, cfg server.Config) *server.Server {
	t.Helper()
	cfg.Backend, cfg.HTTPAddr, cfg.AdminAddr, cfg.UDPAddr = server.Memory, "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.Logger, cfg.DataDir = slog.New(slog.DiscardHandler), t.TempDir()
	node, err := server.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Stop() })
	return node
}

// startBusy does so, and returns the node's address.
func startBusy(t *testing.T, cfg server.Config) string {
	t.Helper()
	return "http://" + busyNode(t, cfg).HTTPAddr().String()
}

// Those who come before a real node opens wait in its line, are told so, and are let in when it opens. A machine that
// needs seconds for a first answer shows nothing of that.
func TestWaitingForANodeToOpen(t *testing.T) {
	t.Parallel()
	opens := time.Now().Add(3 * time.Second)
	addr := startBusy(t, server.Config{OpensAt: opens, HashIterations: 1000})
	var wait sync.WaitGroup
	defer wait.Wait()
	for i := range 4 {
		wait.Go(func() {
			var told []client.Wait
			tries, late := 0, false
			opts := client.Options{
				OnWait: func(w client.Wait) { told = append(told, w) },
				OnAnswer: func(client.Answer) {
					late = late || tries == 0 && time.Now().After(opens)
					tries++
				},
			}
			c, err := client.New(addr, opts)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.CloseIdleConnections()
			name := fmt.Sprint("player", i)
			session, err := c.Register(t.Context(), name, "correct horse")
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			if time.Now().Before(opens) {
				t.Errorf("%s was let in %v before the node opened", name, time.Until(opens))
			}
			if late {
				t.Logf("%s has come too late to wait", name)
			} else if len(told) == 0 || told[0].Line == nil || told[0].Line.Place == 0 || told[0].Line.Ticket.IsZero() ||
				slices.ContainsFunc(told, func(w client.Wait) bool { return w.Line != nil && w.Line.Lost != "" }) {
				t.Errorf("%s was told %v", name, told)
			}
			if tries > 4 {
				t.Errorf("%s tried %d times", name, tries)
			}
			if err := session.Logout(t.Context()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

// A client that knows where to knock by UDP asks there, and sends one login when its turn has come.
func TestKnockingAtARealNode(t *testing.T) {
	t.Parallel()
	opens := time.Now().Add(3 * time.Second)
	node := busyNode(t, server.Config{OpensAt: opens, HashIterations: 1000})
	byUDP, tries, late := 0, 0, false
	c, err := client.New("http://"+node.HTTPAddr().String(), client.Options{
		KnockAddr: node.UDPAddr().String(),
		OnAnswer: func(client.Answer) {
			late = late || tries == 0 && time.Now().After(opens)
			tries++
		},
		OnWait: func(w client.Wait) {
			if w.Line != nil && w.Line.ByUDP {
				byUDP++
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdleConnections()
	session, err := c.Register(t.Context(), "alice", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if time.Now().Before(opens) || byUDP == 0 && !late || tries > 2 {
		t.Errorf("in %v before the node opened, told %d times by UDP, with %d tries", time.Until(opens), byUDP, tries)
	}
	if err := session.Logout(t.Context()); err != nil {
		t.Error(err)
	}
}

// More come to a real node than it has room for: all are let in, without an error and without counting retries, and
// those who had to wait were told where they stood. The same holds where a place costs work.
func TestWaitingForRoomInANode(t *testing.T) {
	for _, work := range []int{0, 12} {
		t.Run(fmt.Sprint(work, " bits"), func(t *testing.T) {
			t.Parallel()
			waitForRoom(t, work)
		})
	}
}

func waitForRoom(t *testing.T, work int) {
	addr := startBusy(t, server.Config{HashIterations: 300_000, Workers: 1, QueueDepth: 4, LineWork: work})
	var wait sync.WaitGroup
	var mu sync.Mutex
	const players = 16
	told, tries, worked := 0, 0, 0
	for i := range players {
		wait.Go(func() {
			c, err := client.New(addr, client.Options{
				MaxRetries: 1,
				OnAnswer: func(client.Answer) {
					mu.Lock()
					defer mu.Unlock()
					tries++
				},
				OnWait: func(w client.Wait) {
					mu.Lock()
					defer mu.Unlock()
					if w.Working {
						worked++
						return
					}
					if told++; w.Line == nil || w.Line.Lost != "" {
						t.Errorf("told %q: %+v", w, w.Line)
					}
				},
			})
			if err != nil {
				t.Error(err)
				return
			}
			defer c.CloseIdleConnections()
			if _, err := c.Register(t.Context(), fmt.Sprint("player", i), "correct horse"); err != nil {
				t.Errorf("player %d: %v", i, err)
			}
		})
	}
	wait.Wait()
	if told == 0 || (worked > 0) != (work > 0) {
		t.Errorf("told of a place %d times, and of work %d times", told, worked)
	}
	t.Logf("%d players were let in with %d tries", players, tries)
}
