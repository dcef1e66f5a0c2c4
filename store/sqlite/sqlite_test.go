package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/storetest"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(crashEnv); path != "" {
		os.Exit(registerUntilKilled(path))
	}
	os.Exit(m.Run())
}

func TestConformance(t *testing.T) {
	c := storetest.NewClock()
	paths := make(map[rushgate.Store]string)
	open := func(t *testing.T, path string) rushgate.Store {
		t.Helper()
		s, err := Open(t.Context(), path, Options{Now: c.Now, Boards: storetest.Boards()})
		if err != nil {
			t.Fatal(err)
		}
		paths[s] = path
		return s
	}
	storetest.Run(t, storetest.Harness{
		Open: func(t *testing.T) rushgate.Store {
			t.Helper()
			return open(t, filepath.Join(t.TempDir(), "store.db"))
		},
		Reopen: func(t *testing.T, s rushgate.Store) rushgate.Store {
			t.Helper()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, paths[s])
		},
		FewWrites: underRace,
		Advance:   c.Advance,
	})
}

// openStore opens a store that is closed with the test; opening the same path again finds the same data.
func openStore(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(context.Background(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func newStore(t testing.TB) *Store {
	t.Helper()
	return openStore(t, filepath.Join(t.TempDir(), "store.db"))
}

var testInstance = rushgate.Instance{Node: "n", Run: "r"}

func registration(id rushgate.PlayerID) rushgate.Admission {
	return rushgate.Admission{
		Account: rushgate.Account{
			ID:           id,
			Username:     fmt.Sprintf("player%d", id),
			PasswordHash: fmt.Sprintf("hash %d", id),
			CreatedAt:    time.Date(2026, time.May, 1, 0, 0, 0, 0, time.UTC),
		},
		Create:  true,
		Attempt: "a",
	}
}

func register(s *Store, ids ...rushgate.PlayerID) error {
	var batch []rushgate.Admission
	for _, id := range ids {
		batch = append(batch, registration(id))
	}
	admitted, err := s.Admit(context.Background(), testInstance, batch)
	for i := range admitted {
		err = errors.Join(err, admitted[i].Err)
	}
	return err
}

func wantAccounts(t testing.TB, s *Store, ids ...rushgate.PlayerID) {
	t.Helper()
	for _, id := range ids {
		accounts, err := s.LoadAccounts(context.Background(), []string{registration(id).Account.Username})
		if err != nil || accounts[0].ID != id {
			t.Errorf("account %d is %+v, %v", id, accounts, err)
		}
	}
}

func TestClosed(t *testing.T) {
	s := newStore(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := register(s, 1); !errors.Is(err, ErrClosed) {
		t.Errorf("Admit after Close = %v, want %v", err, ErrClosed)
	}
	if _, err := s.Presence(t.Context(), nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Presence after Close = %v, want %v", err, ErrClosed)
	}
}

// A ping tells more than that the store is open: it waits for a connection and reads.
func TestPingFindsNoConnection(t *testing.T) {
	s := newStore(t)
	var held []*sql.Conn
	for range readers {
		c, err := s.read.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := s.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Ping while all connections are taken = %v, want %v", err, context.DeadlineExceeded)
	}
	for _, c := range held {
		_ = c.Close()
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("Ping after that: %v", err)
	}
}

// The pragmas belong to a connection, and a pool has many.
func TestPragmasHoldOnEveryConnection(t *testing.T) {
	s := newStore(t)
	type queryer interface {
		pragma(name string) (string, error)
	}
	conns := map[string]queryer{"writer": conn{s.writer.conn}}
	for i := range readers {
		c, err := s.read.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		conns[fmt.Sprint("reader ", i)] = conn{c}
	}
	for name, c := range conns {
		queryOnly := "1"
		if name == "writer" {
			queryOnly = "0"
		}
		want := map[string]string{
			"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000", "query_only": queryOnly,
		}
		for pragma, want := range want {
			if got, err := c.pragma(pragma); err != nil || got != want {
				t.Errorf("%s: %s = %q, %v; want %q", name, pragma, got, err, want)
			}
		}
	}
}

// A column that cannot be read costs its own account the login, and no other.
func TestDamagedRecordHarmsNoOther(t *testing.T) {
	s := newStore(t)
	const secret = "hunter22"
	columns := []struct{ column, value string }{
		{"credentials", `'{"not": "a list"}'`}, {"devices", `'` + secret + `'`}, {"devices", `'[]'`},
		{"devices", `'[{"id":"` + secret + `"}]'`}, {"devices_revision", "-1"}, {"epoch", "-1"},
	}
	for i, tt := range columns {
		damaged, whole := rushgate.PlayerID(2*i+1), rushgate.PlayerID(2*i+2)
		if err := register(s, damaged, whole); err != nil {
			t.Fatal(err)
		}
		err := s.do(t.Context(), func(ctx context.Context) error {
			_, err := s.writer.conn.ExecContext(ctx, fmt.Sprintf(`UPDATE accounts SET %s = %s WHERE id = %d`,
				tt.column, tt.value, damaged))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		names := []string{fmt.Sprint("player", damaged), fmt.Sprint("player", whole), "nobody"}
		got, err := s.LoadAccounts(t.Context(), names)
		if err != nil || !errors.Is(got[0].Err, rushgate.ErrDamagedRecord) || got[0].ID != 0 {
			t.Fatalf("%+v: accounts are %+v, %v; want %v for the first", tt, got, err, rushgate.ErrDamagedRecord)
		}
		if says := got[0].Err.Error(); !strings.Contains(says, tt.column) || strings.Contains(says, secret) {
			t.Errorf("%+v: the error is %q", tt, says)
		}
		if got[1].Err != nil || got[1].ID != whole || got[2].Err != nil || got[2].ID != 0 {
			t.Errorf("%+v: the others are %+v", tt, got[1:])
		}
		admissions := []rushgate.Admission{registration(damaged), registration(whole)}
		if in, err := s.Admit(t.Context(), testInstance, admissions); err != nil || in[1].Err != nil {
			t.Errorf("%+v: admitted as %+v, %v", tt, in, err)
		}
	}
}

// Numbers that cannot be read cost their own player the login, and no other, and hold up no leaderboard.
func TestDamagedNumbersHarmNoOther(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path)
	damages := []string{
		`not JSON`, ``, `[]`, `{"gold":"much"}`, `{"gold":1.5}`, `{"Gold":1}`,
		`{"gold":9223372036854775808}`,
	}
	for i, damage := range damages {
		damaged, whole := rushgate.PlayerID(2*i+1), rushgate.PlayerID(2*i+2)
		if err := register(s, damaged, whole); err != nil {
			t.Fatal(err)
		}
		err := s.do(t.Context(), func(ctx context.Context) error {
			_, err := s.writer.conn.ExecContext(ctx, `UPDATE characters SET numbers = ? WHERE id = ?`, damage, int64(damaged))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		names := []string{fmt.Sprint("player", damaged), fmt.Sprint("player", whole)}
		got, err := s.LoadCharacters(t.Context(), names)
		if err != nil || damage != "" && !errors.Is(got[0].Err, rushgate.ErrDamagedRecord) || got[1].Err != nil {
			t.Errorf("%q: characters are %+v, %v", damage, got, err)
		}
		admissions := []rushgate.Admission{registration(damaged), registration(whole)}
		in, err := s.Admit(t.Context(), testInstance, admissions)
		if err != nil || damage != "" && !errors.Is(in[0].Err, rushgate.ErrDamagedRecord) || in[1].Err != nil {
			t.Errorf("%q: admitted as %+v, %v", damage, in, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	withBoard, err := Open(t.Context(), path, Options{Boards: []rushgate.Board{"gold"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = withBoard.Close() }()
	if ranks, err := withBoard.Top(t.Context(), "gold", 100); err != nil || len(ranks) != 2*len(damages) {
		t.Errorf("leaderboard has %d lines, %v", len(ranks), err)
	}
}

// A board that a game asks for later ranks the players who are there already, and that of a database which another game
// or an older version has left is there too.
func TestABoardIsNewToAnOldDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path)
	if err := register(s, 1, 2); err != nil {
		t.Fatal(err)
	}
	in, err := s.Admit(t.Context(), testInstance, []rushgate.Admission{registration(1), registration(2)})
	if err != nil {
		t.Fatal(err)
	}
	var saves []rushgate.Save
	for i, a := range in {
		a.Character.Numbers["gold"] = int64(i)
		saves = append(saves, rushgate.Save{Character: a.Character, Fence: a.Lease.Fence})
	}
	if errs, err := s.Save(t.Context(), saves); err != nil || errs[0] != nil || errs[1] != nil {
		t.Fatal(errs, err)
	}
	if _, err := s.Top(t.Context(), "gold", 1); err == nil {
		t.Error("a board that was not asked for is there")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s, err := Open(t.Context(), path, Options{Boards: []rushgate.Board{"gold", "xp"}})
		if err != nil {
			t.Fatal(err)
		}
		ranks, err := s.Top(t.Context(), "gold", 2)
		if want := (rushgate.Rank{Rank: 1, Player: 2, Name: "player2", Score: 1}); err != nil || ranks[0] != want {
			t.Errorf("leaderboard is %+v, %v", ranks, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(t.Context(), path, Options{Boards: []rushgate.Board{"a'b"}}); err == nil {
		t.Error("a board with a quote in its name is taken")
	}
}

// A leaderboard must not read or sort all characters.
func TestBoardsUseAnIndex(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "store.db"), Options{Boards: storetest.Boards()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	for _, board := range storetest.Boards() {
		plan := queryPlan(t, s, topQuery(board), 10)
		if strings.Contains(plan, ";") || !strings.Contains(plan, "USING INDEX characters_by_"+string(board)) {
			t.Errorf("plan of board %s is %q", board, plan)
		}
	}
}
