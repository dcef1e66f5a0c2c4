package table

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// dump reads the rows of one table out of a dump, statement by statement.
type dump struct {
	*lexer
	q     *Query
	visit func(Row) bool

	database      string   // that is said to be used from here on, empty as long as none is
	schema, table string   // the one that was found, once one was
	in            string   // the database that was used then
	columns       []string // as CREATE TABLE has them
	wanted        []string // see pick
	seen          []string // tables, for the error
	without       error    // says of a table of the name which column it has not got; there may be others
}

// errStop ends the reading when no more rows are wanted.
var errStop = errors.New("stop")

// readDump visits the rows of a table in a dump: INSERT and REPLACE with one row or many, and PostgreSQL's COPY.
func readDump(r io.Reader, q *Query, visit func(Row) bool) error {
	l, err := newLexer(r)
	if err != nil {
		return err
	}
	d := &dump{lexer: l, q: q, visit: visit}
	for {
		t, err := d.next(false)
		if err == nil && t.kind == endOfFile {
			break
		}
		if err == nil {
			err = d.statement(&t)
		}
		if errors.Is(err, errStop) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	if d.table == "" {
		if d.without != nil {
			return d.without
		}
		return fmt.Errorf("%w: %s; the dump has %s", ErrNoTable, q.Table, listed(d.seen))
	}
	return nil
}

// statement reads one statement, whose first token is t.
func (d *dump) statement(t *token) error {
	switch {
	case t.isSign('\\') && d.dialect == postgreSQL:
		return d.command()
	case t.is("USE") && d.dialect == mySQL:
		return d.use()
	case t.isSign(';'):
		return nil
	case t.is("CREATE"):
		return d.create()
	case t.is("INSERT"), t.is("REPLACE"):
		return d.insert()
	case t.is("COPY") && d.dialect == postgreSQL:
		return d.copy()
	case t.is("DELIMITER") && d.dialect == mySQL:
		return d.routines()
	default:
		return d.skipStatement()
	}
}

func (d *dump) skipStatement() error {
	for {
		t, err := d.next(false)
		if err != nil {
			return err
		}
		if t.kind == endOfFile || t.isSign(';') {
			return nil
		}
	}
}

// use reads USE, which says in which database the tables are that follow.
func (d *dump) use() error {
	t, err := d.next(true)
	if err != nil {
		return err
	}
	if t.kind != word && t.kind != name || len(t.text) > maxNameLen {
		return d.errorf("a database has no name")
	}
	d.database = t.text
	return d.skipStatement()
}

// command reads the line of a command of psql, of which \connect goes on with another database.
func (d *dump) command() error {
	var line []byte
	for {
		c, err := d.readByte()
		if errors.Is(err, io.EOF) || c == '\n' && err == nil {
			break
		}
		if err != nil {
			return err
		}
		if len(line) <= maxNameLen {
			line = append(line, c)
		}
	}
	if database, ok := strings.CutPrefix(string(line), "connect "); ok {
		d.database = strings.TrimSpace(database)
	}
	return nil
}

// routines skips triggers and procedures, in which a semicolon ends nothing.
func (d *dump) routines() error {
	for first := true; ; first = false {
		line, err := d.r.ReadSlice('\n')
		d.at += int64(len(line))
		if bytes.HasSuffix(line, []byte("\n")) {
			d.line++
		}
		text := strings.TrimSpace(string(line[:min(len(line), maxNameLen)]))
		switch {
		case first && text == ";", strings.EqualFold(text, "DELIMITER ;"):
			return nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return d.unended(err, "a DELIMITER")
		}
	}
}

// tableName reads a table's name, with its schema if it has one.
func (d *dump) tableName() (schema, table string, err error) {
	for {
		t, err := d.next(true)
		if err != nil {
			return "", "", err
		}
		if t.kind != word && t.kind != name || len(t.text) > maxNameLen {
			return "", "", d.errorf("a table has no name")
		}
		schema, table = table, t.text
		dot, err := d.next(true)
		if err != nil {
			return "", "", err
		}
		if !dot.isSign('.') {
			d.again = &dot
			if d.dialect == mySQL { // which calls schemas databases
				schema = cmp.Or(schema, d.database)
			}
			return schema, table, nil
		}
	}
}

// create reads CREATE TABLE, for the names of the columns in their order.
func (d *dump) create() error {
	t, err := d.next(true)
	for err == nil && (t.is("UNLOGGED") || t.is("TEMPORARY") || t.is("GLOBAL") || t.is("LOCAL")) {
		t, err = d.next(true)
	}
	if err != nil {
		return err
	}
	if !t.is("TABLE") {
		d.again = &t
		return d.skipStatement()
	}
	if err := d.skipWords("IF", "NOT", "EXISTS"); err != nil {
		return err
	}
	schema, table, err := d.tableName()
	if err != nil {
		return err
	}
	if d.seen = append(d.seen, table); len(d.seen) > MaxColumns {
		return d.errorf("more than %d tables", MaxColumns)
	}
	if t, err = d.next(true); err != nil {
		return err
	}
	if !t.isSign('(') || !d.q.matches(schema, table) {
		d.again = &t
		return d.skipStatement()
	}
	columns, err := d.definitions()
	if err != nil {
		return err
	}
	if mine, err := d.found(schema, table, columns); err != nil {
		return err
	} else if mine {
		d.columns = columns
	}
	return d.skipStatement()
}

// skipWords skips words, if the first is there.
func (d *dump) skipWords(words ...string) error {
	for _, w := range words {
		t, err := d.next(true)
		if err != nil {
			return err
		}
		if !t.is(w) {
			d.again = &t
			return nil
		}
	}
	return nil
}

// noColumns are the words that begin something in a CREATE TABLE that is not a column.
var noColumns = []string{"CHECK", "CONSTRAINT", "EXCLUDE", "FOREIGN", "LIKE", "PRIMARY", "UNIQUE"}

// moreOfMySQL are those of MySQL beside them. It has columns with such names in quotes.
var moreOfMySQL = []string{"FULLTEXT", "INDEX", "KEY", "PERIOD", "SPATIAL"}

// definitions reads what stands in the brackets of a CREATE TABLE, and returns the names of the columns.
func (d *dump) definitions() (columns []string, err error) {
	depth, first := 1, true
	for depth > 0 {
		t, err := d.next(true)
		switch {
		case err != nil:
			return nil, err
		case t.kind == endOfFile:
			return nil, d.unended(io.EOF, "a CREATE TABLE")
		case t.isSign('('):
			depth++
		case t.isSign(')'):
			depth--
		case t.isSign(',') && depth == 1:
			first = true
			continue
		case first && (t.kind == name || t.kind == word && !d.noColumn(t.text)):
			if columns = append(columns, t.text); len(columns) > MaxColumns || len(t.text) > maxNameLen {
				return nil, d.errorf("a table of more than %d columns, or a name that is too long", MaxColumns)
			}
		}
		first = false
	}
	return columns, nil
}

func (d *dump) noColumn(w string) bool {
	w = strings.ToUpper(w)
	return slices.Contains(noColumns, w) || d.dialect == mySQL && slices.Contains(moreOfMySQL, w)
}

// found takes a table for the one that is asked for, or tells that it is not: of those of the name, in several schemas
// or with a "*", it is the one that has the columns.
func (d *dump) found(schema, table string, columns []string) (bool, error) {
	wanted, err := d.q.pick(columns)
	same := d.table == table && (d.schema == schema || schema == "" || d.schema == "")
	switch {
	case err != nil:
		if !strings.Contains(d.q.Table, "*") {
			d.without = cmp.Or(d.without, d.errorf("the table %+q: %w", table, err))
		}
		return false, nil
	case d.table != "" && !same:
		return false, fmt.Errorf("several tables may be meant, say which: %s", listed([]string{
			strings.TrimPrefix(d.schema+"."+d.table, "."), strings.TrimPrefix(schema+"."+table, ".")}))
	case d.table != "" && d.in != d.database && d.dialect == postgreSQL:
		return false, d.errorf("several databases have a table %+q: dump the one that is meant", table)
	}
	d.schema, d.table, d.in, d.wanted = schema, table, d.database, wanted
	return true, nil
}

// target reads what rows go into, and tells whether it is the table that is asked for.
func (d *dump) target() (bool, error) {
	schema, table, err := d.tableName()
	if err != nil || !d.q.matches(schema, table) {
		return false, err
	}
	t, err := d.next(true)
	if err != nil {
		return false, err
	}
	if t.isSign('(') {
		columns, err := d.definitions()
		if err != nil {
			return false, err
		}
		return d.found(schema, table, columns)
	}
	d.again = &t
	if d.table != table || d.columns == nil || d.schema != schema && d.schema != "" && schema != "" {
		if strings.Contains(d.q.Table, "*") || d.without != nil {
			return false, nil
		}
		return false, d.errorf("it does not name the columns of %+q: export it with its CREATE TABLE", table)
	}
	return d.found(schema, table, d.columns)
}

// insert reads INSERT or REPLACE.
func (d *dump) insert() error {
	for {
		t, err := d.next(true)
		if err != nil {
			return err
		}
		if t.is("INTO") {
			break
		}
		if t.kind != word {
			d.again = &t
			return d.skipStatement()
		}
	}
	mine, err := d.target()
	if err != nil {
		return err
	}
	if !mine {
		return d.skipStatement()
	}
	for {
		t, err := d.next(true)
		switch {
		case err != nil:
			return err
		case t.is("VALUES") || t.is("VALUE"):
			// PostgreSQL has OVERRIDING SYSTEM VALUE before it.
			if next, err := d.next(true); err != nil {
				return err
			} else if d.again = &next; next.isSign('(') {
				return d.tuples()
			}
		case t.kind != word:
			return d.errorf("it is not rows that are inserted")
		}
	}
}

// tuples reads the rows of an INSERT.
func (d *dump) tuples() error {
	for {
		t, err := d.next(false)
		switch {
		case err != nil:
			return err
		case t.isSign('('):
			if err := d.tuple(); err != nil {
				return err
			}
		case t.isSign(','):
		case t.isSign(';'):
			return nil
		case t.kind == word: // ON CONFLICT and the like
			return d.skipStatement()
		default:
			return d.unended(io.EOF, "an INSERT")
		}
	}
}

var (
	errWidth      = errors.New("the row has not as many values as the table has columns")
	errExpression = errors.New("a value is not written as one, but as an expression")
)

// tuple reads a row up to its closing bracket.
func (d *dump) tuple() error {
	r := Row{Values: make(map[string]any, len(d.q.Columns)), Line: d.line}
	for i := 0; ; i++ {
		as := ""
		if i < len(d.wanted) {
			as = d.wanted[i]
		}
		last, err := d.value(&r, as)
		if err != nil {
			return err
		}
		if last {
			if i+1 != len(d.wanted) {
				r.Err = errWidth
			}
			break
		}
	}
	if r.Done = d.at; !d.visit(r) {
		return errStop
	}
	return nil
}

// value reads a value, and the comma or the bracket after it; last tells which.
func (d *dump) value(r *Row, as string) (last bool, err error) {
	var v any
	count := 0
	for depth := 0; ; count++ {
		t, err := d.next(as != "")
		switch {
		case err != nil:
			return false, err
		case t.kind == endOfFile:
			return false, d.unended(io.EOF, "a row")
		case depth == 0 && (t.isSign(',') || t.isSign(')')):
			if as != "" {
				if r.Values[as] = v; count != 1 {
					r.Err = inColumn(as, errExpression)
				}
			}
			return t.isSign(')'), nil
		case t.isSign('('):
			depth++
		case t.isSign(')'):
			depth--
		case as == "":
		case t.long || len(t.text) > MaxValueLen:
			r.Err = inColumn(as, errValue)
		case !t.is("NULL"):
			if v, err = d.literal(&t); err != nil {
				r.Err = inColumn(as, err)
			}
		}
	}
}

// literal returns the value that a token stands for.
func (d *dump) literal(t *token) (string, error) {
	switch {
	case t.kind == text, t.kind == name && d.dialect == mySQL:
		return t.text, nil
	case t.kind == number && (strings.HasPrefix(t.text, "0x") || strings.HasPrefix(t.text, "0X")) && d.dialect == mySQL:
		b, err := hex.DecodeString(t.text[2:])
		if err != nil {
			return "", errExpression
		}
		return string(b), nil
	case t.kind == number:
		return t.text, nil
	case t.is("TRUE"):
		return "1", nil
	case t.is("FALSE"):
		return "0", nil
	default:
		return "", errExpression
	}
}
