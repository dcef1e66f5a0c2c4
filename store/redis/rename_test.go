package redis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/redistest"
)

var errCut = errors.New("the node has died")

// renameSteps are after which a node can die in the midst of a rename, and whether the account then gets the new name.
var renameSteps = []struct {
	name    string
	renamed bool
}{{"reserved", false}, {"left", true}, {"arrived", true}, {"settled", true}}

// mover is a player who is renamed, with something of everything that a record can hold.
type mover struct {
	id       rushgate.PlayerID
	old, new string
	before   map[string]string // the record
}

func (m *mover) rename() rushgate.Rename {
	return rushgate.Rename{Player: m.id, Name: m.old, Epoch: 1, NewName: m.new, Hold: rushgate.Forever()}
}

func newMover(t *testing.T, s *Store, id rushgate.PlayerID) *mover {
	t.Helper()
	a := registration(id)
	m := &mover{id: id, old: a.Account.Username, new: fmt.Sprintf("new%d", id)}
	a.Session = strings.Repeat("s", 42) + "A"
	in := admit(t, s, nodeA, a)[0]
	in.Character.Zone, in.Character.Data = "inn", []byte{0, '\n', 255}
	in.Character.Numbers = rushgate.Numbers{"xp": 7, "gold": 9}
	save := rushgate.Save{Character: in.Character, Fence: in.Lease.Fence, Release: true, Resumable: time.Hour}
	if errs, err := s.Save(t.Context(), []rushgate.Save{save}); err != nil || errs[0] != nil {
		t.Fatal(errs, err)
	}
	change := rushgate.AccountChange{
		Player: id, Name: m.old, Credentials: []rushgate.Credential{{Kind: "totp", Secret: "s"}}, RaiseEpoch: true,
		Disabled: &rushgate.Disabled{Until: rushgate.Forever(), Reason: "why\nnot"},
	}
	if errs, err := s.UpdateAccounts(t.Context(), []rushgate.AccountChange{change}); err != nil || errs[0] != nil {
		t.Fatal(errs, err)
	}
	e := rushgate.AccountEvent{ID: "e", At: time.UnixMilli(5).UTC(), Kind: "banned", By: "op", Text: "10: \"a\"\nb"}
	errs, err := s.Note(t.Context(), []rushgate.Noted{{Player: id, Name: m.old, AccountEvent: e}})
	if err != nil || errs[0] != nil {
		t.Fatal(errs, err)
	}
	m.before = m.record(t, s, m.old)
	return m
}

func (m *mover) record(t *testing.T, s *Store, name string) map[string]string {
	t.Helper()
	results, err := s.run(t.Context(), []command{{name: "HGETALL", key: s.playerKey(name)}})
	if err != nil {
		t.Fatal(err)
	}
	record, err := results[0].AsStrMap()
	if err != nil {
		t.Fatal(err)
	}
	return record
}

// wantWhole checks that the account is under exactly one of its names, with all that it had. It looks at the records
// themselves: whatever has come upon them before has to have put them in order.
func (m *mover) wantWhole(t *testing.T, s *Store, renamed bool) {
	t.Helper()
	old, next := m.record(t, s, m.old), m.record(t, s, m.new)
	if !renamed {
		if delete(next, renameField); !maps.Equal(old, m.before) || len(next) != 0 {
			t.Fatalf("records are\n%q and\n%q, want\n%q alone", old, next, m.before)
		}
		return
	}
	want := maps.Clone(m.before)
	want["username"], want["epoch"] = m.new, "2"
	for _, field := range []string{"session", "lease_until", "lease_node", "lease_run", "lease_attempt", "lease_epoch"} {
		delete(want, field)
	}
	if old[renameField] == "" && strings.HasPrefix(next[renameField], "at ") {
		delete(next, renameField) // of which nothing is left to do
	}
	held := map[string]string{"held_for": formatID(m.id), "held_until": formatTime(rushgate.Forever())}
	if !maps.Equal(next, want) || !maps.Equal(old, held) {
		t.Fatalf("records are\n%q and\n%q, want\n%q and\n%q", old, next, held, want)
	}
}

