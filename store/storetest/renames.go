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

var renameCases = []testCase{
	{"MovesEverything", renameMoves},
	{"MakesTheRecordCurrent", renameVersion},
	{"RefusalsChangeNothing", renameRefused},
	{"RefusedWhileTheLeaseIsLive", renameInside},
	{"EndsAParkedSession", renameParked},
	{"ARepeatIsNoError", renameRepeated},
	{"OldNameIsHeld", renameHeld},
	{"OldNameOfNoHoldIsFree", renameFrees},
	{"PlayerMayGoBack", renameBack},
	{"HeldAfterDeletion", renameDeleted},
	{"LooksFollow", renameLooks},
	{"HoldsLooks", renameHoldsLooks},
	{"LooksOfOwnHolds", renameToOwnLook},
	{"OfManyToOneNameOneWins", renameRace},
	{"RaceWithLogins", renameLogins},
	{"BadRenamesChangeNothing", badRenames},
	{"DurableAcrossReopen", renameReopen},
}

// toBob renames player 1, alice, under an epoch, and has the old name held for ever.
func toBob(epoch uint64) rushgate.Rename {
	return rushgate.Rename{Player: 1, Name: "alice", Epoch: epoch, NewName: "bob", Hold: rushgate.Forever()}
}

func wantRenamed(t *testing.T, s rushgate.Store, r rushgate.Rename, want error) {
	t.Helper()
	if err := s.RenameAccount(t.Context(), r); !errors.Is(err, want) {
		t.Fatalf("%+v: %v, want %v", r, err, want)
	}
}

// wantHeld checks that no account of a new player can have a name.
func wantHeld(t *testing.T, s rushgate.Store, name string) {
	t.Helper()
	wantTaken(t, s, 901, name)
	if err := createAll(t, s, registration(902, name, "late").Account)[0]; !errors.Is(err, rushgate.UsernameTaken) {
		t.Errorf("CreateAccounts of %s: %v, want %v", name, err, rushgate.UsernameTaken)
	}
	errs, err := s.Import(t.Context(), []rushgate.Record{record(10, name)})
	if err != nil || !errors.Is(errs[0], rushgate.UsernameTaken) {
		t.Errorf("Import of %s: %v, %v; want %v", name, errs, err, rushgate.UsernameTaken)
	}
	wantAccount(t, load(t, s, name)[0], rushgate.Account{})
}

func renameMoves(t *testing.T, h Harness) {
	s := h.open(t)
	a := registration(1, "alice", "first")
	a.Account.Version = 1
	in := admit(t, s, nodeA, withDevices(a, 0, device("one", "x")))
	setNumber(&in.Character, "xp", 12)
	in.Character.Zone, in.Character.Data = "inn", []byte{1, 2, 3}
	release(t, s, in)
	c := alice(0)
	c.Credentials = fullAccount(1, "alice").Credentials
	wantChanged(t, s, c, nil)
	note(t, s, event("a", 1), signIn("b", 2))
	other := registration(2, "carol", "c").Account
	create(t, s, other)

	want, character := load(t, s, "alice")[0], characters(t, s, "alice")[0]
	wantRenamed(t, s, toBob(0), nil)
	want.Username, want.Epoch, character.Name = "bob", 1, "bob"
	wantAccount(t, load(t, s, "bob")[0], want)
	wantCharacter(t, characters(t, s, "bob")[0], character)
	wantHistory(t, s, "bob", event("a", 1), signIn("b", 2))
	wantRanks(t, top(t, s, rushgate.BoardXP, 1), []rushgate.Rank{{Rank: 1, Player: 1, Name: "bob", Score: 12}})
	wantNames(t, s, "", 10, "bob", "carol")
	wantAccount(t, load(t, s, "alice")[0], rushgate.Account{})
	wantCharacter(t, characters(t, s, "alice")[0], rushgate.Character{})
	wantHistory(t, s, "alice")
	wantAccount(t, load(t, s, "carol")[0], other)

	for _, old := range []rushgate.Admission{loginUnder(0, "b"), loginUnder(1, "b"), login(1, "bob", "b")} {
		if got := admitAll(t, s, nodeA, old)[0]; !errors.Is(got.Err, rushgate.BadCredentials) {
			t.Errorf("login as %q under epoch %d: %v", old.Account.Username, old.Account.Epoch, got.Err)
		}
	}
	next := login(1, "bob", "b")
	next.Account.Epoch = 1
	again := admit(t, s, nodeB, next)
	wantCharacter(t, again.Character, character)
	if again.Lease.Name != "bob" || again.Previous != in.Lease.Fence {
		t.Errorf("the login after the rename is %+v", again)
	}
	wantInside(t, s, 1)
	setNumber(&again.Character, "xp", 20)
	release(t, s, again)
	wantRanks(t, top(t, s, rushgate.BoardXP, 1), []rushgate.Rank{{Rank: 1, Player: 1, Name: "bob", Score: 20}})
}

