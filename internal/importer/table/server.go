package table

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// Live is the kind of tables that are read of a server with a database: MySQL, MariaDB or PostgreSQL.
const Live Kind = "live"

// Server is a connection to a server with a database, which is only read: its one transaction, which lasts as long as
// the connection, is read-only, and sees of tables with transactions what was there when it began. It is used by one
// goroutine at a time, but for Close.
type Server struct {
	at      string // for errors
	tell    func(string)
	told    []string // tables of which somebody was told
	session session
	life    context.Context // ends with the connection
	end     context.CancelFunc
}

// session is a connection in its transaction: that of MySQL and MariaDB, or that of PostgreSQL.
type session interface {
	// query visits all rows of an answer, with as many values each as there are columns; without any columns there must
	// be no rows. The values are text as the server writes it, nil for NULL, and those of visit only as long as it lasts.
	// When ctx ends, so does the connection.
	query(ctx context.Context, text string, columns int, visit func(values [][]byte), args ...string) error
	// tables returns the tables and the views of a schema, of all that are in question if it is empty; no more than one
	// more than maxTables.
	tables(ctx context.Context, schema string) ([]serverTable, error)
	// columns returns those of a table that the user has the right to read.
	columns(ctx context.Context, t serverTable) ([]string, error)
	// key returns the columns of a table's primary key in their order; none if it has none.
	key(ctx context.Context, t serverTable) ([]string, error)
	// quoted is a name as it stands in a query.
	quoted(name string) string
	// asStored follows the name of a table whose rows are to come as they are stored.
	asStored() string
	// asText is an expression for the text of a column, cut where it is too long.
	asText(column string) string
	// begin has the session read as it is to, in a transaction.
	begin(ctx context.Context) error
	// explain says what would help against an error of the server; empty if that is not known.
	explain(err error) string
	close()
}

// begun returns a session that has begun, if err does not say that there is no connection. One that has not is closed.
func begun(w *wait, s session, err error) (session, error) {
	if err == nil {
		w.on("its answer to the settings of the connection", answerIn)
		err = s.begin(w)
	}
	if err == nil {
		return s, nil
	}
	s.close()
	if help := s.explain(err); help != "" {
		err = fmt.Errorf("%w\n  %s", err, help)
	}
	return nil, err
}

// serverTable is a table of a server.
type serverTable struct {
	schema, name string
	near         bool // its schema need not be named
	view         bool
	// engine keeps a table of MySQL that no transaction sees as it was; empty for others.
	engine string
}

var errAnswer = errors.New("the server has answered something else than was asked")

// maxTables is the greatest number of tables that a user may see, those of all schemas.
const maxTables = 64 << 10

// Connect connects to a server and begins a transaction that can only read. The connection ends with ctx, or with
// Close. Whoever is to know is told, if tell is not nil, what the server is waited for when that takes some seconds,
// and of what tables the transaction does not see the moment at which it began: from several goroutines, and not after
// the method has returned that the server is waited for in. Errors have no password.
func Connect(ctx context.Context, a *Address, tell func(string)) (*Server, error) {
	s := &Server{at: a.String(), tell: func(text string) {
		if tell != nil {
			tell(a.String() + ": " + text)
		}
	}}
	s.life, s.end = context.WithCancel(ctx)
	w := newWait(s.life, s.tell)
	defer w.stop()
	var err error
	if a.flavour == postgres {
		s.session, err = connectPostgreSQL(w, a)
	} else {
		s.session, err = connectMySQL(w, a)
	}
	other := ""
	if err != nil && ctx.Err() == nil {
		other = a.otherServer(ctx, w)
	}
	switch {
	case err == nil:
		return s, nil
	case ctx.Err() != nil:
		err = ctx.Err()
	case other != "":
		err = fmt.Errorf("connect to %s: %s", s.at, other)
	case w.err() != nil:
		err = fmt.Errorf("%s: %w\n  %s", s.at, w.err(), explainNetwork(w.err()))
	default:
		err = fmt.Errorf("connect to %s: %w", s.at, err)
	}
	s.end()
	return nil, err
}

// Close ends the connection, and with it what is being read.
func (s *Server) Close() error {
	s.end()
	s.session.close()
	return nil
}

// ServerTable is a table of a server.
type ServerTable struct {
	server *Server
	query  Query
	size   int64 // -1 as long as nobody has counted
}

