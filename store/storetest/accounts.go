package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
)

var accountCases = []testCase{
	{"MissingAccountsAreZero", missingAccounts},
	{"CreateMakesAccountCharacterAndLease", createMakesAll},
	{"LoadKeepsTheOrder", loadKeepsOrder},
	{"AdmissionsAreCarriedOutInOrder", admissionsInOrder},
	{"ExactlyOneOf64ConcurrentCreatesWins", concurrentCreates},
	{"ConcurrentCreatesOfDifferentNamesAllWin", concurrentNames},
	{"RepeatedRegistrationHasTheSameResult", repeatedRegistration},
	{"RepeatedRegistrationAfterReleaseLogsIn", repeatedAfterRelease},
	{"SameAttemptWithAnotherHash", concurrentAttempt},
	{"LoginOfMissingAccount", loginMissing},
	{"LoginByNameAndIDOfDifferentAccounts", loginMismatched},
	{"ZoneIsTheCharacters", zoneOfCharacter},
	{"UsedIDIsAnError", usedID},
	{"VersionIsKept", versionIsKept},
	{"BadArgumentsWriteNothing", badAdmissions},
}

func missingAccounts(t *testing.T, h Harness) {
	s := h.open(t)
	register(t, s, 1, "alice")
	for i, a := range load(t, s, "nobody", "", "Alice", "alice ", "alice\x00", "al\xffice", `"alice"`) {
		if !sameAccount(a, rushgate.Account{}) {
			t.Errorf("account %d is %+v, want none", i, a)
		}
	}
	load(t, s)
}

func createMakesAll(t *testing.T, h Harness) {
	s := h.open(t)
	a := registration(7, "émilie", "attempt-1")
	a.Account.CreatedAt = epoch.Add(999 * time.Microsecond).In(time.FixedZone("somewhere", 3600))
	got := admit(t, s, nodeA, a)
	a.Account.CreatedAt = epoch // times are kept to the millisecond
	wantAccount(t, load(t, s, "émilie")[0], a.Account)
	wantCharacter(t, got.Character, created(a.Account))
	if got.Lease.Player != 7 || got.Lease.Name != "émilie" || got.Lease.Fence == 0 || got.Resumed || got.HashReplaced {
		t.Errorf("admitted as %+v", got)
	}
	wantInside(t, s, 1)
	first := rushgate.Rank{Rank: 1, Player: 7, Name: "émilie", Score: 0}
	if ranks := top(t, s, rushgate.BoardLevel, 10); len(ranks) != 1 || ranks[0] != first {
		t.Errorf("leaderboard is %+v", ranks)
	}
}

func loadKeepsOrder(t *testing.T, h Harness) {
	s := h.open(t)
	const n = 40
	var batch []rushgate.Admission
	for id := range rushgate.PlayerID(n) {
		batch = append(batch, registration(id+1, fmt.Sprintf("player%02d", id+1), "a"))
	}
	for i, got := range admitAll(t, s, nodeA, batch...) {
		if got.Err != nil || got.Character.ID != batch[i].Account.ID {
			t.Fatalf("admission %d: %+v", i, got)
		}
	}
	names := []string{"player31", "absent", "player02", "player02", "player40", "player01"}
	for i, want := range []rushgate.PlayerID{31, 0, 2, 2, 40, 1} {
		if got := load(t, s, names...)[i]; got.ID != want {
			t.Errorf("account %d of %q has id %d, want %d", i, names, got.ID, want)
		}
	}
}

func admissionsInOrder(t *testing.T, h Harness) {
	s := h.open(t)
	got := admitAll(t, s, nodeA,
		login(1, "alice", "early"),
		registration(1, "alice", "one"),
		registration(2, "alice", "two"),
		login(1, "alice", "three"),
		login(1, "alice", "one"),
		registration(3, "bob", "four"),
	)
	want := []error{rushgate.BadCredentials, nil, rushgate.UsernameTaken, rushgate.AlreadyLoggedIn, nil, nil}
	for i := range want {
		if !errors.Is(got[i].Err, want[i]) {
			t.Errorf("admission %d: %v, want %v", i, got[i].Err, want[i])
		}
	}
	if !got[4].Resumed || got[4].Lease != got[1].Lease {
		t.Errorf("the same attempt got %+v after %+v", got[4], got[1])
	}
	wantInside(t, s, 2)
}

