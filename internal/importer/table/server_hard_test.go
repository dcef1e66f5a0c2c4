package table

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/internal/importer/servertest"
)

// What servers have that is out of the ordinary is read as their dumps have it, or it is said why not. With
// RUSHGATE_LONG=1.
func TestHardServers(t *testing.T) {
	if os.Getenv("RUSHGATE_LONG") == "" {
		t.Skip("it takes servers")
	}
	for _, s := range servertest.All(t) {
		s.Run("", "CREATE DATABASE game")
		for name, test := range map[string]func(*testing.T, *servertest.Server){
			"kinds": kindsOfColumns, "names": namesOfServers, "rights": rightsToColumns, "settings": settingsOfServers,
			"encodings": encodings, "locked": lockedTables, "ended": endedConnections,
		} {
			t.Run(s.String()+" "+name, func(t *testing.T) { test(t, s) })
		}
	}
}

// reader connects as a user who may read what there is.
func reader(t *testing.T, s *servertest.Server, told *[]string) *Server {
	t.Helper()
	s.Grant("reader", "pw", "game")
	return as(t, s, "reader", told)
}

func as(t *testing.T, s *servertest.Server, user string, told *[]string) *Server {
	t.Helper()
	return in(t, s, user, "game", told)
}

func in(t *testing.T, s *servertest.Server, user, database string, told *[]string) *Server {
	t.Helper()
	a, err := ParseAddress(s.URL(user, database))
	if err != nil {
		t.Fatal(err)
	}
	a.Password = "pw"
	server, err := Connect(t.Context(), a, func(text string) {
		if told != nil {
			*told = append(*told, text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return server
}

// all returns the rows of a table, and the error that ends them.
func (t *ServerTable) all(ctx context.Context) (all []Row, err error) {
	for r, err := range t.Rows(ctx) {
		if err != nil {
			return all, err
		}
		all = append(all, r)
	}
	return all, nil
}

// kindsOfColumns compares what is read of a server, of all kinds of columns, with its dump, and of a view.
func kindsOfColumns(t *testing.T, s *servertest.Server) {
	columns, values := kindsOfMySQL, valuesOfMySQL
	if s.Postgres {
		columns, values = kindsOfPostgreSQL, valuesOfPostgreSQL
	}
	s.Run("game", columns+values+"\nCREATE VIEW seen AS SELECT * FROM kinds;")
	q := Query{Table: "kinds", Columns: strings.Fields("id name pw salt fix b n f d at day e j big z t y u g latin a")}
	for i := range q.Columns[1:] {
		q.Columns[i+1] += "?"
	}
	want := rows(t, open(t, s.Dump("game"), SQL, q))
	server := reader(t, s, nil)
	for _, name := range []string{"kinds", "SEEN"} {
		q.Table = name
		got, err := server.Open(q).all(t.Context())
		if err != nil || len(got) != len(want) || len(want) < 4 {
			t.Fatalf("%d rows, %d in the dump, %v", len(got), len(want), err)
		}
		for i := range want {
			if (got[i].Err == nil) != (want[i].Err == nil) {
				t.Errorf("row %d: %v, in the dump %v", i, got[i].Err, want[i].Err)
			}
			for c, v := range want[i].Values {
				if want[i].Err == nil && v != got[i].Values[c] {
					t.Errorf("row %d, %s: %.100q, in the dump %.100q", i, c, got[i].Values[c], v)
				}
			}
			if g, name := got[i].Values["g"], got[i].Values["name"]; name != nil && g != fmt.Sprintf("%s/%d", name, i+1) {
				t.Errorf("row %d: what is generated is %q", i, g) // and is not in a dump of PostgreSQL
			}
		}
	}
}

const (
	kindsOfMySQL = "SET sql_mode = '';\n" + `
CREATE TABLE kinds (id int PRIMARY KEY, name varchar(50), pw text, salt varbinary(32), fix binary(4), b bit(1),
  n bigint unsigned, f double, d decimal(20,5), at timestamp NULL, day date, e enum('one','two'), j json,
  big mediumtext, z int(5) zerofill, t datetime, y year, u char(5), g varchar(60) AS (concat(name, '/', id)) STORED,
  latin varchar(20) CHARACTER SET latin1, a set('x','y'));
SET time_zone = '+00:00';
`
	valuesOfMySQL = `
INSERT INTO kinds (id, name, pw, salt, fix, b, n, f, d, at, day, e, j, big, z, t, y, u, latin, a) VALUES
  (1, 'Jürgen', 'a"b''c\\d', 0x00ff27, 'ab', b'1', 18446744073709551615, 1.5e300, 1.50000, '2026-01-02 03:04:05',
   '2026-01-02', 'two', '{"a": 1}', 'x', 7, '0000-00-00 00:00:00', 1999, 'ab', 'Zoë', 'x,y'),
  (2, '李😀', '', '', '', b'0', 0, -0.1, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '', '', ''),
  (3, NULL, 'line
two', NULL, NULL, NULL, NULL, 123456789012, NULL, NULL, '0000-00-00', NULL, NULL, REPEAT('ä', 70000), NULL, NULL,
   NULL, NULL, NULL, NULL),
  (4, 'huge', REPEAT('x', 60000), 0x5c7830, NULL, NULL, NULL, 0, NULL, NULL, NULL, '', NULL, REPEAT('x', 3000000), NULL,
   NULL, 0, NULL, NULL, NULL);
`
	kindsOfPostgreSQL = `CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('one', 'two'); CREATE DOMAIN login AS text;
CREATE TYPE pair AS (a text, b text);
CREATE TABLE kinds (id int PRIMARY KEY, name citext, pw text, salt bytea, fix char(4), b bool, n numeric, f float8,
  d numeric(20,5), at timestamptz, day date, e mood, j jsonb, big text, z uuid, t interval, y inet, u login,
  g text GENERATED ALWAYS AS (name || '/' || id::text) STORED, latin pair, a text[]);
`
	valuesOfPostgreSQL = `
INSERT INTO kinds (id, name, pw, salt, fix, b, n, f, d, at, day, e, j, big, z, t, y, u, latin, a) VALUES
  (1, 'Jürgen', E'a"b''c\\d', '\x00ff27', 'ab', true, 18446744073709551615, 1.5e300, 1.50000, '2026-01-02 03:04:05+00',
   '2026-01-02', 'two', '{"a": 1}', 'x', '00000000-0000-0000-0000-000000000007', '1 day 02:00', '192.0.2.1', 'x',
   ('p', NULL), '{one,"t,w",NULL}'),
  (2, '李😀', '', '', '', false, 0, -0.1, 0, 'infinity', '0044-03-15 BC', NULL, NULL, NULL, NULL, NULL, NULL,
   NULL, NULL, '{}'),
  (3, NULL, E'line\ntwo', NULL, NULL, NULL, 'NaN', 123456789012, NULL, NULL, NULL, NULL, NULL, repeat('ä', 70000), NULL,
   NULL, NULL, NULL, NULL, NULL),
  (4, 'huge', repeat('x', 60000), NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, repeat('x', 3000000), NULL,
   NULL, NULL, NULL, (NULL, NULL), NULL);
`
)

// namesOfServers reads what has names in capitals and with quotes, in a schema that need not be named, and in one that
// must.
func namesOfServers(t *testing.T, s *servertest.Server) {
	names := []string{"Users`\"'", "ORDER", "select"}
	for _, name := range names {
		s.Run("game", fmt.Sprintf("CREATE TABLE %[1]s (%[2]s varchar(9), %[3]s varchar(9), PRIMARY KEY (%[2]s));\n"+
			"INSERT INTO %[1]s VALUES ('b', 'B'), ('a', 'A');", s.Quoted(name), s.Quoted("Case"), s.Quoted("from")))
	}
	if s.Postgres {
		s.Run("game", "CREATE SCHEMA far; CREATE TABLE far.few AS SELECT 'f' AS \"Case\", 'F' AS \"from\";"+
			"CREATE SCHEMA reader; CREATE TABLE reader.near AS SELECT 'n' AS \"Case\", 'N' AS \"from\";"+
			"CREATE TABLE public.near AS SELECT 'p' AS \"Case\", 'P' AS \"from\";")
		names = append(names, "far.few", "FAR.few", "near", "public.near")
	}
	server := reader(t, s, nil)
	var got []string
	for _, name := range names {
		all, err := server.Open(Query{Table: name, Columns: []string{"case", "FROM"}}).all(t.Context())
		if err != nil {
			t.Error(err)
		}
		for _, r := range all {
			got = append(got, fmt.Sprint(r.Values["case"], r.Values["FROM"]))
		}
	}
	want := "aA bB aA bB aA bB"
	if s.Postgres {
		want += " fF fF nN pP"
	}
	if strings.Join(got, " ") != want {
		t.Errorf("%v, want %s", got, want)
	}
}

// rightsToColumns reads as a user who may read some columns; what would be hidden from a user is said.
func rightsToColumns(t *testing.T, s *servertest.Server) {
	s.Run("game", "CREATE TABLE part (id int, name varchar(9), pw varchar(9), mail varchar(9), PRIMARY KEY (mail, id));\n"+
		"INSERT INTO part VALUES (1, 'ann', 'x', 'm'), (2, 'bob', 'y', 'n');\n"+
		"CREATE VIEW part_of AS SELECT name, pw FROM part WHERE id < 2;")
	if s.Postgres {
		s.Run("game", "CREATE ROLE partial LOGIN PASSWORD 'pw'; GRANT SELECT (name, pw) ON part TO partial;"+
			"GRANT SELECT ON part_of TO partial; CREATE TABLE secret AS SELECT * FROM part;"+
			"CREATE TABLE rows AS SELECT * FROM part; GRANT SELECT ON rows TO partial;"+
			"ALTER TABLE rows ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON rows USING (id < 2);")
	} else {
		s.Run("game", "CREATE USER partial@'%' IDENTIFIED BY 'pw'; GRANT SELECT (name, pw) ON game.part TO partial@'%';"+
			"GRANT SELECT ON game.part_of TO partial@'%'; CREATE TABLE secret AS SELECT * FROM part;")
	}
	server := as(t, s, "partial", nil)
	for name, want := range map[string]int{"part": 2, "part_of": 1} {
		all, err := server.Open(Query{Table: name, Columns: []string{"name", "pw", "mail?"}}).all(t.Context())
		if err != nil || len(all) != want || all[0].Values["name"] != "ann" || all[0].Values["pw"] != "x" {
			t.Errorf("%s: %v, %v", name, all, err)
		}
	}
	says := map[string]string{
		"part": `as far as the user may read it: a column is not there: "mail"`, "secret": "the table is not there",
	}
	if s.Postgres {
		says["secret"], says["rows"] = "the user may not read the table", hidesRows
	}
	for name, want := range says {
		_, err := as(t, s, "partial", nil).Open(Query{Table: name, Columns: []string{"mail"}}).all(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

// settingsOfServers reads where the server would have it read a part only, write otherwise, or end soon.
func settingsOfServers(t *testing.T, s *servertest.Server) {
	if s.Postgres {
		s.Run("game", "CREATE TABLE odd AS SELECT 'a' AS name, '\\x00'::bytea AS pw, now() AS at FROM generate_series(1, 5);")
		server := reader(t, s, nil)
		_ = server.Close()
		s.Run("game", "ALTER ROLE reader SET bytea_output = 'escape'; ALTER ROLE reader SET statement_timeout = '500ms';"+
			"ALTER ROLE reader SET default_transaction_read_only = off; ALTER ROLE reader SET timezone = 'Asia/Tokyo';"+
			"ALTER ROLE reader SET datestyle = 'German'; ALTER ROLE reader SET search_path = ''")
		defer s.Run("game", "ALTER ROLE reader RESET ALL")
		q := Query{Table: "public.odd", Columns: []string{"name", "pw", "at"}}
		server = as(t, s, "reader", nil)
		if err := server.Ask(t.Context(), "DO $$ BEGIN PERFORM pg_sleep(0.6); END $$"); err != nil {
			t.Error(err)
		}
		all, err := server.Open(q).all(t.Context())
		if err != nil || len(all) != 5 || all[0].Values["pw"] != `\x00` ||
			!strings.HasSuffix(all[0].Values["at"].(string), "+00") {
			t.Errorf("%v, %v", all, err)
		}
		return
	}
	s.Run("game", "CREATE TABLE odd (name char(9), `pw` varchar(9)) ENGINE=MyISAM;"+
		"INSERT INTO odd VALUES ('a', 'x'), ('b', 'x'), ('c', 'x')")
	s.Run("game", "SET GLOBAL sql_select_limit = 2; SET GLOBAL sql_mode = 'ANSI_QUOTES,PAD_CHAR_TO_FULL_LENGTH';"+
		"SET GLOBAL wait_timeout = 1; SET GLOBAL max_join_size = 1; SET GLOBAL net_write_timeout = 1;"+
		"SET GLOBAL init_connect = 'SET NAMES latin1'")
	defer s.Run("game", "SET GLOBAL sql_select_limit = DEFAULT; SET GLOBAL sql_mode = DEFAULT;"+
		"SET GLOBAL wait_timeout = DEFAULT; SET GLOBAL max_join_size = DEFAULT;"+
		"SET GLOBAL net_write_timeout = DEFAULT; SET GLOBAL init_connect = DEFAULT")
	var told []string
	server := reader(t, s, &told)
	for range 2 {
		all, err := server.Open(Query{Table: "odd", Columns: []string{"name", "pw"}}).all(t.Context())
		if err != nil || len(all) != 3 || all[0].Values["name"] != "a" {
			t.Errorf("%v, %v", all, err)
		}
	}
	if len(told) != 1 || !strings.Contains(told[0], "MyISAM") {
		t.Errorf("told was %q", told)
	}
}

// encodings are those of databases and columns: text comes in UTF-8, and bytes that are of none as they are.
func encodings(t *testing.T, s *servertest.Server) {
	type kept struct{ database, create, want string }
	all := []kept{{"latin", "CREATE TABLE t (name varchar(9), pw varbinary(9)) CHARACTER SET latin1;" +
		"INSERT INTO t VALUES ('Zoë', 0xff00)", `"Zoë" "\xff\x00"`}}
	options := ""
	if s.Postgres {
		all = []kept{{"latin1", "SET client_encoding = UTF8; CREATE TABLE t AS SELECT 'Zoë' AS name, '' AS pw", `"Zoë" ""`},
			{"sql_ascii", "CREATE TABLE t AS SELECT E'Zo\xff'::text AS name, '' AS pw", `"Zo\xff" ""`}}
		options = " TEMPLATE template0 LOCALE 'C' ENCODING "
	}
	for _, c := range all {
		if s.Postgres {
			s.Run("", "CREATE DATABASE "+c.database+options+"'"+c.database+"'")
		} else {
			s.Run("", "CREATE DATABASE "+c.database)
		}
		s.Run(c.database, c.create)
		s.Grant("reader", "pw", c.database)
		q := Query{Table: "t", Columns: []string{"name", "pw"}}
		rows, err := in(t, s, "reader", c.database, nil).Open(q).all(t.Context())
		if err != nil || len(rows) != 1 || fmt.Sprintf("%q %q", rows[0].Values["name"], rows[0].Values["pw"]) != c.want {
			t.Errorf("%s: %v, %v", c.database, rows, err)
		}
	}
}

// lockedTables are waited for not longer than the server is told; whoever locks them is told of. So is a table that is
// changed meanwhile.
func lockedTables(t *testing.T, s *servertest.Server) {
	s.Run("game", "CREATE TABLE held (id int PRIMARY KEY, name varchar(9)); INSERT INTO held VALUES (1, 'ann')")
	server := reader(t, s, nil)
	a, err := ParseAddress(s.AtSocket(s.Admin, "game"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := Connect(t.Context(), a, nil) // which does not only read
	if err != nil {
		t.Fatal(err)
	}
	lock := []string{"ROLLBACK", "SET SESSION TRANSACTION READ WRITE", "LOCK TABLES held WRITE"}
	soon := "SET SESSION lock_wait_timeout = 1"
	if s.Postgres {
		lock = []string{"ROLLBACK", "BEGIN", "LOCK TABLE held IN ACCESS EXCLUSIVE MODE"}
		soon = "SET LOCAL lock_timeout = '1ms'"
	}
	for _, text := range lock {
		if err := other.Ask(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	if err := server.Ask(t.Context(), soon); err != nil {
		t.Fatal(err)
	}
	q := Query{Table: "held", Columns: []string{"name"}}
	if _, err := server.Open(q).all(t.Context()); err == nil || !strings.Contains(err.Error(), locked) {
		t.Errorf("a locked table: %v", err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if s.Postgres {
		return
	}
	server = as(t, s, "reader", nil)
	s.Run("game", "ALTER TABLE held ADD COLUMN more int FIRST, ALGORITHM=COPY")
	if _, err := server.Open(q).all(t.Context()); err == nil || !strings.Contains(err.Error(), "start it again") {
		t.Errorf("a changed table: %v", err)
	}
}

// endedConnections are those that are ended while rows come.
func endedConnections(t *testing.T, s *servertest.Server) {
	s.Run("game", "CREATE TABLE many (id int PRIMARY KEY, name varchar(200))")
	s.Run("game", "INSERT INTO many SELECT n, repeat('x', 200) FROM "+s.Numbers()+" WHERE n <= 100000")
	server := reader(t, s, nil)
	end := "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'reader'"
	if !s.Postgres {
		end = ""
		for id := range strings.FieldsSeq(s.Run("", "SELECT id FROM information_schema.processlist WHERE user = 'reader'")) {
			end += "KILL " + id + ";"
		}
	}
	n, said := 0, ""
	for r, err := range server.Open(Query{Table: "many", Columns: []string{"name"}}).Rows(t.Context()) {
		if n++; err != nil {
			said = err.Error()
		} else if r.Line == 1 {
			s.Run("", end)
		}
	}
	if !strings.Contains(said, cutOff) || n > 100000 {
		t.Errorf("after %d rows: %s", n, said)
	}
}
