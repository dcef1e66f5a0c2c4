package main

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/access"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/audit"
	"github.com/rushgate/rushgate/internal/operator"
	"github.com/rushgate/rushgate/internal/redistest"
	"github.com/rushgate/rushgate/internal/secondfactor"
	"github.com/rushgate/rushgate/store/memory"
	"github.com/rushgate/rushgate/store/sqlite"
)

// Players go from SQLite to Redis and back, log in at a node there, and are refused where they do not belong.
func TestMoveThereAndBack(t *testing.T) {
	data, back := t.TempDir(), filepath.Join(t.TempDir(), "new")
	for _, name := range []string{"alice", "bob"} {
		runAccount(t, "correct horse\n", "create", name, "--data", data).want(t, 0, "created", "")
	}
	runAccount(t, "", "disable", "bob", "--reason", "cheating", "--data", data).want(t, 0, "disabled", "")
	err := withSQLite(t.Context(), data, false, func(s *sqlite.Store) error { // alice was scope once
		there := rushgate.Rename{Player: 1, Name: "alice", NewName: "scope"}
		back := rushgate.Rename{Player: 1, Name: "scope", Epoch: 1, NewName: "alice", Hold: rushgate.Forever()}
		return errors.Join(s.RenameAccount(t.Context(), there), s.RenameAccount(t.Context(), back))
	})
	if err != nil {
		t.Fatal(err)
	}
	url := redistest.Start(t).URL()
	must := func(want string, args ...string) {
		t.Helper()
		if o := runProcess(t, "", args...); o.status != 0 || !regexp.MustCompile(want).MatchString(o.stdout) {
			t.Fatalf("%q: %+v\nwant %s", args, o, want)
		}
	}
	must(`^moved     2 accounts in .*, 0 of which(.*\n)+ +and 1 names that are held`, "move", "--from", data, "--to", url)
	must(`^moved     2 accounts in .*, 2 of which`, "move", "--from", data, "--to", url) // once more changes nothing
	must(`^moved     2 accounts in .*, 0 of which`, "move", "--from", url, "--to", back)
	for _, where := range [][]string{{"--db", "redis", "--redis-url", url}, {"--data", back}} {
		must(`"name": ?"alice"`, append([]string{"account", "show", "alice", "--json"}, where...)...)
		must(`"disabled_reason": ?"cheating"`, append([]string{"account", "show", "bob", "--json"}, where...)...)
		impostor := runAccount(t, "correct horse\n", append([]string{"create", "scope"}, where...)...)
		if impostor.status != 1 || !strings.Contains(impostor.stderr, "there already is a player") {
			t.Errorf("the name that alice had is created anew: %+v", impostor)
		}
	}
	n := startNode(t, back)
	login, err := http.Post(n.http+"/v1/login", "application/json",
		strings.NewReader(`{"username":"alice","password":"correct horse"}`))
	if err != nil {
		t.Fatal(err)
	}
	login.Body.Close()
	if login.StatusCode != http.StatusOK {
		t.Errorf("a login where the players are now: %s", login.Status)
	}
	n.signal(t, os.Interrupt)
	if err := n.wait(t); err != nil {
		t.Error(err)
	}
	runAccount(t, "correct horse\n", "create", "carol", "--data", back).want(t, 0, "created", "")
	if o := runProcess(t, "", "move", "--from", url, "--to", back); o.status != 1 || !strings.Contains(o.stderr, "in use already") {
		t.Errorf("into a store with players of its own: %+v", o)
	}
}

// What the operator has decided goes along: the operators with their tokens, the mode, the bans, the lists, and the keys
// of the line, without which those in it would lose their places.
func TestMoveTakesAlongWhatNodesShare(t *testing.T) {
	ctx, from, to := t.Context(), t.TempDir(), filepath.Join(t.TempDir(), "new")
	var token string
	err := withSQLite(ctx, from, true, func(s *sqlite.Store) (err error) {
		if token, err = operator.NewBook(s).Add(ctx, "anna", operator.All, operator.Console); err != nil {
			return err
		}
		k := access.New(access.Config{Store: s})
		_, mode := k.SetMode(ctx, access.State{Mode: rushgate.ModeClosed, Message: "Moving"})
		_, ban := k.Ban(ctx, access.Ban{Device: access.DeviceOf("box"), Until: rushgate.Forever()})
		_, list := k.Edit(ctx, access.Staff, []string{"ann"}, nil)
		_, keys := s.SwapShared(ctx, "line-keys", nil, []byte("keys"))
		_, opaqueKeys := s.SwapShared(ctx, "opaque-keys", nil, []byte("0011223344556677"))
		return errors.Join(mode, ban, list, keys, opaqueKeys)
	})
	if err != nil {
		t.Fatal(err)
	}
	if o := runProcess(t, "", "move", "--from", from, "--to", to); o.status != 0 {
		t.Fatalf("%+v", o)
	}
	err = withSQLite(ctx, to, false, func(s *sqlite.Store) error {
		roll := operator.NewRoll(s)
		if err := roll.Refresh(ctx); err != nil {
			return err
		}
		if who, ok := roll.Find(token); !ok || who.Name != "anna" || who.Role != operator.All {
			t.Errorf("the token is that of %+v, %v", who, ok)
		}
		k := access.New(access.Config{Store: s})
		k.Begin(ctx)
		r := k.Rules()
		if !r.Closed() || r.Message != "Moving" || len(r.Bans()) != 1 || strings.Join(r.Names(access.Staff), " ") != "ann" {
			t.Errorf("the rules are %+v, %v, %v", r.State, r.Bans(), r.Names(access.Staff))
		}
		keys, err := s.Shared(ctx, "line-keys")
		if string(keys) != "keys" {
			t.Errorf("the keys of the line are %q", keys)
		}
		opaqueKeys, e := s.Shared(ctx, "opaque-keys")
		if string(opaqueKeys) != "0011223344556677" {
			t.Errorf("the keys of OPAQUE are %q", opaqueKeys)
		}
		return errors.Join(err, e)
	})
	if err != nil {
		t.Error(err)
	}
}

