package table

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// written are the rows that MariaDB 10.11, PostgreSQL 15 and SQLite 3.40 have written into the files of testdata: what
// their dumps have to escape, and 32 bytes of any value.
var written = []struct{ name, password string }{
	{"Alice", "plain"},
	{"O'Neil", `a"b'c`},
	{`back\slash`, `x\n\0y\`},
	{"Zeilen", "eins\nzwei\r\ndrei\tvier"},
	{"Jürgen", "pä;ss,(w)ör'--d"},
	{"Null", ""},
	{"semi", "'); DROP TABLE users; --"},
}

func rows(t testing.TB, f *File) (all []Row) {
	t.Helper()
	for r, err := range f.Rows(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func open(t testing.TB, path string, kind Kind, q Query) *File {
	t.Helper()
	f, err := Open(path, kind, q)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// What the programs have written is read as it was, whatever escapes they write, and nothing else of the files.
func TestWhatProgramsWrite(t *testing.T) {
	for _, file := range []string{"mariadb.sql", "mariadb-hex.sql", "postgres-copy.sql", "postgres-inserts.sql",
		"postgres-column-inserts.sql", "sqlite.sql", "sqlite.db"} {
		path := filepath.Join("testdata", file)
		kind, err := Sniff(path, []Kind{SQLite, SQL, JSONL, JSON, CSV})
		if err != nil {
			t.Fatal(err)
		}
		f := open(t, path, kind, Query{Table: "users", Columns: []string{"NAME", "password", "salt", "nothing?"}})
		for range 2 { // it is read twice
			compare(t, file, rows(t, f))
		}
	}
}

func compare(t *testing.T, file string, all []Row) {
	t.Helper()
	if len(all) != len(written) {
		t.Fatalf("%s: %d rows", file, len(all))
	}
	for i, r := range all {
		want := written[i]
		if file == "sqlite.sql" && want.name == "Zeilen" {
			if !errors.Is(r.Err, errExpression) {
				t.Errorf("%s: replace() is read: %v", file, r.Values)
			}
			continue
		}
		password, salt := any(want.password), make([]byte, 32)
		for j := range salt {
			salt[j] = byte(32*i + j)
		}
		switch {
		case want.name == "Null":
			password = nil
		case !strings.HasPrefix(file, "postgres"):
			password = strings.ReplaceAll(want.password, "\r", "") // the shells of the others leave them out
		}
		wantSalt := string(salt)
		if strings.HasPrefix(file, "postgres") {
			wantSalt = fmt.Sprintf(`\x%x`, salt)
		}
		if r.Err != nil || r.Values["NAME"] != want.name || r.Values["password"] != password || r.Values["salt"] != wantSalt {
			t.Errorf("%s: %v is %q, %v", file, want, r.Values, r.Err)
		}
	}
}

// from returns a file that is read from a text.
func read(kind Kind, text string, q Query) (all []Row, err error) {
	err = readText(strings.NewReader(text), kind, &q, func(r Row) bool {
		all = append(all, r)
		return true
	})
	return all, err
}

// A row that is not as it should be is refused, and the rows after it are read.
func TestBadRows(t *testing.T) {
	long := strings.Repeat("x", MaxValueLen+1)
	tooLong := strings.Repeat("y", MaxRowLen+1)
	q := Query{Table: "t", Columns: []string{"name", "hash"}, Fields: []string{"name", "hash"}, Separator: ":"}
	const head = "CREATE TABLE t (id int, name text, hash text, PRIMARY KEY (id));\n"
	for _, c := range []struct {
		kind Kind
		text string
		want string // of each row its name, or a "!"
	}{
		{SQL, head + "INSERT INTO t VALUES (1,'a','x'),(2,'b'),(3,'c',NULL),(4,'d',now()),(5,'e',6);", "a!c!e"},
		{SQL, head + "INSERT INTO t VALUES (1,'a','" + long + "'),(2,'b','c');", "!b"},
		{SQL, head + "INSERT INTO t VALUES ('" + long + "','a','');", "a"},
		{SQL, "\ufeffINSERT INTO t (hash, name) VALUES ('b\\\\','a\\'');", "a'"},
		{SQL, "-- Adminer 4.8 PostgreSQL dump\nINSERT INTO \"t\" (\"name\", \"hash\") VALUES ('a\\', E'\\'');", `a\`},
		{SQL, "COPY public.t (name, hash) FROM stdin;\na\tb\nb\nc\t\\\nd\t\\N\n" + tooLong + "\nf\tg\n\\.\n", "a!!d!f"},
		{SQL, "-- PostgreSQL database dump\nCOPY t (id, name, hash) FROM stdin;\n1\ta\t" + long + "\n\\.\n" +
			"COPY u (x) FROM stdin;\n1\n\\.\n", "!"},
		{CSV, "id,name,hash\r\n1,a,b\r\n2,\"b \"\"x\"\"\nc\",d\r\n3,c\r\n4,\"d\"x,y\r\n\r\n5,e,\"\"\r\n", "ab \"x\"\nc!!e"},
		{CSV, "\ufeffname;hash\na;b,c\n" + tooLong + "\nb;c", "a!b"},
		{JSONL, `{"name":"a"}` + "\n[]\nnull\n{\"name\":\"b\"} {}\n\n" + tooLong + "\n" + `{"name":"c","x":[{}]}`, "a!!!!c"},
		{SQL, "/*/ not over */ " + head + "INSERT INTO t VALUES (b'1','a',b'100000001'),(b'0','b','x');", "ab"},
		{SQL, "-- PostgreSQL database dump\nCREATE TABLE other.t (id int);\nCREATE TABLE public.t (name text, hash text);\n" +
			"COPY other.t (id) FROM stdin;\n1\n\\.\nCOPY public.t (name, hash) FROM stdin;\na\tb\n\\.\n", "a"},
		{JSON, "\ufeff" + `[{"name":"a"},7,{"name":"b"}]`, "a!b"},
		{JSON, `[{"name":"a","name":"b"},{"name":"c","x":[{"y":1,"y":1}]},{"name":"d"}]`, "!!d"},
		{JSON, `[{"name":"` + tooLong + `"},{"name":"a","x":[{"}":"\"]"}]},{"name" "b"},{"name":"c"}]`, "!a!c"},
		{JSONL, "\ufeff" + `{"name":"a"}`, "a"},
		{XML, "\ufeff<?xml version='1.0'?><x><t><name>a</name></t></x>", "a"},
		{TinyMUX, "+X1\n+A256\n\"1:X\"\n!0\n\"Limbo\"\n-1\n>6\n\"" + long + "\"\n<\n" +
			"!1\n\"A \\\"b\\\"\"\n3\n>5\n\"x\"\n>6\n\"two\nlines\"\n<\n!2\n\"c\"\n>5\n\"" + long +
			"\"\n<\n!3\n\"d\"\n>5\n\"\"\n<\n" + muxEnd + "\n", "A \"b\"!d"},
		{Lines, "a:b:c\nb\n\nc:\n" + tooLong + "\nd:e", "a!c!d"},
	} {
		all, err := read(c.kind, c.text, q)
		got := ""
		for _, r := range all {
			if r.Line == 0 {
				t.Errorf("%s %.80q: a row does not say where it is", c.kind, c.text)
			}
			if errors.Is(r.Err, errValue) && !strings.Contains(r.Err.Error(), "the column") {
				t.Errorf("%s %.80q: %v does not say of which column", c.kind, c.text, r.Err)
			}
			if r.Err != nil {
				got += "!"
				continue
			}
			got += r.Values["name"].(string)
		}
		if err != nil || got != c.want {
			t.Errorf("%s %.80q: rows %q, want %q, %v", c.kind, c.text, got, c.want, err)
		}
	}
}

// A file that is not all there, or has not got what is asked for, is refused with the reason, and without its contents.
func TestBadFiles(t *testing.T) {
	const secret = "s3cr3t"
	q := Query{Table: "t", Columns: []string{"name", "hash"}, List: "a.users"}
	for _, c := range []struct {
		kind       Kind
		text, want string
	}{
		{SQL, "", "not there"},
		{SQL, "CREATE TABLE other (id int);\n", `"other"`},
		{SQL, "CREATE TABLE t (id int, name text);\n", `"hash"; there are`},
		{SQL, "INSERT INTO t VALUES ('" + secret + "','x');", "CREATE TABLE"},
		{SQL, "CREATE TABLE t (name text, hash text); INSERT INTO t VALUES ('" + secret + "','x", "not all there"},
		{SQL, "CREATE TABLE t (name text, hash text); INSERT INTO t VALUES ('" + secret + "','x'", "not all there"},
		{SQL, "CREATE TABLE t (name text, hash text); INSERT INTO t VALUES ('" + secret + "','x')", "not all there"},
		{SQL, "CREATE TABLE t (name text, hash text", "not all there"},
		{SQL, "CREATE TABLE t (name text, hash text); INSERT INTO t SELECT * FROM u;", "not rows"},
		{SQL, "COPY t (name, hash) FROM stdin;\n" + secret + "\tx\n", "not all there"},
		{SQL, "/* " + secret, "not all there"},
		{SQL, "DELIMITER ;;\n" + secret, "not all there"},
		{CSV, "", "empty"},
		{CSV, "name," + secret + "\n", "has 2 fields"},
		{CSV, "name,hash,Hash\na," + secret + ",x\n", `"hash" is there twice`},
		{JSON, "{}", `"a"`},
		{JSON, `{"a": {"users": {"` + secret + `": 1}}}`, "not a list"},
		{JSON, `{"a": {"users": [{"name": "` + secret, "not all there"},
		{JSON, `{"a": {"users": [{}]`, ""},
		{XML, "<x>" + secret + "</x>", "no element"},
		{XML, "<t><name>" + secret, "not all there"},
		{TinyMUX, "+X1\n!1\n\"a\"\n>5\n\"" + secret + "\"\n<\n", "not all there"},
		{TinyMUX, "!1\n" + secret + "\n<\n" + muxEnd, "not a flat file"},
		{TinyMUX, "!1\n\"a\n\n" + secret, "not all there"},
		{Erlang, "\ufeff{t,<<\"a\">>}.\n", ""},
		{Erlang, "{other," + secret + "}.", "not there"},
		{Erlang, `{t,<<"` + secret, "not all there"},
		{Erlang, `{t,{{{` + strings.Repeat("{", 100), "term"},
	} {
		_, err := read(c.kind, c.text, q)
		if err == nil && c.want == "" {
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s %q: %v", c.kind, c.text, err)
		}
	}
}

// Of several tables that may be meant the one is taken that has the columns; if that is not one, the operator is asked.
func TestPrefixes(t *testing.T) {
	q := Query{Table: "*users", Columns: []string{"login", "pass"}}
	text := "CREATE TABLE `wp_bp_users` (`id` int);\nINSERT INTO `wp_bp_users` VALUES (1);\n" +
		"CREATE TABLE `x`.`wp_users` (`login` text, `pass` text);\nINSERT INTO `wp_users` VALUES ('a','b');\n"
	all, err := read(SQL, text, q)
	if err != nil || len(all) != 1 || all[0].Values["login"] != "a" {
		t.Errorf("%v, %v", all, err)
	}
	_, err = read(SQL, text+"CREATE TABLE `wp2_users` (`login` text, `pass` text);\n", q)
	if err == nil || !strings.Contains(err.Error(), `"wp2_users"`) {
		t.Errorf("%v", err)
	}
	// Those of several databases are several.
	for text, want := range map[string]string{
		"USE `d1`;\nCREATE TABLE `users` (`login` text, `pass` text);\nINSERT INTO `users` VALUES ('a','b');\n" +
			"USE `d2`;\nCREATE TABLE `users` (`login` text, `pass` text);\n": `"d1.users", "d2.users"`,
		"-- PostgreSQL database cluster dump\n\\connect d1\nCREATE TABLE public.users (login text, pass text);\n" +
			"\\connect d2\nCREATE TABLE public.users (login text, pass text);\n": "several databases",
	} {
		q.Table = "users"
		if _, err = read(SQL, text, q); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		q.Table = "d1.users"
		if all, err = read(SQL, text, q); strings.HasPrefix(text, "USE") && (err != nil || len(all) != 1) {
			t.Errorf("%v, %v", all, err)
		}
	}
	q.Table = "auth.users"
	all, err = read(SQL, "CREATE TABLE public.users (x int);\nCREATE TABLE auth.users (login text, pass text);\n"+
		"COPY public.users (x) FROM stdin;\n1\n\\.\nCOPY auth.users (login, pass) FROM stdin;\na\tb\n\\.\n", q)
	if err != nil || len(all) != 1 {
		t.Errorf("%v, %v", all, err)
	}
}

// The values of Lua, XML and Erlang are those that their programs have written.
func TestOtherForms(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"alice.dat": "return {\n\t[\"stored_key\"] = \"1c\\\"e\\0659\\\n\";\n\t[\"iteration_count\"] = 10000;\n" +
			"\tlist = { 1, {}, x = \"y\" };\n};\n",
		"b%2eob%20x.dat": "return { [\"password\"] = \"ö\" }",
		"bad.dat":        "os.exit()",
		"worse.dat":      "return { [\"password\"] = \"x\" } os.exit()",
		"notes.txt":      "",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all := rows(t, open(t, folder, Lua, Query{}))
	if len(all) != 4 || all[2].Err == nil || all[3].Err == nil || all[1].Values["file"] != "b.ob x" {
		t.Fatalf("%v", all)
	}
	want := map[string]any{"file": "alice", "stored_key": "1c\"eA9\n", "iteration_count": "10000"}
	if !maps.Equal(all[0].Values, want) {
		t.Errorf("%q, want %q", all[0].Values, want)
	}
	all, err := read(XML, `<?xml version="1.0"?><accounts count="1"><account><username>A &amp; b</username>`+
		`<x><username>no</username></x><flags>1</flags></account></accounts>`, Query{Table: "account"})
	if err != nil || len(all) != 1 || all[0].Values["username"] != "A & b" || all[0].Values["flags"] != "1" {
		t.Errorf("%v, %v", all, err)
	}
	all, err = read(Erlang, "{tables,[{passwd,[{record_name,passwd}]}]}.\n{passwd,{<<\"a\\\"b\">>,<<\"h\">>},\n"+
		"  {scram,<<226,133>>,'sha-512',4096,\"\\x{e4}\"}}.\n"+
		"{passwd,{<<\"ü\"/utf8>>,<<>>},<<\"p\\\\\">>}.", Query{Table: "passwd"})
	if err != nil || len(all) != 2 || all[0].Values["1.0"] != `a"b` || all[0].Values["2.1"] != "\xe2\x85" ||
		all[0].Values["2.2"] != "sha-512" || all[0].Values["2.3"] != "4096" || all[0].Values["2.4"] != "\xe4" ||
		all[1].Values["1.0"] != "ü" || all[1].Values["1.1"] != "" || all[1].Values["2"] != `p\` {
		t.Errorf("%v, %v", all, err)
	}
}

// A database is read without a lock or a file beside it, and refused if a part of it is in one.
func TestNothingIsWritten(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "odd name?#1%20.db")
	b, err := os.ReadFile("testdata/sqlite.db")
	if err != nil {
		t.Fatal(err)
	}
	b[18], b[19] = 2, 2 // as if it were in the mode WAL
	if err := os.WriteFile(path, b, 0o400); err != nil {
		t.Fatal(err)
	}
	q := Query{Table: "users", Columns: []string{"name"}}
	f := open(t, path, SQLite, q)
	if got := rows(t, f); len(got) != len(written) {
		t.Errorf("%d rows", len(got))
	}
	for range f.Rows(t.Context()) {
		break // no more are wanted
	}
	after, err := os.ReadFile(path)
	entries, _ := os.ReadDir(dir)
	if err != nil || !bytes.Equal(b, after) || len(entries) != 1 {
		t.Errorf("%v, %d files", err, len(entries))
	}
	for _, end := range []string{"-wal", "-journal"} {
		beside := path + end
		const over, hot = "\x00\x00\x00\x00\x00\x00\x00\x00x", "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
		for content, want := range map[string]error{"": nil, over: nil, hot: ErrUnfinished} {
			if end == "-wal" && content != "" {
				want = ErrUnfinished
			}
			if err := os.WriteFile(beside, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			var got error
			for _, err := range f.Rows(t.Context()) {
				got = errors.Join(got, err)
			}
			if !errors.Is(got, want) {
				t.Errorf("%s with %q: %v", end, content, got)
			}
		}
		if err := os.Remove(beside); err != nil {
			t.Fatal(err)
		}
	}
}

// Rows that a program has written and that are still in the file beside its database are not passed over, whatever path
// leads to it: the import is refused, changes nothing there, and has all rows once they are in the database.
func TestRowsBesideTheDatabase(t *testing.T) {
	dir, link := t.TempDir(), filepath.Join(t.TempDir(), "link.db")
	path := filepath.Join(dir, "users.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	do := func(queries ...string) {
		for _, q := range queries {
			if _, err := db.ExecContext(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
	}
	do("PRAGMA journal_mode = wal", "CREATE TABLE users (name)", "INSERT INTO users VALUES ('a')",
		"PRAGMA wal_checkpoint(TRUNCATE)", "INSERT INTO users VALUES ('b')")
	if err := os.Symlink(path, link); err != nil {
		t.Skip(err)
	}
	q := Query{Table: "users", Columns: []string{"name"}}
	before := contents(t, dir)
	for _, p := range []string{path, link} {
		if err := firstError(open(t, p, SQLite, q).Rows(t.Context())); !errors.Is(err, ErrUnfinished) {
			t.Errorf("%s: %v", p, err)
		}
	}
	if !maps.Equal(contents(t, dir), before) {
		t.Error("something was changed beside the database")
	}
	do("PRAGMA wal_checkpoint(TRUNCATE)")
	before = contents(t, dir)
	if all := rows(t, open(t, link, SQLite, q)); len(all) != 2 {
		t.Errorf("%d rows", len(all))
	}
	if !maps.Equal(contents(t, dir), before) {
		t.Error("something was changed beside the database")
	}
}

func firstError(rows iter.Seq2[Row, error]) error {
	for _, err := range rows {
		if err != nil {
			return err
		}
	}
	return nil
}

// contents returns what is in the files of a folder, by their names.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(b)
	}
	return all
}

// A file that changes is not read any further: what was found in it is there no more.
func TestChangedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.csv")
	if err := os.WriteFile(path, []byte("name\na\nb\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := open(t, path, CSV, Query{Columns: []string{"name"}})
	if len(rows(t, f)) != 2 {
		t.Error("not two rows")
	}
	if err := os.Chtimes(path, time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	var got error
	for _, err := range f.Rows(t.Context()) {
		got = errors.Join(got, err)
	}
	if !errors.Is(got, ErrChanged) {
		t.Errorf("%v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range f.Rows(ctx) {
		if err == nil {
			t.Error("a row after the end")
		}
	}
}

// What is no table is told from those that are, and the operator is told what to do with it.
func TestSniff(t *testing.T) {
	all := []Kind{SQLite, SQL, JSONL, Erlang, JSON, XML, CSV, Lines}
	for text, want := range map[string]string{
		"SQLite format 3\x00":                       "sqlite",
		"-- MySQL dump 10\n":                        "sql",
		"PRAGMA foreign_keys=OFF;\nCREATE TABLE x(": "sql",
		"{\"name\":\"a\"}\n{\"name\":\"b\"}\n":      "jsonl",
		" [\n{}]":                                   "json",
		"\ufeff<?xml?>":                             "xml",
		"name,hash\nINSERT,x":                       "csv",
		"alice:x:y":                                 "lines",
		"PGDMP\x01":                                 "pg_restore",
		"\x1f\x8b\x08":                              "unpack",
		"\xff\xfeI\x00":                             "UTF-16",
		"[\x00{\x00}\x00]\x00":                      "UTF-16", // without a mark
		"\x00{\x00\"\x00n\x00\"":                    "UTF-16",
		"\ufeffinsert into t values (1);":           "sql",
		"":                                          "empty",
	} {
		path := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		kinds := all
		if want == "empty" {
			kinds = []Kind{SQLite}
		}
		kind, err := Sniff(path, kinds)
		if string(kind) != want && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q is %q, %v", text, kind, err)
		}
	}
	if _, err := Sniff(t.TempDir(), all); err == nil {
		t.Error("a folder is taken for a file")
	}
}

func FuzzText(f *testing.F) {
	kinds := []Kind{SQL, CSV, JSON, JSONL, Lines, XML, Erlang, TinyMUX}
	for _, name := range []string{"mariadb.sql", "postgres-copy.sql", "sqlite.sql"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(byte(0), string(b))
	}
	f.Add(byte(1), "name,hash\n\"a\"\"\",b\n")
	f.Add(byte(1), "name,hash\na,b") // its last line has no end
	f.Add(byte(2), `{"a":{"users":[{"name":"x"}]}}`)
	f.Add(byte(6), `{users,{<<"a">>,<<1,2>>},'x',"\x{e4}\101",-1.5}.`)
	f.Add(byte(7), "+X996100\n!1\n\"Bob\"\n-1\n>5\n\"$SHA1$\\\"x\ny\"\n<\n***END OF DUMP***\n")
	f.Fuzz(func(t *testing.T, kind byte, text string) {
		q := Query{Table: "users", Columns: []string{"name", "password?"}, List: "a.users", Fields: []string{"name"},
			Separator: ":"}
		of := kinds[int(kind)%len(kinds)]
		all, err := read(of, text, q)
		for _, r := range all {
			size := 0
			for name, v := range r.Values {
				size += len(name)
				if s, ok := v.(string); ok {
					size += len(s)
				}
			}
			if size > 8*len(text)+64 || r.Done > int64(len(text)) {
				t.Errorf("%d bytes at %d out of %d", size, r.Done, len(text))
			}
		}
		if again, err2 := read(of, text, q); (err == nil) != (err2 == nil) || len(again) != len(all) {
			t.Errorf("%d rows, and then %d", len(all), len(again))
		}
	})
}

func FuzzLua(f *testing.F) {
	f.Add("return {\n\t[\"stored_key\"] = \"1ce5\";\n\t[\"iteration_count\"] = 10000;\n};\n")
	f.Fuzz(func(t *testing.T, text string) {
		values, err := parseLua(text)
		if (err == nil) != (values != nil) {
			t.Errorf("%v, %v", values, err)
		}
	})
}

// Who has stopped ranging over the rows is given no more, also when the import is broken off at that moment.
func TestRowsEndWithWhoRanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.csv")
	if err := os.WriteFile(path, []byte("name\nann\nbob\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := open(t, path, CSV, Query{Columns: []string{"name"}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	for range f.Rows(ctx) { // which panics if it is called on
		n++
		cancel()
		break
	}
	if n != 1 {
		t.Errorf("%d rows", n)
	}
}