// A record of an older version becomes current with the rename alone.
func renameVersion(t *testing.T, h Harness) {
	s := h.open(t)
	want := registration(1, "alice", "a").Account
	want.Version = 1
	create(t, s, want)
	wantRenamed(t, s, toBob(0), nil)
	want.Version, want.Username, want.Epoch = rushgate.AccountVersion, "bob", 1
	wantAccount(t, load(t, s, "bob")[0], want)
}

func renameRefused(t *testing.T, h Harness) {
	s := h.open(t)
	createNamed(t, s, "alice", "carol", latin)
	before := load(t, s, "alice", "carol")
	rename := func(edit func(*rushgate.Rename)) rushgate.Rename {
		r := toBob(0)
		edit(&r)
		return r
	}
	for _, tt := range []struct {
		name string
		r    rushgate.Rename
		want error
	}{
		{"no such account", rename(func(r *rushgate.Rename) { r.Name = "nobody" }), rushgate.BadCredentials},
		{"no name", rename(func(r *rushgate.Rename) { r.Name = "" }), rushgate.BadCredentials},
		{"another's id", rename(func(r *rushgate.Rename) { r.Player = 2 }), rushgate.BadCredentials},
		{"no id", rename(func(r *rushgate.Rename) { r.Player = 0 }), rushgate.BadCredentials},
		{"an epoch to come", toBob(1), rushgate.ErrAccountChanged},
		{"another's name", rename(func(r *rushgate.Rename) { r.NewName = "carol" }), rushgate.UsernameTaken},
		{"like another's", rename(func(r *rushgate.Rename) { r.NewName = cyrillic }), rushgate.UsernameTaken},
	} {
		wantRenamed(t, s, tt.r, tt.want)
	}
	for i, a := range load(t, s, "alice", "carol") {
		wantAccount(t, a, before[i])
	}
	wantAccount(t, load(t, s, "bob")[0], rushgate.Account{})
	create(t, s, registration(9, "bob", "free").Account) // nothing has been claimed
}

func renameInside(t *testing.T, h Harness) {
	s := h.open(t)
	in := register(t, s, 1, "alice")
	h.Advance(rushgate.LeaseTTL - time.Millisecond)
	wantRenamed(t, s, toBob(0), rushgate.AlreadyLoggedIn)
	wantInside(t, s, 1)
	if err := refresh(t, s, nodeA, in.Lease)[0]; err != nil {
		t.Errorf("refresh after a rename that was refused: %v", err)
	}
	h.Advance(rushgate.LeaseTTL)
	wantRenamed(t, s, toBob(0), nil)
	renamed := in
	renamed.Lease.Name, renamed.Character.Name = "bob", "bob"
	for _, in := range []rushgate.Admitted{in, renamed} { // which comes back too late
		if err := refresh(t, s, nodeA, in.Lease)[0]; !errors.Is(err, rushgate.ErrLeaseLost) {
			t.Errorf("refresh as %s: %v, want %v", in.Lease.Name, err, rushgate.ErrLeaseLost)
		}
		late := rushgate.Save{Character: in.Character, Fence: in.Lease.Fence}
		if err := save(t, s, late); !errors.Is(err, rushgate.ErrLeaseLost) {
			t.Errorf("save as %s: %v, want %v", in.Lease.Name, err, rushgate.ErrLeaseLost)
		}
	}
	wantInside(t, s, 0)
}

func renameParked(t *testing.T, h Harness) {
	s := h.open(t)
	a := registration(1, "alice", "first")
	a.Session = hashOf("s")
	in := admit(t, s, nodeA, a)
	park := rushgate.Save{Character: in.Character, Fence: in.Lease.Fence, Release: true, Resumable: time.Hour}
	if err := save(t, s, park); err != nil {
		t.Fatal(err)
	}
	wantRenamed(t, s, toBob(0), nil)
	for _, epoch := range []uint64{0, 1} {
		for _, name := range []string{"alice", "bob"} {
			next := login(1, name, "first")
			next.Account.Epoch, next.Continue, next.Session = epoch, true, hashOf("s")
			if got := admitAll(t, s, nodeA, next)[0]; !errors.Is(got.Err, rushgate.BadCredentials) {
				t.Errorf("continued as %s under epoch %d: %v, want %v", name, epoch, got.Err, rushgate.BadCredentials)
			}
		}
	}
}