// An account that is to be deleted is deleted where it was moved to, and the audit log there says when the move has begun
// and what came of it. A store with an audit log of its own is refused before anything is there.
func TestMoveTakesAlongWhatIsToBeDeleted(t *testing.T) {
	ctx, from, to := t.Context(), t.TempDir(), filepath.Join(t.TempDir(), "new")
	var at time.Time
	err := withSQLite(ctx, from, true, func(s *sqlite.Store) error {
		l := account.New(s)
		made, err := l.Create(ctx, "alice", strings.Repeat("0", 32)+"$1000$"+strings.Repeat("0", 64))
		if err != nil {
			return err
		}
		a, err := l.Account(ctx, account.Owner{Player: made.Player, Name: "alice"})
		if err != nil {
			return err
		}
		at, err = l.PlanDeletion(ctx, &secondfactor.Proved{Account: a}, time.Hour, "")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if o := runProcess(t, "", "move", "--from", from, "--to", to); o.status != 0 {
		t.Fatalf("%+v", o)
	}
	err = withSQLite(ctx, to, false, func(s *sqlite.Store) error {
		tasks, err := s.LoadTasks(ctx, []rushgate.TaskID{{Kind: account.DeletionTask, ID: "1"}})
		if err != nil || !tasks[0].Due.Equal(at) {
			t.Errorf("planned is %+v, %v, want a look at %v", tasks, err, at)
			return err
		}
		look, err := account.New(s).LookAt(ctx, tasks[0])
		if look != account.Waits {
			t.Errorf("the look finds %v", look)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	o := runProcess(t, "", "audit", "show", "--data", to)
	if !regexp.MustCompile(`(?m)store\.move  1 accounts, 0 .*  done \(of 1\)\n.*store\.move  begun, to sqlite$`).MatchString(o.stdout) {
		t.Errorf("%+v", o)
	}

	other := filepath.Join(t.TempDir(), "other")
	if o := runProcess(t, "", "operator", "add", "anna", "--role", "all", "--data", other); o.status != 0 {
		t.Fatalf("%+v", o)
	}
	o = runProcess(t, "", "move", "--from", from, "--to", other)
	if o.status != 1 || !strings.Contains(o.stderr, "audit log of its own") || !strings.Contains(o.stderr, "another data folder") ||
		o.stdout != "" {
		t.Errorf("%+v", o)
	}
}

// noAuditLog is a store whose audit log takes nothing.
type noAuditLog struct{ rushgate.Store }

func (noAuditLog) AppendAudit(context.Context, uint64, [][]byte) (bool, error) {
	return false, errors.New("the disk is full")
}

// A move that fails once all is there but the audit log has failed, though its log has said "done", which goes along. The
// same move then goes on and ends.
func TestMoveFailsAtTheAuditLog(t *testing.T) {
	ctx := t.Context()
	from, to := memory.New(memory.Options{}), memory.New(memory.Options{})
	progress := func(int, int) {}
	if _, err := moveNoted(ctx, from, noAuditLog{to}, "sqlite", progress); err == nil {
		t.Fatal("the move is done without its audit log")
	}
	outcomes := func(s rushgate.Store) (of string) {
		t.Helper()
		entries, err := audit.Read(ctx, s, 1, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			of += cmp.Or(e.Outcome, "begun") + " "
		}
		return of
	}
	if got := outcomes(from); got != "begun done failed " {
		t.Errorf("the audit log says %q", got)
	}
	if _, err := moveNoted(ctx, from, to, "sqlite", progress); err != nil {
		t.Fatal(err)
	}
	if got := outcomes(to); got != "begun done failed begun done " {
		t.Errorf("the audit log that went along says %q", got)
	}
}

func TestMoveUsage(t *testing.T) {
	dir := t.TempDir()
	for want, args := range map[string][]string{
		"say where the players are":  {"--to", dir},
		"say where to bring them":    {"--from", dir},
		"are the same":               {"--from", dir, "--to", dir},
		"are the same place":         {"--from", dir, "--to", dir + "/../" + filepath.Base(dir)},
		"no players are kept in":     {"--from", dir, "--to", filepath.Join(dir, "new")},
		"unexpected argument beside": {"--from", dir, "--to", dir, "there"},
	} {
		o := runProcess(t, "", append([]string{"move"}, args...)...)
		if o.status == 0 || o.stdout != "" || !strings.Contains(o.stderr, want) {
			t.Errorf("%q: %+v, want %s", args, o, want)
		}
	}
	if got, err := os.ReadDir(dir); err != nil || len(got) > 0 {
		t.Errorf("left behind: %v, %v", got, err)
	}
}
