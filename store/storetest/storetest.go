// Package storetest is the conformance suite of [rushgate.Store]: whatever passes it may stand behind a node. A store's
// own test calls [Run]:
//
//	func TestConformance(t *testing.T) {
//		clock := storetest.NewClock()
//		storetest.Run(t, storetest.Harness{
//			Open: func(t *testing.T) rushgate.Store {
//				return mystore.New(mystore.Options{Now: clock.Now, Boards: storetest.Boards()})
//			},
//			Advance: clock.Advance,
//		})
//	}
//
// # Stability
//
// This package follows semantic versioning: until v1.0.0 a minor version may change exported names, a patch version
// never, and CHANGELOG.md says which ones did. A new case may come in any version: it holds a store to what the
// contract of [rushgate.Store] says, and a store that breaks it was broken before.
package storetest

import (
	"bytes"
	"context"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
)

// Harness is how the suite gets hold of the store under test.
type Harness struct {
	// Open returns a new, empty store whose leases last [rushgate.LeaseTTL], with the leaderboards of [Boards]. The suite
	// closes it.
	Open func(t *testing.T) rushgate.Store
	// Reopen closes s and returns another store on the same data, as after a restart. It is nil for a store that
	// forgets everything when it is closed; what only a lasting store can show is then skipped.
	Reopen func(t *testing.T, s rushgate.Store) rushgate.Store
	// NamesOnly says that the store finds players by name only, and therefore cannot tell that an id is given to two. What
	// only another store can tell is then skipped.
	NamesOnly bool
	// FewWrites says that a hundred thousand writes take too long, such as under the race detector. What needs so many is
	// then skipped.
	FewWrites bool
	// Advance moves the clock of all stores of this harness forward. Otherwise the clock stands still.
	Advance func(d time.Duration)
}

// Boards returns the leaderboards that the suite asks for, one of them that of a game's own number.
func Boards() []rushgate.Board {
	return []rushgate.Board{rushgate.BoardXP, rushgate.BoardLevel, rushgate.BoardDeaths, boardGold}
}

const boardGold rushgate.Board = "gold"

// Run checks a store against the contract, case by case in subtests, and then against a model of it with random
// sequences of calls.
func Run(t *testing.T, h Harness) {
	groups := []struct {
		name  string
		cases []testCase
	}{
		{"Accounts", accountCases},
		{"Creation", creationCases},
		{"Changes", changeCases},
		{"Hashes", hashCases},
		{"Leases", leaseCases},
		{"Credentials", credentialCases},
		{"Devices", deviceCases},
		{"Sessions", sessionCases},
		{"Saves", saveCases},
		{"Characters", characterCases},
		{"Boards", boardCases},
		{"Deletion", deletionCases},
		{"Lookalikes", lookalikeCases},
		{"Renames", renameCases},
		{"Directory", directoryCases},
		{"Holds", holdCases},
		{"Histories", historyCases},
		{"Takeover", takeoverCases},
		{"Presence", presenceCases},
		{"Imports", importCases},
		{"Identities", identityCases},
		{"Fleet", fleetCases},
		{"Agenda", agendaCases},
		{"AuditLog", auditCases},
		{"IDs", idCases},
		{"Calls", callCases},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			for _, c := range g.cases {
				t.Run(c.name, func(t *testing.T) { c.run(t, h) })
			}
		})
	}
	t.Run("Model", func(t *testing.T) { runModel(t, h) })
}

type testCase struct {
	name string
	run  func(t *testing.T, h Harness)
}

