// Package table reads the rows of a table as other systems keep it or write it out: in an SQLite database, on a server
// with MySQL, MariaDB or PostgreSQL, in a dump of these or of SQLite, a CSV file, JSON, and the files of servers that
// have no database. Nothing is ever written, neither into what is read nor beside it.
//
// # What is refused
//
// A row that cannot be read has an error of its own, and the rows after it are read. What breaks the file itself, such
// as a dump that ends within a row, ends the reading with an error. A value, a row and a name have greatest lengths.
// No error quotes a value.
package table

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"
	"time"
)

const (
	// MaxValueLen is the greatest length of a value in bytes. A row with a longer one, in a column that is asked for, is
	// refused.
	MaxValueLen = 128 << 10
	// MaxRowLen is the greatest length of a row in bytes, where it has to be read in one piece.
	MaxRowLen = 1 << 20
	// MaxColumns is the greatest number of columns of a table.
	MaxColumns = 4096
	// maxNameLen is the greatest length of the name of a table or of a column.
	maxNameLen = 256
)

// Kind is in what form a table is kept.
type Kind string

// The kinds of files.
const (
	SQLite  Kind = "sqlite"  // a database of SQLite
	SQL     Kind = "sql"     // a dump: mysqldump, mariadb-dump, phpMyAdmin, pg_dump, or .dump of sqlite3
	CSV     Kind = "csv"     // the first line has the names of the columns
	JSON    Kind = "json"    // a list of objects, in an object or not
	JSONL   Kind = "jsonl"   // an object on each line
	Lines   Kind = "lines"   // a row on each line, its values between separators
	XML     Kind = "xml"     // an element for each row, with an element for each value
	Lua     Kind = "lua"     // a folder with a file for each row, as Prosody has it
	TinyMUX Kind = "tinymux" // a flat file
	Erlang  Kind = "erlang"  // terms, as "ejabberdctl dump" writes them
)

// Query says which table of a file is read.
type Query struct {
	// Table is the table's name, with its schema before a dot if that counts. A "*" before it stands for any prefix. In
	// XML it is the name of the elements, in Erlang the first atom of the tuples; other kinds have one table only.
	Table string
	// Columns are those that are read, in any case. One that ends in "?" may be missing. Of JSON all are read.
	Columns []string
	// Fields are the names of the values of a line and Separator is what stands between them, for Lines.
	Fields    []string
	Separator string
	// List is where the list of rows is in JSON: names of objects with a dot between them, empty for the document itself.
	List string
}

// Row is a row of a table.
type Row struct {
	// Values are those of the columns that are read, under the names that were asked for: nil for NULL, otherwise a string
	// of the bytes that are there, or in JSON whatever the decoder makes of it, with numbers as json.Number.
	Values map[string]any
	// Line is where the row begins in a text, or its number in an SQLite database or in a folder; both count from 1.
	Line int
	// Done is how far the reading has come, of [File.Size].
	Done int64
	// Err says why the row cannot be read, if it cannot, and in which column that is if it is in one. Values may have
	// others.
	Err error
}

// File is a table in a file, or in a folder.
type File struct {
	path    string
	kind    Kind
	query   Query
	size    int64
	changed time.Time
}

// Errors of files.
var (
	// ErrChanged is the error for a file that was changed while it was read.
	ErrChanged = errors.New("the file was changed while it was read: stop what writes it, or read a copy")
	// ErrNoTable is wrapped by the error for a file that has not got the table.
	ErrNoTable = errors.New("the table is not there")
	// ErrNoColumn is wrapped by the error for a table that has not got a column.
	ErrNoColumn = errors.New("a column is not there")
	errValue    = fmt.Errorf("a value is longer than %d bytes", MaxValueLen)
	errRow      = fmt.Errorf("the row is longer than %d bytes", MaxRowLen)
)

// Open opens a table.
func Open(path string, kind Kind, q Query) (*File, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case kind == Lua && !info.IsDir():
		return nil, fmt.Errorf("%s is not a folder", path)
	case kind != Lua && !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file, and could not be read twice", path)
	}
	return &File{path, kind, q, info.Size(), info.ModTime()}, nil
}