// Open returns a table, which is looked for when its rows are read.
func (s *Server) Open(q Query) *ServerTable { return &ServerTable{server: s, query: q, size: -1} }

// Kind returns [Live].
func (t *ServerTable) Kind() Kind { return Live }

// Size returns how many rows there are, once reading them has begun.
func (t *ServerTable) Size() int64 { return max(t.size, 0) }

// Rows returns the rows in the order of the primary key. They come as they are asked for: the server waits meanwhile.
// While they are ranged over, no other table of the server can be read. Whoever stops before the last has the rest read
// and thrown away, which keeps the transaction for others; if ctx ends before that, the connection is closed instead.
func (t *ServerTable) Rows(ctx context.Context) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		w := newWait(ctx, t.server.tell)
		defer w.stop()
		defer context.AfterFunc(t.server.life, func() { w.end(nil) })()
		ended := func() error { return cmp.Or(ctx.Err(), t.server.life.Err()) }
		wanted := true // more rows
		err := ended()
		if err == nil {
			err = t.read(w, func(r Row) {
				if wanted && ended() == nil {
					w.pause()
					wanted = yield(r, nil)
				}
			})
		}
		switch {
		case !wanted:
			return
		case ended() != nil:
			err = ended()
		case err != nil:
			err = t.server.explained(cmp.Or(w.err(), err))
		}
		if err != nil {
			yield(Row{}, err)
		}
	}
}

// explained says of an error of the server where that is, and what would help.
func (s *Server) explained(err error) error {
	help := s.session.explain(err)
	if err = withoutValue(err); help != "" {
		return fmt.Errorf("%s: %w\n  %s", s.at, err, help)
	}
	return fmt.Errorf("%s: %w", s.at, err)
}

// read visits the rows.
func (t *ServerTable) read(w *wait, visit func(Row)) error {
	found, columns, err := t.find(w)
	if err != nil {
		return err
	}
	t.server.tellOf(found)
	wanted, err := t.query.pick(columns)
	if err != nil {
		return fmt.Errorf("the table %+q, as far as the user may read it: %w", found.name, err)
	}
	s := t.server.session
	from := " FROM " + s.quoted(found.schema) + "." + s.quoted(found.name)
	if t.size < 0 {
		w.on(fmt.Sprintf("the number of rows of the table %+q", found.name), rowIn)
		counted := errAnswer
		if err := s.query(w, "SELECT count(*)"+from, 1, func(v [][]byte) {
			if n, err := strconv.ParseInt(string(v[0]), 10, 64); err == nil && n >= 0 {
				t.size, counted = n, nil
			}
		}); err != nil || counted != nil {
			return cmp.Or(err, counted)
		}
	}
	text, names, err := t.selection(found, columns, wanted)
	if err != nil {
		return err
	}
	order, err := t.order(w, found, columns, len(names))
	if err != nil {
		return err
	}
	w.on(fmt.Sprintf("the first row of the table %+q", found.name), rowIn)
	n, next := 0, fmt.Sprintf("the next row of the table %+q", found.name)
	return s.query(w, text+from+order, len(names), func(values [][]byte) {
		n++
		visit(t.row(n, names, values))
		w.on(next, rowIn)
	})
}

// appendTo takes up names that are the first values of rows.
func appendTo(names *[]string) func([][]byte) {
	return func(v [][]byte) {
		if len(*names) < MaxColumns {
			*names = append(*names, string(v[0]))
		}
	}
}

// tellOf tells of a table that a transaction does not see as it was.
func (s *Server) tellOf(t serverTable) {
	if name := t.schema + "." + t.name; t.engine != "" && !slices.Contains(s.told, name) {
		s.told = append(s.told, name)
		s.tell(fmt.Sprintf("the table %+q is of %s, which has no transactions: what is changed in it meanwhile may be "+
			"read or not; stop what writes it", t.name, t.engine))
	}
}

// selection returns the beginning of a query of the columns that are wanted, and by what names they are.
func (t *ServerTable) selection(found serverTable, columns, wanted []string) (text string, names []string, err error) {
	s := t.server.session
	var picked []string
	for i, as := range wanted {
		if as != "" {
			picked = append(picked, s.asText(s.quoted(columns[i])))
			names = append(names, as)
		}
	}
	if len(picked) == 0 {
		return "", nil, fmt.Errorf("%w: no column of %+q is asked for", ErrNoColumn, found.name)
	}
	return "SELECT " + strings.Join(picked, ", "), names, nil
}

