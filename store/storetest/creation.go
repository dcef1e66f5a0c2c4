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

var creationCases = []testCase{
	{"MakesAccountAndCharacterWithoutALease", createsWithoutLease},
	{"KeepsEveryField", createKeepsFields},
	{"ResultsComeByItem", createResults},
	{"RepeatedHasTheSameResult", createRepeated},
	{"UsedIDIsTaken", createUsedID},
	{"RaceWithRegistrations", createRace},
	{"BadAccountsWriteNothing", badAccounts},
	{"DurableAcrossReopen", createDurable},
}

func createAll(t *testing.T, s rushgate.Store, accounts ...rushgate.Account) []error {
	t.Helper()
	return each(t, "CreateAccounts", accounts, s.CreateAccounts)
}

// create makes an account, which must succeed.
func create(t *testing.T, s rushgate.Store, a rushgate.Account) {
	t.Helper()
	if err := createAll(t, s, a)[0]; err != nil {
		t.Fatalf("CreateAccounts of %s: %v", a.Username, err)
	}
}

func createsWithoutLease(t *testing.T, h Harness) {
	s := h.open(t)
	a := registration(7, "alice", "a").Account
	create(t, s, a)
	wantAccount(t, load(t, s, "alice")[0], a)
	wantCharacter(t, characters(t, s, "alice")[0], rushgate.Character{
		ID: 7, Name: "alice", CreatedAt: a.CreatedAt,
	})
	wantRanks(t, top(t, s, rushgate.BoardLevel, 9), []rushgate.Rank{{Rank: 1, Player: 7, Name: "alice", Score: 0}})
	wantInside(t, s, 0)
	got := admit(t, s, nodeB, login(7, "alice", "b")) // no lease to wait for
	if got.Resumed || got.Previous != 0 || got.Lease.Fence == 0 {
		t.Errorf("the first login is %+v", got)
	}
}

// fullAccount has all that an account can have.
func fullAccount(id rushgate.PlayerID, name string) rushgate.Account {
	a := registration(id, name, "a").Account
	a.Epoch = rushgate.MaxEpoch
	a.Disabled = rushgate.Disabled{Until: rushgate.Forever(), Reason: strings.Repeat("é", rushgate.MaxDisabledReason/2)}
	for i := range rushgate.MaxCredentials {
		c := rushgate.Credential{Kind: "federated", Provider: fmt.Sprintf("https://%d.example/\x00<é>", i), Subject: "4711"}
		c.Secret = strings.Repeat("s", rushgate.MaxCredentialLen-len(c.Kind+c.Provider+c.Subject))
		a.Credentials = append(a.Credentials, c)
	}
	return a
}

func createKeepsFields(t *testing.T, h Harness) {
	s := h.open(t)
	a := fullAccount(7, "alice")
	create(t, s, a)
	a.Credentials[0].Kind = "the caller's to change"
	want := fullAccount(7, "alice")
	for range 2 {
		got := load(t, s, "alice", "alice")
		wantAccount(t, got[0], want)
		got[0].Credentials[0].Kind = "the caller's to change"
		wantAccount(t, got[1], want)
	}
	a = registration(8, "bob", "a").Account
	a.CreatedAt = epoch.Add(999 * time.Microsecond)
	a.Disabled.Until = epoch.Add(999 * time.Microsecond).In(time.FixedZone("somewhere", 3600))
	a.Version = 0
	create(t, s, a)
	a.CreatedAt, a.Disabled.Until, a.Version = epoch, epoch, rushgate.AccountVersion // times are kept to the millisecond
	wantAccount(t, load(t, s, "bob")[0], a)
}

func createResults(t *testing.T, h Harness) {
	s := h.open(t)
	register(t, s, 1, "alice")
	before := load(t, s, "alice")[0]
	bob, taken := registration(2, "bob", "a").Account, registration(3, "alice", "a").Account
	again := registration(4, "bob", "another").Account
	got := createAll(t, s, taken, bob, again)
	for i, want := range []error{rushgate.UsernameTaken, nil, rushgate.UsernameTaken} {
		if !errors.Is(got[i], want) {
			t.Errorf("account %d: %v, want %v", i, got[i], want)
		}
	}
	wantAccount(t, load(t, s, "alice")[0], before)
	wantAccount(t, load(t, s, "bob")[0], bob)
	createAll(t, s)
}

