package storetest

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
)

var importCases = []testCase{
	{"CreatesAccountAndCharacter", importCreates},
	{"ResultsComeByItem", importResults},
	{"SecondImportChangesNothing", importTwice},
	{"NamesOfOtherRules", importOddNames},
	{"BadRecordsWriteNothing", badRecords},
	{"IDsMustBeSetAside", importOutside},
	{"BeginAgain", beginAgain},
	{"OwnIDsAreInTheWay", ownIDs},
	{"BeginIsChecked", beginChecked},
	{"OneOfManyConcurrentImportsCreates", concurrentImports},
	{"RaceWithARegistration", importRace},
	{"DurableAcrossReopen", importDurable},
}

// record returns a player as another game may have left one.
func record(id rushgate.PlayerID, name string) rushgate.Record {
	made := epoch.Add(-time.Duration(id) * time.Hour)
	return rushgate.Record{
		Account: rushgate.Account{
			ID: id, Username: name, PasswordHash: "imported hash of " + name, CreatedAt: made, Version: 1,
		},
		Character: rushgate.Character{
			ID: id, Name: name, Zone: "old town", X: -1.5, Y: 1e300,
			Numbers: rushgate.Numbers{
				"hp": 70, "xp": 1000 + int64(id), "level": 12,
				"deaths": 3, "gold": 5,
			},
			Playtime: 90*time.Hour + time.Millisecond, CreatedAt: made.Add(time.Minute), Data: []byte("\x00\xff bag"),
		},
	}
}

// account returns the account of a record as it will be loaded.
func account(r rushgate.Record) rushgate.Account {
	r.Account.Zone = r.Character.Zone
	return r.Account
}

func beginImport(t *testing.T, s rushgate.Store, highest rushgate.PlayerID) {
	t.Helper()
	if err := s.BeginImport(t.Context(), highest); err != nil {
		t.Fatalf("BeginImport(%d): %v", highest, err)
	}
}

func importAll(t *testing.T, s rushgate.Store, batch ...rushgate.Record) []error {
	t.Helper()
	return each(t, "Import", batch, s.Import)
}

// bringIn imports a record that must not be there yet.
func bringIn(t *testing.T, s rushgate.Store, r rushgate.Record) {
	t.Helper()
	if err := importAll(t, s, r)[0]; err != nil {
		t.Fatalf("import of %s: %v", r.Account.Username, err)
	}
}

func importCreates(t *testing.T, h Harness) {
	s := h.open(t)
	beginImport(t, s, 1000)
	r := record(7, "émilie")
	r.Account.CreatedAt = epoch.Add(999 * time.Microsecond).In(time.FixedZone("somewhere", 3600))
	r.Account.Version, r.Account.Attempt = 0, "attempt-1"
	bringIn(t, s, r)
	r.Account.CreatedAt, r.Account.Version = epoch, rushgate.AccountVersion
	wantAccount(t, load(t, s, "émilie")[0], account(r))
	wantCharacter(t, characters(t, s, "émilie")[0], r.Character)
	wantInside(t, s, 0)
	for board, score := range map[rushgate.Board]int64{
		rushgate.BoardXP: 1007, rushgate.BoardLevel: 12, rushgate.BoardDeaths: 3,
	} {
		wantRanks(t, top(t, s, board, 10), []rushgate.Rank{{Rank: 1, Player: 7, Name: "émilie", Score: score}})
	}
	got := admit(t, s, nodeA, withHash(login(7, "émilie", "a"), r.Account.PasswordHash, "new hash"))
	wantCharacter(t, got.Character, r.Character)
	if got.Lease.Fence == 0 || got.Resumed || !got.HashReplaced {
		t.Errorf("admitted as %+v", got)
	}
}