func renameRepeated(t *testing.T, h Harness) {
	s := h.open(t)
	createNamed(t, s, "alice", "carol")
	wantRenamed(t, s, toBob(0), nil)
	want := load(t, s, "bob")[0]
	wantRenamed(t, s, toBob(0), nil)
	wantAccount(t, load(t, s, "bob")[0], want)
	c := rushgate.AccountChange{Player: 1, Name: "bob", Epoch: 1, RaiseEpoch: true}
	wantChanged(t, s, c, nil)
	wantRenamed(t, s, toBob(0), nil)
	wantRenamed(t, s, toBob(2), rushgate.BadCredentials) // which cannot have been carried out
	other := toBob(0)
	other.NewName = "carol"
	wantRenamed(t, s, other, rushgate.BadCredentials)
	back := rushgate.Rename{Player: 1, Name: "bob", Epoch: 2, NewName: "alice"}
	wantRenamed(t, s, back, nil)
	wantRenamed(t, s, back, nil)
	wantRenamed(t, s, toBob(0), rushgate.ErrAccountChanged)
}

func renameHeld(t *testing.T, h Harness) {
	s := h.open(t)
	now := h.now(t, s)
	beginImport(t, s, 10)
	createNamed(t, s, "alice", "carol")
	r := toBob(0)
	r.Hold = now.Add(time.Hour)
	wantRenamed(t, s, r, nil)
	carol := rushgate.Rename{Player: 2, Name: "carol", NewName: "alice"}
	for range 2 {
		wantHeld(t, s, "alice")
		wantRenamed(t, s, carol, rushgate.UsernameTaken)
		h.Advance(time.Hour/2 - time.Millisecond/2)
	}
	h.Advance(time.Millisecond)
	wantRenamed(t, s, carol, nil)
	wantAccount(t, load(t, s, "carol")[0], rushgate.Account{})
	if got := load(t, s, "alice")[0]; got.ID != 2 {
		t.Errorf("the account is %+v", got)
	}
	register(t, s, 3, "carol") // which was held for no time
}

func renameFrees(t *testing.T, h Harness) {
	s := h.open(t)
	now := h.now(t, s)
	beginImport(t, s, 10)
	createNamed(t, s, "alice")
	for i, hold := range []time.Time{{}, epoch, time.UnixMilli(0), now} {
		r := toBob(2 * uint64(i))
		r.Hold = hold
		wantRenamed(t, s, r, nil)
		next := rushgate.PlayerID(100 + i)
		switch i {
		case 0:
			release(t, s, register(t, s, next, "alice"))
		case 1:
			create(t, s, registration(next, "alice", "a").Account)
		case 2:
			if errs, err := s.Import(t.Context(), []rushgate.Record{record(9, "alice")}); err != nil || errs[0] != nil {
				t.Fatal(errs, err)
			}
		case 3:
			create(t, s, registration(next, "carol", "a").Account)
			wantRenamed(t, s, rushgate.Rename{Player: next, Name: "carol", NewName: "alice"}, nil)
		}
		deleteAccount(t, s, "alice")
		wantRenamed(t, s, rushgate.Rename{Player: 1, Name: "bob", Epoch: r.Epoch + 1, NewName: "alice"}, nil)
	}
}

func renameBack(t *testing.T, h Harness) {
	s := h.open(t)
	now := h.now(t, s)
	beginImport(t, s, 10)
	createNamed(t, s, "alice", "carol")
	wantRenamed(t, s, toBob(0), nil)
	wantRenamed(t, s, rushgate.Rename{Player: 1, Name: "bob", Epoch: 1, NewName: "dave", Hold: now.Add(time.Hour)}, nil)
	wantHeld(t, s, "alice")
	wantHeld(t, s, "bob")
	wantRenamed(t, s, rushgate.Rename{Player: 1, Name: "dave", Epoch: 2, NewName: "alice", Hold: rushgate.Forever()}, nil)
	wantHeld(t, s, "bob") // as before
	wantHeld(t, s, "dave")
	h.Advance(time.Hour)
	wantHeld(t, s, "dave")
	wantRenamed(t, s, rushgate.Rename{Player: 2, Name: "carol", NewName: "bob"}, nil)
	// The player's own name is not held any more, once it is given up without.
	wantRenamed(t, s, rushgate.Rename{Player: 1, Name: "alice", Epoch: 3, NewName: "erin"}, nil)
	register(t, s, 20, "alice")
}