func createRepeated(t *testing.T, h Harness) {
	s := h.open(t)
	a := registration(1, "alice", "a").Account
	create(t, s, a)
	in := admit(t, s, nodeA, login(1, "alice", "b"))
	setNumber(&in.Character, "xp", 9)
	if err := save(t, s, rushgate.Save{Character: in.Character, Fence: in.Lease.Fence}); err != nil {
		t.Fatal(err)
	}
	create(t, s, a)
	wantCharacter(t, characters(t, s, "alice")[0], in.Character)
	wantRanks(t, top(t, s, rushgate.BoardXP, 9), []rushgate.Rank{{Rank: 1, Player: 1, Name: "alice", Score: 9}})
	wantInside(t, s, 1)
	a.PasswordHash = "of another password"
	if err := createAll(t, s, a)[0]; !errors.Is(err, rushgate.UsernameTaken) {
		t.Errorf("with another hash: %v, want %v", err, rushgate.UsernameTaken)
	}
}

func createUsedID(t *testing.T, h Harness) {
	if h.NamesOnly {
		t.Skip("the store finds players by name only")
	}
	s := h.open(t)
	register(t, s, 1, "alice")
	got := createAll(t, s, registration(1, "bob", "b").Account, registration(2, "carol", "c").Account)
	if !errors.Is(got[0], rushgate.ErrIDTaken) || got[1] != nil {
		t.Errorf("got %v, want %v for the first alone", got, rushgate.ErrIDTaken)
	}
	wantAccount(t, load(t, s, "bob")[0], rushgate.Account{})
}

// Of those who want one name at once, one gets it, by whichever way.
func createRace(t *testing.T, h Harness) {
	const n = 16
	s := h.open(t)
	var wg sync.WaitGroup
	results := make([]error, n)
	for i := range n {
		wg.Go(func() {
			a := registration(rushgate.PlayerID(i+1), "alice", fmt.Sprint("attempt ", i))
			if i%2 == 0 {
				got, err := s.Admit(t.Context(), nodeA, []rushgate.Admission{a})
				if err != nil {
					t.Errorf("Admit: %v", err)
					return
				}
				results[i] = got[0].Err
				return
			}
			got, err := s.CreateAccounts(t.Context(), []rushgate.Account{a.Account})
			if err != nil {
				t.Errorf("CreateAccounts: %v", err)
				return
			}
			results[i] = got[0]
		})
	}
	wg.Wait()
	id := load(t, s, "alice")[0].ID
	for i, err := range results {
		if won := rushgate.PlayerID(i+1) == id; won != (err == nil) || !won && !errors.Is(err, rushgate.UsernameTaken) {
			t.Errorf("player %d: %v, and the name belongs to %d", i+1, err, id)
		}
	}
}

func badAccounts(t *testing.T, h Harness) {
	const secret = "a secret of mine"
	tests := []struct {
		name string
		edit func(*rushgate.Account)
		says string
	}{
		{"no id", func(a *rushgate.Account) { a.ID = 0 }, "id"},
		{"no name", func(a *rushgate.Account) { a.Username = "" }, "username"},
		{"no hash", func(a *rushgate.Account) { a.PasswordHash = "" }, "password hash"},
		{"version to come", func(a *rushgate.Account) { a.Version = rushgate.AccountVersion + 1 }, "version"},
		{"great epoch", func(a *rushgate.Account) { a.Epoch = rushgate.MaxEpoch + 1 }, "epoch"},
		{"beyond for ever", func(a *rushgate.Account) { a.Disabled.Until = rushgate.Forever().Add(1) }, "disabled"},
		{"long reason", func(a *rushgate.Account) {
			a.Disabled = rushgate.Disabled{Until: epoch, Reason: strings.Repeat("x", rushgate.MaxDisabledReason+1)}
		}, "reason"},
		{"many credentials", func(a *rushgate.Account) {
			a.Credentials = make([]rushgate.Credential, rushgate.MaxCredentials+1)
		}, "credentials"},
		{"long credential", func(a *rushgate.Account) {
			a.Credentials = []rushgate.Credential{{Kind: "k", Secret: strings.Repeat(secret, rushgate.MaxCredentialLen)}}
		}, "credential 1"},
		{"broken credential", func(a *rushgate.Account) {
			a.Credentials = []rushgate.Credential{{Kind: "k", Secret: secret + "\xff"}}
		}, "UTF-8"},
	}
	s := h.open(t)
	for _, tt := range tests {
		bad := registration(2, "bob", "b").Account
		tt.edit(&bad)
		errs, err := s.CreateAccounts(t.Context(), []rushgate.Account{registration(1, "alice", "a").Account, bad})
		if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v, %v; want an error that names the %s and no secret", tt.name, errs, err, tt.says)
		}
	}
	for _, a := range load(t, s, "alice", "bob") {
		wantAccount(t, a, rushgate.Account{})
	}
}

func createDurable(t *testing.T, h Harness) {
	s := h.open(t)
	create(t, s, fullAccount(1, "alice"))
	create(t, s, registration(2, "bob", "b").Account)
	s = h.reopen(t, s)
	wantAccount(t, load(t, s, "alice")[0], fullAccount(1, "alice"))
	wantAccount(t, load(t, s, "bob")[0], registration(2, "bob", "b").Account)
}
