package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
)

var deletionCases = []testCase{
	{"RemovesAll", deleteRemovesAll},
	{"RefusedWhileTheLeaseIsLive", deleteWhileInside},
	{"ExpiredLeaseIsLostWithTheAccount", deleteExpired},
	{"MissingAccount", deleteMissing},
	{"NameIsFreeAgain", deleteFreesName},
	{"RaceWithLogins", deleteRace},
	{"DurableAcrossReopen", deleteDurable},
}

func deleteAccount(t *testing.T, s rushgate.Store, name string) {
	t.Helper()
	if err := s.DeleteAccount(t.Context(), name); err != nil {
		t.Fatalf("DeleteAccount of %s: %v", name, err)
	}
}

// wantGone checks that nothing is left of player 1, alice.
func wantGone(t *testing.T, s rushgate.Store) {
	t.Helper()
	wantAccount(t, load(t, s, "alice")[0], rushgate.Account{})
	wantCharacter(t, characters(t, s, "alice")[0], rushgate.Character{})
	for _, board := range Boards() {
		for _, rank := range top(t, s, board, 10) {
			if rank.Player == 1 {
				t.Errorf("leaderboard %s still has %+v", board, rank)
			}
		}
	}
	if got := admitAll(t, s, nodeA, login(1, "alice", "first"))[0]; !errors.Is(got.Err, rushgate.BadCredentials) {
		t.Errorf("login after the deletion: %v, want %v", got.Err, rushgate.BadCredentials)
	}
	wantChanged(t, s, rushgate.AccountChange{Player: 1, Name: "alice", PasswordHash: "new"}, rushgate.BadCredentials)
}

func deleteRemovesAll(t *testing.T, h Harness) {
	s := h.open(t)
	in, bob := register(t, s, 1, "alice"), register(t, s, 2, "bob")
	setNumber(&in.Character, "xp", 10)
	setNumber(&in.Character, "level", 10)
	setNumber(&in.Character, "deaths", 10)
	release(t, s, in)
	before := load(t, s, "bob")[0]
	deleteAccount(t, s, "alice")
	wantGone(t, s)
	wantInside(t, s, 1)
	wantAccount(t, load(t, s, "bob")[0], before)
	wantCharacter(t, characters(t, s, "bob")[0], bob.Character)
	wantRanks(t, top(t, s, rushgate.BoardLevel, 10), []rushgate.Rank{{Rank: 1, Player: 2, Name: "bob", Score: 0}})
}

func deleteWhileInside(t *testing.T, h Harness) {
	s := h.open(t)
	in := register(t, s, 1, "alice")
	before := load(t, s, "alice")[0]
	h.Advance(rushgate.LeaseTTL - time.Millisecond)
	if err := s.DeleteAccount(t.Context(), "alice"); !errors.Is(err, rushgate.AlreadyLoggedIn) {
		t.Fatalf("DeleteAccount of a player inside = %v, want %v", err, rushgate.AlreadyLoggedIn)
	}
	wantAccount(t, load(t, s, "alice")[0], before)
	wantInside(t, s, 1)
	setNumber(&in.Character, "xp", 3)
	if err := save(t, s, rushgate.Save{Character: in.Character, Fence: in.Lease.Fence}); err != nil {
		t.Errorf("save after a deletion that was refused: %v", err)
	}
}

// A node that held the lease and comes back too late is told that it is lost, and brings nothing back.
func deleteExpired(t *testing.T, h Harness) {
	s := h.open(t)
	in := register(t, s, 1, "alice")
	h.Advance(rushgate.LeaseTTL)
	deleteAccount(t, s, "alice")
	for _, release := range []bool{false, true} {
		err := save(t, s, rushgate.Save{Character: in.Character, Fence: in.Lease.Fence, Release: release})
		if !errors.Is(err, rushgate.ErrLeaseLost) {
			t.Errorf("save (release %v) after the deletion: %v, want %v", release, err, rushgate.ErrLeaseLost)
		}
	}
	if err := refresh(t, s, nodeA, in.Lease)[0]; !errors.Is(err, rushgate.ErrLeaseLost) {
		t.Errorf("refresh after the deletion: %v, want %v", err, rushgate.ErrLeaseLost)
	}
	wantGone(t, s)
	wantInside(t, s, 0)
}