// open returns a fresh store that is closed with the test.
func (h Harness) open(t *testing.T) rushgate.Store {
	t.Helper()
	s := h.Open(t)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// reopen returns a store on the same data that is closed with the test, or skips the test.
func (h Harness) reopen(t *testing.T, s rushgate.Store) rushgate.Store {
	t.Helper()
	if h.Reopen == nil {
		t.Skip("the store does not outlast Close")
	}
	s = h.Reopen(t, s)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

var (
	nodeA  = rushgate.Instance{Node: "a", Run: "1"}
	nodeA2 = rushgate.Instance{Node: "a", Run: "2"} // the same node after a restart
	nodeB  = rushgate.Instance{Node: "b", Run: "1"}
)

// epoch is when the suite's accounts were registered.
var epoch = time.Date(2026, time.March, 1, 12, 0, 0, 123e6, time.UTC)

// registration returns an admission that creates an account. Hash and attempt are derived from name and attempt.
func registration(id rushgate.PlayerID, name, attempt string) rushgate.Admission {
	return rushgate.Admission{
		Account: rushgate.Account{
			ID:           id,
			Username:     name,
			PasswordHash: "hash of " + name + " by " + attempt,
			Attempt:      attempt,
			CreatedAt:    epoch.Add(time.Duration(id) * time.Millisecond),
			Version:      rushgate.AccountVersion,
		},
		Create:  true,
		Attempt: attempt,
	}
}

func login(id rushgate.PlayerID, name, attempt string) rushgate.Admission {
	return rushgate.Admission{Account: rushgate.Account{ID: id, Username: name}, Attempt: attempt}
}

func admitAll(t *testing.T, s rushgate.Store, by rushgate.Instance, batch ...rushgate.Admission) []rushgate.Admitted {
	t.Helper()
	admitted, err := s.Admit(t.Context(), by, batch)
	if err != nil {
		t.Fatalf("Admit: %v", err)
	}
	if len(admitted) != len(batch) {
		t.Fatalf("Admit of %d returned %d results", len(batch), len(admitted))
	}
	return admitted
}

// admit carries out one admission that must succeed.
func admit(t *testing.T, s rushgate.Store, by rushgate.Instance, a rushgate.Admission) rushgate.Admitted {
	t.Helper()
	got := admitAll(t, s, by, a)[0]
	if got.Err != nil {
		t.Fatalf("Admit %q by %v: %v", a.Attempt, by, got.Err)
	}
	return got
}

// register creates an account that must not exist yet.
func register(t *testing.T, s rushgate.Store, id rushgate.PlayerID, name string) rushgate.Admitted {
	t.Helper()
	return admit(t, s, nodeA, registration(id, name, "first"))
}

// each has a store do something with each of a batch, and returns how each went.
func each[T any](
	t *testing.T, method string, batch []T, do func(context.Context, []T) ([]error, error),
) []error {
	t.Helper()
	errs, err := do(t.Context(), batch)
	if err != nil || len(errs) != len(batch) {
		t.Fatalf("%s of %d: %d results, %v", method, len(batch), len(errs), err)
	}
	return errs
}

func saveAll(t *testing.T, s rushgate.Store, batch ...rushgate.Save) []error {
	t.Helper()
	return each(t, "Save", batch, s.Save)
}

func save(t *testing.T, s rushgate.Store, one rushgate.Save) error {
	t.Helper()
	return saveAll(t, s, one)[0]
}

// release writes a character back and ends its lease, which must succeed.
func release(t *testing.T, s rushgate.Store, in rushgate.Admitted) {
	t.Helper()
	if err := save(t, s, rushgate.Save{Character: in.Character, Fence: in.Lease.Fence, Release: true}); err != nil {
		t.Fatalf("release: %v", err)
	}
}

func refresh(t *testing.T, s rushgate.Store, by rushgate.Instance, leases ...rushgate.Lease) []error {
	t.Helper()
	return each(t, "Refresh", leases, func(ctx context.Context, batch []rushgate.Lease) ([]error, error) {
		return s.Refresh(ctx, by, batch)
	})
}

func load(t *testing.T, s rushgate.Store, names ...string) []rushgate.Account {
	t.Helper()
	loaded, err := s.LoadAccounts(t.Context(), names)
	if err != nil {
		t.Fatalf("LoadAccounts: %v", err)
	}
	if len(loaded) != len(names) {
		t.Fatalf("LoadAccounts of %d returned %d accounts", len(names), len(loaded))
	}
	accounts := make([]rushgate.Account, len(names))
	for i := range loaded {
		if accounts[i] = loaded[i].Account; loaded[i].Err != nil {
			t.Fatalf("LoadAccounts: account of %q: %v", names[i], loaded[i].Err)
		}
	}
	return accounts
}

func characters(t *testing.T, s rushgate.Store, names ...string) []rushgate.Character {
	t.Helper()
	loaded, err := s.LoadCharacters(t.Context(), names)
	if err != nil {
		t.Fatalf("LoadCharacters: %v", err)
	}
	if len(loaded) != len(names) {
		t.Fatalf("LoadCharacters of %d returned %d characters", len(names), len(loaded))
	}
	characters := make([]rushgate.Character, len(names))
	for i := range loaded {
		if characters[i] = loaded[i].Character; loaded[i].Err != nil {
			t.Fatalf("LoadCharacters: character of %q: %v", names[i], loaded[i].Err)
		}
	}
	return characters
}

func top(t *testing.T, s rushgate.Store, board rushgate.Board, limit int) []rushgate.Rank {
	t.Helper()
	ranks, err := s.Top(t.Context(), board, limit)
	if err != nil {
		t.Fatalf("Top: %v", err)
	}
	return ranks
}

// wantInside checks how many have a live lease, of the players that the suite mostly uses and some more.
func wantInside(t *testing.T, s rushgate.Store, want int, others ...string) {
	t.Helper()
	n := 0
	for _, p := range presence(t, s, append(others, "alice", "bob", "carol", "émilie")...) {
		if p.Inside() {
			n++
		}
	}
	if n != want {
		t.Fatalf("%d players are inside, want %d", n, want)
	}
}

func wantAccount(t *testing.T, got, want rushgate.Account) {
	t.Helper()
	if !sameAccount(got, want) {
		t.Fatalf("account is\n%+v, want\n%+v", got, want)
	}
}

func wantCharacter(t *testing.T, got, want rushgate.Character) {
	t.Helper()
	if !sameCharacter(got, want) {
		t.Fatalf("character is\n%+v, want\n%+v", got, want)
	}
}

// sameAccount compares instants, not their representation.
func sameAccount(a, b rushgate.Account) bool {
	return a.ID == b.ID && a.Username == b.Username && a.PasswordHash == b.PasswordHash && a.Attempt == b.Attempt &&
		a.CreatedAt.Equal(b.CreatedAt) && a.Version == b.Version && a.Epoch == b.Epoch && a.Zone == b.Zone &&
		a.Disabled.Until.Equal(b.Disabled.Until) && a.Disabled.Reason == b.Disabled.Reason &&
		slices.Equal(a.Credentials, b.Credentials) && sameDevices(a.Devices, b.Devices)
}

func sameDevices(a, b rushgate.Devices) bool {
	return a.Revision == b.Revision && slices.EqualFunc(a.List, b.List, func(a, b rushgate.Device) bool {
		same := a.CreatedAt.Equal(b.CreatedAt) && a.UsedAt.Equal(b.UsedAt) && a.ExpiresAt.Equal(b.ExpiresAt)
		a.CreatedAt, a.UsedAt, a.ExpiresAt = b.CreatedAt, b.UsedAt, b.ExpiresAt
		return same && a == b
	})
}

// sameCharacter takes NaN for equal to itself and no Data for equal to empty Data.
func sameCharacter(a, b rushgate.Character) bool {
	return a.ID == b.ID && a.Name == b.Name && a.Zone == b.Zone && sameFloat(a.X, b.X) && sameFloat(a.Y, b.Y) &&
		a.Numbers.Equal(b.Numbers) && a.Playtime == b.Playtime &&
		a.CreatedAt.Equal(b.CreatedAt) && bytes.Equal(a.Data, b.Data)
}

// setNumber gives a character a number of its own: values of a [rushgate.Character] share their map.
func setNumber(c *rushgate.Character, name string, value int64) {
	c.Numbers = c.Numbers.Clone()
	c.Numbers[name] = value
}

func sameFloat(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

// created returns the character that a registration makes.
func created(a rushgate.Account) rushgate.Character {
	return rushgate.Character{ID: a.ID, Name: a.Username, CreatedAt: a.CreatedAt}
}
