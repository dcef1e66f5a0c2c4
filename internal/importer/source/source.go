// Package source knows where other systems keep their accounts: in which table of which kind of file, and in which of
// its columns. All of it is data, in systems/, beside the families of package scheme, which knows what stands in the
// columns; a system that is not there can be described in a file of the operator's.
//
// # A file of systems
//
// It is a JSON object with a list of "systems". Each has a name, by the words of which it is recognised, what there is
// to say "about" it, the versions of which it was "ran", and its "layouts": the first that reads the kind of file at
// hand is taken.
//
//	{"systems": [{"system": "mumble", "about": "…", "layouts": [
//	  {"table": "users", "name": ["name"], "stored": ["pw", "salt", "kdfiterations"], "skip": {"name": ["SuperUser"]},
//	   "ignored": "texture, last_active and the table user_info"}]}]}
//
// See [Layout] for what else there is. A value is found by a path: the name of a column, and within JSON in it names
// after a dot, numbers in brackets, or [type=password] for the element of a list that has such a value.
package source

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/rushgate/rushgate/internal/importer/scheme"
	"github.com/rushgate/rushgate/internal/importer/table"
)

const (
	maxSystems = 256
	maxLayouts = 16
	maxPaths   = 64
)

//go:embed systems/*.json
var files embed.FS

// System is a system, and where it keeps its accounts.
type System struct {
	Name    string   `json:"system"`
	About   string   `json:"about"`
	Ran     string   `json:"ran"` // versions that wrote databases which the tests read; empty if none did
	Layouts []Layout `json:"layouts"`
}

// Layout is how a system keeps its accounts in some kinds of files.
type Layout struct {
	// In are the kinds of files; empty for all that have tables with columns: SQLite, SQL, CSV, JSON, JSONL.
	In []table.Kind `json:"in"`
	// Table, Fields, Separator and List are those of [table.Query].
	Table     string   `json:"table"`
	Fields    []string `json:"fields"`
	Separator string   `json:"separator"`
	List      string   `json:"list"`
	// Name are paths of which the first that is not empty is the player's name.
	Name []string `json:"name"`
	// Lower tells that capitals do not count in names there, which may be kept in capitals: here they are in lower case,
	// also if they are none that a new player could choose.
	Lower bool `json:"lower"`
	// Stored are paths to what proves the password. Each goes into the record under its last name, or as the name before
	// a "=". One that ends in "?" may be missing.
	Stored []string `json:"stored"`
	// Hex are names of Stored that are bytes in a database, and hexadecimal in the record.
	Hex []string `json:"hex"`
	// ID is the path to the number of a player, if there is one, for a [Map].
	ID string `json:"id"`
	// Skip are the rows that are no players: by path, the values that tell; "*" is any but nothing, 0 and false, a text
	// before a "*" any that begins with it, and one after a "!" any but nothing and those that begin with it. With Only
	// the other rows are none.
	Skip map[string][]string `json:"skip"`
	Only map[string][]string `json:"only"`
	// Banned are the players who are kept out: by path, the values that tell. Until is the path to when that ends, and
	// Since to when it began: a ban that ends when it began has no end.
	// With Closed a player is kept out without an end, whatever Until says.
	Banned map[string][]string `json:"banned"`
	Closed map[string][]string `json:"closed"`
	Until  string              `json:"until"`
	Since  string              `json:"since"`
	// Expires is the path to when an account ends, if it does: who had one that has ended is kept out without an end.
	Expires string `json:"expires"`
	// Joins are further tables.
	Joins []Join `json:"joins"`
	// Ignored says for people what is not read.
	Ignored string `json:"ignored"`
}

