package wanted_test

import (
	"slices"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/wanted"
)

func lease(id rushgate.PlayerID, fence uint64) rushgate.Wanted {
	return rushgate.Wanted{Lease: rushgate.Lease{Player: id, Name: "alice", Fence: fence}}
}

func move(w rushgate.Wanted) rushgate.Wanted {
	w.Move = true
	return w
}

func TestEachLeaseIsTakenOnceByItsNode(t *testing.T) {
	var l wanted.List
	if got := l.Take("a"); len(got) != 0 {
		t.Errorf("an empty list holds %+v", got)
	}
	l.Add("a", lease(1, 1))
	l.Add("a", lease(1, 1))
	l.Add("b", lease(1, 2))
	for _, want := range []struct {
		node   string
		leases []rushgate.Wanted
	}{
		{"c", nil}, {"a", []rushgate.Wanted{lease(1, 1)}}, {"a", nil}, {"b", []rushgate.Wanted{lease(1, 2)}}, {"b", nil},
	} {
		if got := l.Take(want.node); !slices.Equal(got, want.leases) {
			t.Errorf("node %s got %+v, want %+v", want.node, got, want.leases)
		}
	}
}

// A player who comes and goes while a node does not ask takes up no more room than one.
func TestNewerLeaseReplacesOlder(t *testing.T) {
	var l wanted.List
	for fence := range uint64(5000) {
		l.Add("a", lease(1, fence))
	}
	if got, want := l.Take("a"), []rushgate.Wanted{lease(1, 4999)}; !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestTakeIsBounded(t *testing.T) {
	var l wanted.List
	for id := range rushgate.PlayerID(rushgate.MaxWanted + 1) {
		l.Add("a", lease(id+1, 1))
	}
	for i, want := range []int{rushgate.MaxWanted, 1, 0} {
		if got := l.Take("a"); len(got) != want {
			t.Errorf("call %d returned %d leases, want %d", i, len(got), want)
		}
	}
}

// Whatever order it is asked for in, a session that shall end is not told to move; a later one may move.
func TestEndPrevailsOverMove(t *testing.T) {
	end := lease(1, 1)
	for _, tt := range []struct {
		asked []rushgate.Wanted
		want  rushgate.Wanted
	}{
		{[]rushgate.Wanted{move(end)}, move(end)},
		{[]rushgate.Wanted{move(end), move(end)}, move(end)},
		{[]rushgate.Wanted{move(end), end}, end},
		{[]rushgate.Wanted{end, move(end)}, end},
		{[]rushgate.Wanted{end, move(end), move(end)}, end},
		{[]rushgate.Wanted{end, move(lease(1, 2))}, move(lease(1, 2))},
	} {
		var l wanted.List
		for _, w := range tt.asked {
			l.Add("a", w)
		}
		if got := l.Take("a"); !slices.Equal(got, []rushgate.Wanted{tt.want}) {
			t.Errorf("of %+v the node got %+v, want %+v", tt.asked, got, tt.want)
		}
	}
}
