package account_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/store/memory"
)

// hashes are of the form that package password writes; nothing is verified against them.
const (
	hash      = "cfdc3bec3abca6ca7eb6f7f34edbbb69$1000$484106989954ca49a6ed50ab1172edd76421d044d4c84fd0c3b2974049ca1f04"
	otherHash = "00dc3bec3abca6ca7eb6f7f34edbbb69$1000$484106989954ca49a6ed50ab1172edd76421d044d4c84fd0c3b2974049ca1f04"
)

var node = rushgate.Instance{Node: "n", Run: "1"}

// meddler is a store that does things before it creates, changes or deletes accounts or drops tasks, or after it tells
// where players are, and can lose its answers.
type meddler struct {
	rushgate.Store
	beforeCreate, beforeUpdate, beforeDrop, beforeDelete, afterPresence func()
	lost                                                                error
}

func (m *meddler) DeleteAccount(ctx context.Context, name string) error {
	if m.beforeDelete != nil {
		m.beforeDelete()
	}
	return m.Store.DeleteAccount(ctx, name)
}

func (m *meddler) Presence(ctx context.Context, names []string) ([]rushgate.Presence, error) {
	where, err := m.Store.Presence(ctx, names)
	if m.afterPresence != nil {
		m.afterPresence()
	}
	return where, err
}

func (m *meddler) DropTasks(ctx context.Context, tasks []rushgate.Task) error {
	if m.beforeDrop != nil {
		m.beforeDrop()
	}
	return m.Store.DropTasks(ctx, tasks)
}