// Join is a table that has more about the players, of which a row goes with each: its values are found under the name
// of the table. Of several rows the first is taken, or the one in which the number Best is the greatest; of bans it is
// the one that ends last.
type Join struct {
	Table string `json:"table"`
	Its   string `json:"its"`  // the column of that table
	Ours  string `json:"ours"` // and the path that has the same value
	// Columns are those that are read. One that ends in "?" may be missing, and one is found under what stands before a
	// "=", if there is one.
	Columns  []string            `json:"columns"`
	Only     map[string][]string `json:"only"` // the rows of it that count
	Optional bool                `json:"optional"`
	Best     string              `json:"best"`
	// Or is read in its place, and found under its name, if the table is not there or has not got the columns: of a
	// version of the system that keeps this elsewhere.
	Or *Join `json:"or"`
	// With are tables of which a row goes with each row of this one, and is found in it, for Only and for bans.
	With []Join `json:"with"`

	as        string                             // the name that it is found under, if another than the table's
	character bool                               // of several rows none is taken without a Best
	ends      func(row map[string]any) time.Time // of bans
}

// tabular are the kinds of files that have tables with columns.
var tabular = []table.Kind{table.SQLite, table.SQL, table.JSONL, table.JSON, table.CSV}

// Kinds returns the kinds of files that the layout is of.
func (l *Layout) Kinds() []table.Kind {
	if len(l.In) == 0 {
		return tabular
	}
	return l.In
}

// Set is the systems that are known.
type Set struct{ systems []*System }

// Systems returns them, those of the operator's files first.
func (s *Set) Systems() []*System { return s.systems }

// Builtin returns the systems that come with the program.
var Builtin = sync.OnceValue(func() *Set {
	entries, err := files.ReadDir("systems")
	if err != nil {
		panic("source: " + err.Error())
	}
	s := &Set{}
	for _, e := range entries {
		b, err := files.ReadFile("systems/" + e.Name())
		if err != nil {
			panic("source: " + err.Error())
		}
		systems, err := Parse(b)
		if err != nil {
			panic("source: " + e.Name() + ": " + err.Error())
		}
		s.systems = append(s.systems, systems...)
	}
	return s
})

// With returns the set with the systems of files before its own.
func (s *Set) With(paths ...string) (*Set, error) {
	all := &Set{}
	for _, path := range paths {
		b, err := scheme.ReadFile(path)
		if err == nil {
			var systems []*System
			systems, err = Parse(b)
			all.systems = append(all.systems, systems...)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	all.systems = append(all.systems, s.systems...)
	return all, nil
}

// strict reads a JSON document that has nothing but what v has a place for.
func strict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON object")
	}
	return nil
}

// Parse reads a file of systems.
func Parse(b []byte) ([]*System, error) {
	var f struct {
		Systems []*System `json:"systems"`
	}
	if err := strict(b, &f); err != nil {
		return nil, fmt.Errorf("not the JSON of systems: %w", err)
	}
	if len(f.Systems) == 0 || len(f.Systems) > maxSystems {
		return nil, fmt.Errorf("it needs 1 to %d systems", maxSystems)
	}
	for i, s := range f.Systems {
		if s == nil || len(words(s.Name)) == 0 || len(s.Layouts) == 0 || len(s.Layouts) > maxLayouts {
			return nil, fmt.Errorf("system %d: it needs a name of letters or digits and 1 to %d layouts", i+1, maxLayouts)
		}
		for j := range s.Layouts {
			if err := s.Layouts[j].check(); err != nil {
				return nil, fmt.Errorf("system %q, layout %d: %w", s.Name, j+1, err)
			}
		}
	}
	return f.Systems, nil
}

func (l *Layout) check() error {
	if len(l.Name) == 0 || len(l.Stored) == 0 {
		return errors.New("it needs paths to the name and to what is stored")
	}
	paths := l.paths()
	if len(paths) > maxPaths || len(l.Joins) > maxLayouts {
		return fmt.Errorf("more than %d paths or %d joins", maxPaths, maxLayouts)
	}
	for _, p := range paths {
		if _, err := parsePath(p); err != nil {
			return err
		}
	}
	for i := range l.Joins {
		if err := l.Joins[i].check(false); err != nil {
			return err
		}
	}
	for _, k := range l.Kinds() {
		switch {
		case k == table.Lines && (len(l.Fields) == 0 || l.Separator == ""):
			return errors.New("lines need fields and a separator")
		case l.Table == "" && needsTable(k):
			return fmt.Errorf("a file of the kind %s needs a table", k)
		}
	}
	return nil
}

