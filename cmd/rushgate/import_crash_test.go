package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/redistest"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/server"
	"github.com/rushgate/rushgate/store/redis"
	"github.com/rushgate/rushgate/store/sqlite"
)

// crowd is accounts in a file, of which every second one has a character and every fifth a hash that is kept.
type crowd int

const crowdsMap = `{"id": "c.id", "own": true, "numbers": {"gold": "c.gold"}, "data": {"bag": "c.bag"},
	"characters": {"table": "c", "its": "account", "ours": "nr"}}`

// write writes the file, and returns what tells an import of it.
func (n crowd) write(t *testing.T) (args []string) {
	t.Helper()
	var b strings.Builder
	b.WriteString("CREATE TABLE a (nr int, name text, pw text);\nCREATE TABLE c (id int, account int, gold int, bag text);\n")
	for i := range int(n) {
		hash := "5f4dcc3b5aa765d61d8327deb882cf99"
		if i%5 == 0 {
			hash = "$2b$10$abcdefghijklmnopqrstuuVxrIdT0vjUpB4MyCPDlM.HLUnKfnWy6"
		}
		fmt.Fprintf(&b, "INSERT INTO a VALUES (%d,'%s','%s');\n", i, n.name(i), hash)
		if i%2 == 0 {
			fmt.Fprintf(&b, "INSERT INTO c VALUES (%d,%d,%d,'of %d');\n", 2*i+1, i, 3*i, i)
		}
	}
	dir := t.TempDir()
	dump, chars := filepath.Join(dir, "dump.sql"), filepath.Join(dir, "map.json")
	writeFile(t, dump, b.String())
	writeFile(t, chars, crowdsMap)
	return []string{"--system", "unsalted md5", "--table", "a", "--columns", "name=name,password=pw", "--file", dump, "--map", chars}
}

func (crowd) name(i int) string { return fmt.Sprintf("player-%05d", i) }

// check compares what a store has with what was in the file.
func (n crowd) check(t *testing.T, store rushgate.Store) {
	t.Helper()
	names := make([]string, n)
	for i := range names {
		names[i] = n.name(i)
	}
	ids := make(map[rushgate.PlayerID]bool)
	for first := 0; first < int(n); first += 500 {
		part := names[first:min(first+500, int(n))]
		accounts, err := store.LoadAccounts(t.Context(), part)
		if err != nil {
			t.Fatal(err)
		}
		characters, err := store.LoadCharacters(t.Context(), part)
		if err != nil {
			t.Fatal(err)
		}
		for i := range part {
			a, c := &accounts[i], &characters[i]
			if err := n.differs(first+i, a, c); err != nil || ids[a.ID] {
				t.Fatalf("%s: %v; its id is another's: %v", part[i], err, ids[a.ID])
			}
			ids[a.ID] = true
		}
	}
}

// differs says how an account is another than in the file.
func (n crowd) differs(i int, a *rushgate.LoadedAccount, c *rushgate.LoadedCharacter) error {
	if a.Err != nil || c.Err != nil {
		return errors.Join(a.Err, c.Err)
	}
	scheme, cost, err := password.Describe(a.PasswordHash)
	if err != nil {
		return err
	}
	want := fmt.Sprintf("of %d, character %d, %d, {\"bag\":\"of %[1]d\"}", i, 2*i+1, 3*i)
	got := fmt.Sprintf("of %d, character %d, %d, %s", i, a.ID, c.Numbers["gold"], c.Data)
	if i%2 == 1 {
		want, got = "import: ", a.Attempt[:min(len(a.Attempt), len("import:"))]+" "+string(c.Data)
	}
	switch kept := strings.HasPrefix(a.PasswordHash, "$2b$10$"); {
	case kept != (i%5 == 0), a.ID != c.ID, a.Username != n.name(i), c.Name != n.name(i), got != want:
		return fmt.Errorf("%s by %s (%s), account %d, character %d; want %s", got, scheme, cost, a.ID, c.ID, want)
	}
	return nil
}