func importResults(t *testing.T, h Harness) {
	s := h.open(t)
	beginImport(t, s, 1000)
	bringIn(t, s, record(1, "alice"))
	register(t, s, 5000, "zoe")
	batch := []rushgate.Record{
		record(2, "bob"), record(1, "alice"), record(3, "alice"), record(2, "bob"), record(4, "zoe"), record(5, "carol"),
	}
	want := []error{nil, rushgate.ErrImported, rushgate.UsernameTaken, rushgate.ErrImported, rushgate.UsernameTaken, nil}
	if !h.NamesOnly {
		batch = append(batch, record(1, "dave"), record(2, "erin"))
		want = append(want, rushgate.ErrIDTaken, rushgate.ErrIDTaken)
	}
	for i, err := range importAll(t, s, batch...) {
		if !errors.Is(err, want[i]) {
			t.Errorf("%d %s: %v, want %v", batch[i].Account.ID, batch[i].Account.Username, err, want[i])
		}
	}
	for i, id := range []rushgate.PlayerID{1, 2, 5, 5000, 0, 0} {
		name := []string{"alice", "bob", "carol", "zoe", "dave", "erin"}[i]
		if got := load(t, s, name)[0].ID; got != id {
			t.Errorf("%s has the id %d, want %d", name, got, id)
		}
	}
	importAll(t, s)
}

func importTwice(t *testing.T, h Harness) {
	s := h.open(t)
	beginImport(t, s, 10)
	r := record(1, "alice")
	bringIn(t, s, r)
	in := admit(t, s, nodeA, withHash(login(1, "alice", "a"), r.Account.PasswordHash, "new hash"))
	setNumber(&in.Character, "xp", 5000)
	in.Character.Zone = "new town"
	unchanged := func(when string) {
		t.Helper()
		if err := importAll(t, s, r)[0]; !errors.Is(err, rushgate.ErrImported) {
			t.Errorf("import %s: %v, want %v", when, err, rushgate.ErrImported)
		}
		wantCharacter(t, characters(t, s, "alice")[0], in.Character)
		wantHash(t, s, "alice", "new hash")
	}
	if err := save(t, s, rushgate.Save{Character: in.Character, Fence: in.Lease.Fence}); err != nil {
		t.Fatal(err)
	}
	unchanged("while the player is inside")
	wantInside(t, s, 1)
	if err := refresh(t, s, nodeA, in.Lease)[0]; err != nil {
		t.Errorf("refresh after the second import: %v", err)
	}
	release(t, s, in)
	unchanged("after the player has left")
}

// Names that today's rules would refuse keep working.
func importOddNames(t *testing.T, h Harness) {
	s := h.open(t)
	names := []string{
		"X", "Old Name!", "{braces}", "a:b/c*?[d]", "\"quoted\"", "tab\there", "nul\x00there",
		"İstanbul", "\u0065\u0301", "\U0001F409",
		strings.Repeat("é", rushgate.MaxRecordNameLen/2),
	}
	beginImport(t, s, 100)
	for i, name := range names {
		r := record(rushgate.PlayerID(i+1), name)
		bringIn(t, s, r)
		wantAccount(t, load(t, s, name)[0], account(r))
		wantCharacter(t, characters(t, s, name)[0], r.Character)
		in := admit(t, s, nodeA, login(r.Account.ID, name, "a"))
		release(t, s, in)
	}
	if ranks := top(t, s, rushgate.BoardXP, 100); len(ranks) != len(names) || ranks[0].Name != names[len(names)-1] {
		t.Errorf("leaderboard is %+v", ranks)
	}
}

