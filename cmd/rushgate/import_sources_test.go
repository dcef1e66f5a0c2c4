package main

import (
	"path/filepath"
	"testing"
)

// A table of any other system is brought in by what the operator says of its columns, with characters if a map says so.
func TestImportOfColumns(t *testing.T) {
	dir := t.TempDir()
	file, chars, data := filepath.Join(dir, "x.csv"), filepath.Join(dir, "map.json"), filepath.Join(dir, "data")
	writeFile(t, file, "nr,login,pw,exp\n12,Ann,5f4dcc3b5aa765d61d8327deb882cf99,444\n13,Bob,,0\n14,,x,0\n")
	writeFile(t, chars, `{"id": "nr", "numbers": {"xp": "exp"}}`)
	args := []string{"--system", "unsalted md5", "--columns", "name=login,password=pw", "--file", file}
	runImportRecords(t, append(args, "--data", filepath.Join(dir, "new"), "--dry-run")...).
		want(t, 1, "would do  2 accounts, 2 of them without a character", "1 were refused")
	args = append(args, "--data", data, "--map", chars)
	runImportRecords(t, args...).want(t, 1, "imported  2 accounts, 0 of them without a character", "1 were refused")
	runImportRecords(t, args...).want(t, 1, "present   2 accounts", "1 were refused")
}

// Rows of which cannot even be told whose they are harm nobody, and are not passed over without a word.
func TestImportOfRowsThatAreNobodys(t *testing.T) {
	dir := t.TempDir()
	file, chars := filepath.Join(dir, "dump.sql"), filepath.Join(dir, "map.json")
	writeFile(t, file, "CREATE TABLE a (nr int, name text, pw text);\nCREATE TABLE c (id int, account int);\n"+
		"INSERT INTO a VALUES (1,'ann','5f4dcc3b5aa765d61d8327deb882cf99');\nINSERT INTO c VALUES (7);\nINSERT INTO c VALUES (8,1);\n")
	writeFile(t, chars, `{"id": "c.id", "own": true, "characters": {"table": "c", "its": "account", "ours": "nr"}}`)
	runImportRecords(t, "--system", "unsalted md5", "--table", "a", "--columns", "name=name,password=pw", "--file", file,
		"--map", chars, "--data", filepath.Join(dir, "data")).
		want(t, 0, "imported  1 accounts, 0 of them without a character", "1 rows of the table c, the first in line 4")
}

// What the flags cannot mean is said before anything is read.
func TestImportSourceUsage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.csv")
	writeFile(t, file, "login,pw\n")
	bad := filepath.Join(t.TempDir(), "bad.json")
	writeFile(t, bad, `{"own": 1}`)
	withMap := func(text string) []string {
		path := filepath.Join(t.TempDir(), "map.json")
		writeFile(t, path, text)
		return []string{"--file", file, "--system", "x", "--columns", "name=login,password=pw", "--map", path}
	}
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"--file", file, "--table", "x"}, 2, "need a --system"},
		{[]string{"--file", file, "--system", "nobody"}, 2, "import sources"},
		{[]string{"--file", file, "--system", "x", "--columns", "login"}, 2, "NAME=COLUMN"},
		{[]string{"--file", file, "--system", "minetest", "--source", bad}, 1, "--source"},
		{[]string{"--file", file, "--system", "minetest", "--map", bad}, 1, "--map"},
		{withMap("{}"), 1, `needs the "id"`},
		{withMap(`{"id": "nr"}`), 1, `a column is not there: "nr"`},
		{withMap(`{"id": "login", "x": 7}`), 1, `a number is a path, or {"path"`},
		{withMap(`{"id": "login", "numbers": {"No!": "pw"}}`), 1, "name of a number"},
		{withMap(`{"id": "login", "frobs": "pw"}`), 1, "frobs"},
		{withMap(`{"id": "c.id", "characters": {"table": "c", "its": "a", "ours": "login"}}`), 1, "table of their own"},
		{[]string{"--file", file, "--system", "freeciv", "--with", file}, 1, "--with"},
		{[]string{"--file", file, "--system", "freeciv"}, 1, "a column is not there"},
		{[]string{"--file", t.TempDir(), "--system", "freeciv"}, 1, "folder"},
	} {
		runImportRecords(t, append(c.args, "--dry-run", "--data", t.TempDir())...).want(t, c.status, "", c.says)
	}
}