func renameDeleted(t *testing.T, h Harness) {
	s := h.open(t)
	now := h.now(t, s)
	beginImport(t, s, 10)
	createNamed(t, s, "alice")
	r := toBob(0)
	r.Hold = now.Add(time.Hour)
	wantRenamed(t, s, r, nil)
	deleteAccount(t, s, "bob")
	wantHeld(t, s, "alice")
	register(t, s, 2, "bob") // the name it had when it was deleted
	h.Advance(time.Hour)
	register(t, s, 3, "alice")
}

func renameLooks(t *testing.T, h Harness) {
	s := h.open(t)
	createNamed(t, s, latin)
	r := rushgate.Rename{Player: 1, Name: latin, NewName: mixed, Hold: rushgate.Forever()}
	wantRenamed(t, s, r, nil) // like no other's than its own
	wantLookalikes(t, s, map[string]string{latin: mixed, cyrillic: mixed, mixed: ""})
	wantTaken(t, s, 2, cyrillic)
	r = rushgate.Rename{Player: 1, Name: mixed, Epoch: 1, NewName: "alice", Hold: rushgate.Forever()}
	wantRenamed(t, s, r, nil)
	wantLookalikes(t, s, map[string]string{latin: "", cyrillic: "", mixed: "", "аlice": "alice"})
	wantTaken(t, s, 3, "аlice")  // with a Cyrillic a
	wantTaken(t, s, 4, latin)    // held
	wantTaken(t, s, 5, mixed)    // too
	wantTaken(t, s, 6, cyrillic) // like both
	create(t, s, registration(7, cyrillic, "x").Account)
	r = rushgate.Rename{Player: 1, Name: "alice", Epoch: 2, NewName: latin}
	wantRenamed(t, s, r, rushgate.UsernameTaken) // like another's by now
	deleteAccount(t, s, cyrillic)
	wantTaken(t, s, 8, cyrillic) // the holds are there as before
	wantRenamed(t, s, r, nil)
	wantLookalikes(t, s, map[string]string{"аlice": "", cyrillic: latin})
}

// A name that is held keeps what looks like it from other players as an account would, and from nobody else.
func renameHoldsLooks(t *testing.T, h Harness) {
	s := h.open(t)
	now := h.now(t, s)
	beginImport(t, s, 10)
	createNamed(t, s, latin, "carol")
	wantRenamed(t, s, rushgate.Rename{Player: 1, Name: latin, NewName: "alice", Hold: now.Add(time.Hour)}, nil)
	wantLookalikes(t, s, map[string]string{latin: "", cyrillic: "", mixed: ""}) // no account's
	carol := rushgate.Rename{Player: 2, Name: "carol", NewName: cyrillic}
	for range 2 {
		wantTaken(t, s, 901, latin) // which claims nothing
		wantTaken(t, s, 902, cyrillic)
		wantTaken(t, s, 903, mixed)
		wantRenamed(t, s, carol, rushgate.UsernameTaken)
		if load(t, s, "alice")[0].ID != 0 {
			deleteAccount(t, s, "alice") // for which the name is held all the same
		}
		s = h.reopen(t, s)
	}
	// Operators and imports are not refused for what a name looks like.
	create(t, s, registration(904, mixed, "x").Account)
	if errs, err := s.Import(t.Context(), []rushgate.Record{record(9, cyrillic)}); err != nil || errs[0] != nil {
		t.Error(errs, err)
	}
	deleteAccount(t, s, mixed)
	deleteAccount(t, s, cyrillic)
	wantTaken(t, s, 905, mixed)
	h.Advance(time.Hour)
	wantRenamed(t, s, carol, nil)
	wantTaken(t, s, 906, latin)
}

// The player for whom a name is held may have what looks like it, and keeps the hold by that.
func renameToOwnLook(t *testing.T, h Harness) {
	s := h.open(t)
	createNamed(t, s, latin)
	forEver := rushgate.Forever()
	wantRenamed(t, s, rushgate.Rename{Player: 1, Name: latin, NewName: "alice", Hold: forEver}, nil)
	wantRenamed(t, s, rushgate.Rename{Player: 1, Name: "alice", Epoch: 1, NewName: mixed}, nil)
	wantRenamed(t, s, rushgate.Rename{Player: 1, Name: mixed, Epoch: 2, NewName: "bob"}, nil)
	wantTaken(t, s, 901, cyrillic)
	wantTaken(t, s, 902, latin)
	wantRenamed(t, s, rushgate.Rename{Player: 1, Name: "bob", Epoch: 3, NewName: latin}, nil)
	wantRenamed(t, s, rushgate.Rename{Player: 1, Name: latin, Epoch: 4, NewName: "erin"}, nil)
	register(t, s, 903, cyrillic) // which looks like no name that is held any more
}

