package table

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
)

// An address has all that it takes to find a database, and no password, nor does an error tell one.
func TestAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"mysql://ann@db.example.org/forum":                      `the database "forum" of MySQL at db.example.org:3306`,
		"mariadb://ann@[::1]:3307/forum":                        `the database "forum" of MySQL at [::1]:3307`,
		"postgres://ann%40x@10.0.0.1/a%2Fb":                     `the database "a/b" of PostgreSQL at 10.0.0.1:5432`,
		"postgresql://ann@/n?socket=/run/postgresql":            `the database "n" of PostgreSQL at /run/postgresql`,
		"mysql://ann@/forum?socket=%2Frun%2Fmysqld%2Fmysqld.so": `the database "forum" of MySQL at /run/mysqld/mysqld.so`,
	} {
		if a, err := ParseAddress(text); err != nil || a.String() != want {
			t.Errorf("%s is %v, %v, want %s", text, a, err, want)
		}
	}
	for _, text := range []string{
		"", "mysql:", "mysql://", "mysql://h/db", "mysql://ann@h", "mysql://ann@h/", "mysql://ann@/db", "redis://ann@h/db",
		"mysql://ann:s3cret@h/db", "mysql://ann:@h/db", "mysql://ann@h/db?s3cret=1", "mysql://ann@h/db?socket=s3cret",
		"mysql://ann@h/db?socket=/s3cret", "mysql://ann@h:0/db", "mysql://ann@h:s3cret/db", "mysql://ann@h/db#s3cret",
		"ann:s3cret@tcp(h:3306)/db", "mysql://ann:s3\ncret@h/db",
	} {
		if a, err := ParseAddress(text); err == nil || strings.Contains(err.Error(), "cret") {
			t.Errorf("%q is %v, %v", text, a, err)
		}
	}
}

// No text is an address that lacks something, or has a password, which no error repeats.
func FuzzAddress(f *testing.F) {
	for _, text := range []string{
		"mysql://ann:s3cret@db.example:3306/game?socket=", "postgres://ann@/game?socket=/run/s3cret",
		"mariadb://a%40@[::1%25lo]:1/d%2f", "postgres://ann@s3cret:s3cret@h/d#s3cret",
		"mysql:ann",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseAddress(text)
		switch {
		case err != nil && strings.Contains(err.Error(), "s3cret"):
			t.Errorf("%q: %v", text, err)
		case err == nil && (a.User == "" || a.Database == "" || a.Password != "" || (a.host == "") == (a.socket == "") ||
			a.port == 0 || a.TLS != nil):
			t.Errorf("%q is %+v", text, a)
		case err == nil && strings.ContainsAny(a.String(), "\n\r\x1b\x00"):
			t.Errorf("%q is %q for people", text, a)
		}
	})
}

// What is said does not leave the machine by a socket and a loopback address, and by no other.
func TestLocalAddresses(t *testing.T) {
	for text, want := range map[string]bool{
		"mysql://a@localhost/d": true, "mysql://a@127.9.0.1/d": true, "postgres://a@[::1]/d": true,
		"postgres://a@/d?socket=/s": true, "mysql://a@10.0.0.1/d": false, "mysql://a@localhost.example.org/d": false,
	} {
		a, err := ParseAddress(text)
		if err != nil || a.Local() != want {
			t.Errorf("%s: %v, %v", text, a, err)
		}
	}
}

// spoken is a session that notes what is asked, and knows some tables.
type spoken struct {
	session
	all    []serverTable
	has    map[serverTable][]string
	locked map[serverTable]bool
	rows   [][][]byte
	asked  []string
}

func (s *spoken) tables(context.Context, string) ([]serverTable, error) { return s.all, nil }

func (s *spoken) key(_ context.Context, t serverTable) ([]string, error) {
	return slices.Clone(s.has[t][:1]), nil
}

func (s *spoken) explain(error) string { return "" }

