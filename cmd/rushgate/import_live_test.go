package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/internal/importer/servertest"
)

// What the flags cannot mean is said before a connection is made, without the password that somebody has given.
func TestImportLiveUsage(t *testing.T) {
	dir := t.TempDir()
	open, empty := filepath.Join(dir, "open"), filepath.Join(dir, "empty")
	writeFile(t, open, "s3cret\n")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const from = "mysql://ann@127.0.0.1:1/forum"
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"--from", from}, 2, "--from, --table"},
		{[]string{"--from", from, "--system", "phpbb", "--file", open}, 2, "either --file or --from"},
		{[]string{"--from", "mysql://ann:s3cret@h/forum", "--system", "phpbb"}, 2, "list of processes"},
		{[]string{"--from", "ann:s3cret@tcp(h)/forum", "--system", "phpbb"}, 2, "mysql://USER@HOST/DATABASE"},
		{[]string{"--from", from, "--system", "phpbb", "--from-tls", "perhaps"}, 2, "--from-tls"},
		{[]string{"--from", from, "--system", "phpbb", "--from-ca", open}, 1, "no certificate"},
		{[]string{"--from", from, "--system", "phpbb", "--from-ca", open, "--from-tls", "off"}, 1, "no certificate"},
		{[]string{"--from", from, "--system", "phpbb", "--from-password-file", open}, 1, "chmod 600"},
		{[]string{"--from", from, "--system", "phpbb", "--from-password-file", empty}, 1, "no line"},
		{[]string{"--from", from, "--system", "phpbb", "--from-password-file", dir + "/none"}, 1, "no such file"},
		{[]string{"--from", from, "--system", "phpbb"}, 1, "nothing listens there"},
		{[]string{"--from", "postgres://ann@127.0.0.1:1/forum", "--system", "nakama"}, 1, "nothing listens there"},
	} {
		got := runImportRecords(t, append(c.args, "--dry-run", "--data", t.TempDir())...)
		got.want(t, c.status, "", c.says)
		if strings.Contains(got.stderr, "s3cret") {
			t.Errorf("%v tells a password: %s", c.args, got.stderr)
		}
	}
}

// Players log in after their accounts were read of a database in use, by a user who may only read, and again of
// another, which brings in nobody twice; whoever may not come in is told what is wrong. With RUSHGATE_LONG=1.
func TestImportOfLiveDatabases(t *testing.T) {
	if os.Getenv("RUSHGATE_LONG") == "" {
		t.Skip("it takes two servers")
	}
	const password = "s3cret of it"
	file, data := filepath.Join(t.TempDir(), "pw"), filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const md5 = "5f4dcc3b5aa765d61d8327deb882cf99" // of "password"
	for i, s := range []*servertest.Server{servertest.MariaDB(t), servertest.PostgreSQL(t)} {
		quote, grant := "`", "CREATE USER reader@'%' IDENTIFIED BY '"+password+"';\nGRANT SELECT ON other.* TO reader@'%';\n"+
			"CREATE USER stranger@'%' IDENTIFIED BY '"+password+"';\nGRANT SELECT ON other.z_users TO stranger@'%';\n"
		if i > 0 {
			quote, grant = `"`, "CREATE ROLE reader LOGIN PASSWORD '"+password+"';\nGRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;\n"+
				"CREATE ROLE stranger LOGIN PASSWORD '"+password+"';\nGRANT SELECT ON z_users TO stranger;\n"
		}
		twice := quote + quote
		name, column := "my`\" users; --", "pw`\""
		inSQL := func(name string) string { return quote + strings.ReplaceAll(name, quote, twice) + quote }
		s.Run("", "CREATE DATABASE other")
		s.Run("other", fmt.Sprintf("CREATE TABLE %[1]s (id int PRIMARY KEY, login varchar(40), %[2]s varchar(40));\n"+
			"INSERT INTO %[1]s VALUES (3, 'Ann', '%[3]s'), (2, 'Zoë', '%[3]s');\nCREATE TABLE few (id int, login varchar(9));\n"+
			"CREATE TABLE y_users (id int, login varchar(9), pw varchar(40));\nCREATE TABLE z_users (id int, login varchar(9), pw varchar(40));\n"+
			"INSERT INTO z_users VALUES (1, 'Ann', '%[3]s');\n%[4]s",
			inSQL(name), inSQL(column), md5, grant))
		args := []string{"--system", "unsalted md5", "--table", name, "--columns", "name=login,password=" + column,
			"--data", data, "--from-password-file", file, "--from", s.URL("reader", "other")}
		want := func(status int, says, wrong string, args ...string) {
			t.Helper()
			got := runImportRecords(t, args...)
			got.want(t, status, says, wrong)
			if strings.Contains(got.stdout+got.stderr, "s3cret") {
				t.Errorf("a password is told: %s%s", got.stdout, got.stderr)
			}
		}
		with := func(flag, value string) []string {
			all := append([]string(nil), args...)
			for i := range all {
				if all[i] == flag {
					all[i+1] = value
				}
			}
			return all
		}
		if i == 0 {
			want(0, "would do  2 accounts", "", append(args, "--dry-run")...)
			want(0, "imported  2 accounts", "", args...)
		}
		want(0, "present   2 accounts", "", args...)
		want(1, "", "the table is not there", with("--table", "nowhere")...)
		want(1, "", "a column is not there", with("--columns", "name=login,password=nothing")...)
		want(1, "", "ends in the name of the database", with("--from", s.URL("reader", "nowhere"))...)
		want(1, "", "--from-password-file", with("--from", s.URL("nobody", "other"))...)
		want(1, "", "", with("--from", s.URL("stranger", "other"))...)
		want(0, "present   1 accounts", "", "--system", "unsalted md5", "--table", "*_users", "--columns", "name=login,password=pw",
			"--data", data, "--from-password-file", file, "--from", s.URL("stranger", "other"))
		wrong := filepath.Join(t.TempDir(), "wrong")
		if err := os.WriteFile(wrong, []byte("s3cret that is another\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		want(1, "", "--from-password-file", with("--from-password-file", wrong)...)
		want(1, "", "does not encrypt", append(args, "--from-tls", "unverified")...)
		u, err := url.Parse(s.URL("reader", "other"))
		if err != nil {
			t.Fatal(err)
		}
		u.Host = "nowhere.invalid:" + s.Port
		want(1, "", "nobody knows the host", with("--from", u.String())...)
	}
	s := startOnImported(t, data)
	for i, name := range []string{"Ann", "Zoë"} {
		if wrong, right := login(t, s, i, name, "Password"), login(t, s, i, name, "password"); wrong != 401 || right != 200 {
			t.Errorf("%s: a wrong password is answered %d, the right one %d", name, wrong, right)
		}
	}
}

// An import that is broken off ends, and says no more than that.
func TestLiveImportBrokenOff(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, err strings.Builder
	run(ctx, []string{"import", "records", "--system", "phpbb", "--from", "mysql://ann@127.0.0.1:1/forum", "--data", t.TempDir()},
		&out, &err)
	if !strings.Contains(err.String(), "interrupted") {
		t.Error(err.String())
	}
}
