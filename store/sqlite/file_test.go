package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
)

// conn is a connection with the queries that tests ask.
type conn struct{ *sql.Conn }

func (c conn) pragma(name string) (value string, err error) {
	err = c.QueryRowContext(context.Background(), "PRAGMA "+name).Scan(&value)
	return value, err
}

// writeOfSchema makes a database as an older version of this package has, and rows in it by those statements.
func writeOfSchema(t *testing.T, path string, version int, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := migrate(t.Context(), c, migrations[:version]); err != nil {
		t.Fatal(err)
	}
	for _, statement := range statements {
		if _, err := c.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(c.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// foreignFile makes a SQLite file without the help of this package.
func foreignFile(t *testing.T, statements ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "foreign.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenRefuses(t *testing.T) {
	ours := fmt.Sprintf(`PRAGMA application_id = %d`, applicationID)
	text := filepath.Join(t.TempDir(), "notes.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("This is no database. ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, path string
		want       error
		says       string
	}{
		{"a text file", text, ErrForeign, "not a SQLite file"},
		{"tables without a mark", foreignFile(t, `CREATE TABLE bookmarks (url)`), ErrForeign, "application id 0x0"},
		{"another application", foreignFile(t, `PRAGMA application_id = 0x66ab`), ErrForeign, "0x66ab"},
		{"a version without a mark", foreignFile(t, `PRAGMA user_version = 1`), ErrForeign, "application id 0x0"},
		{"a newer schema", foreignFile(t, ours, `PRAGMA user_version = 99`),
			&SchemaError{Found: 99, Known: len(migrations)}, "version 99"},
		{"a folder that is missing", filepath.Join(t.TempDir(), "missing", "store.db"), fs.ErrNotExist, "missing"},
		{"no path", "", nil, "no path"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before, _ := os.ReadFile(tt.path)
			s, err := Open(t.Context(), tt.path, Options{})
			if err == nil {
				_ = s.Close()
				t.Fatal("it was opened")
			}
			if want, ok := errors.AsType[*SchemaError](tt.want); ok {
				if got, ok := errors.AsType[*SchemaError](err); !ok || *got != *want {
					t.Errorf("error %v is not %v", err, want)
				}
			} else if tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("error %v is not %v", err, tt.want)
			}
			if !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), tt.path) {
				t.Errorf("error %q does not name %q and the path", err, tt.says)
			}
			if after, _ := os.ReadFile(tt.path); !slices.Equal(before, after) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestOpenLocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path)
	if err := register(s, 1); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link.db")
	names := []string{path}
	if err := os.Symlink(path, link); err == nil { // needs a privilege on Windows
		names = append(names, link)
	}
	for _, name := range names {
		if second, err := Open(t.Context(), name, Options{}); !errors.Is(err, ErrLocked) {
			t.Errorf("second Open of %s = %v, %v; want %v", name, second, err, ErrLocked)
		}
	}
	if err := register(s, 2); err != nil {
		t.Errorf("the first store suffered: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantAccounts(t, openStore(t, path), 1, 2)
}

// An Open that fails gives the lock back.
func TestOpenFailsCleanly(t *testing.T) {
	path := foreignFile(t, `PRAGMA application_id = 7`)
	for range 2 {
		if _, err := Open(t.Context(), path, Options{}); !errors.Is(err, ErrForeign) {
			t.Fatalf("Open = %v, want %v", err, ErrForeign)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	fresh := filepath.Join(t.TempDir(), "store.db")
	if _, err := Open(ctx, fresh, Options{}); !errors.Is(err, context.Canceled) {
		t.Fatalf("Open = %v, want %v", err, context.Canceled)
	}
	openStore(t, fresh)
}

// A store that is closed has let go of its files, and is one file that can be copied. SQLite removes the log once the
// last connection is really closed, which needs all statements closed.
func TestCloseLeavesOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path)
	if err := register(s, 1); err != nil {
		t.Fatal(err)
	}
	wantAccounts(t, s, 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(path + "*")
	if want := []string{path, path + ".lock"}; err != nil || !slices.Equal(files, want) {
		t.Errorf("files are %q, %v; want %q", files, err, want)
	}
}

func TestFileIsPrivateAndKeepsItsName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "100% odd?name #1&mode=ro.db")
	if runtime.GOOS == "windows" {
		path = strings.ReplaceAll(path, "?", "_")
	}
	s := openStore(t, path)
	if err := register(s, 1); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Errorf("%v", err)
		} else if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", info.Name(), info.Mode())
		}
	}
}