// Kind returns the kind of the file.
func (f *File) Kind() Kind { return f.kind }

// Size returns how much there is to read, in the unit of [Row].Done: bytes, or files of a folder.
func (f *File) Size() int64 { return f.size }

// Rows returns the rows, in an order that does not change as long as the file does not. An error ends them. They may
// be ranged over several times, each time by one goroutine.
func (f *File) Rows(ctx context.Context) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		wanted := true // more rows, by who ranges over them
		visit := func(r Row) bool {
			if wanted && ctx.Err() == nil {
				wanted = yield(r, nil)
				return wanted
			}
			return false
		}
		err := f.unchanged()
		if err == nil {
			if err = f.read(ctx, visit); err != nil {
				err = fmt.Errorf("%s: %w", f.path, err)
			}
		}
		if err == nil && wanted {
			err = f.unchanged()
		}
		if err = errors.Join(err, ctx.Err()); err != nil && wanted {
			yield(Row{}, err)
		}
	}
}

func (f *File) unchanged() error {
	info, err := os.Stat(f.path)
	if err == nil && (info.Size() != f.size || !info.ModTime().Equal(f.changed)) && f.kind != Lua {
		err = ErrChanged
	}
	return err
}

// read visits the rows until visit returns false.
func (f *File) read(ctx context.Context, visit func(Row) bool) error {
	switch f.kind {
	case SQLite:
		return readSQLite(ctx, f.path, &f.query, f.size, visit)
	case Lua:
		return readLua(ctx, f.path, visit)
	}
	file, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	return readText(io.LimitReader(file, f.size), f.kind, &f.query, visit)
}

// readText reads a table of a text.
func readText(r io.Reader, kind Kind, q *Query, visit func(Row) bool) error {
	switch kind {
	case SQL:
		return readDump(r, q, visit)
	case CSV:
		return readCSV(r, q, visit)
	case JSON:
		return readJSON(r, q, visit)
	case JSONL, Lines:
		return readLines(r, kind, q, visit)
	case XML:
		return readXML(r, q, visit)
	case Erlang:
		return readErlang(r, q, visit)
	case TinyMUX:
		return readTinyMUX(r, q, visit)
	default:
		return fmt.Errorf("nothing reads files of the kind %q", kind)
	}
}

// matches reports whether a table's name is the one that is asked for.
func (q *Query) matches(schema, name string) bool {
	want := q.Table
	if s, n, ok := strings.Cut(want, "."); ok {
		if schema != "" && !strings.EqualFold(s, schema) {
			return false
		}
		want = n
	}
	if end, ok := strings.CutPrefix(want, "*"); ok {
		return len(name) >= len(end) && strings.EqualFold(name[len(name)-len(end):], end)
	}
	return strings.EqualFold(want, name)
}

// pick says which columns of a table are read: for each of them the name that it was asked for by, empty for those that
// are not.
func (q *Query) pick(columns []string) ([]string, error) {
	if name := q.absent(columns); name != "" {
		return nil, fmt.Errorf("%w: %+q; there are %s", ErrNoColumn, name, listed(columns))
	}
	wanted := make([]string, len(columns))
	for _, c := range q.Columns {
		name := strings.TrimSuffix(c, "?")
		if i := slices.IndexFunc(columns, func(c string) bool { return strings.EqualFold(c, name) }); i >= 0 {
			wanted[i] = name
		}
	}
	return wanted, nil
}

// absent returns a column that may not be missing and is; empty if there is none.
func (q *Query) absent(columns []string) string {
	for _, name := range q.Columns {
		is := func(c string) bool { return strings.EqualFold(c, name) }
		if !strings.HasSuffix(name, "?") && !slices.ContainsFunc(columns, is) {
			return name
		}
	}
	return ""
}

// inColumn is the error for a value of a column.
func inColumn(name string, err error) error { return fmt.Errorf("the column %+q: %w", name, err) }

// listed is some names, for an error.
func listed(names []string) string {
	const shown = 40
	if len(names) == 0 {
		return "none"
	}
	var b strings.Builder
	for i, name := range names {
		switch {
		case i == shown:
			return b.String() + " and more"
		case i > 0:
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%+q", name)
	}
	return b.String()
}
