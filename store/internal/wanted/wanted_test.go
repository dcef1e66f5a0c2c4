package wanted_test

import (
	"slices"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/wanted"
)

func lease(id rushgate.PlayerID, fence uint64) rushgate.Lease {
	return rushgate.Lease{Player: id, Name: "alice", Fence: fence}
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
		leases []rushgate.Lease
	}{
		{"c", nil}, {"a", []rushgate.Lease{lease(1, 1)}}, {"a", nil}, {"b", []rushgate.Lease{lease(1, 2)}}, {"b", nil},
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
	if got, want := l.Take("a"), []rushgate.Lease{lease(1, 4999)}; !slices.Equal(got, want) {
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
