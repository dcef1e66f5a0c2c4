package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
)

var leaseCases = []testCase{
	{"WhoMayClaim", whoMayClaim},
	{"ExpireAtTheTTL", leasesExpire},
	{"RefreshExtends", refreshExtends},
	{"RefreshRevivesWhatNobodyClaimed", refreshRevives},
	{"RefreshAfterTakeoverIsLost", refreshAfterTakeover},
	{"LateRefreshDoesNotUndoARelease", lateRefresh},
	{"RefreshKeepsTheOrder", refreshInOrder},
	{"ConcurrentLoginsOneWins", concurrentLogins},
	{"PreviousIsTheFenceBefore", previousFence},
}

func whoMayClaim(t *testing.T, h Harness) {
	const ttl = rushgate.LeaseTTL
	tests := []struct {
		name    string
		after   time.Duration // since nodeA claimed with the attempt "first"
		by      rushgate.Instance
		attempt string
		want    error
		resumed bool
	}{
		{"same attempt", 0, nodeA, "first", nil, true},
		{"same attempt at the last moment", ttl - time.Millisecond, nodeA, "first", nil, true},
		{"same attempt, expired", ttl, nodeA, "first", nil, true},
		{"another attempt", 0, nodeA, "second", rushgate.AlreadyLoggedIn, false},
		{"another attempt at the last moment", ttl - time.Millisecond, nodeA, "second", rushgate.AlreadyLoggedIn, false},
		{"another attempt, expired", ttl, nodeA, "second", nil, false},
		{"restarted node, same attempt", 0, nodeA2, "first", nil, false},
		{"restarted node, another attempt", 0, nodeA2, "second", nil, false},
		{"another node, same attempt", 0, nodeB, "first", rushgate.AlreadyLoggedIn, false},
		{"another node, another attempt", 0, nodeB, "second", rushgate.AlreadyLoggedIn, false},
		{"another node at the last moment", ttl - time.Millisecond, nodeB, "second", rushgate.AlreadyLoggedIn, false},
		{"another node, expired", ttl, nodeB, "second", nil, false},
		{"another node, same attempt, expired", ttl, nodeB, "first", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := h.open(t)
			first := register(t, s, 1, "alice")
			h.Advance(tt.after)
			got := admitAll(t, s, tt.by, login(1, "alice", tt.attempt))[0]
			if !errors.Is(got.Err, tt.want) || got.Resumed != tt.resumed {
				t.Fatalf("admitted as %+v, want error %v, resumed %v", got, tt.want, tt.resumed)
			}
			stays := tt.want != nil || tt.resumed
			err := save(t, s, rushgate.Save{Character: first.Character, Fence: first.Lease.Fence})
			if stays != (err == nil) || !stays && !errors.Is(err, rushgate.ErrLeaseLost) {
				t.Errorf("save by the first session: %v", err)
			}
			if tt.want != nil {
				return
			}
			if tt.resumed != (got.Lease == first.Lease) || !tt.resumed && got.Lease.Fence <= first.Lease.Fence {
				t.Errorf("lease %+v after %+v", got.Lease, first.Lease)
			}
			h.Advance(ttl - time.Millisecond)
			wantInside(t, s, 1) // every claim lasts its full time
		})
	}
}

func leasesExpire(t *testing.T, h Harness) {
	s := h.open(t)
	register(t, s, 1, "alice")
	h.Advance(time.Second)
	register(t, s, 2, "bob")
	h.Advance(rushgate.LeaseTTL - time.Second - time.Millisecond)
	wantInside(t, s, 2)
	h.Advance(time.Millisecond)
	wantInside(t, s, 1)
	h.Advance(time.Second)
	wantInside(t, s, 0)
}

func refreshExtends(t *testing.T, h Harness) {
	s := h.open(t)
	in := register(t, s, 1, "alice")
	for range 3 {
		h.Advance(rushgate.LeaseTTL - time.Millisecond)
		if err := refresh(t, s, nodeA, in.Lease)[0]; err != nil {
			t.Fatalf("Refresh: %v", err)
		}
	}
	h.Advance(rushgate.LeaseTTL - time.Millisecond)
	wantInside(t, s, 1)
	if got := admitAll(t, s, nodeB, login(1, "alice", "b"))[0]; !errors.Is(got.Err, rushgate.AlreadyLoggedIn) {
		t.Errorf("login elsewhere: %v, want %v", got.Err, rushgate.AlreadyLoggedIn)
	}
	if got := admit(t, s, nodeA, login(1, "alice", "first")); !got.Resumed || got.Lease != in.Lease {
		t.Errorf("the attempt got %+v, want its lease %+v", got, in.Lease)
	}
}

func refreshRevives(t *testing.T, h Harness) {
	s := h.open(t)
	in := register(t, s, 1, "alice")
	h.Advance(10 * rushgate.LeaseTTL)
	wantInside(t, s, 0)
	if err := refresh(t, s, nodeA, in.Lease)[0]; err != nil {
		t.Fatalf("Refresh: %v", err)
	}
	wantInside(t, s, 1)
	if got := admitAll(t, s, nodeB, login(1, "alice", "b"))[0]; !errors.Is(got.Err, rushgate.AlreadyLoggedIn) {
		t.Errorf("login elsewhere: %v, want %v", got.Err, rushgate.AlreadyLoggedIn)
	}
	h.Advance(rushgate.LeaseTTL)
	wantInside(t, s, 0)
}

