//go:build unix

package server_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/server"
	"github.com/rushgate/rushgate/world"
)

// forum is the reference world, in which what one says all hear. What has been heard, and not said yet, moves with it.
type forum struct {
	*world.World
	said []string
}

func newForum() *forum { return &forum{World: world.New(world.Default(), 1)} }

func (f *forum) Hear(m rushgate.Message) { f.said = append(f.said, string(m.Data)) }

func (f *forum) Speak(dst []rushgate.Message) []rushgate.Message {
	for _, words := range f.said {
		dst = append(dst, rushgate.Message{Reliable: true, Data: []byte(words)})
	}
	f.said = f.said[:0]
	return dst
}

type forumState struct {
	World []byte
	Said  []string
}

func (f *forum) Checkpoint(dst []byte) ([]byte, error) {
	inner, err := f.World.Checkpoint(nil)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(forumState{inner, f.said})
	return append(dst, b...), err
}

func (f *forum) Restore(b []byte) error {
	var s forumState
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	f.said = s.Said
	return f.World.Restore(s.World)
}

// While a node is replaced with its players inside, they talk: nothing is lost or heard twice, over UDP, whose
// connections move, and over a WebSocket, which ends with its process.
func TestPlayersTalkWhileTheirNodeIsReplaced(t *testing.T) {
	t.Parallel()
	cfg := config(t, t.TempDir())
	cfg.World = newForum()
	s := startToBeReplaced(t, cfg)
	names := []string{"alice", "bob"}
	players := make(map[string]*client.Realtime)
	for _, name := range names {
		session, err := newClient(t, s, client.Options{}).Register(t.Context(), name, "correct horse")
		if err != nil {
			t.Fatal(err)
		}
		rt, err := session.Connect(t.Context(), client.RealtimeOptions{WebSocket: name == "bob", UDPOnly: name == "alice"})
		if err != nil {
			t.Fatal(err)
		}
		defer rt.Close()
		players[name] = rt
	}
	const words = 50
	var talking sync.WaitGroup
	for name, rt := range players {
		talking.Go(func() {
			for i := range words {
				if err := rt.Send([]byte(fmt.Sprint(name, " ", i)), true); err != nil {
					t.Error(err)
				}
				time.Sleep(40 * time.Millisecond)
			}
		})
	}
	for who, rt := range players {
		talking.Go(func() {
			heard := make(map[string][]string)
			for range len(names) * words {
				m, ok := <-rt.Messages()
				if !ok || m.Lost {
					t.Errorf("%s: %+v, ended for %v, after %v", who, m, rt.Err(), heard)
					return
				}
				name, _, _ := strings.Cut(string(m.Data), " ")
				heard[name] = append(heard[name], string(m.Data))
			}
			for _, name := range names {
				var want []string
				for i := range words {
					want = append(want, fmt.Sprint(name, " ", i))
				}
				if !slices.Equal(heard[name], want) {
					t.Errorf("%s hears of %s %q", who, name, heard[name])
				}
			}
		})
	}
	time.Sleep(500 * time.Millisecond)
	cfg.Handover, cfg.World = true, newForum()
	next, err := server.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Stop()
	talking.Wait()
}