// Whatever version a database has, it arrives at the same schema with its rows.
func TestMigrateFromEachVersion(t *testing.T) {
	schema := func(db *sql.DB) (s string) {
		t.Helper()
		const schema = `SELECT group_concat(sql, ';' ORDER BY name) FROM sqlite_schema`
		if err := db.QueryRowContext(t.Context(), schema).Scan(&s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	want := schema(newStore(t).read)
	for version := range len(migrations) + 1 {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "store.db")
			var rows []string
			if version > 0 {
				const account = `INSERT INTO accounts (id, username, password_hash, attempt, created_at) ` +
					`VALUES (1, 'player1', 'h', '', 0)`
				rows = append(rows, account)
			}
			writeOfSchema(t, path, version, rows...)

			s := openStore(t, path)
			if got := schema(s.read); got != want {
				t.Errorf("schema is\n%s\nwant\n%s", got, want)
			}
			if got, err := (conn{s.writer.conn}).pragma("user_version"); err != nil || got != fmt.Sprint(len(migrations)) {
				t.Errorf("version is %s, %v", got, err)
			}
			if version > 0 {
				wantAccounts(t, s, 1)
			}
		})
	}
}

// Accounts of schema version 1 are records of version 3 and lose nothing; not one row is written again.
func TestMigrateAccountVersion(t *testing.T) {
	const n = 1000
	path := filepath.Join(t.TempDir(), "store.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	c, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := migrate(t.Context(), c, migrations[:1]); err != nil {
		t.Fatal(err)
	}
	const ids = `WITH RECURSIVE ids (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < 1000) `
	for _, rows := range []string{
		`INSERT INTO accounts (id, username, password_hash, attempt, created_at) ` + ids +
			`SELECT id, 'player' || id, 'hash ' || id, 'attempt ' || id, id FROM ids`,
		`INSERT INTO characters (id, name, zone, x, y, hp, xp, level, deaths, playtime_ms, created_at, fence, data) ` + ids +
			`SELECT id, 'player' || id, 'inn', 1.5, NULL, 7, id, 3, 2, 1000, id, 5, x'0102' FROM ids`,
		`UPDATE player_ids SET last = 1000`,
	} {
		if _, err := c.ExecContext(t.Context(), rows); err != nil {
			t.Fatal(err)
		}
	}
	changes := func() (n int) {
		t.Helper()
		if err := c.QueryRowContext(t.Context(), `SELECT total_changes()`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := changes()
	if err := migrate(t.Context(), c, migrations); err != nil {
		t.Fatal(err)
	}
	if after := changes(); after != before {
		t.Errorf("the migrations have written %d rows", after-before)
	}
	if err := errors.Join(c.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}

	s := openStore(t, path)
	for _, id := range []rushgate.PlayerID{1, 500, n} {
		got, err := s.LoadAccounts(t.Context(), []string{fmt.Sprint("player", id)})
		want := rushgate.Account{
			ID: id, Username: fmt.Sprint("player", id),
			PasswordHash: fmt.Sprint("hash ", id), Attempt: fmt.Sprint("attempt ", id),
			CreatedAt: time.UnixMilli(int64(id)).UTC(), Version: 3, Zone: "inn",
		}
		if err != nil || got[0].Err != nil || !reflect.DeepEqual(got[0].Account, want) {
			t.Errorf("account is %+v, %v; want %+v", got, err, want)
		}
		login := rushgate.Admission{Account: want, NewHash: "new", Attempt: "a"}
		in, err := s.Admit(t.Context(), testInstance, []rushgate.Admission{login})
		if err != nil || in[0].Err != nil || !in[0].HashReplaced ||
			in[0].Lease.Fence != 6 || in[0].Character.Numbers["xp"] != int64(id) {
			t.Errorf("admitted as %+v, %v", in, err)
		}
		got, err = s.LoadAccounts(t.Context(), []string{want.Username})
		if want.PasswordHash, want.Version = "new", 5; err != nil || !reflect.DeepEqual(got[0].Account, want) {
			t.Errorf("after the login the account is %+v, %v; want %+v", got, err, want)
		}
	}
	if next, err := s.ReserveIDs(t.Context(), 1); err != nil || next != n+1 {
		t.Errorf("next id is %d, %v; want %d", next, err, n+1)
	}
}

// A session that an older version has opened is held as before, and has no name by which it could be continued; the
// account remembers devices from now on.
func TestSessionOfAnOlderSchema(t *testing.T) {
	const before = 6 // the schema without sessions and devices
	path := filepath.Join(t.TempDir(), "store.db")
	expires := time.Now().Add(time.Hour).UnixMilli()
	writeOfSchema(t, path, before,
		`INSERT INTO accounts (id, username, password_hash, attempt, created_at, version)
			VALUES (1, 'player1', 'h', '', 1, 4)`,
		`INSERT INTO characters (id, name, zone, hp, xp, level, deaths, playtime_ms, created_at, fence, data)
			VALUES (1, 'player1', 'inn', 7, 1, 3, 2, 1000, 1, 5, x'')`,
		fmt.Sprintf(`INSERT INTO leases (player_id, node, run, attempt, expires_at) VALUES (1, 'n', 'r', 'a', %d)`, expires))

	s := openStore(t, path)
	lease := rushgate.Lease{Player: 1, Name: "player1", Fence: 5}
	login := rushgate.Admission{Account: rushgate.Account{ID: 1, Username: "player1"}, Attempt: "a"}
	other, continued := login, login
	other.Attempt = "b"
	continued.Session, continued.Continue = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU", true
	got, err := s.Admit(t.Context(), testInstance, []rushgate.Admission{other, continued, login})
	if err != nil || !errors.Is(got[0].Err, rushgate.AlreadyLoggedIn) || got[0].Holder != testInstance ||
		!errors.Is(got[1].Err, rushgate.BadCredentials) || got[2].Err != nil || !got[2].Resumed || got[2].Lease != lease {
		t.Errorf("admitted as %+v, %v", got, err)
	}
	save := rushgate.Save{Character: got[2].Character, Fence: 5, Release: true, Resumable: time.Hour}
	if errs, err := s.Save(t.Context(), []rushgate.Save{save}); err != nil || errs[0] != nil {
		t.Errorf("a parking of no session: %v, %v", errs, err)
	}
	now := time.UnixMilli(1).UTC()
	device := rushgate.Device{
		ID: "d", Label: "phone", Token: continued.Session, Attempt: "b", CreatedAt: now, UsedAt: now, ExpiresAt: now,
	}
	other.Devices = []rushgate.Device{device}
	if got, err := s.Admit(t.Context(), testInstance, []rushgate.Admission{other}); err != nil || got[0].Err != nil {
		t.Errorf("a login that is remembered: %+v, %v", got, err)
	}
	want := rushgate.Account{
		ID: 1, Username: "player1", PasswordHash: "h", CreatedAt: now, Version: rushgate.AccountVersion, Zone: "inn",
		Devices: rushgate.Devices{Revision: 1, List: other.Devices},
	}
	loaded, err := s.LoadAccounts(t.Context(), []string{"player1"})
	if err != nil || loaded[0].Err != nil || !reflect.DeepEqual(loaded[0].Account, want) {
		t.Errorf("the account is %+v, %v; want %+v", loaded, err, want)
	}
}

// Accounts of a schema that did not have it yet have their look after the start, more than one batch of them.
func TestOldAccountsHaveALook(t *testing.T) {
	path := filepath.Join(t.TempDir(), "old.db")
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	const players = fillBatch + 10
	var accounts []rushgate.Account
	for i := range players {
		accounts = append(accounts, rushgate.Account{
			ID: rushgate.PlayerID(i + 1), Username: fmt.Sprint("scope-", i+1000), PasswordHash: "h",
		})
	}
	if _, err := s.CreateAccounts(t.Context(), accounts); err != nil {
		t.Fatal(err)
	}
	if _, err := s.writer.conn.ExecContext(t.Context(), `UPDATE accounts SET skeleton = NULL`); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(t.Context(), path, Options{}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, n := range []int{1000, 1000 + players - 1} {
		name := fmt.Sprint("scope-", n)
		got, err := s.Lookalikes(t.Context(), []string{"ѕсоре-" + fmt.Sprint(n), name})
		if err != nil || got[0] != name || got[1] != "" {
			t.Errorf("lookalikes of %s: %q, %v", name, got, err)
		}
	}
}

// A migration that fails half-way leaves the version before it, from which the next start goes on.
func TestMigrationIsAtomic(t *testing.T) {
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	sqlConn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sqlConn.Close() }()
	c := conn{sqlConn}
	tables := func() (names string) {
		t.Helper()
		const query = `SELECT coalesce(group_concat(name, ' ' ORDER BY name), '') FROM sqlite_schema`
		if err := c.QueryRowContext(t.Context(), query).Scan(&names); err != nil {
			t.Fatal(err)
		}
		return names
	}
	steps := []struct {
		migrations      []string
		ok              bool
		tables, version string
	}{
		{[]string{`CREATE TABLE a (x)`}, true, "a", "1"},
		{[]string{`CREATE TABLE a (x)`, `CREATE TABLE b (x); CREATE TABLE a (x)`}, false, "a", "1"},
		{[]string{`CREATE TABLE a (x)`, `CREATE TABLE b (x)`, `CREATE TABLE c (x)`}, true, "a b c", "3"},
		{[]string{`CREATE TABLE a (x)`, `CREATE TABLE b (x)`, `CREATE TABLE c (x)`}, true, "a b c", "3"},
	}
	for i, step := range steps {
		if err := migrate(t.Context(), c.Conn, step.migrations); (err == nil) != step.ok {
			t.Errorf("step %d: %v", i, err)
		}
		if got := tables(); got != step.tables {
			t.Errorf("step %d: tables are %q, want %q", i, got, step.tables)
		}
		if got, err := c.pragma("user_version"); err != nil || got != step.version {
			t.Errorf("step %d: version is %s, %v; want %s", i, got, err, step.version)
		}
	}
}
