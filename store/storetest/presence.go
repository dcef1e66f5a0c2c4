package storetest

import (
	"testing"
	"time"

	"github.com/rushgate/rushgate"
)

var presenceCases = []testCase{
	{"WhereAndUntilWhen", whereAndUntil},
	{"ResultsKeepTheOrder", presenceInOrder},
	{"WantAsksTheHolder", wantAsks},
	{"WantOfNoSessionAsksNoOther", wantOfNone},
}

func presence(t *testing.T, s rushgate.Store, names ...string) []rushgate.Presence {
	t.Helper()
	return presences(t, "Presence", names, func() ([]rushgate.Presence, error) { return s.Presence(t.Context(), names) })
}

func want(t *testing.T, s rushgate.Store, names ...string) []rushgate.Presence {
	t.Helper()
	return presences(t, "Want", names, func() ([]rushgate.Presence, error) { return s.Want(t.Context(), names) })
}

func presences(
	t *testing.T, method string, names []string, call func() ([]rushgate.Presence, error),
) []rushgate.Presence {
	t.Helper()
	got, err := call()
	if err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	if len(got) != len(names) {
		t.Fatalf("%s of %d returned %d results", method, len(names), len(got))
	}
	for i := range got {
		if got[i].Err != nil {
			t.Fatalf("%s of %q: %v", method, names[i], got[i].Err)
		}
	}
	return got
}

// whoTellsTheTime is the name of an account whose lease does.
const whoTellsTheTime = "whose lease tells the time"

// now returns what the store's clock shows, which stands still.
func (h Harness) now(t *testing.T, s rushgate.Store) time.Time {
	t.Helper()
	in := register(t, s, 1<<40, whoTellsTheTime)
	until := presence(t, s, whoTellsTheTime)[0].Until
	release(t, s, in)
	return until.Add(-rushgate.LeaseTTL)
}

func whereAndUntil(t *testing.T, h Harness) {
	s := h.open(t)
	now := h.now(t, s)
	wantPresence := func(when string, node string, until time.Time) {
		t.Helper()
		got := presence(t, s, "alice")[0]
		if got.Node != node || !got.Until.Equal(until) || got.Inside() != (node != "") {
			t.Errorf("%s: %+v, want %q until %v", when, got, node, until)
		}
	}
	none := time.Time{}
	wantPresence("before the registration", "", none)
	in := register(t, s, 1, "alice")
	wantPresence("inside", "a", now.Add(rushgate.LeaseTTL))
	h.Advance(30 * time.Second)
	wantPresence("half a minute later", "a", now.Add(rushgate.LeaseTTL))
	refresh(t, s, nodeA, in.Lease)
	wantPresence("refreshed", "a", now.Add(30*time.Second+rushgate.LeaseTTL))
	h.Advance(rushgate.LeaseTTL - time.Millisecond)
	wantPresence("at the last moment", "a", now.Add(30*time.Second+rushgate.LeaseTTL))
	h.Advance(time.Millisecond)
	wantPresence("expired", "", none)
	in = admit(t, s, nodeB, login(1, "alice", "b"))
	wantPresence("elsewhere", "b", now.Add(30*time.Second+2*rushgate.LeaseTTL))
	release(t, s, in)
	wantPresence("released", "", none)
}

func presenceInOrder(t *testing.T, h Harness) {
	s := h.open(t)
	register(t, s, 1, "alice")
	admit(t, s, nodeB, registration(2, "bob", "b"))
	release(t, s, register(t, s, 3, "carol"))
	names := []string{"bob", "nobody", "alice", "carol", "alice", "", "Alice", "bob"}
	for i, node := range []string{"b", "", "a", "", "a", "", "", "b"} {
		if got := presence(t, s, names...)[i]; got.Node != node {
			t.Errorf("%q is at %q, want %q", names[i], got.Node, node)
		}
	}
	presence(t, s)
}

func wantAsks(t *testing.T, h Harness) {
	s := h.open(t)
	alice := register(t, s, 1, "alice")
	bob := admit(t, s, nodeB, registration(2, "bob", "b"))
	register(t, s, 3, "carol")
	presence(t, s, "alice", "bob", "carol") // asks for nothing
	got := want(t, s, "alice", "nobody", "bob", "alice")
	for i, node := range []string{"a", "", "b", "a"} {
		if got[i].Node != node {
			t.Errorf("result %d is %+v, want %q", i, got[i], node)
		}
	}
	wantWanted(t, s, nodeA, alice.Lease)
	wantWanted(t, s, nodeA)
	wantWanted(t, s, nodeB, bob.Lease)
	if err := refresh(t, s, nodeA, alice.Lease)[0]; err != nil { // nothing is taken away from the holder
		t.Errorf("refresh by the holder: %v", err)
	}
	wantWanted(t, s, nodeA)
	want(t, s)
}

func wantOfNone(t *testing.T, h Harness) {
	s := h.open(t)
	release(t, s, register(t, s, 1, "alice"))
	register(t, s, 2, "bob")
	h.Advance(rushgate.LeaseTTL)
	for _, p := range want(t, s, "alice", "bob", "nobody") {
		if p.Inside() || !p.Until.IsZero() {
			t.Errorf("presence is %+v", p)
		}
	}
	wantWanted(t, s, nodeA)
}
