package importer

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/memory"
	"github.com/rushgate/rushgate/world"
)

const sampleHash = "4a081853764efe896c4cb4ef15efddf3$3473dcde90f47b52470585eeada5829023539f7c0d3d02da6725419f6a1b9fb7"

// list is a source that has accounts and, as characters, what they need.
type list struct {
	accounts []Account
	again    bool // every record is visited twice
	short    bool // nothing is found when it is read once more
}

func (l *list) Repeats() bool { return l.again }
func (l *list) Close() error  { return nil }

func (l *list) Key(r Ref) string {
	if r.Kind == AccountRecord {
		return "account " + r.Name
	}
	return fmt.Sprint("character ", r.ID)
}

func (l *list) Scan(_ context.Context, visit func(*Found) error) error {
	for range 1 + map[bool]int{true: 1}[l.again] {
		for _, a := range l.accounts {
			f := Found{Ref: Ref{Kind: AccountRecord, Name: a.Name}, Account: a}
			if err := visit(&f); err != nil {
				return err
			}
			if a.Character == 0 {
				continue
			}
			f = Found{Ref: Ref{Kind: CharacterRecord, ID: a.Character}}
			if err := visit(&f); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *list) Fetch(_ context.Context, refs []Ref) ([]Record, error) {
	if l.short {
		return nil, nil
	}
	records := make([]Record, len(refs))
	for i, r := range refs {
		records[i].Character.ID = r.ID
		for _, a := range l.accounts {
			if r.Kind == AccountRecord && a.Name == r.Name {
				records[i].Account = a
			}
		}
	}
	return records, nil
}

// players returns a source of so many players.
func players(n int) *list {
	l := &list{}
	for i := range n {
		l.accounts = append(l.accounts, Account{
			Version: 2, Name: fmt.Sprintf("player-%07d", i), Hash: sampleHash, Character: rushgate.PlayerID(i + 1),
		})
	}
	return l
}

// Players come from any source, which may visit its records more than once.
func TestImportFromAnySource(t *testing.T) {
	for _, again := range []bool{false, true} {
		src, store := players(3), memory.New(memory.Options{})
		src.again = again
		r, err := Import(t.Context(), src, store, Options{})
		if err != nil || r.Accounts != 3 || r.Characters != 3 || r.Imported != 3 || r.Refused != 0 || r.HighestID != 3 {
			t.Errorf("repeating %v: %+v, %v", again, r, err)
		}
		accounts, err := store.LoadAccounts(t.Context(), []string{"player-0000001"})
		if err != nil || accounts[0].ID != 2 || accounts[0].PasswordHash != sampleHash {
			t.Errorf("repeating %v: %+v, %v", again, accounts, err)
		}
	}
}

// A source that loses records ends the import rather than mixing them up.
func TestSourceWithoutRecords(t *testing.T) {
	src := players(3)
	src.short = true
	if r, err := Import(t.Context(), src, nil, Options{DryRun: true}); err == nil || r.Imported != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	src = &list{accounts: []Account{{Name: "bob", Hash: sampleHash}}, short: true}
	if r, err := Import(t.Context(), src, nil, Options{DryRun: true}); err == nil || r.Imported != 0 {
		t.Errorf("without a character: %+v, %v", r, err)
	}
}

// What a source refuses stands in the report under the source's own name for it.
func TestRefusalsOfASource(t *testing.T) {
	var x index
	var r Report
	x.add(&Found{Ref: Ref{Kind: CharacterRecord, ID: 9, Line: 4}, Key: "nine", Err: errors.New("odd"), Cause: Unreadable},
		&r)
	if want := (Refusal{Key: "nine", Line: 4, Cause: Unreadable, Detail: "odd"}); r.Refusals[0] != want || x.highest != 9 {
		t.Errorf("%+v, highest id %d", r.Refusals, x.highest)
	}
	x.add(&Found{Ref: Ref{Kind: AccountRecord, Line: 5}, Err: errors.New("odd"), Cause: Unreadable, Rows: true}, &r)
	if got, want := r.Refusals[1].String(), "row 5: unreadable: odd"; got != want {
		t.Errorf("of a table: %q, want %q", got, want)
	}
}

// A character that has been tried is out of the world again: a million of them would not fit.
func TestCharactersAreOnlyTried(t *testing.T) {
	m := &importer{src: &list{}, world: world.New(world.Default(), 0)}
	at := Ref{Kind: CharacterRecord, ID: 12}
	if c, ok := m.character("bob", at, &Record{Character: rushgate.Character{ID: 12,
		Numbers: rushgate.Numbers{"xp": 444}}}); !ok || c.Numbers["level"] != 3 {
		t.Errorf("%+v, %v", c, m.report.Refusals)
	}
	if _, inside := m.world.Character(12); inside {
		t.Error("the character is still inside")
	}
}

// heap is how much memory is in use.
func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// What the first pass keeps of a player is small enough for millions.
func TestIndexIsCompact(t *testing.T) {
	var x index
	var r Report
	const n = 20_000
	before := heap()
	for i := range n {
		name := fmt.Sprintf("player-%07d", i)
		id := rushgate.PlayerID(i + 1)
		x.add(&Found{Ref: Ref{Kind: AccountRecord, Name: name}, Account: Account{Name: name, Character: id}}, &r)
		x.add(&Found{Ref: Ref{Kind: CharacterRecord, ID: id}}, &r)
	}
	x.settle(false, &r)
	if perPlayer := (heap() - before) / n; perPlayer > 200 || r.Refused != 0 {
		t.Errorf("%d bytes for each player, %d refused", perPlayer, r.Refused)
	}
	if x.highest != n {
		t.Errorf("highest id %d", x.highest)
	}
}
