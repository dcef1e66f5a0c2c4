package storetest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/rushgate/rushgate"
)

var takeoverCases = []testCase{
	{"HolderIsToldOnce", holderIsTold},
	{"OnlyTakeoversAsk", onlyTakeoversAsk},
	{"WhoeverHoldsTheLeaseIsAsked", holdersAsked},
	{"ReleaseLetsTheOtherIn", releaseLetsIn},
	{"LaterLeaseIsNotAskedFor", laterLeaseIsSafe},
	{"AtMostMaxWantedACall", manyWanted},
	{"InstanceIsChecked", wantedInstance},
}

func takeover(id rushgate.PlayerID, name, attempt string) rushgate.Admission {
	a := login(id, name, attempt)
	a.Takeover = true
	return a
}

func wanted(t *testing.T, s rushgate.Store, by rushgate.Instance) []rushgate.Wanted {
	t.Helper()
	leases, err := s.Wanted(t.Context(), by)
	if err != nil {
		t.Fatalf("Wanted by %v: %v", by, err)
	}
	return leases
}

func wantWanted(t *testing.T, s rushgate.Store, by rushgate.Instance, want ...rushgate.Lease) {
	t.Helper()
	got := wanted(t, s, by)
	same := len(got) == len(want)
	for i := 0; same && i < len(want); i++ {
		same = got[i] == rushgate.Wanted{Lease: want[i]}
	}
	if !same {
		t.Errorf("Wanted by %v is %+v, want %+v", by, got, want)
	}
}

// refused carries out an admission that must find the player inside.
func refused(t *testing.T, s rushgate.Store, by rushgate.Instance, a rushgate.Admission) {
	t.Helper()
	if got := admitAll(t, s, by, a)[0]; !errors.Is(got.Err, rushgate.AlreadyLoggedIn) {
		t.Fatalf("login %q by %v: %+v, want %v", a.Attempt, by, got, rushgate.AlreadyLoggedIn)
	}
}

func holderIsTold(t *testing.T, h Harness) {
	s := h.open(t)
	in := register(t, s, 1, "alice")
	for range 2 {
		for range 3 { // a client that keeps asking asks for one thing
			refused(t, s, nodeB, takeover(1, "alice", "b"))
		}
		wantWanted(t, s, nodeB)
		wantWanted(t, s, nodeA, in.Lease)
		wantWanted(t, s, nodeA)
	}
	if err := refresh(t, s, nodeA, in.Lease)[0]; err != nil { // nothing is taken away from the holder
		t.Errorf("refresh by the holder: %v", err)
	}
	wantInside(t, s, 1)
}

func onlyTakeoversAsk(t *testing.T, h Harness) {
	s := h.open(t)
	in := register(t, s, 1, "alice")
	refused(t, s, nodeB, login(1, "alice", "b"))
	refused(t, s, nodeA, login(1, "alice", "a"))
	wantWanted(t, s, nodeA)
	again := takeover(1, "alice", "first")
	if got := admit(t, s, nodeA, again); !got.Resumed || got.Lease != in.Lease {
		t.Errorf("the attempt that holds the lease got %+v", got)
	}
	release(t, s, in)
	admit(t, s, nodeB, takeover(1, "alice", "b")) // no node to ask
	h.Advance(rushgate.LeaseTTL)
	admit(t, s, nodeA, takeover(1, "alice", "c")) // no node left to ask
	wantWanted(t, s, nodeA)
	wantWanted(t, s, nodeB)
}

// The holder is asked wherever it is: on the very node that the player has come to again, or after a restart under
// which the session has lived on in the store only.
func holdersAsked(t *testing.T, h Harness) {
	s := h.open(t)
	in := register(t, s, 1, "alice")
	refused(t, s, nodeA, takeover(1, "alice", "second"))
	wantWanted(t, s, nodeA, in.Lease)

	refused(t, s, nodeB, takeover(1, "alice", "b"))
	wantWanted(t, s, nodeA2, in.Lease)

	in = admit(t, s, nodeA2, login(1, "alice", "third"))
	refused(t, s, nodeB, takeover(1, "alice", "b"))
	wantWanted(t, s, nodeA2, in.Lease)
}

func releaseLetsIn(t *testing.T, h Harness) {
	s := h.open(t)
	in := register(t, s, 1, "alice")
	refused(t, s, nodeB, takeover(1, "alice", "b"))
	wantWanted(t, s, nodeA, in.Lease)
	setNumber(&in.Character, "xp", 9)
	in.Character.Zone, in.Character.Data = "inn", []byte{1}
	release(t, s, in)
	got := admit(t, s, nodeB, takeover(1, "alice", "b"))
	wantCharacter(t, got.Character, in.Character)
	if got.Resumed || got.Lease.Fence <= in.Lease.Fence {
		t.Errorf("admitted as %+v after %+v", got, in.Lease)
	}
	late := rushgate.Save{Character: in.Character, Fence: in.Lease.Fence}
	if err := save(t, s, late); !errors.Is(err, rushgate.ErrLeaseLost) {
		t.Errorf("save by the former holder: %v, want %v", err, rushgate.ErrLeaseLost)
	}
}

// A holder that has let go before it was told must not throw out the player who has come back meanwhile.
func laterLeaseIsSafe(t *testing.T, h Harness) {
	s := h.open(t)
	old := register(t, s, 1, "alice")
	refused(t, s, nodeB, takeover(1, "alice", "b"))
	release(t, s, old)
	in := admit(t, s, nodeA, login(1, "alice", "a"))
	for _, l := range wanted(t, s, nodeA) {
		if l.Lease != old.Lease { // it may be told: its fence says that it is over
			t.Errorf("%+v is wanted, but only %+v was asked for, and %+v is held", l, old.Lease, in.Lease)
		}
	}
	refused(t, s, nodeB, takeover(1, "alice", "b"))
	wantWanted(t, s, nodeA, in.Lease)
}

func manyWanted(t *testing.T, h Harness) {
	const n = rushgate.MaxWanted + 100
	s := h.open(t)
	var registrations, takeovers []rushgate.Admission
	for id := range rushgate.PlayerID(n) {
		name := fmt.Sprintf("player%04d", id+1)
		registrations = append(registrations, registration(id+1, name, "a"))
		takeovers = append(takeovers, takeover(id+1, name, "b"))
	}
	asked := make(map[rushgate.Lease]bool)
	for _, in := range admitAll(t, s, nodeA, registrations...) {
		asked[in.Lease] = true
	}
	admitAll(t, s, nodeB, takeovers...)
	for calls := 0; len(asked) > 0; calls++ {
		leases := wanted(t, s, nodeA)
		if len(leases) > rushgate.MaxWanted || len(leases) == 0 || calls > 10 {
			t.Fatalf("call %d has returned %d leases, with %d to go", calls, len(leases), len(asked))
		}
		for _, l := range leases {
			if !asked[l.Lease] || l.Move {
				t.Fatalf("%+v is wanted again, or was never asked for", l)
			}
			delete(asked, l.Lease)
		}
	}
	wantWanted(t, s, nodeA)
}

func wantedInstance(t *testing.T, h Harness) {
	s := h.open(t)
	for _, by := range []rushgate.Instance{{}, {Node: "a"}, {Run: "1"}} {
		if got, err := s.Wanted(t.Context(), by); err == nil {
			t.Errorf("Wanted by %+v = %+v, want an error", by, got)
		}
	}
}