// finders come upon a rename that was left half done, each in a way of its own.
var finders = map[string]func(t *testing.T, s *Store, m *mover) error{
	"account by the old name": func(t *testing.T, s *Store, m *mover) error {
		_, err := s.LoadAccounts(t.Context(), []string{"other", m.old})
		return err
	},
	"account by the new name": func(t *testing.T, s *Store, m *mover) error {
		_, err := s.LoadAccounts(t.Context(), []string{m.new, "other"})
		return err
	},
	"character": func(t *testing.T, s *Store, m *mover) error {
		_, err := s.LoadCharacters(t.Context(), []string{m.new})
		return err
	},
	"history": func(t *testing.T, s *Store, m *mover) error {
		_, err := s.LoadHistories(t.Context(), []string{m.old, m.new})
		return err
	},
	"registrations": func(t *testing.T, s *Store, m *mover) error {
		for i, name := range []string{m.old, m.new} {
			a := registration(m.id + 5000 + rushgate.PlayerID(i))
			a.Account.Username = name
			got, err := s.Admit(t.Context(), nodeA, []rushgate.Admission{a})
			if err != nil || !errors.Is(got[0].Err, rushgate.UsernameTaken) {
				return fmt.Errorf("registration of %s: %+v, %w", name, got, err)
			}
		}
		return nil
	},
	"an operator": func(t *testing.T, s *Store, m *mover) error {
		a, b := registration(m.id+5000).Account, registration(m.id+6000).Account
		a.Username, b.Username = m.old, m.new
		errs, err := s.CreateAccounts(t.Context(), []rushgate.Account{a, b})
		if err == nil && (!errors.Is(errs[0], rushgate.UsernameTaken) || !errors.Is(errs[1], rushgate.UsernameTaken)) {
			err = errors.Join(errs...)
		}
		return err
	},
	"a walk": func(t *testing.T, s *Store, m *mover) error {
		names := walk(t, s, "")
		if slices.Contains(names, m.old) == slices.Contains(names, m.new) {
			return fmt.Errorf("a walk has found %q", names)
		}
		return nil
	},
	"a walk through the new name": func(t *testing.T, s *Store, m *mover) error {
		walk(t, s, m.new)
		return nil
	},
	"a node that starts": func(t *testing.T, s *Store, m *mover) error {
		for addr := range s.client.Nodes() {
			for cursor, first := uint64(0), true; first || cursor != 0; first = false {
				var err error
				if cursor, err = s.noteSome(t.Context(), addr, cursor); err != nil {
					return err
				}
			}
		}
		return nil
	},
}

func walk(t *testing.T, s *Store, prefix string) (names []string) {
	t.Helper()
	for cursor, first := "", true; first || cursor != ""; first = false {
		page, next, err := s.Usernames(t.Context(), prefix, cursor, 10)
		if err != nil {
			t.Fatal(err)
		}
		names, cursor = append(names, page...), next
	}
	return names
}

// A node dies between every two steps of a rename. Whoever comes upon what is left next, the account then is under
// exactly one name, with everything.
func TestRenameThatDied(t *testing.T) {
	t.Run("Single", func(t *testing.T) { renameThatDied(t, Options{URLs: []string{redistest.Start(t).URL()}}) })
	t.Run("Cluster", func(t *testing.T) { renameThatDied(t, Options{URLs: redistest.StartCluster(t).URLs()}) })
}

func renameThatDied(t *testing.T, opts Options) {
	opts.Logger = quiet()
	s := openStore(t, opts)
	id := rushgate.PlayerID(0)
	for _, step := range renameSteps {
		opts.cut = func(name string) error {
			if name == step.name {
				return errCut
			}
			return nil
		}
		dying := openStore(t, opts)
		for how, find := range finders {
			id++
			m := newMover(t, s, id)
			if err := dying.RenameAccount(t.Context(), m.rename()); !errors.Is(err, errCut) {
				t.Fatalf("%s: the rename has ended with %v", step.name, err)
			}
			if err := find(t, s, m); err != nil {
				t.Fatalf("cut after %s, found by %s: %v", step.name, how, err)
			}
			t.Logf("cut after %s, found by %s", step.name, how)
			m.wantWhole(t, s, step.renamed)
			if err := s.RenameAccount(t.Context(), m.rename()); err != nil { // sent again by its caller
				t.Fatalf("cut after %s, found by %s: again: %v", step.name, how, err)
			}
			m.wantWhole(t, s, true)
			wantBoard(t, s, m)
			if other, err := s.Lookalikes(t.Context(), []string{m.new}); err != nil || other[0] != "" {
				t.Errorf("looks like %q, %v", other, err)
			}
		}
	}
}

