package table

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
)

// Live is the kind of tables that are read of a server with a database: MySQL, MariaDB or PostgreSQL.
const Live Kind = "live"

// Server is a connection to a server with a database, which is only read: its one transaction, which lasts as long as
// the connection, is read-only, and sees of tables with transactions what was there when it began. It is used by one
// goroutine at a time, but for Close.
type Server struct {
	at      string // for errors
	session session
	life    context.Context // ends with the connection
	end     context.CancelFunc
}

// session is a connection in its transaction: that of MySQL and MariaDB, or that of PostgreSQL.
type session interface {
	// query visits the rows of an answer, until visit returns false, and returns the names of its columns. The values are
	// text as the server writes it, nil for NULL, and those of visit only as long as it lasts. What is left of an answer
	// is read away, so that there can be another one, unless ctx has ended, and the connection with it.
	query(ctx context.Context, text string, visit func(values [][]byte) bool, args ...string) ([]string, error)
	// tables returns the tables and the views of a schema, of all that are in question if it is empty, those first whose
	// schema need not be named.
	tables(ctx context.Context, schema string) ([]serverTable, error)
	// columns returns those of a table, all of which the user must have the right to read.
	columns(ctx context.Context, t serverTable) ([]string, error)
	// key returns the columns of a table's primary key in their order; none if it has none.
	key(ctx context.Context, t serverTable) ([]string, error)
	// quoted is a name as it stands in a query.
	quoted(name string) string
	// asText is an expression for the text of a column, cut where it is too long.
	asText(column string) string
	// explain says what would help against an error of the server; empty if that is not known.
	explain(err error) string
	// denied tells an error about a right that the user has not got.
	denied(err error) bool
	close()
}

// serverTable is a table of a server.
type serverTable struct {
	schema, name string
	near         bool // its schema need not be named
}

// connectIn is how long a connection may take to be made.
const connectIn = 30 * time.Second

// Connect connects to a server and begins a transaction that can only read. The connection ends with ctx, or with
// Close. Errors have no password.
func Connect(ctx context.Context, a *Address) (*Server, error) {
	s := &Server{at: a.String()}
	s.life, s.end = context.WithCancel(ctx)
	begin, cancel := context.WithTimeout(s.life, connectIn)
	defer cancel()
	var err error
	if a.flavour == postgres {
		s.session, err = connectPostgreSQL(begin, a)
	} else {
		s.session, err = connectMySQL(begin, a)
	}
	switch {
	case err == nil:
		return s, nil
	case ctx.Err() != nil:
		err = ctx.Err()
	case begin.Err() != nil:
		err = fmt.Errorf("%s: it does not answer within %v", s.at, connectIn)
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
// While they are ranged over, no other table of the server can be read.
func (t *ServerTable) Rows(ctx context.Context) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(t.server.life, cancel)()
		ended := func() error { return cmp.Or(ctx.Err(), t.server.life.Err()) }
		wanted := true // more rows
		err := ended()
		if err == nil {
			err = t.read(ctx, func(r Row) bool {
				if ended() == nil {
					wanted = yield(r, nil)
				}
				return wanted && ended() == nil
			})
		}
		switch {
		case !wanted:
			return
		case ended() != nil:
			err = ended()
		case err != nil:
			err = t.server.explained(err)
		}
		if err != nil {
			yield(Row{}, err)
		}
	}
}

// explained says of an error of the server where that is, and what would help.
func (s *Server) explained(err error) error {
	if help := s.session.explain(err); help != "" {
		return fmt.Errorf("%s: %w\n  %s", s.at, err, help)
	}
	return fmt.Errorf("%s: %w", s.at, err)
}

// read visits the rows until visit returns false.
func (t *ServerTable) read(ctx context.Context, visit func(Row) bool) error {
	found, columns, err := t.find(ctx)
	if err != nil {
		return err
	}
	wanted, err := t.query.pick(columns)
	if err != nil {
		return fmt.Errorf("the table %+q: %w", found.name, err)
	}
	s := t.server.session
	from := " FROM " + s.quoted(found.schema) + "." + s.quoted(found.name)
	if t.size < 0 {
		if _, err := s.query(ctx, "SELECT count(*)"+from, func(v [][]byte) bool {
			_, err := fmt.Sscan(string(v[0]), &t.size)
			return err == nil
		}); err != nil {
			return err
		}
	}
	text, names, err := t.selection(found, columns, wanted)
	if err != nil {
		return err
	}
	order, err := t.order(ctx, found)
	if err != nil {
		return err
	}
	n := 0
	_, err = s.query(ctx, text+from+order, func(values [][]byte) bool {
		n++
		return visit(t.row(n, names, values))
	})
	return err
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

// order returns what puts the rows into an order that is always the same. Without a primary key they come as they are
// stored, which does not change within a transaction.
func (t *ServerTable) order(ctx context.Context, found serverTable) (string, error) {
	s := t.server.session
	key, err := s.key(ctx, found)
	if err != nil || len(key) == 0 {
		return "", err
	}
	for i, column := range key {
		key[i] = s.quoted(column)
	}
	return " ORDER BY " + strings.Join(key, ", "), nil
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

// find returns the one table that is asked for, and its columns. Of those of one name the one is taken whose schema
// need not be named, and of those that are the same but for their case the one that is written as it is asked for.
func (t *ServerTable) find(ctx context.Context) (found serverTable, columns []string, err error) {
	s := t.server.session
	schema, _, named := strings.Cut(t.query.Table, ".")
	if !named {
		schema = ""
	}
	all, err := s.tables(ctx, schema)
	if err != nil {
		return found, nil, err
	}
	var names []string
	var refused error
	candidates := map[serverTable][]string{}
	for _, table := range all {
		names = append(names, table.name)
		if !t.query.matches(table.schema, table.name) {
			continue
		}
		of, err := s.columns(ctx, table)
		switch {
		case err != nil && s.denied(err):
			refused = errors.Join(refused, err)
			continue
		case err != nil:
			return found, nil, err
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
		var which []string
		for _, b := range best {
			which = append(which, b.schema+"."+b.name)
		}
		slices.Sort(which)
		return found, nil, fmt.Errorf("several tables may be meant, say which: %s", listed(which))
	case refused != nil:
		return found, nil, refused
	}
	slices.Sort(names)
	return found, nil, fmt.Errorf("%w: %s; the user may see %s", ErrNoTable, t.query.Table, listed(slices.Compact(names)))
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