// order returns what puts the rows into an order that is always the same, of a number of values each: that of the
// primary key, if the user may read that. Without one they come as they are stored, which does not change within a
// transaction; those of a view are sorted.
func (t *ServerTable) order(w *wait, found serverTable, columns []string, values int) (string, error) {
	s := t.server.session
	w.on(fmt.Sprintf("the primary key of the table %+q", found.name), answerIn)
	key, err := s.key(w, found)
	if err != nil {
		return "", err
	}
	var by []string
	for _, column := range key {
		if !slices.Contains(columns, column) {
			by = nil
			break
		}
		by = append(by, s.quoted(column))
	}
	for i := range values {
		if found.view {
			by = append(by, fmt.Sprint(i+1))
		}
	}
	if len(by) == 0 {
		return s.asStored(), nil
	}
	return " ORDER BY " + strings.Join(by, ", "), nil
}

// row makes a row of values.
func (t *ServerTable) row(n int, names []string, values [][]byte) Row {
	r := Row{Values: make(map[string]any, len(names)), Line: n, Done: min(int64(n), t.size)}
	for i, v := range values {
		switch {
		case v == nil:
			r.Values[names[i]] = nil
		case len(v) > MaxValueLen:
			r.Err = inColumn(names[i], errValue)
		default:
			r.Values[names[i]] = string(v)
		}
	}
	return r
}

// find returns the one table that is asked for, and those of its columns that the user may read. Of tables of one name
// the one is taken whose schema need not be named, and of those that are the same but for their case the one that is
// written as it is asked for.
func (t *ServerTable) find(w *wait) (found serverTable, columns []string, err error) {
	schema, _, named := strings.Cut(t.query.Table, ".")
	if !named {
		schema = ""
	}
	w.on("the names of its tables", answerIn)
	all, err := t.server.session.tables(w, schema)
	switch {
	case err != nil:
		return found, nil, err
	case len(all) > maxTables:
		return found, nil, fmt.Errorf("there are more than %d tables: let the user read those alone that are needed",
			maxTables)
	}
	var names []string
	var refused error
	candidates := map[serverTable][]string{}
	for _, table := range all {
		names = append(names, table.name)
		if !t.query.matches(table.schema, table.name) {
			continue
		}
		w.on(fmt.Sprintf("the columns of the table %+q", table.name), answerIn)
		of, err := t.server.session.columns(w, table)
		if err != nil {
			return found, nil, err
		}
		if len(of) == 0 {
			refused = fmt.Errorf("the user may not read the table %+q\n  %s", table.schema+"."+table.name, needsSelect)
			continue
		}
		if _, err := t.query.pick(of); err == nil || !strings.Contains(t.query.Table, "*") {
			candidates[table] = of
		}
	}
	best := t.best(candidates)
	switch {
	case len(best) == 1:
		return best[0], candidates[best[0]], nil
	case len(best) > 1:
		return found, nil, errSeveral(best)
	case refused != nil:
		return found, nil, refused
	}
	slices.Sort(names)
	return found, nil, fmt.Errorf("%w: %s; the user may see %s", ErrNoTable, t.query.Table, listed(slices.Compact(names)))
}

func errSeveral(tables []serverTable) error {
	var which []string
	for _, t := range tables {
		which = append(which, t.schema+"."+t.name)
	}
	slices.Sort(which)
	return fmt.Errorf("several tables may be meant, say which: %s", listed(which))
}

// best returns those of some tables that may be meant.
func (t *ServerTable) best(candidates map[serverTable][]string) []serverTable {
	var all []serverTable
	for c := range candidates {
		all = append(all, c)
	}
	want := t.query.Table[strings.LastIndexByte(t.query.Table, '.')+1:]
	for _, better := range []func(serverTable) bool{
		func(c serverTable) bool { return c.near },
		func(c serverTable) bool { return c.name == want },
	} {
		if slices.ContainsFunc(all, better) {
			all = slices.DeleteFunc(all, func(c serverTable) bool { return !better(c) })
		}
	}
	return all
}