// wantBoard checks that a player who was renamed is on the leaderboards once.
func wantBoard(t *testing.T, s *Store, m *mover) {
	t.Helper()
	ranks, err := s.Top(t.Context(), rushgate.BoardXP, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var found []rushgate.Rank
	for _, r := range ranks {
		if r.Player == m.id {
			found = append(found, r)
		}
	}
	if len(found) != 1 || found[0].Name != m.new || found[0].Score != 7 {
		t.Errorf("on the leaderboard are %+v, want %s alone", found, m.new)
	}
}

// between opens a store whose renames have something happen after a step, once.
func between(t *testing.T, opts Options, step string, happens func()) *Store {
	t.Helper()
	done := false
	opts.cut = func(name string) error {
		if name == step && !done {
			done = true
			happens()
		}
		return nil
	}
	return openStore(t, opts)
}

// A node that is held up between two steps of a rename finds out what has happened meanwhile.
func TestRenameThatIsHeldUp(t *testing.T) {
	server := redistest.Start(t)
	var now atomic.Int64
	now.Store(time.Now().UnixMilli())
	opts := Options{
		URLs: []string{server.URL()}, Logger: quiet(), clock: func() time.Time { return time.UnixMilli(now.Load()) },
	}
	s := openStore(t, opts)
	registerNew := func(m *mover) error {
		a := registration(m.id + 1000)
		a.Account.Username = m.new
		return admitAny(t, s, a)[0].Err
	}

	m := newMover(t, s, 1)
	slow := between(t, opts, "reserved", func() {
		if err := registerNew(m); !errors.Is(err, rushgate.UsernameTaken) {
			t.Errorf("while the name is reserved: %v", err)
		}
		now.Add(claimTime.Milliseconds())
		if err := registerNew(m); err != nil {
			t.Errorf("when the reservation is over: %v", err)
		}
	})
	if err := slow.RenameAccount(t.Context(), m.rename()); !errors.Is(err, rushgate.UsernameTaken) {
		t.Errorf("a rename whose name was taken meanwhile: %v", err)
	}
	if got := m.record(t, s, m.old); !maps.Equal(got, m.before) {
		t.Errorf("the record is\n%q, was\n%q", got, m.before)
	}

	m = newMover(t, s, 5) // whose new name is not an account's while it is reserved
	slow = between(t, opts, "reserved", func() {
		r := rushgate.Rename{Player: m.id, Name: m.new, Epoch: 1, NewName: "elsewhere"}
		if err := s.RenameAccount(t.Context(), r); !errors.Is(err, rushgate.BadCredentials) {
			t.Errorf("a rename of a name that is reserved: %v", err)
		}
		other := newMover(t, s, 6)
		r = other.rename()
		r.NewName = m.new
		if err := s.RenameAccount(t.Context(), r); !errors.Is(err, rushgate.UsernameTaken) {
			t.Errorf("a rename to a name that is reserved: %v", err)
		}
	})
	if err := slow.RenameAccount(t.Context(), m.rename()); err != nil {
		t.Errorf("a rename that others got in the way of: %v", err)
	}
	m.wantWhole(t, s, true)

	m = newMover(t, s, 2) // which another finishes
	slow = between(t, opts, "left", func() { finders["account by the old name"](t, s, m) })
	if err := slow.RenameAccount(t.Context(), m.rename()); err != nil {
		t.Errorf("a rename that another has finished: %v", err)
	}
	m.wantWhole(t, s, true)

	m = newMover(t, s, 3) // which is deleted before its caller has heard of it
	slow = between(t, opts, "arrived", func() {
		if err := s.DeleteAccount(t.Context(), m.new); err != nil {
			t.Errorf("delete: %v", err)
		}
	})
	_ = slow.RenameAccount(t.Context(), m.rename())
	loaded, err := s.LoadAccounts(t.Context(), []string{m.old, m.new})
	if err != nil || loaded[0].ID != 0 || loaded[1].ID != 0 {
		t.Errorf("a deleted account is there again: %+v, %v", loaded, err)
	}
	if err := registerNew(m); err != nil {
		t.Errorf("its last name is not free: %v", err)
	}

	m = newMover(t, s, 4) // which comes in meanwhile
	slow = between(t, opts, "reserved", func() {
		change := rushgate.AccountChange{Player: m.id, Name: m.old, Epoch: 1, Disabled: &rushgate.Disabled{}}
		if errs, err := s.UpdateAccounts(t.Context(), []rushgate.AccountChange{change}); err != nil || errs[0] != nil {
			t.Error(errs, err)
		}
		in := login(m.id, "l")
		in.Account.Epoch = 1
		admit(t, s, nodeA, in)
	})
	if err := slow.RenameAccount(t.Context(), m.rename()); !errors.Is(err, rushgate.AlreadyLoggedIn) {
		t.Errorf("a rename of a player who is inside by now: %v", err)
	}
	if err := registerNew(m); err != nil {
		t.Errorf("the name is not free although nothing came of the rename: %v", err)
	}
}

// An older program knows nothing of marks and holds: it makes accounts in their place. No account is lost by it.
func TestRenamesBesideOlderPrograms(t *testing.T) {
	server := redistest.Start(t)
	opts := Options{URLs: []string{server.URL()}, Logger: quiet()}
	s := openStore(t, opts)
	register := func(id rushgate.PlayerID, name string) { // as its script does
		a := registration(id).Account
		a.Username = name
		record, err := newRecord(&a, &rushgate.Character{CreatedAt: a.CreatedAt})
		if err != nil {
			t.Fatal(err)
		}
		server.Do("HSET", append([]string{s.playerKey(name)}, record...)...)
	}
	want := func(name string, id rushgate.PlayerID) {
		t.Helper()
		loaded, err := s.LoadAccounts(t.Context(), []string{name})
		if err != nil || loaded[0].Err != nil || loaded[0].ID != id {
			t.Errorf("account of %s is %+v, %v; want that of %d", name, loaded, err, id)
		}
	}

	m := newMover(t, s, 1)
	slow := between(t, opts, "left", func() { register(101, m.new) })
	if err := slow.RenameAccount(t.Context(), m.rename()); !errors.Is(err, rushgate.UsernameTaken) {
		t.Errorf("a rename to a name that an older program has given away: %v", err)
	}
	want(m.old, 1)
	want(m.new, 101)
	if got := m.record(t, s, m.old); !maps.Equal(got, m.before) {
		t.Errorf("the record is\n%q, was\n%q", got, m.before)
	}

	m = newMover(t, s, 2)
	slow = between(t, opts, "left", func() { register(102, m.old) })
	if err := slow.RenameAccount(t.Context(), m.rename()); err != nil {
		t.Errorf("a rename from a name that an older program has given away: %v", err)
	}
	want(m.old, 102)
	want(m.new, 2)

	m = newMover(t, s, 3)
	if err := s.RenameAccount(t.Context(), m.rename()); err != nil {
		t.Fatal(err)
	}
	register(103, m.old)
	want(m.old, 103)
	want(m.new, 3)
	back := rushgate.Rename{Player: 103, Name: m.old, NewName: "elsewhere"}
	if err := s.RenameAccount(t.Context(), back); err != nil {
		t.Errorf("rename of an account under a held name: %v", err)
	}
	want("elsewhere", 103)
	if got := m.record(t, s, "elsewhere"); got["held_for"] != "" || got["held_until"] != "" {
		t.Errorf("the record is %q", got)
	}
}

// What stands in the place of what a rename needs, and is none, is told, and nothing is removed.
func TestDamagedRenames(t *testing.T) {
	server := redistest.Start(t)
	opts := Options{URLs: []string{server.URL()}, Logger: quiet()}
	s := openStore(t, opts)
	for i, field := range []string{"epoch", "lease_until"} {
		m := newMover(t, s, rushgate.PlayerID(1+i))
		server.Do("HSET", s.playerKey(m.old), field, "soon", "lease_node", "a")
		before := m.record(t, s, m.old)
		if err := s.RenameAccount(t.Context(), m.rename()); !errors.Is(err, rushgate.ErrDamagedRecord) {
			t.Errorf("a damaged %s: %v", field, err)
		}
		if after := m.record(t, s, m.old); !maps.Equal(after, before) {
			t.Errorf("the record is %q, was %q", after, before)
		}
	}
	m := newMover(t, s, 10)
	server.Do("HSET", s.playerKey(m.new), "held_until", "soon")
	if err := s.RenameAccount(t.Context(), m.rename()); !errors.Is(err, rushgate.ErrDamagedRecord) {
		t.Errorf("a damaged hold: %v", err)
	}
	a := registration(11).Account
	a.Username = m.new
	errs, err := s.CreateAccounts(t.Context(), []rushgate.Account{a, registration(12).Account})
	wantDamagedAlone(t, "CreateAccounts", errs, err)
	server.Do("DEL", s.playerKey(m.new))
	server.Do("SET", s.playerKey(m.new), "no record")
	if err := s.RenameAccount(t.Context(), m.rename()); !errors.Is(err, rushgate.ErrDamagedRecord) {
		t.Errorf("no record under the new name: %v", err)
	}
	if got := m.record(t, s, m.old); !maps.Equal(got, m.before) {
		t.Errorf("the record is %q, was %q", got, m.before)
	}

	m = newMover(t, s, 20)
	dying := between(t, opts, "left", func() {
		if _, err := s.run(context.Background(), []command{{
			name: "HSET", key: s.playerKey(m.old), args: []string{movedField, "3:abc9:"},
		}}); err != nil {
			t.Error(err)
		}
	})
	if err := dying.RenameAccount(t.Context(), m.rename()); !errors.Is(err, rushgate.ErrDamagedRecord) {
		t.Errorf("a damaged account on its way: %v", err)
	}
	loaded, err := s.LoadAccounts(t.Context(), []string{m.old, "player12"})
	wantDamagedAlone(t, "LoadAccounts", errorsOf(loaded, func(a rushgate.LoadedAccount) error { return a.Err }), err)
	a = registration(21).Account
	a.Username = m.old
	errs, err = s.CreateAccounts(t.Context(), []rushgate.Account{a, registration(12).Account})
	wantDamagedAlone(t, "CreateAccounts", errs, err)
	if got := m.record(t, s, m.old); got[movedField] != "3:abc9:" {
		t.Errorf("the record is %q", got)
	}
	if stats := s.Health(); stats.Failures != 0 || stats.Open {
		t.Errorf("a record's damage counts as the server's: %+v", stats)
	}
}

// A hold that has ended leaves nothing behind once a node has started.
func TestHoldsThatHaveEnded(t *testing.T) {
	server := redistest.Start(t)
	opts := Options{URLs: []string{server.URL()}, Logger: quiet()}
	s := openStore(t, opts)
	m := newMover(t, s, 1)
	if err := s.RenameAccount(t.Context(), m.rename()); err != nil {
		t.Fatal(err)
	}
	for until, want := range map[string]int64{formatTime(rushgate.Forever()): 1, "1": 0} {
		server.Do("HSET", s.playerKey(m.old), "held_for", "1", "held_until", until)
		<-openStore(t, opts).noted
		if n, err := server.Do("EXISTS", s.playerKey(m.old)).AsInt64(); err != nil || n != want {
			t.Errorf("held until %s: %d, %v; want %d", until, n, err, want)
		}
		if other, err := s.Lookalikes(t.Context(), []string{"p1ayer1"}); err != nil || other[0] != "" {
			t.Errorf("a held name is like %q, %v", other, err)
		}
	}
}