func (s *spoken) columns(_ context.Context, t serverTable) ([]string, error) {
	if s.locked[t] {
		return nil, nil
	}
	return s.has[t], nil
}

func (s *spoken) query(_ context.Context, text string, _ int, visit func([][]byte), _ ...string) error {
	s.asked = append(s.asked, text)
	if strings.HasPrefix(text, "SELECT count") {
		visit([][]byte{fmt.Append(nil, len(s.rows))})
		return nil
	}
	for _, row := range s.rows {
		visit(row)
	}
	return nil
}

// on makes a server of a session.
func on(t *testing.T, s session) *Server {
	life, end := context.WithCancel(t.Context())
	t.Cleanup(end)
	return &Server{at: "the test", tell: func(string) {}, session: s, life: life, end: end}
}

// Names that are given or found go into a query in quotes, whatever is in them.
func TestHostileNames(t *testing.T) {
	const name, column, key = "u`s\"er; DROP TABLE x; --", "p`w\" FROM secrets; --", "i`d\""
	for _, c := range []struct {
		of   session
		want []string
	}{
		{&mySQLSession{}, []string{
			"SELECT count(*) FROM `s``\"`.`u``s\"er; DROP TABLE x; --`",
			"SELECT LEFT(`p``w\" FROM secrets; --`, 131073) FROM `s``\"`.`u``s\"er; DROP TABLE x; --` ORDER BY `i``d\"`",
		}},
		{&postgreSQLSession{}, []string{
			"SELECT count(*) FROM \"s`\"\"\".\"u`s\"\"er; DROP TABLE x; --\"",
			"SELECT CASE WHEN \"p`w\"\" FROM secrets; --\" IS DISTINCT FROM NULL " +
				"THEN left(concat(\"p`w\"\" FROM secrets; --\"), 131073) END " +
				"FROM \"s`\"\"\".\"u`s\"\"er; DROP TABLE x; --\" ORDER BY \"i`d\"\"\"",
		}},
	} {
		at := serverTable{schema: "s`\"", name: name, near: true}
		s := &spoken{session: c.of, all: []serverTable{at}, has: map[serverTable][]string{at: {key, column}}}
		for _, err := range on(t, s).Open(Query{Table: name, Columns: []string{column}}).Rows(t.Context()) {
			t.Error(err)
		}
		if !slices.Equal(s.asked, c.want) {
			t.Errorf("asked was\n%s\nwant\n%s", strings.Join(s.asked, "\n"), strings.Join(c.want, "\n"))
		}
	}
}

// Of several tables the one is read that can be meant, and otherwise an error says which there are.
func TestTablesOfServers(t *testing.T) {
	var tables []serverTable
	for _, name := range []string{"users", "b_users", "Names", "names", "locked", "x_users"} {
		tables = append(tables, serverTable{schema: "public", name: name, near: true})
	}
	tables = append(tables, serverTable{schema: "auth", name: "users"}, serverTable{schema: "auth", name: "far"})
	has := map[serverTable][]string{}
	for _, table := range tables {
		has[table] = []string{"id", "name"}
	}
	has[tables[1]] = []string{"id", "other"}
	locked := map[serverTable]bool{tables[4]: true, tables[5]: true}
	for _, c := range []struct{ table, column, want string }{
		{"users", "name", `"public"."users"`}, {"auth.users", "name", `"auth"."users"`}, {"far", "name", `"auth"."far"`},
		{"names", "name", `"public"."names"`}, {"Names", "name", `"public"."Names"`}, {"NAMES", "name", "several"},
		{"*users", "other", `"public"."b_users"`}, {"*users", "name", `"public"."users"`},
		{"*users", "none", "may not read the table"}, {"users", "none", `there are "id", "name"`},
		{"none", "name", ErrNoTable.Error()}, {"locked", "name", "may not read the table"},
	} {
		s := &spoken{session: &postgreSQLSession{}, all: tables, has: has, locked: locked}
		got := ""
		for _, err := range on(t, s).Open(Query{Table: c.table, Columns: []string{c.column}}).Rows(t.Context()) {
			got = err.Error()
		}
		if got == "" {
			_, got, _ = strings.Cut(s.asked[len(s.asked)-1], " FROM ")
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s with %s is %s, want %s", c.table, c.column, got, c.want)
		}
	}
}

