package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/internal/importer/servertest"
)

// What the flags cannot mean is said before a connection is made, without the password that somebody has given.
func TestImportLiveUsage(t *testing.T) {
	dir := t.TempDir()
	open, empty := filepath.Join(dir, "open"), filepath.Join(dir, "empty")
	writeFile(t, open, "s3cret\n")
	wide := filepath.Join(dir, "wide")
	for path, text := range map[string]string{empty: "\n", wide: "\xff\xfes\x003\x00\n\x00"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
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
		{[]string{"--from", from, "--system", "phpbb", "--from-password-file", wide}, 1, "UTF-16"},
		{[]string{"--file", wide}, 1, "UTF-16"},
		{[]string{"--file", wide, "--system", "freeciv"}, 1, "UTF-16"},
		{[]string{"--file", empty, "--system", "freeciv", "--map", wide}, 1, "UTF-16"},
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

// A mark of the byte order before a password is none of it.
func TestPasswordFileWithAMark(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pw")
	if err := os.WriteFile(path, []byte("\ufeffs3cret\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := readPassword(path); err != nil || got != "s3cret" {
		t.Errorf("%q, %v", got, err)
	}
}

// Players log in after their accounts were read of a database in use, by a user who may only read, and again of
// another, which brings in nobody twice; whoever may not come in is told what is wrong. With RUSHGATE_LONG=1.
func TestImportOfLiveDatabases(t *testing.T) {
	if os.Getenv("RUSHGATE_LONG") == "" {
		t.Skip("it takes servers")
	}
	file, data := filepath.Join(t.TempDir(), "pw"), filepath.Join(t.TempDir(), "data")
	writePassword(t, file, livePassword)
	for i, s := range servertest.All(t) {
		liveUsers(s)
		from := liveImport{t: t, args: []string{"--system", "unsalted md5", "--table", liveTable, "--columns",
			"name=login,password=" + liveColumn, "--data", data, "--from-password-file", file,
			"--from", s.URL("reader", "other")}}
		if i == 0 {
			from.want(0, "would do  2 accounts", "", "--dry-run", "")
			from.want(0, "imported  2 accounts", "")
		}
		from.want(0, "present   2 accounts", "")
		from.want(1, "", "the table is not there", "--table", "nowhere")
		from.want(1, "", "a column is not there", "--columns", "name=login,password=nothing")
		from.want(1, "", "ends in the name of the database", "--from", s.URL("reader", "nowhere"))
		from.want(1, "", "--from-password-file", "--from", s.URL("nobody", "other"))
		if url := s.URL("reader", "other"); !strings.Contains(url, "socket=") {
			_, where, _ := strings.Cut(url, "://")
			other := map[bool]string{true: "mysql://", false: "postgres://"}[strings.HasPrefix(url, "postgres")]
			from.want(1, "", "what listens there is", "--from", other+where)
		}
		from.want(1, "", "", "--from", s.URL("stranger", "other"))
		from.want(0, "present   1 accounts", "", "--from", s.URL("stranger", "other"), "--table", "*_users", "--columns",
			"name=login,password=pw")
		wrong := filepath.Join(t.TempDir(), "wrong")
		writePassword(t, wrong, "s3cret that is another")
		from.want(1, "", "--from-password-file", "--from-password-file", wrong)
		u, err := url.Parse(s.URL("reader", "other"))
		if err != nil {
			t.Fatal(err)
		}
		u.Host = "nowhere.invalid:" + s.Port
		from.want(1, "", "nobody knows the host", "--from", u.String())
		u.Host = "localhost:" + s.Port
		from.encrypted(s, u.String())
	}
	s := startOnImported(t, data)
	for i, name := range []string{"Ann", "Zoë"} {
		if wrong, right := login(t, s, i, name, "Password"), login(t, s, i, name, "password"); wrong != 401 || right != 200 {
			t.Errorf("%s: a wrong password is answered %d, the right one %d", name, wrong, right)
		}
	}
}

const (
	livePassword = "s3cret of it"
	liveTable    = "my`\" users; --"
	liveColumn   = "pw`\""
)

func writePassword(t *testing.T, file, password string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// liveUsers makes a database with users in tables that the user reader may read, and one that the user stranger may.
func liveUsers(s *servertest.Server) {
	const md5 = "5f4dcc3b5aa765d61d8327deb882cf99" // of "password"
	s.Run("", "CREATE DATABASE other")
	s.Run("other", fmt.Sprintf("CREATE TABLE %[1]s (id int PRIMARY KEY, login varchar(40), %[2]s varchar(40));\n"+
		"INSERT INTO %[1]s VALUES (3, 'Ann', '%[3]s'), (2, 'Zoë', '%[3]s');\nCREATE TABLE few (id int, login varchar(9));\n"+
		"CREATE TABLE y_users (id int, login varchar(9), pw varchar(40));\nCREATE TABLE z_users (id int, login varchar(9), pw varchar(40));\n"+
		"INSERT INTO z_users VALUES (1, 'Ann', '%[3]s');\n", s.Quoted(liveTable), s.Quoted(liveColumn), md5))
	s.Grant("reader", livePassword, "other")
	if s.Postgres {
		s.Run("other", "CREATE ROLE stranger LOGIN PASSWORD '"+livePassword+"';\nGRANT SELECT ON z_users TO stranger;\n")
	} else {
		s.Run("other", "CREATE USER stranger@'%' IDENTIFIED BY '"+livePassword+"';\nGRANT SELECT ON other.z_users TO stranger@'%';\n")
	}
}

// liveImport is an import of a database in use.
type liveImport struct {
	t    *testing.T
	args []string
}

// want runs it with some flags set otherwise, or further ones, and checks what it says. It tells no password.
func (l *liveImport) want(status int, says, wrong string, flags ...string) {
	l.t.Helper()
	all := append([]string(nil), l.args...)
	for i := 0; i < len(flags); i += 2 {
		if at := slices.Index(all, flags[i]); at >= 0 {
			all[at+1] = flags[i+1]
			continue
		}
		all = append(all, flags[i])
		if flags[i+1] != "" {
			all = append(all, flags[i+1])
		}
	}
	got := runImportRecords(l.t, all...)
	got.want(l.t, status, says, wrong)
	if strings.Contains(got.stdout+got.stderr, "s3cret") {
		l.t.Errorf("a password is told: %s%s", got.stdout, got.stderr)
	}
}

// encrypted checks that a server is not spoken to but as --from-tls and --from-ca say.
func (l *liveImport) encrypted(s *servertest.Server, byAnotherName string) {
	l.t.Helper()
	here := "present   2 accounts"
	l.want(0, here, "", "--from-tls", "unverified")
	l.want(0, here, "", "--from-tls", "off")
	l.want(0, here, "", "--from-ca", s.Authority)
	l.want(0, here, "", "--from-ca", s.Authority, "--from-tls", "verify")
	l.want(1, "", "--from-ca FILE names", "--from-tls", "verify")
	l.want(1, "", "of another name", "--from-ca", s.Authority, "--from", byAnotherName)
	if s.Postgres {
		return
	}
	s.Run("", "ALTER USER reader@'%' REQUIRE SSL")
	l.want(1, "", "", "--from-tls", "off")
	l.want(0, here, "", "--from-ca", s.Authority)
	s.Run("", "ALTER USER reader@'%' REQUIRE NONE; SET GLOBAL require_secure_transport = ON")
	l.want(1, "", "--from-tls verify", "--from-tls", "off")
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

// An import that waits for a server that takes the connection and says nothing ends when it is broken off.
func TestLiveImportOfASilentServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // nothing is left of it
	for _, scheme := range []string{"mysql", "postgres"} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		taken := make(chan net.Conn, 1)
		go func() {
			defer close(taken)
			if c, err := l.Accept(); err == nil {
				taken <- c
			}
			cancel()
		}()
		var out, said strings.Builder
		run(ctx, []string{"import", "records", "--system", "smf", "--from", scheme + "://ann@" + l.Addr().String() + "/forum",
			"--data", t.TempDir()}, &out, &said)
		if !strings.Contains(said.String(), "interrupted") {
			t.Errorf("%s: %s", scheme, said.String())
		}
		if c := <-taken; c != nil {
			_ = c.Close()
		}
	}
}