// place is a store to import into, which can be looked into while an import runs.
type place struct {
	args []string
	has  func(name string) bool
	open func() rushgate.Store
}

func placeOnSQLite(t *testing.T) place {
	dir := filepath.Join(t.TempDir(), "data")
	return place{
		args: []string{"--data", dir},
		has: func(name string) bool { // at the latest; it may not be committed yet
			for _, end := range []string{"-wal", ""} {
				b, err := os.ReadFile(filepath.Join(dir, server.DatabaseName+end))
				if err == nil && bytes.Contains(b, []byte(name)) {
					return true
				}
			}
			return false
		},
		open: func() rushgate.Store { return openDatabase(t, dir, sqlite.Options{}) },
	}
}

func placeOnRedis(t *testing.T) place {
	s := redistest.Start(t)
	store, err := redis.Open(t.Context(), redis.Options{URLs: []string{s.URL()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return place{
		args: []string{"--db", "redis", "--redis-url", s.URL()},
		has: func(name string) bool {
			loaded, err := store.LoadAccounts(t.Context(), []string{name})
			return err == nil && loaded[0].ID != 0
		},
		open: func() rushgate.Store { return store },
	}
}

// An import that is killed in the middle, or interrupted, leaves nothing half done: the next one finds what is there,
// brings in the rest, and all is as after one that nothing has stopped. Each day that is tried once, on Redis, which
// takes a batch account by account.
func TestImportSurvivesItsEnd(t *testing.T) {
	if os.Getenv("RUSHGATE_LONG") == "" {
		stopAndGoOn(t, 400, placeOnRedis(t), syscall.SIGKILL)
		return
	}
	for name, in := range map[string]func(*testing.T) place{"sqlite": placeOnSQLite, "redis": placeOnRedis} {
		t.Run(name, func(t *testing.T) {
			stopAndGoOn(t, 10_000, in(t), syscall.SIGKILL, os.Interrupt, syscall.SIGKILL)
		})
	}
}

// stopAndGoOn stops the import of a crowd each time that some more of it is there, and then has it come to its end.
func stopAndGoOn(t *testing.T, n crowd, p place, signals ...os.Signal) {
	args := append(n.write(t), p.args...)
	for i, s := range signals {
		cmd, said := startImport(t, args...)
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		// Those with characters, which are those of even numbers, come first.
		last := n.name([]int{0, int(n) / 4 * 2, int(n)/4*2 + 1}[i])
		interrupt(t, cmd, s, func() bool { return p.has(last) }, ended)
		if s == os.Interrupt && !strings.Contains(said.String(), "interrupted") {
			t.Errorf("it says %s", said)
		}
	}
	o := runImportRecords(t, args...)
	o.want(t, 0, fmt.Sprintf("read      %d accounts", n), "")
	for line := range strings.Lines(o.stdout) {
		if strings.HasPrefix(line, "present") || strings.HasPrefix(line, "imported") {
			t.Log(strings.TrimSpace(line))
		}
	}
	runImportRecords(t, args...).want(t, 0, fmt.Sprintf("present   %d accounts", n), "")
	n.check(t, p.open())
}

// startImport begins an import in a process of its own.
func startImport(t *testing.T, args ...string) (*exec.Cmd, *syncBuffer) {
	t.Helper()
	said := newSyncBuffer()
	cmd := exec.Command(os.Args[0], append([]string{"import", "records", "--password-hash-iterations", "1000"}, args...)...)
	cmd.Env, cmd.Stdout, cmd.Stderr = commandEnv(), said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, said
}

// interrupt sends a signal to an import once it has come so far. One that is faster than the test comes to its end.
func interrupt(t *testing.T, cmd *exec.Cmd, s os.Signal, far func() bool, ended <-chan error) {
	t.Helper()
	for !far() {
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("the import ended before it was stopped: %v", err)
			}
			t.Log("the import came to its end before it was stopped")
			return
		case <-time.After(time.Millisecond):
		}
	}
	_ = cmd.Process.Signal(s) // which may be too late
	if err := <-ended; err == nil {
		t.Log("the import came to its end before it was stopped")
	}
}