func (m *meddler) CreateAccounts(ctx context.Context, accounts []rushgate.Account) ([]error, error) {
	if m.beforeCreate != nil {
		m.beforeCreate()
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	errs, err := m.Store.CreateAccounts(ctx, accounts)
	if m.lost != nil {
		return nil, m.lost
	}
	return errs, err
}

func (m *meddler) UpdateAccounts(ctx context.Context, changes []rushgate.AccountChange) ([]error, error) {
	if m.beforeUpdate != nil {
		m.beforeUpdate()
	}
	return m.Store.UpdateAccounts(ctx, changes)
}

func newLedger(t *testing.T) (*account.Ledger, *meddler) {
	t.Helper()
	m := &meddler{Store: memory.New(memory.Options{})}
	t.Cleanup(func() { _ = m.Close() })
	return account.New(m), m
}

// login admits a player under the epoch that is stored, as a right password does.
func login(t *testing.T, s rushgate.Store, name string) (rushgate.Admitted, rushgate.Account) {
	t.Helper()
	loaded, err := s.LoadAccounts(t.Context(), []string{name})
	if err != nil {
		t.Fatal(err)
	}
	return loginAs(t, s, loaded[0].Account), loaded[0].Account
}

func loginAs(t *testing.T, s rushgate.Store, a rushgate.Account) rushgate.Admitted {
	t.Helper()
	got, err := s.Admit(t.Context(), node, []rushgate.Admission{{Account: a, Attempt: "a"}})
	if err != nil {
		t.Fatal(err)
	}
	return got[0]
}

func must(t *testing.T) func(account.Changed, error) account.Changed {
	return func(c account.Changed, err error) account.Changed {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

// An account that was made can be logged in to at once, by any node: making it is no login.
func TestCreateOpensNoSession(t *testing.T) {
	l, s := newLedger(t)
	c := must(t)(l.Create(t.Context(), "Alice", hash))
	if c != (account.Changed{Player: 1, Name: "alice"}) {
		t.Errorf("created %+v", c)
	}
	r, err := l.Show(t.Context(), "ALICE")
	if err != nil || r.Online || r.Level != 0 || r.RecordVersion != rushgate.AccountVersion {
		t.Errorf("shown as %+v, %v", r, err)
	}
	if in, a := login(t, s, "alice"); in.Err != nil || in.Previous != 0 || a.PasswordHash != hash {
		t.Errorf("the first login is %+v to %+v", in, a)
	}
	if _, err := l.Create(t.Context(), "alice", otherHash); !errors.Is(err, account.ErrTaken) {
		t.Errorf("created again: %v", err)
	}
}

// The rules for new names are for players: an operator may need an account called admin.
func TestOperatorsMayMakeReservedNames(t *testing.T) {
	l, s := newLedger(t)
	for _, name := range []string{"admin", "System", "аdmin", "gm!"} {
		c := must(t)(l.Create(t.Context(), name, hash))
		if in, _ := login(t, s, c.Name); in.Err != nil {
			t.Errorf("login as %s: %v", c.Name, in.Err)
		}
	}
}

// Accounts of two wide characters were imported as they were written, and are registered in canonical form.
func TestNamesOfTwoWideCharacters(t *testing.T) {
	l, s := newLedger(t)
	if err := s.BeginImport(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	old := rushgate.Record{
		Account:   rushgate.Account{ID: 7, Username: "ﾕｷ", PasswordHash: hash},
		Character: rushgate.Character{ID: 7, Name: "ﾕｷ", Numbers: rushgate.Numbers{"level": 1}},
	}
	if errs, err := s.Import(t.Context(), []rushgate.Record{old}); err != nil || errs[0] != nil {
		t.Fatal(errs, err)
	}
	created := must(t)(l.Create(t.Context(), "か\u3099き", hash))
	for give, want := range map[string]account.Changed{
		"ﾕｷ": {Player: 7, Name: "ﾕｷ"}, "か\u3099き": created, "がき": {Player: created.Player, Name: "がき"},
	} {
		if r, err := l.Show(t.Context(), give); err != nil || r.PlayerID != want.Player || r.Name != want.Name {
			t.Errorf("%q is shown as %+v, %v; want %+v", give, r, err, want)
		}
		if c := must(t)(l.SetPassword(t.Context(), give, otherHash)); c != want {
			t.Errorf("the password of %q is set for %+v, want %+v", give, c, want)
		}
	}
	if err := l.Delete(t.Context(), "か\u3099き"); err != nil {
		t.Errorf("delete: %v", err)
	}
	if err := l.Delete(t.Context(), "ﾕｷ"); err != nil {
		t.Errorf("delete: %v", err)
	}
	if err := l.Delete(t.Context(), "ﾕｷ"); !errors.Is(err, account.ErrUnknown) {
		t.Errorf("delete again: %v", err)
	}
}

// Whatever call a create dies at, the name is free, or the account is whole and free to log in to.
func TestCreateThatDiesLeavesNothing(t *testing.T) {
	l, s := newLedger(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.beforeCreate = cancel // after the id was reserved
	if _, err := l.Create(ctx, "alice", hash); !errors.Is(err, context.Canceled) {
		t.Fatalf("Create = %v", err)
	}
	s.beforeCreate = nil
	if _, err := l.Show(t.Context(), "alice"); !errors.Is(err, account.ErrUnknown) {
		t.Errorf("something is left: %v", err)
	}
	s.lost = errors.New("the answer is lost")
	if _, err := l.Create(t.Context(), "alice", hash); !errors.Is(err, s.lost) {
		t.Fatalf("Create = %v", err)
	}
	if in, _ := login(t, s, "alice"); in.Err != nil || in.Lease.Player != 2 {
		t.Errorf("the login is %+v", in)
	}
}

// A new password, a ban and an order to end the sessions make every proof given before worthless, and end the session.
func TestChangesEndSessions(t *testing.T) {
	ban := rushgate.Disabled{Until: rushgate.Forever(), Reason: "cheating"}
	for name, tt := range map[string]struct {
		change func(*account.Ledger) (account.Changed, error)
		then   error
	}{
		"set password": {func(l *account.Ledger) (account.Changed, error) {
			return l.SetPassword(t.Context(), "ALICE", otherHash)
		}, nil},
		"end sessions": {func(l *account.Ledger) (account.Changed, error) {
			return l.EndSessions(t.Context(), "alice")
		}, nil},
		"disable": {func(l *account.Ledger) (account.Changed, error) {
			return l.Disable(t.Context(), "alice", account.Ban{Disabled: ban})
		}, rushgate.AccountDisabled},
	} {
		t.Run(name, func(t *testing.T) {
			l, s := newLedger(t)
			must(t)(l.Create(t.Context(), "alice", hash))
			in, before := login(t, s, "alice")
			if c := must(t)(tt.change(l)); c != (account.Changed{Player: 1, Name: "alice", Leaving: "n"}) {
				t.Errorf("changed %+v", c)
			}
			if wanted, err := s.Wanted(t.Context(), node); err != nil || len(wanted) != 1 || wanted[0].Lease != in.Lease {
				t.Errorf("wanted are %+v, %v", wanted, err)
			}
			if got := loginAs(t, s, before); !errors.Is(got.Err, rushgate.BadCredentials) {
				t.Errorf("an older proof: %v", got.Err)
			}
			if got, _ := login(t, s, "alice"); !errors.Is(got.Err, tt.then) {
				t.Errorf("a new proof: %v, want %v", got.Err, tt.then)
			}
			if c := must(t)(l.Enable(t.Context(), "alice", "anna")); c.Leaving != "" {
				t.Errorf("enabled: %+v", c)
			}
			if got, _ := login(t, s, "alice"); got.Err != nil {
				t.Errorf("after enabling: %v", got.Err)
			}
		})
	}
}

// A change that another was ahead of is made to what the account is then.
func TestChangeIsRepeated(t *testing.T) {
	l, s := newLedger(t)
	must(t)(l.Create(t.Context(), "alice", hash))
	epoch := uint64(0)
	ahead := func() {
		raise := rushgate.AccountChange{Player: 1, Name: "alice", Epoch: epoch, RaiseEpoch: true}
		if errs, err := s.Store.UpdateAccounts(t.Context(), []rushgate.AccountChange{raise}); err != nil || errs[0] != nil {
			t.Error(errs, err)
		}
		epoch++
	}
	var once sync.Once
	s.beforeUpdate = func() { once.Do(ahead) }
	must(t)(l.SetPassword(t.Context(), "alice", otherHash))
	if r, err := l.Show(t.Context(), "alice"); err != nil || r.Epoch != 2 {
		t.Errorf("shown as %+v, %v", r, err)
	}
	epoch = 2
	s.beforeUpdate = ahead
	if _, err := l.SetPassword(t.Context(), "alice", hash); !errors.Is(err, account.ErrBusy) {
		t.Errorf("against one who never stops: %v, want %v", err, account.ErrBusy)
	}
}

func TestRefusals(t *testing.T) {
	l, s := newLedger(t)
	must(t)(l.Create(t.Context(), "alice", hash))
	must(t)(l.Create(t.Context(), "bob", hash))
	login(t, s, "bob")
	soon := time.Now().Add(time.Hour)
	ban := func(until time.Time, reason, note string) func() error {
		return func() error {
			b := account.Ban{Disabled: rushgate.Disabled{Until: until, Reason: reason}, Note: note}
			_, err := l.Disable(t.Context(), "alice", b)
			return err
		}
	}
	for name, tt := range map[string]struct {
		do   func() error
		want error
	}{
		"a password for a hash": {func() error {
			_, err := l.Create(t.Context(), "carol", "hunter22")
			return err
		}, account.ErrInvalid},
		"no hash": {func() error {
			_, err := l.SetPassword(t.Context(), "alice", "")
			return err
		}, account.ErrInvalid},
		"no name": {func() error {
			_, err := l.Create(t.Context(), "x", hash)
			return err
		}, rushgate.ErrInvalidUsername},
		"an unknown name": {func() error {
			_, err := l.Enable(t.Context(), "carol", "anna")
			return err
		}, account.ErrUnknown},
		"an unknown name to show": {func() error {
			_, err := l.Show(t.Context(), "carol")
			return err
		}, account.ErrUnknown},
		"unknown to delete":     {func() error { return l.Delete(t.Context(), "carol") }, account.ErrUnknown},
		"inside to delete":      {func() error { return l.Delete(t.Context(), "bob") }, account.ErrInside},
		"a ban that is over":    {ban(time.Now().Add(-time.Hour), "", ""), account.ErrInvalid},
		"a ban beyond for ever": {ban(rushgate.Forever().Add(1), "", ""), account.ErrInvalid},
		"a long reason":         {ban(soon, strings.Repeat("x", 257), ""), account.ErrInvalid},
		"a long note":           {ban(soon, "", strings.Repeat("x", account.MaxNote+1)), account.ErrInvalid},
		"a note of two lines":   {ban(soon, "", "a\nb"), account.ErrInvalid},
	} {
		if err := tt.do(); !errors.Is(err, tt.want) || strings.Contains(err.Error(), "hunter22") {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	if r, err := l.Show(t.Context(), "alice"); err != nil || r.Epoch != 0 || r.DisabledUntil != nil {
		t.Errorf("alice was changed: %+v, %v", r, err)
	}
	if err := l.Delete(t.Context(), "Alice"); err != nil {
		t.Error(err)
	}
	errs := l.DeleteAll(t.Context(), []string{"alice", "bob"})
	if !errors.Is(errs[0], account.ErrUnknown) || !errors.Is(errs[1], account.ErrInside) {
		t.Errorf("DeleteAll = %v", errs)
	}
}