func refreshAfterTakeover(t *testing.T, h Harness) {
	s := h.open(t)
	old := register(t, s, 1, "alice")
	h.Advance(rushgate.LeaseTTL)
	now := admit(t, s, nodeB, login(1, "alice", "b"))
	wantLost := func(when string) {
		t.Helper()
		if err := refresh(t, s, nodeA, old.Lease)[0]; !errors.Is(err, rushgate.ErrLeaseLost) {
			t.Errorf("refresh %s: %v, want %v", when, err, rushgate.ErrLeaseLost)
		}
	}
	wantLost("while the new lease is live")
	h.Advance(rushgate.LeaseTTL)
	wantLost("after the new lease has expired")
	release(t, s, now)
	wantLost("after the new lease was released")
	wantInside(t, s, 0)
}

func lateRefresh(t *testing.T, h Harness) {
	s := h.open(t)
	in := register(t, s, 1, "alice")
	release(t, s, in)
	for _, fence := range []uint64{in.Lease.Fence, in.Lease.Fence + 1} {
		err := refresh(t, s, nodeA, rushgate.Lease{Player: 1, Name: "alice", Fence: fence})[0]
		if !errors.Is(err, rushgate.ErrLeaseLost) {
			t.Errorf("refresh with fence %d after release: %v, want %v", fence, err, rushgate.ErrLeaseLost)
		}
	}
	wantInside(t, s, 0)
	if got := admit(t, s, nodeB, login(1, "alice", "b")); got.Resumed || got.Lease.Fence <= in.Lease.Fence {
		t.Errorf("login after release got %+v after %+v", got.Lease, in.Lease)
	}
}

func refreshInOrder(t *testing.T, h Harness) {
	s := h.open(t)
	a, b, c := register(t, s, 1, "alice"), register(t, s, 2, "bob"), register(t, s, 3, "carol")
	release(t, s, b)
	stale, misnamed := a.Lease, a.Lease
	stale.Fence--
	misnamed.Name = c.Lease.Name
	unknown := rushgate.Lease{Player: 99, Name: "nobody", Fence: 1}
	errs := refresh(t, s, nodeA, c.Lease, b.Lease, unknown, stale, misnamed, a.Lease)
	for i, lost := range []bool{false, true, true, true, true, false} {
		if lost != errors.Is(errs[i], rushgate.ErrLeaseLost) || !lost && errs[i] != nil {
			t.Errorf("lease %d: %v", i, errs[i])
		}
	}
	refresh(t, s, nodeA)
}

// previousFence follows one player through claims of every kind.
func previousFence(t *testing.T, h Harness) {
	s := h.open(t)
	var before, now uint64
	claim := func(what string, by rushgate.Instance, a rushgate.Admission) rushgate.Admitted {
		t.Helper()
		got := admit(t, s, by, a)
		before, now = now, got.Lease.Fence
		if got.Previous != before || got.Resumed {
			t.Errorf("%s: previous fence %d, resumed %v; want %d, false", what, got.Previous, got.Resumed, before)
		}
		return got
	}
	again := func(what string, by rushgate.Instance, a rushgate.Admission) {
		t.Helper()
		if got := admit(t, s, by, a); got.Previous != before || got.Lease.Fence != now || !got.Resumed {
			t.Errorf("%s: previous fence %d, fence %d, resumed %v; want %d, %d, true",
				what, got.Previous, got.Lease.Fence, got.Resumed, before, now)
		}
	}
	first := claim("a registration", nodeA, registration(1, "alice", "first"))
	again("the registration again", nodeA, registration(1, "alice", "first"))
	if err := save(t, s, rushgate.Save{Character: first.Character, Fence: first.Lease.Fence}); err != nil {
		t.Fatal(err)
	}
	again("after a save", nodeA, login(1, "alice", "first"))
	h.Advance(rushgate.LeaseTTL)
	second := claim("after the lease has run out", nodeA, login(1, "alice", "second"))
	refresh(t, s, nodeA, second.Lease)
	again("after a refresh", nodeA, login(1, "alice", "second"))
	h.Advance(time.Minute)
	release(t, s, second)
	claim("after a release, elsewhere", nodeB, login(1, "alice", "third"))
	h.Advance(10 * rushgate.LeaseTTL)
	claim("back again", nodeA, login(1, "alice", "fourth"))
	claim("after a restart of the node", nodeA2, login(1, "alice", "fourth"))
	if h.Reopen != nil {
		s = h.reopen(t, s)
		again("after a restart of the store", nodeA2, login(1, "alice", "fourth"))
	}
}

func concurrentLogins(t *testing.T, h Harness) {
	const n = 16
	s := h.open(t)
	release(t, s, register(t, s, 1, "alice"))
	var wg sync.WaitGroup
	results := make([]rushgate.Admitted, n)
	for i := range n {
		wg.Go(func() {
			by := []rushgate.Instance{nodeA, nodeB}[i%2]
			got, err := s.Admit(t.Context(), by, []rushgate.Admission{login(1, "alice", fmt.Sprint(i))})
			if err != nil {
				t.Errorf("Admit: %v", err)
				return
			}
			results[i] = got[0]
		})
	}
	wg.Wait()
	winners := 0
	for i, r := range results {
		if r.Err == nil {
			winners++
		} else if !errors.Is(r.Err, rushgate.AlreadyLoggedIn) {
			t.Errorf("login %d: %v", i, r.Err)
		}
	}
	if winners != 1 {
		t.Errorf("%d logins have won", winners)
	}
	wantInside(t, s, 1)
}