func renameRace(t *testing.T, h Harness) {
	const n = 8
	s := h.open(t)
	var names []string
	for i := range n {
		names = append(names, fmt.Sprint("player", i))
	}
	createNamed(t, s, names...)
	errs := make([]error, n+1)
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() {
			r := rushgate.Rename{Player: rushgate.PlayerID(i + 1), Name: name, NewName: "winner", Hold: rushgate.Forever()}
			errs[i] = s.RenameAccount(t.Context(), r)
		})
	}
	wg.Go(func() {
		got, err := s.Admit(t.Context(), nodeA, []rushgate.Admission{registration(n+1, "winner", "late")})
		if err == nil {
			err = got[0].Err
		}
		errs[n] = err
	})
	wg.Wait()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner < 0:
			winner = i
		case !errors.Is(err, rushgate.UsernameTaken):
			t.Errorf("%d: %v after %d has won", i, err, winner)
		}
	}
	if got := load(t, s, "winner")[0]; got.ID != rushgate.PlayerID(winner+1) {
		t.Errorf("the account of the new name has id %d, want %d", got.ID, winner+1)
	}
	for i, a := range load(t, s, names...) {
		if (a.ID == 0) != (i == winner) {
			t.Errorf("account of %s is %+v, and %d has won", names[i], a, winner)
		}
	}
}

// Of a rename and the logins that race with it either the rename wins, or one login.
func renameLogins(t *testing.T, h Harness) {
	const n = 6
	for range 10 {
		s := h.open(t)
		createNamed(t, s, "alice")
		var wg sync.WaitGroup
		logins := make([]rushgate.Admitted, n)
		var renamed error
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
		wg.Go(func() { renamed = s.RenameAccount(t.Context(), toBob(0)) })
		wg.Wait()
		if renamed != nil && !errors.Is(renamed, rushgate.AlreadyLoggedIn) {
			t.Fatalf("RenameAccount: %v", renamed)
		}
		inside := 0
		for _, r := range logins {
			if r.Err == nil {
				inside++
			}
		}
		if (inside == 1) != (renamed != nil) || inside > 1 {
			t.Errorf("%d logins have won against a rename that ended with %v", inside, renamed)
		}
		wantInside(t, s, inside)
	}
}

func badRenames(t *testing.T, h Harness) {
	s := h.open(t)
	createNamed(t, s, "alice")
	before := load(t, s, "alice")[0]
	for says, edit := range map[string]func(*rushgate.Rename){
		"cannot be raised":       func(r *rushgate.Rename) { r.Epoch = rushgate.MaxEpoch },
		"new name has 0 bytes":   func(r *rushgate.Rename) { r.NewName = "" },
		"new name has 129 bytes": func(r *rushgate.Rename) { r.NewName = strings.Repeat("x", rushgate.MaxRecordNameLen+1) },
		"UTF-8":                  func(r *rushgate.Rename) { r.NewName = "\xff" },
		"the old one":            func(r *rushgate.Rename) { r.NewName = "alice" },
		"held until":             func(r *rushgate.Rename) { r.Hold = rushgate.Forever().Add(1) },
	} {
		r := toBob(0)
		edit(&r)
		if err := s.RenameAccount(t.Context(), r); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: error %v, want one that says %q", r, err, says)
		}
	}
	wantAccount(t, load(t, s, "alice")[0], before)
}

func renameReopen(t *testing.T, h Harness) {
	s := h.open(t)
	beginImport(t, s, 10)
	createNamed(t, s, "alice")
	note(t, s, event("a", 1))
	wantRenamed(t, s, toBob(0), nil)
	want := load(t, s, "bob")[0]
	s = h.reopen(t, s)
	wantAccount(t, load(t, s, "bob")[0], want)
	wantHistory(t, s, "bob", event("a", 1))
	wantHeld(t, s, "alice")
	wantRenamed(t, s, toBob(0), nil) // repeated
	wantRenamed(t, s, rushgate.Rename{Player: 1, Name: "bob", Epoch: 1, NewName: "alice"}, nil)
}
