package source

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/importer/scheme"
	"github.com/rushgate/rushgate/internal/importer/table"
)

// Options say how a file of a system is read.
type Options struct {
	// System is the system as the operator calls it, which may say more than its name: "authme SHA256".
	System string
	// Table is the name of the table, if it is another than usual.
	Table string
	// With are values that go into every record.
	With map[string]any
	// Map says which columns go into the characters; nil for accounts alone.
	Map *Map
}

// Reader reads the players of a file, or of a server. It is used by one goroutine at a time.
type Reader struct {
	opts   Options
	layout *Layout
	file   tableRows
	joins  []*joined
	known  time.Time // what is over at this time is no ban
	// missing are tables that are not in the file, unread what cannot be read of those that are.
	missing, unread []string
}

// Missing returns the tables that the system may have and that are not there: nothing was read of them.
func (r *Reader) Missing() []string { return r.missing }

// Unread says of which tables that go with that of the accounts there are rows that cannot be read and do not even tell
// whose they are: what they would say of a player is not known.
func (r *Reader) Unread() []string { return r.unread }

// Player is a row of a table.
type Player struct {
	scheme.Record
	// Name is what the player is called here: Username, or that in lower case.
	Name string
	// Character is the player's, nil without one.
	Character *rushgate.Character
	// Other tells that the row is not a player's.
	Other bool
	// NoPassword tells that the player never had a password, or has none any more.
	NoPassword bool
	// Until is when a ban ends, in the year 9999 if never; zero without one.
	Until time.Time
	// Line and Done are those of [table.Row].
	Line int
	Done int64
	// Err says why the row cannot be read.
	Err error
}

// Open opens a file of a system, with the first layout that reads its kind.
func (s *System) Open(ctx context.Context, path string, opts Options) (*Reader, error) {
	var all []table.Kind
	for i := range s.Layouts {
		all = append(all, s.Layouts[i].Kinds()...)
	}
	slices.Sort(all)
	kind, err := table.Sniff(path, order(slices.Compact(all)))
	if err != nil {
		return nil, err
	}
	for i := range s.Layouts {
		l := s.Layouts[i]
		if slices.Contains(l.Kinds(), kind) {
			if opts.Table != "" {
				l.setTable(opts.Table)
			}
			return l.open(ctx, inFile{path, kind}, opts)
		}
	}
	return nil, fmt.Errorf("%s has no layout for files of the kind %s", s.Name, kind)
}

// OpenServer opens a system's tables on a server, with the layout that reads dumps of them. The connection stays the
// caller's.
func (s *System) OpenServer(ctx context.Context, server *table.Server, opts Options) (*Reader, error) {
	for i := range s.Layouts {
		l := s.Layouts[i]
		if slices.Contains(l.Kinds(), table.SQL) {
			if opts.Table != "" {
				l.setTable(opts.Table)
			}
			return l.open(ctx, onServer{server}, opts)
		}
	}
	return nil, fmt.Errorf("%s keeps its accounts in no database of MySQL or PostgreSQL that is known", s.Name)
}

// setTable has the layout read the table of a name in place of its own. If the layout leaves open what stands before
// the name, such as the prefix of a forum's tables, the same stands before the names of the other tables.
func (l *Layout) setTable(name string) {
	end, open := strings.CutPrefix(l.Table, "*")
	l.Table = name
	if at := len(name) - len(end); open && at >= 0 && strings.EqualFold(name[at:], end) {
		l.Joins = prefixed(l.Joins, name[:at])
	}
}

// prefixed returns joins with what stands before the names of their tables, which are found under the same names.
func prefixed(joins []Join, prefix string) []Join {
	joins = slices.Clone(joins)
	for i := range joins {
		j := &joins[i]
		if end, open := strings.CutPrefix(j.Table, "*"); open {
			j.as, j.Table = j.name(), prefix+end
		}
		if j.Or != nil {
			j.Or = &prefixed([]Join{*j.Or}, prefix)[0]
		}
		j.With = prefixed(j.With, prefix)
	}
	return joins
}

// tableRows is a table: of a file, or of a server.
type tableRows interface {
	Rows(ctx context.Context) iter.Seq2[table.Row, error]
	Size() int64
	Kind() table.Kind
}

// place is where tables are: a file, or a server.
type place interface {
	table(q table.Query) (tableRows, error)
	kind() table.Kind
}

type inFile struct {
	path string
	of   table.Kind
}

func (f inFile) table(q table.Query) (tableRows, error) { return table.Open(f.path, f.of, q) }
func (f inFile) kind() table.Kind                       { return f.of }

type onServer struct{ *table.Server }

func (s onServer) table(q table.Query) (tableRows, error) { return s.Open(q), nil }
func (s onServer) kind() table.Kind                       { return table.Live }