func deleteMissing(t *testing.T, h Harness) {
	s := h.open(t)
	release(t, s, register(t, s, 1, "alice"))
	for _, name := range []string{"", "bob", "Alice"} {
		if err := s.DeleteAccount(t.Context(), name); !errors.Is(err, rushgate.BadCredentials) {
			t.Errorf("DeleteAccount of %q = %v, want %v", name, err, rushgate.BadCredentials)
		}
	}
	deleteAccount(t, s, "alice")
	if err := s.DeleteAccount(t.Context(), "alice"); !errors.Is(err, rushgate.BadCredentials) {
		t.Errorf("second DeleteAccount = %v, want %v", err, rushgate.BadCredentials)
	}
}

// The name belongs to the player who registers it next, who has nothing of the former owner's.
func deleteFreesName(t *testing.T, h Harness) {
	s := h.open(t)
	first := reserve(t, s, 1)
	old := register(t, s, first, "alice")
	setNumber(&old.Character, "xp", 100)
	old.Character.Zone = "castle"
	release(t, s, old)
	deleteAccount(t, s, "alice")

	second := reserve(t, s, 1)
	if second == first {
		t.Fatalf("id %d was given out again", first)
	}
	next := registration(second, "alice", "second")
	got := admit(t, s, nodeA, next)
	wantCharacter(t, got.Character, created(next.Account))
	wantAccount(t, load(t, s, "alice")[0], next.Account)
	late := rushgate.Save{Character: old.Character, Fence: old.Lease.Fence}
	if err := save(t, s, late); !errors.Is(err, rushgate.ErrLeaseLost) {
		t.Errorf("save of the deleted character: %v, want %v", err, rushgate.ErrLeaseLost)
	}
	wantCharacter(t, characters(t, s, "alice")[0], got.Character)
}

// Of a deletion and the logins that race with it either the deletion wins, or one login.
func deleteRace(t *testing.T, h Harness) {
	const n = 8
	for range 10 {
		s := h.open(t)
		release(t, s, register(t, s, 1, "alice"))
		var wg sync.WaitGroup
		logins := make([]rushgate.Admitted, n)
		var deleted error
		for i := range n {
			wg.Go(func() {
				got, err := s.Admit(t.Context(), nodeA, []rushgate.Admission{login(1, "alice", fmt.Sprint(i))})
				if err != nil {
					t.Errorf("Admit: %v", err)
					return
				}
				logins[i] = got[0]
			})
		}
		wg.Go(func() { deleted = s.DeleteAccount(t.Context(), "alice") })
		wg.Wait()
		if t.Failed() {
			return
		}
		refusal, insiders := error(rushgate.BadCredentials), 0
		if errors.Is(deleted, rushgate.AlreadyLoggedIn) {
			refusal, insiders = rushgate.AlreadyLoggedIn, 1
		} else if deleted != nil {
			t.Fatalf("DeleteAccount: %v", deleted)
		}
		inside := 0
		for i, r := range logins {
			if r.Err == nil {
				inside++
			} else if !errors.Is(r.Err, refusal) {
				t.Errorf("login %d: %v, want %v after a deletion that ended with %v", i, r.Err, refusal, deleted)
			}
		}
		if inside != insiders {
			t.Errorf("%d logins have won against a deletion that ended with %v", inside, deleted)
		}
		wantInside(t, s, insiders)
		if deleted == nil {
			wantGone(t, s)
		}
	}
}

func deleteDurable(t *testing.T, h Harness) {
	s := h.open(t)
	first := reserve(t, s, 1)
	release(t, s, register(t, s, first, "alice"))
	deleteAccount(t, s, "alice")
	s = h.reopen(t, s)
	wantAccount(t, load(t, s, "alice")[0], rushgate.Account{})
	wantCharacter(t, characters(t, s, "alice")[0], rushgate.Character{})
	if next := reserve(t, s, 1); next <= first {
		t.Errorf("id %d after %d was deleted", next, first)
	}
}