// check checks a join; inner is one that another has in its place or with it.
func (j *Join) check(inner bool) error {
	switch {
	case j.Table == "" || j.Its == "" || j.Ours == "" || len(j.Columns) == 0:
		return errors.New("a join needs a table, its column, ours, and columns to read")
	case inner && (j.Or != nil || len(j.With) > 0):
		return errors.New("what a join has in its place or with it has neither")
	case len(j.With) > maxLayouts:
		return fmt.Errorf("more than %d joins with one", maxLayouts)
	}
	if j.Or != nil {
		if err := j.Or.check(true); err != nil {
			return err
		}
	}
	for i := range j.With {
		if err := j.With[i].check(true); err != nil {
			return err
		}
	}
	return nil
}

func needsTable(k table.Kind) bool {
	return k == table.SQLite || k == table.SQL || k == table.XML || k == table.Erlang
}

// paths returns all paths of the layout, with a "?" behind those that may be missing.
func (l *Layout) paths() []string {
	var all []string
	for i, name := range l.Name {
		if i > 0 || len(l.Name) > 1 {
			name = strings.TrimSuffix(name, "?") + "?"
		}
		all = append(all, name)
	}
	for _, s := range l.Stored {
		_, path := storedAs(s)
		all = append(all, path)
	}
	for _, p := range []string{l.Until, l.Since, l.Expires} {
		if p != "" {
			all = append(all, strings.TrimSuffix(p, "?")+"?")
		}
	}
	for _, conditions := range []map[string][]string{l.Skip, l.Only, l.Banned, l.Closed} {
		for path := range conditions {
			all = append(all, path+"?")
		}
	}
	for i := range l.Joins {
		for j := &l.Joins[i]; j != nil; j = j.Or {
			all = append(all, j.Ours)
		}
	}
	return all
}

// storedAs returns the name that a value goes under, and the path to it with its "?".
func storedAs(s string) (as, path string) {
	as, path, ok := strings.Cut(s, "=")
	if ok && !strings.Contains(as, "[") {
		return as, path
	}
	as = strings.TrimSuffix(s, "?")
	return as[strings.LastIndexByte(as, '.')+1:], s
}

// columns returns the columns of the table that the layout reads, for a query.
func (l *Layout) columns() []string {
	joined := map[string]bool{}
	for i := range l.Joins {
		joined[l.Joins[i].name()] = true
	}
	needed := map[string]bool{}
	for _, p := range l.paths() {
		path, optional := strings.CutSuffix(p, "?")
		steps, err := parsePath(path)
		if err != nil || joined[steps[0].name] {
			continue
		}
		c := steps[0].name
		needed[c] = needed[c] || !optional
	}
	var all []string
	for c, need := range needed {
		if !need {
			c += "?"
		}
		all = append(all, c)
	}
	slices.Sort(all)
	return all
}

// name is the one that the values are found under.
func (j *Join) name() string {
	if j.as != "" {
		return j.as
	}
	n := j.Table[strings.LastIndexByte(j.Table, '.')+1:]
	return strings.TrimPrefix(n, "*")
}

// words returns the words of a system's name, in lower case.
func words(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// Find returns the system that a text names: of those all of whose words are in it, the one of most words.
func (s *Set) Find(text string) (*System, error) {
	said := words(text)
	var best *System
	for _, sys := range s.systems {
		own := words(sys.Name)
		missing := func(w string) bool { return !slices.Contains(said, w) }
		if !slices.ContainsFunc(own, missing) && (best == nil || len(own) > len(words(best.Name))) {
			best = sys
		}
	}
	if best == nil {
		return nil, fmt.Errorf("no system %q is known; \"rushgate import sources\" lists those that are", text)
	}
	return best, nil
}