func badRecords(t *testing.T, h Harness) {
	tests := []struct {
		name string
		edit func(*rushgate.Record)
		says string
	}{
		{"no name", func(r *rushgate.Record) { r.Account.Username, r.Character.Name = "", "" }, "username"},
		{"long name", func(r *rushgate.Record) {
			r.Account.Username = strings.Repeat("x", rushgate.MaxRecordNameLen+1)
			r.Character.Name = r.Account.Username
		}, "username"},
		{"broken name", func(r *rushgate.Record) { r.Account.Username, r.Character.Name = "al\xffice", "al\xffice" },
			"UTF-8"},
		{"another's name", func(r *rushgate.Record) { r.Character.Name = "carol" }, "character"},
		{"another's id", func(r *rushgate.Record) { r.Character.ID = 3 }, "character"},
		{"no hash", func(r *rushgate.Record) { r.Account.PasswordHash = "" }, "hash"},
		{"version to come", func(r *rushgate.Record) { r.Account.Version = rushgate.AccountVersion + 1 }, "version"},
		{"long attempt", func(r *rushgate.Record) { r.Account.Attempt = strings.Repeat("x", rushgate.MaxAttemptLen+1) },
			"attempt"},
		{"too much data", func(r *rushgate.Record) { r.Character.Data = make([]byte, rushgate.MaxDataLen+1) }, "data"},
	}
	s := h.open(t)
	beginImport(t, s, 10)
	for _, tt := range tests {
		bad := record(2, "bob")
		tt.edit(&bad)
		errs, err := s.Import(t.Context(), []rushgate.Record{record(1, "alice"), bad})
		if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, %v; want an error that names the %s", tt.name, errs, err, tt.says)
		} else if strings.Contains(err.Error(), "imported hash") {
			t.Errorf("%s: error %q shows a password hash", tt.name, err)
		}
	}
	for _, a := range load(t, s, "alice", "bob") {
		wantAccount(t, a, rushgate.Account{})
	}
	wantRanks(t, top(t, s, rushgate.BoardXP, 10), nil)
}

func importOutside(t *testing.T, h Harness) {
	s := h.open(t)
	refused := func(when string, id rushgate.PlayerID) {
		t.Helper()
		if errs, err := s.Import(t.Context(), []rushgate.Record{record(1, "alice"), record(id, "bob")}); err == nil {
			t.Errorf("import of id %d %s: %v, want an error", id, when, errs)
		}
		wantAccount(t, load(t, s, "alice")[0], rushgate.Account{})
	}
	refused("before anything was set aside", 2)
	beginImport(t, s, 10)
	for _, id := range []rushgate.PlayerID{0, 11, math.MaxInt64 + 1, math.MaxUint64} {
		refused("with 10 set aside", id)
	}
	for _, err := range importAll(t, s, record(1, "alice"), record(10, "bob")) {
		if err != nil {
			t.Errorf("import: %v", err)
		}
	}
}

// An import can be interrupted, begun again and extended, until the node has given out ids of its own.
func beginAgain(t *testing.T, h Harness) {
	s := h.open(t)
	for _, highest := range []rushgate.PlayerID{10, 10, 5, 20, 1} {
		beginImport(t, s, highest)
	}
	bringIn(t, s, record(20, "alice"))
	first := reserve(t, s, 5)
	if first <= 20 {
		t.Fatalf("id %d was given out, but up to 20 are set aside", first)
	}
	beginImport(t, s, 20)
	beginImport(t, s, 15)
	bringIn(t, s, record(15, "bob"))
	for range 2 {
		if err := s.BeginImport(t.Context(), 21); !errors.Is(err, rushgate.ErrIDsInUse) {
			t.Errorf("BeginImport(21) with %d given out: %v, want %v", first, err, rushgate.ErrIDsInUse)
		}
	}
	if errs, err := s.Import(t.Context(), []rushgate.Record{record(21, "carol")}); err == nil {
		t.Errorf("import of an id that was refused: %v, want an error", errs)
	}
	if next := reserve(t, s, 1); next < first+5 {
		t.Errorf("id %d was given out after %d", next, first+4)
	}
}

func ownIDs(t *testing.T, h Harness) {
	s := h.open(t)
	first := reserve(t, s, 1)
	for _, highest := range []rushgate.PlayerID{1, first, first + 1, math.MaxInt64} {
		if err := s.BeginImport(t.Context(), highest); !errors.Is(err, rushgate.ErrIDsInUse) {
			t.Errorf("BeginImport(%d) with %d given out: %v, want %v", highest, first, err, rushgate.ErrIDsInUse)
		}
	}
	if next := reserve(t, s, 1); next <= first {
		t.Errorf("id %d was given out after %d", next, first)
	}
}