// order puts the kinds first that tell best what they are.
func order(kinds []table.Kind) []table.Kind {
	best := []table.Kind{table.Lua, table.SQLite, table.SQL, table.JSONL, table.Erlang, table.JSON, table.XML,
		table.TinyMUX, table.CSV, table.Lines}
	var all []table.Kind
	for _, k := range best {
		if slices.Contains(kinds, k) {
			all = append(all, k)
		}
	}
	return all
}

func (l *Layout) open(ctx context.Context, at place, opts Options) (*Reader, error) {
	var further []string
	if opts.Map != nil {
		var err error
		if opts.Map, further, err = opts.Map.of(l); err != nil {
			return nil, err
		}
	}
	columns := l.columns()
	for _, c := range further {
		if steps, err := parsePath(c); err != nil {
			return nil, err
		} else if name := steps[0].name; !slices.Contains(columns, name) {
			columns = append(slices.DeleteFunc(columns, func(c string) bool { return c == name+"?" }), name)
		}
	}
	f, err := at.table(table.Query{
		Table: l.Table, Columns: columns, Fields: l.Fields, Separator: l.Separator, List: l.List,
	})
	if err != nil {
		return nil, err
	}
	r := &Reader{opts: opts, layout: l, file: f, known: time.Now()}
	if !hasTables(at.kind()) {
		if opts.Map != nil && opts.Map.Characters != nil {
			return nil, fmt.Errorf("characters in a table of their own are read of %s and %s", table.SQLite, table.SQL)
		}
		return r, nil
	}
	for i := range l.Joins {
		join := l.Joins[i]
		if strings.HasPrefix(l.Until, join.name()+".") {
			join.ends = func(row map[string]any) time.Time { return r.until(map[string]any{join.name(): row}) }
		}
		j, err := join.find(ctx, at)
		if err != nil {
			return nil, err
		}
		if j.rows == nil {
			r.missing = append(r.missing, join.tables())
		}
		if j.unread > 0 {
			r.unread = append(r.unread, fmt.Sprintf("%d rows of the table %s, the first in %s: %v",
				j.unread, join.Table, r.where(j.first.Line), j.first.Err))
		}
		r.joins = append(r.joins, j)
	}
	return r, nil
}

// hasTables reports whether there may be more than one table.
func hasTables(k table.Kind) bool { return k == table.SQLite || k == table.SQL || k == table.Live }

// Size returns how much there is to read, in the unit of [Player].Done.
func (r *Reader) Size() int64 { return r.file.Size() }

// Kind returns the kind of the file, or [table.Live].
func (r *Reader) Kind() table.Kind { return r.file.Kind() }

// Counts reports that the Line of players is the number of a row, and not of a line.
func (r *Reader) Counts() bool {
	return r.Kind() == table.SQLite || r.Kind() == table.Lua || r.Kind() == table.Live
}

// where says where a row is.
func (r *Reader) where(line int) string {
	if r.Counts() {
		return fmt.Sprint("row ", line)
	}
	return fmt.Sprint("line ", line)
}