// Values become what they are in a dump: NULL is nothing, others their text, and what is too long harms its row only.
func TestRowsOfServers(t *testing.T) {
	at := serverTable{schema: "s", name: "users", near: true}
	long := []byte(strings.Repeat("x", MaxValueLen+1))
	s := &spoken{session: &mySQLSession{}, all: []serverTable{at}, has: map[serverTable][]string{at: {"Name", "PW"}},
		rows: [][][]byte{{[]byte("ann"), nil}, {[]byte("bob"), long}, {[]byte("\x00\xff"), []byte{}}, {nil, nil}}}
	table := on(t, s).Open(Query{Table: "users", Columns: []string{"name", "pw", "salt?"}})
	var got []string
	for r, err := range table.Rows(t.Context()) {
		got = append(got, fmt.Sprintf("%d/%d %q %v %v", r.Done, table.Size(), r.Values, r.Err != nil, err))
		if r.Line == 3 {
			break
		}
	}
	want := []string{`1/4 map["name":"ann" "pw":<nil>] false <nil>`, `2/4 map["name":"bob"] true <nil>`,
		`3/4 map["name":"\x00\xff" "pw":""] false <nil>`}
	if !slices.Equal(got, want) {
		t.Errorf("rows are %q, want %q", got, want)
	}
	server := on(t, s)
	server.end()
	for _, err := range server.Open(table.query).Rows(t.Context()) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("after the end: %v", err)
		}
	}
}

// An error of a server says what would help.
func TestHelpAgainstServers(t *testing.T) {
	for number, want := range map[uint16]string{
		1045: wrongPassword, 1130: wrongPassword, 1698: wrongPassword, 1044: noDatabase, 1142: needsSelect, 1143: needsSelect,
		1049: noDatabase, 1040: tooMany, 1203: tooMany, 1226: tooMany, 1205: locked, 3159: needsTLS, 1: "",
	} {
		if got := (&mySQLSession{}).explain(fmt.Errorf("x: %w", &mysql.MySQLError{Number: number})); got != want {
			t.Errorf("%d: %q", number, got)
		}
	}
	for code, want := range map[string]string{"28P01": wrongPassword, "28000": wrongPassword, "42501": needsSelect,
		"3D000": noDatabase, "53300": tooMany, "55P03": locked, "57P01": cutOff, "57P02": cutOff, "XX000": ""} {
		if got := (&postgreSQLSession{}).explain(fmt.Errorf("x: %w", &pgconn.PgError{Code: code})); got != want {
			t.Errorf("%s: %q", code, got)
		}
	}
	for _, of := range []session{&mySQLSession{}, &postgreSQLSession{}} {
		for _, err := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE} {
			if got := of.explain(fmt.Errorf("x: %w", &net.OpError{Op: "read", Err: err})); got != cutOff {
				t.Errorf("%T, %v: %q", of, err, got)
			}
		}
	}
}

// What a server says of a value may have the value in it, and is not repeated.
func TestValuesInErrorsOfServers(t *testing.T) {
	for _, err := range []error{
		&pgconn.PgError{Code: "22P02", Message: `invalid input syntax for type integer: "s3cret"`},
		&mysql.MySQLError{Number: 1292, SQLState: [5]byte{'2', '2', '0', '0', '7'}, Message: "Incorrect value: 's3cret'"},
	} {
		got := on(t, &spoken{}).explained(fmt.Errorf("x: %w", err)).Error()
		if strings.Contains(got, "s3cret") || !strings.Contains(got, "the test: the server cannot read a value: error ") {
			t.Error(got)
		}
	}
}