func beginChecked(t *testing.T, h Harness) {
	s := h.open(t)
	for _, highest := range []rushgate.PlayerID{0, math.MaxInt64 + 1, math.MaxUint64} {
		if err := s.BeginImport(t.Context(), highest); err == nil || errors.Is(err, rushgate.ErrIDsInUse) {
			t.Errorf("BeginImport(%d) = %v, want an error about it", highest, err)
		}
	}
	reserve(t, s, 1)
}

func concurrentImports(t *testing.T, h Harness) {
	const callers = 8
	s := h.open(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	created := make(map[string]int)
	var batch []rushgate.Record
	for id := range rushgate.PlayerID(20) {
		batch = append(batch, record(id+1, fmt.Sprint("player", id+1)))
	}
	for range callers {
		wg.Go(func() {
			if err := s.BeginImport(t.Context(), 20); err != nil {
				t.Errorf("BeginImport: %v", err)
				return
			}
			errs, err := s.Import(t.Context(), batch)
			if err != nil || len(errs) != len(batch) {
				t.Errorf("Import: %v, %v", errs, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			for i, err := range errs {
				if err == nil {
					created[batch[i].Account.Username]++
				} else if !errors.Is(err, rushgate.ErrImported) {
					t.Errorf("import of %s: %v", batch[i].Account.Username, err)
				}
			}
		})
	}
	wg.Wait()
	for _, r := range batch {
		if n := created[r.Account.Username]; n != 1 {
			t.Errorf("%s was created by %d imports", r.Account.Username, n)
		}
		wantCharacter(t, characters(t, s, r.Account.Username)[0], r.Character)
	}
}

func importRace(t *testing.T, h Harness) {
	for range 10 {
		s := h.open(t)
		beginImport(t, s, 10)
		r, a := record(1, "alice"), registration(100, "alice", "a")
		var wg sync.WaitGroup
		var imported []error
		var admitted []rushgate.Admitted
		var errs [2]error
		wg.Go(func() { imported, errs[0] = s.Import(t.Context(), []rushgate.Record{r}) })
		wg.Go(func() { admitted, errs[1] = s.Admit(t.Context(), nodeA, []rushgate.Admission{a}) })
		wg.Wait()
		if err := errors.Join(errs[:]...); err != nil {
			t.Fatal(err)
		}
		want := account(r)
		if imported[0] != nil {
			want = a.Account
		}
		if byImport, byName := imported[0] == nil, admitted[0].Err == nil; byImport == byName {
			t.Fatalf("import ended with %v, registration with %v", imported[0], admitted[0].Err)
		}
		if err := errors.Join(imported[0], admitted[0].Err); !errors.Is(err, rushgate.UsernameTaken) {
			t.Errorf("the loser was told %v, want %v", err, rushgate.UsernameTaken)
		}
		wantAccount(t, load(t, s, "alice")[0], want)
		if ranks := top(t, s, rushgate.BoardXP, 10); len(ranks) != 1 || ranks[0].Player != want.ID {
			t.Errorf("leaderboard is %+v, want player %d alone", ranks, want.ID)
		}
	}
}

func importDurable(t *testing.T, h Harness) {
	s := h.open(t)
	beginImport(t, s, 10)
	r := record(3, "alice")
	bringIn(t, s, r)
	s = h.reopen(t, s)
	wantAccount(t, load(t, s, "alice")[0], account(r))
	wantCharacter(t, characters(t, s, "alice")[0], r.Character)
	if err := importAll(t, s, r)[0]; !errors.Is(err, rushgate.ErrImported) {
		t.Errorf("import after the reopening: %v, want %v", err, rushgate.ErrImported)
	}
	bringIn(t, s, record(10, "bob"))
	if id := reserve(t, s, 1); id <= 10 {
		t.Errorf("id %d was given out, but up to 10 are set aside", id)
	}
	s = h.reopen(t, s)
	beginImport(t, s, 10)
	if err := s.BeginImport(t.Context(), 11); !errors.Is(err, rushgate.ErrIDsInUse) {
		t.Errorf("BeginImport(11) = %v, want %v", err, rushgate.ErrIDsInUse)
	}
}