func concurrentCreates(t *testing.T, h Harness) {
	const n = 64
	s := h.open(t)
	var wg sync.WaitGroup
	results := make([]rushgate.Admitted, n)
	for i := range n {
		wg.Go(func() {
			a := registration(rushgate.PlayerID(i+1), "alice", fmt.Sprintf("attempt %d", i))
			admitted, err := s.Admit(t.Context(), nodeA, []rushgate.Admission{a})
			if err != nil {
				t.Errorf("Admit: %v", err)
				return
			}
			results[i] = admitted[0]
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	winner := -1
	for i, r := range results {
		switch {
		case r.Err == nil && winner < 0:
			winner = i
		case !errors.Is(r.Err, rushgate.UsernameTaken):
			t.Errorf("create %d: %v after %d has won", i, r.Err, winner)
		}
	}
	if winner < 0 {
		t.Fatal("nobody has won")
	}
	want := registration(rushgate.PlayerID(winner+1), "alice", fmt.Sprintf("attempt %d", winner)).Account
	wantAccount(t, load(t, s, "alice")[0], want)
	wantInside(t, s, 1)
	for _, board := range Boards() {
		if ranks := top(t, s, board, n); len(ranks) != 1 || ranks[0].Player != want.ID {
			t.Errorf("leaderboard %s is %+v, want player %d alone", board, ranks, want.ID)
		}
	}
	for i := range n {
		if i == winner {
			continue
		}
		probe := login(rushgate.PlayerID(i+1), "alice", "probe")
		if got := admitAll(t, s, nodeA, probe)[0]; !errors.Is(got.Err, rushgate.BadCredentials) {
			t.Errorf("login of loser %d: %v, want %v", i, got.Err, rushgate.BadCredentials)
		}
	}
}

func concurrentNames(t *testing.T, h Harness) {
	const callers, size = 8, 16
	s := h.open(t)
	var wg sync.WaitGroup
	var names []string
	for c := range callers {
		var batch []rushgate.Admission
		for i := range size {
			name := fmt.Sprintf("player%d-%d", c, i)
			names = append(names, name)
			batch = append(batch, registration(rushgate.PlayerID(c*size+i+1), name, "a"))
		}
		wg.Go(func() {
			admitted, err := s.Admit(t.Context(), nodeA, batch)
			if err != nil {
				t.Errorf("Admit: %v", err)
			}
			for i := range admitted {
				if admitted[i].Err != nil {
					t.Errorf("create of %s: %v", batch[i].Account.Username, admitted[i].Err)
				}
			}
		})
	}
	wg.Wait()
	for i, a := range load(t, s, names...) {
		if a.ID != rushgate.PlayerID(i+1) {
			t.Errorf("account of %s has id %d, want %d", names[i], a.ID, i+1)
		}
	}
	wantInside(t, s, callers*size, names...)
}

func repeatedRegistration(t *testing.T, h Harness) {
	s := h.open(t)
	a := registration(1, "alice", "a")
	first := admit(t, s, nodeA, a)
	again := admit(t, s, nodeA, a)
	if !again.Resumed || again.Lease != first.Lease {
		t.Errorf("repeated registration got %+v after %+v", again, first)
	}
	wantCharacter(t, again.Character, first.Character)
	if got := admitAll(t, s, nodeB, a)[0]; !errors.Is(got.Err, rushgate.AlreadyLoggedIn) {
		t.Errorf("repeated on another node: %v, want %v", got.Err, rushgate.AlreadyLoggedIn)
	}
	wantInside(t, s, 1)
	if ranks := top(t, s, rushgate.BoardXP, 10); len(ranks) != 1 {
		t.Errorf("leaderboard is %+v", ranks)
	}
}

func repeatedAfterRelease(t *testing.T, h Harness) {
	s := h.open(t)
	a := registration(1, "alice", "a")
	first := admit(t, s, nodeA, a)
	setNumber(&first.Character, "xp", 5)
	release(t, s, first)
	again := admit(t, s, nodeB, a)
	if again.Resumed || again.Lease.Fence <= first.Lease.Fence {
		t.Errorf("admitted as %+v after %+v", again, first)
	}
	wantCharacter(t, again.Character, first.Character)
}

func concurrentAttempt(t *testing.T, h Harness) {
	s := h.open(t)
	a := registration(1, "alice", "a")
	admit(t, s, nodeA, a)
	other := a
	other.Account.ID = 2
	other.Account.PasswordHash = "the same password under another salt"
	if got := admitAll(t, s, nodeA, other)[0]; !errors.Is(got.Err, rushgate.ErrConcurrentAttempt) {
		t.Errorf("same attempt, other hash: %v, want %v", got.Err, rushgate.ErrConcurrentAttempt)
	}
	// Two registrations that carry no attempt_id have nothing in common.
	for id, want := range []error{nil, rushgate.UsernameTaken} {
		b := registration(rushgate.PlayerID(id+3), "bob", fmt.Sprint(id))
		b.Account.Attempt = ""
		if got := admitAll(t, s, nodeA, b)[0]; !errors.Is(got.Err, want) {
			t.Errorf("registration %d without attempt_id: %v, want %v", id, got.Err, want)
		}
	}
	wantAccount(t, load(t, s, "alice")[0], a.Account)
	wantInside(t, s, 2)
}

func loginMissing(t *testing.T, h Harness) {
	s := h.open(t)
	for _, id := range []rushgate.PlayerID{0, 1, 1<<64 - 1} {
		if got := admitAll(t, s, nodeA, login(id, "alice", "a"))[0]; !errors.Is(got.Err, rushgate.BadCredentials) {
			t.Errorf("login of player %d: %v, want %v", id, got.Err, rushgate.BadCredentials)
		}
	}
	wantInside(t, s, 0)
}

func loginMismatched(t *testing.T, h Harness) {
	s := h.open(t)
	release(t, s, register(t, s, 1, "alice"))
	release(t, s, register(t, s, 2, "bob"))
	for _, a := range []rushgate.Admission{
		login(1, "bob", "a"), login(2, "alice", "a"), login(0, "alice", "a"), login(1, "", "a"),
	} {
		a.Takeover = true
		if got := admitAll(t, s, nodeA, a)[0]; !errors.Is(got.Err, rushgate.BadCredentials) {
			t.Errorf("login of player %d as %q: %v, want %v", a.Account.ID, a.Account.Username, got.Err, rushgate.BadCredentials)
		}
	}
	wantInside(t, s, 0)
}

// The zone comes with the account, so that a login need not be admitted to learn where the character is.
func zoneOfCharacter(t *testing.T, h Harness) {
	s := h.open(t)
	a := registration(1, "alice", "a")
	a.Account.Zone = "not the account's to say"
	in := admit(t, s, nodeA, a)
	for _, zone := range []string{"", "inn", "forest/é", ""} {
		in.Character.Zone = zone
		if err := save(t, s, rushgate.Save{Character: in.Character, Fence: in.Lease.Fence}); err != nil {
			t.Fatal(err)
		}
		if got := load(t, s, "nobody", "alice"); got[0].Zone != "" || got[1].Zone != zone {
			t.Errorf("zones are %q and %q, want none and %q", got[0].Zone, got[1].Zone, zone)
		}
	}
}

func usedID(t *testing.T, h Harness) {
	if h.NamesOnly {
		t.Skip("the store finds players by name only")
	}
	s := h.open(t)
	alice := registration(1, "alice", "a")
	admit(t, s, nodeA, alice)
	bob := registration(1, "bob", "b")
	if got, err := s.Admit(t.Context(), nodeA, []rushgate.Admission{bob}); err == nil {
		t.Fatalf("a second account of id 1 was admitted: %+v", got)
	} else if strings.Contains(err.Error(), bob.Account.PasswordHash) {
		t.Errorf("error %q shows the password hash", err)
	}
	accounts := load(t, s, "alice", "bob")
	wantAccount(t, accounts[0], alice.Account)
	wantAccount(t, accounts[1], rushgate.Account{})
}

func versionIsKept(t *testing.T, h Harness) {
	s := h.open(t)
	for version := range rushgate.AccountVersion + 1 {
		id, name := rushgate.PlayerID(version+1), fmt.Sprint("player", version)
		a := registration(id, name, "a")
		a.Account.Version = version
		first := admit(t, s, nodeA, a)
		if a.Account.Version == 0 {
			a.Account.Version = rushgate.AccountVersion
		}
		wantAccount(t, load(t, s, name)[0], a.Account)
		admit(t, s, nodeA, a) // repeated
		release(t, s, first)
		admit(t, s, nodeB, login(id, name, "b"))
		wantAccount(t, load(t, s, name)[0], a.Account)
	}
}

func badAdmissions(t *testing.T, h Harness) {
	long := strings.Repeat("x", rushgate.MaxAttemptLen+1)
	tests := []struct {
		name string
		edit func(*rushgate.Admission)
		says string
	}{
		{"empty attempt", func(a *rushgate.Admission) { a.Attempt = "" }, "attempt"},
		{"long attempt", func(a *rushgate.Admission) { a.Attempt = long }, "attempt"},
		{"long account attempt", func(a *rushgate.Admission) { a.Account.Attempt = long }, "attempt"},
		{"negative version", func(a *rushgate.Admission) { a.Account.Version = -1 }, "version"},
		{"version to come", func(a *rushgate.Admission) { a.Account.Version = rushgate.AccountVersion + 1 }, "version"},
		{"disabled", func(a *rushgate.Admission) { a.Account.Disabled.Until = rushgate.Forever() }, "disabled"},
		{"odd credential", func(a *rushgate.Admission) {
			a.Account.Credentials = make([]rushgate.Credential, 1)
		}, "credential"},
	}
	s := h.open(t)
	for _, tt := range tests {
		bad := registration(2, "bob", "b")
		tt.edit(&bad)
		got, err := s.Admit(t.Context(), nodeA, []rushgate.Admission{registration(1, "alice", "a"), bad})
		if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %+v, %v; want an error that names the %s", tt.name, got, err, tt.says)
		}
	}
	for _, a := range load(t, s, "alice", "bob") {
		wantAccount(t, a, rushgate.Account{})
	}
	longest := registration(1, "alice", long[1:])
	admit(t, s, nodeA, longest)
	wantAccount(t, load(t, s, "alice")[0], longest.Account)
}
