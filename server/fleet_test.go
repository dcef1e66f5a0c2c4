package server

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/auth"
)

// beating is a store that hears beats, and tells of the nodes that a test has put there.
type beating struct {
	rushgate.Fleet

	mu    sync.Mutex
	nodes []rushgate.NodeStatus
	err   error
	beats int
}

// set changes what the next beats are told.
func (b *beating) set(err error, nodes ...rushgate.NodeStatus) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err, b.nodes = err, nodes
}

// heard returns how many beats there were.
func (b *beating) heard() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.beats
}

func (b *beating) Beat(context.Context, rushgate.NodeBeat) ([]rushgate.NodeStatus, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.beats++
	return b.nodes, b.err
}

// No node is gone because the clock of the store has jumped, as after a failover to a server whose clock is another's.
func TestFleetWithAStoreWhoseClockJumps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := rushgate.Instance{Node: "other", Run: "1"}
		store := &beating{}
		says := func(silence time.Duration) { store.set(nil, rushgate.NodeStatus{Instance: other, Silence: silence}) }
		f := newFleet(store, rushgate.NodeBeat{Instance: rushgate.Instance{Node: "me", Run: "1"}},
			slog.New(slog.DiscardHandler))
		says(300 * time.Millisecond)
		f.begin(t.Context())
		f.start()
		defer f.stop()
		time.Sleep(time.Minute + beatInterval/2) // between two beats, as all that follows
		says(goneAfter + time.Second)            // before the other node beats by the new clock
		time.Sleep(beatInterval)
		synctest.Wait()
		if h := f.holder(other); h.Gone {
			t.Error("a node that was heard a second ago is gone")
		}
		for i := range 7 { // it beats once more, and is heard no more then
			says(300*time.Millisecond + time.Duration(i)*beatInterval)
			time.Sleep(beatInterval)
		}
		synctest.Wait()
		if h := f.holder(other); !h.Gone {
			t.Error("a node that was not heard for six seconds is not gone")
		}
	})
}

// Who is gone is said only by a node that has been heard itself all the while.
func TestFleetKnowsWhoIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := rushgate.Instance{Node: "other", Run: "1"}
		store := &beating{}
		says := func(silence time.Duration) {
			store.set(nil, rushgate.NodeStatus{Instance: other, Address: "other.example.org:1", Silence: silence})
		}
		f := newFleet(store, rushgate.NodeBeat{Instance: rushgate.Instance{Node: "me", Run: "1"}},
			slog.New(slog.DiscardHandler))
		check := func(what string, want auth.Holder) {
			t.Helper()
			synctest.Wait()
			if got := f.holder(other); got != want {
				t.Errorf("%s: %+v, want %+v", what, got, want)
			}
		}
		const address = "other.example.org:1"
		check("before the first beat", auth.Holder{})
		says(time.Minute)
		f.begin(t.Context())
		f.start()
		defer f.stop()
		check("a node that was silent before this one was there", auth.Holder{Address: address})
		time.Sleep(goneAfter + beatInterval + time.Millisecond)
		check("a node that was silent while this one was there", auth.Holder{Address: address, Gone: true})
		if got := f.holder(rushgate.Instance{Node: "nobody"}); got != (auth.Holder{}) {
			t.Errorf("a node of which nothing is known: %+v", got)
		}
		if got := f.holder(rushgate.Instance{Node: "me", Run: "0"}); got != (auth.Holder{}) {
			t.Errorf("this node: %+v", got)
		}
		says(goneAfter)
		time.Sleep(beatInterval)
		check("a node that is late", auth.Holder{Address: address})
		store.set(errors.New("away"))
		time.Sleep(knownFor + beatInterval)
		check("the store is away", auth.Holder{})
		says(time.Minute)
		time.Sleep(beatInterval)
		check("the store is back, and no node was heard meanwhile", auth.Holder{Address: address})
		time.Sleep(goneAfter + beatInterval)
		check("and one is not heard now either", auth.Holder{Address: address, Gone: true})
		f.stop()
		beats := store.heard()
		time.Sleep(time.Minute)
		if after := store.heard(); after != beats || beats == 0 {
			t.Errorf("%d beats, and %d after the end", beats, after-beats)
		}
	})
}