// Players returns what is in the table, in the same order each time. An error ends it.
func (r *Reader) Players(ctx context.Context) iter.Seq2[Player, error] {
	return func(yield func(Player, error) bool) {
		for row, err := range r.file.Rows(ctx) {
			p := Player{Line: row.Line, Done: row.Done}
			if err == nil {
				r.player(&row, &p)
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

var (
	errNoName = errors.New("the player has no name")
	errBytes  = errors.New("it is not text in UTF-8; export it in that encoding")
)

// player makes a player of a row.
func (r *Reader) player(row *table.Row, p *Player) {
	values := row.Values
	if p.Err = row.Err; p.Err != nil {
		if p.Name = r.name(values); !utf8.ValidString(p.Name) {
			p.Name = ""
		}
		return
	}
	for _, j := range r.joins {
		if more, ok := j.rows[textAt(values, j.Ours)]; ok {
			values[j.name()] = more
			if bad, ok := more[broken].(table.Row); ok {
				p.Err = fmt.Errorf("the table %s, %s: %w", j.Table, r.where(bad.Line), bad.Err)
			}
		}
	}
	l := r.layout
	if is(values, l.Skip) || told(values, l.Only) && !is(values, l.Only) {
		p.Other = true
		return
	}
	p.System, p.Username = r.opts.System, r.name(values)
	if p.Name = p.Username; l.Lower {
		p.Name = strings.ToLower(p.Name)
	}
	if p.Username == "" {
		p.Err = errNoName
		return
	}
	if p.Err != nil {
		return
	}
	p.Stored, p.Err = r.stored(values)
	switch {
	case p.Err != nil:
	case !utf8.ValidString(p.Username) || strings.ContainsRune(p.Username, utf8.RuneError):
		p.Err = fmt.Errorf("the name: %w", errBytes)
	case len(p.Stored) == 0:
		p.NoPassword = true
	}
	for name, v := range r.opts.With {
		if p.Stored != nil {
			p.Stored[name] = v
		}
	}
	p.Until = r.until(values)
	if r.opts.Map != nil && p.Err == nil {
		p.Character, p.Err = r.opts.Map.character(values)
	}
}

func (r *Reader) name(values map[string]any) string {
	for _, path := range r.layout.Name {
		if name := textAt(values, path); name != "" {
			return name
		}
	}
	return ""
}

// stored returns what proves the password. It is empty if all of it is nothing.
func (r *Reader) stored(values map[string]any) (map[string]any, error) {
	stored := make(map[string]any, len(r.layout.Stored)+len(r.opts.With))
	database := hasTables(r.file.Kind())
	none := true
	for _, s := range r.layout.Stored {
		as, path := storedAs(s)
		v, there := look(values, path)
		if !there && !strings.HasSuffix(path, "?") {
			return nil, fmt.Errorf("there is no %+q", path)
		}
		if v == nil {
			continue
		}
		if none = none && v == ""; v == "" {
			stored[as] = v
		} else if b, ok := v.(string); ok {
			switch {
			case database && slices.Contains(r.layout.Hex, as) && !isHex(b):
				v = hex.EncodeToString([]byte(b))
			case !utf8.ValidString(b):
				return nil, fmt.Errorf("the column %+q: %w", path, errBytes)
			}
		}
		stored[as] = v
	}
	if none {
		return map[string]any{}, nil
	}
	return stored, nil
}

// isHex tells bytes as PostgreSQL writes them from those of MySQL, which may begin like that as well.
func isHex(b string) bool {
	digits, ok := strings.CutPrefix(b, `\x`)
	_, err := hex.DecodeString(digits)
	return ok && err == nil
}

// is reports whether one of the conditions holds.
func is(values map[string]any, conditions map[string][]string) bool {
	for _, path := range slices.Sorted(maps.Keys(conditions)) {
		v := textAt(values, path)
		for _, want := range conditions[path] {
			if holds(v, want) {
				return true
			}
		}
	}
	return false
}

// told reports whether a row says anything about the conditions: an export may have left the columns out, and then
// nobody is left out for them.
func told(values map[string]any, conditions map[string][]string) bool {
	for path := range conditions {
		column, _, _ := strings.Cut(path, ".")
		if _, ok := values[column]; ok {
			return true
		}
	}
	return false
}

// holds reports whether a value is one that a condition wants: that text, with "*" any but nothing, 0 and false, with
// "*" behind it any that begins like it, and with "!" before it any but nothing and those that begin like it.
func holds(v, want string) bool {
	switch v { // of a bit, as MySQL has them
	case "\x00":
		v = "0"
	case "\x01":
		v = "1"
	}
	if want == "*" {
		return v != "" && v != "0" && v != "f" && !strings.EqualFold(v, "false")
	}
	if begin, ok := strings.CutPrefix(want, "!"); ok {
		return v != "" && !strings.HasPrefix(v, begin)
	}
	if begin, ok := strings.CutSuffix(want, "*"); ok {
		return strings.HasPrefix(v, begin)
	}
	return strings.EqualFold(v, want)
}

// forever is the end of a ban that has none.
func forever() time.Time { return time.Date(9999, time.December, 31, 0, 0, 0, 0, time.UTC) }

// until returns when a ban ends; zero without one, or if it is over.
func (r *Reader) until(values map[string]any) time.Time {
	l := r.layout
	if is(values, l.Closed) || r.ended(textAt(values, l.Expires)) {
		return forever()
	}
	banned := is(values, l.Banned)
	until := textAt(values, l.Until)
	end := moment(until)
	switch {
	case until == "", until == "0", strings.HasPrefix(until, "0000-00-00"): // of MySQL, for none
		if banned {
			return forever()
		}
		return time.Time{}
	case end.IsZero(), l.Since != "" && !end.After(moment(textAt(values, l.Since))), end.After(forever()):
		return forever() // rather kept out too long
	case end.Before(r.known):
		return time.Time{}
	}
	return end
}

// ended reports whether a time is over, if it is one; one that cannot be read is.
func (r *Reader) ended(at string) bool {
	return at != "" && at != "0" && moment(at).Before(r.known)
}

// moment reads a time: in seconds or milliseconds since 1970, or as databases write it. It is zero if it is none.
func moment(s string) time.Time {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		if n > 1e11 {
			return time.UnixMilli(n)
		}
		return time.Unix(n, 0)
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05Z07", "2006-01-02 15:04:05Z07:00",
		"2006-01-02 15:04:05", "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t
		}
	}
	return time.Time{}
}

// joined is the rows of a table that go with others.
type joined struct {
	*Join
	rows map[string]map[string]any // by the value that is in both tables

	unread int       // rows that tell nobody whose they are
	first  table.Row // of these
}

// maxJoined is the greatest number of rows of a table that is joined: they are kept in memory.
const maxJoined = 8 << 20

// several is what a row has that is one of several, none of which is to be taken.
const several = "\x00several"

// broken is what has the row of whom there is one that cannot be read, whatever others there are.
const broken = "\x00broken"

// add takes up a row, unless there is a better one.
func (j *joined) add(key string, values map[string]any) {
	had := j.rows[key]
	switch {
	case had == nil, values[broken] != nil:
	case had[broken] != nil:
		return
	case j.ends != nil && j.Best == "":
		if !j.ends(values).After(j.ends(had)) {
			return
		}
	case j.Best == "" && j.character:
		had[several] = true
		return
	case j.Best == "" || number(values, j.Best) <= number(had, j.Best):
		return
	}
	j.rows[key] = values
}

// number returns the number at a path, 0 if there is none.
func number(values map[string]any, path string) float64 {
	n, err := strconv.ParseFloat(textAt(values, path), 64)
	if err != nil {
		return 0
	}
	return n
}

// find reads the table, or that in its place. The rows are nil if neither is there.
func (j *Join) find(ctx context.Context, at place) (*joined, error) {
	all, err := j.load(ctx, at)
	if j.Or == nil || err == nil && all.rows != nil {
		return all, err
	}
	if err != nil && !errors.Is(err, table.ErrNoTable) && !errors.Is(err, table.ErrNoColumn) {
		return nil, err
	}
	or := *j.Or
	or.as, or.ends = j.name(), j.ends
	other, otherErr := or.load(ctx, at)
	switch {
	case otherErr == nil && other.rows != nil:
		return other, nil
	case err != nil: // of the table that is there, and not what it is thought to be
		return nil, err
	case otherErr != nil:
		return nil, otherErr
	}
	return all, nil
}

// load reads the table; the rows are nil if it is not there and need not be.
func (j *Join) load(ctx context.Context, at place) (*joined, error) {
	with := make([]*joined, len(j.With))
	q := table.Query{Table: j.Table, Columns: []string{j.Its}}
	for i := range j.With {
		w, err := j.With[i].load(ctx, at)
		if err != nil || w.rows == nil {
			return &joined{Join: j}, err
		}
		with[i] = w
		q.Columns = append(q.Columns, w.Ours)
	}
	renamed := map[string]string{}
	for _, c := range j.Columns {
		if as, column, ok := strings.Cut(c, "="); ok {
			renamed[as], c = strings.TrimSuffix(column, "?"), column
		}
		q.Columns = append(q.Columns, c)
	}
	for path := range j.Only {
		if i := slices.IndexFunc(with, func(w *joined) bool { return strings.HasPrefix(path, w.name()+".") }); i < 0 {
			q.Columns = append(q.Columns, path)
		}
	}
	f, err := at.table(q)
	if err != nil {
		return nil, err
	}
	all := &joined{Join: j, rows: map[string]map[string]any{}}
	for _, w := range with {
		if all.unread += w.unread; w.unread > 0 {
			all.first = w.first
		}
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	for row, err := range f.Rows(ctx) {
		if errors.Is(err, table.ErrNoTable) && j.Optional {
			return &joined{Join: j}, nil
		}
		if err != nil {
			return nil, fmt.Errorf("the table %s: %w", j.Table, err)
		}
		all.take(&row, renamed, with)
		if len(all.rows) > maxJoined {
			end() // so that the others are not read
			return nil, fmt.Errorf("the table %s has more than %d rows", j.Table, maxJoined)
		}
	}
	return all, nil
}

// take takes up a row as it was read, if it counts: with the columns under the names that they are found under, and
// with the rows that go with it.
func (j *joined) take(row *table.Row, renamed map[string]string, with []*joined) {
	key := textAt(row.Values, j.Its)
	if row.Err != nil && key == "" {
		if j.unread++; j.unread == 1 {
			j.first = table.Row{Line: row.Line, Err: row.Err}
		}
		return
	}
	for as, column := range renamed {
		row.Values[as] = row.Values[column]
	}
	for _, w := range with {
		more := w.rows[textAt(row.Values, w.Ours)]
		if bad, ok := more[broken].(table.Row); ok && row.Err == nil {
			row.Err = bad.Err
		}
		row.Values[w.name()] = more
	}
	switch {
	case row.Err != nil:
		j.add(key, map[string]any{broken: table.Row{Line: row.Line, Err: row.Err}})
	case key != "" && (len(j.Only) == 0 || is(row.Values, j.Only)):
		j.add(key, row.Values)
	}
}
