package redis

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/redistest"
)

// A registration that dies between the claim of a look and the account keeps the look for a minute, and one that is
// under way keeps it from others.
func TestLooksOfRegistrationsThatDied(t *testing.T) {
	server := redistest.Start(t)
	var now atomic.Int64
	now.Store(time.Date(2026, time.May, 1, 0, 0, 0, 0, time.UTC).UnixMilli())
	s := openStore(t, Options{
		URLs: []string{server.URL()}, clock: func() time.Time { return time.UnixMilli(now.Load()) },
	})
	register := func(id rushgate.PlayerID, name string) error {
		a := registration(id)
		a.Account.Username = name
		return admitAny(t, s, a)[0].Err
	}
	if refused, err := s.claimLooks(t.Context(), 0, []string{"scope"}); err != nil || len(refused) != 0 {
		t.Fatal(refused, err)
	}
	if other, err := s.Lookalikes(t.Context(), []string{"ѕсоре"}); err != nil || other[0] != "" {
		t.Errorf("a claim without an account counts as an account: %q, %v", other, err)
	}
	for range 2 {
		if err := register(1, "ѕсоре"); !errors.Is(err, rushgate.UsernameTaken) {
			t.Errorf("while another may be under way: %v", err)
		}
		now.Add(claimTime.Milliseconds() / 2)
	}
	if err := register(1, "ѕсоре"); err != nil {
		t.Errorf("when it cannot be any more: %v", err)
	}
	if err := register(2, "scope"); !errors.Is(err, rushgate.UsernameTaken) {
		t.Errorf("the one that died, again: %v", err)
	}
	now.Add(10 * claimTime.Milliseconds())
	if err := register(2, "scope"); !errors.Is(err, rushgate.UsernameTaken) {
		t.Errorf("long after: %v", err)
	}
}

// Accounts that were made before looks were kept, or whose looks were lost, have theirs soon after a node starts.
func TestLooksOfOldAccounts(t *testing.T) {
	server := redistest.Start(t)
	opts := Options{URLs: []string{server.URL()}, Prefix: "wor[l]d*:"}
	s := openStore(t, opts)
	a, b := registration(1), registration(2)
	a.Account.Username = "scope"
	admit(t, s, nodeA, a, b)
	if _, err := s.run(t.Context(), []command{{name: "DEL", key: s.lookKey("scope")}}); err != nil {
		t.Fatal(err)
	}
	again := openStore(t, opts)
	<-again.noted
	other, err := again.Lookalikes(t.Context(), []string{"ѕсоре", "scope"})
	if err != nil || other[0] != "scope" || other[1] != "" {
		t.Errorf("lookalikes are %q, %v", other, err)
	}
	if err := again.DeleteAccount(t.Context(), "nobody"); !errors.Is(err, rushgate.BadCredentials) {
		t.Errorf("delete: %v", err)
	}
}

// Names that are held, and whose look was lost, keep it again soon after a node starts, until the hold ends; then a
// start leaves nothing of it.
func TestLooksOfHeldNames(t *testing.T) {
	server := redistest.Start(t)
	var now atomic.Int64
	now.Store(time.Date(2026, time.May, 1, 0, 0, 0, 0, time.UTC).UnixMilli())
	opts := Options{URLs: []string{server.URL()}, clock: func() time.Time { return time.UnixMilli(now.Load()) }}
	s := openStore(t, opts)
	a := rushgate.Account{ID: 1, Username: "scope", PasswordHash: "h", CreatedAt: time.UnixMilli(now.Load())}
	if errs, err := s.CreateAccounts(t.Context(), []rushgate.Account{a}); err != nil || errs[0] != nil {
		t.Fatal(errs, err)
	}
	hold := time.UnixMilli(now.Load()).Add(time.Hour)
	err := s.RenameAccount(t.Context(), rushgate.Rename{Player: 1, Name: "scope", NewName: "alice", Hold: hold})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.run(t.Context(), []command{{name: "DEL", key: s.lookKey("scope")}}); err != nil {
		t.Fatal(err)
	}
	now.Add(claimTime.Milliseconds())
	<-openStore(t, opts).noted
	alike := registration(2)
	alike.Account.Username = "ѕсоре"
	if in := admitAny(t, s, alike); !errors.Is(in[0].Err, rushgate.UsernameTaken) {
		t.Errorf("what looks like a held name: %v", in[0].Err)
	}
	now.Add(time.Hour.Milliseconds())
	<-openStore(t, opts).noted
	results, err := s.run(t.Context(), []command{{name: "EXISTS", key: s.lookKey("scope")}})
	if err != nil {
		t.Fatal(err)
	}
	if left, err := results[0].AsInt64(); err != nil || left != 0 {
		t.Errorf("what looks like a name that is not held any more is still kept: %d, %v", left, err)
	}
}

// A look that was damaged by hand costs the registration that needs it, and no other of the batch.
func TestDamagedLook(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, Options{URLs: []string{server.URL()}})
	if _, err := s.run(t.Context(), []command{{name: "SET", key: s.lookKey("scope"), args: []string{"x"}}}); err != nil {
		t.Fatal(err)
	}
	a, b := registration(1), registration(2)
	a.Account.Username = "scope"
	in := admitAny(t, s, a, b)
	if !errors.Is(in[0].Err, rushgate.ErrDamagedRecord) || in[1].Err != nil {
		t.Errorf("admitted %v and %v", in[0].Err, in[1].Err)
	}
	if other, err := s.Lookalikes(t.Context(), []string{"scope", "bob"}); err != nil || other[0] != "" {
		t.Errorf("lookalikes are %q, %v", other, err)
	}
	if errs, err := s.CreateAccounts(t.Context(), []rushgate.Account{a.Account}); err != nil || errs[0] != nil {
		t.Errorf("an operator: %v, %v", errs, err)
	}
}

// admitAny is admit for admissions of which some are refused.
func admitAny(t *testing.T, s *Store, batch ...rushgate.Admission) []rushgate.Admitted {
	t.Helper()
	in, err := s.Admit(t.Context(), nodeA, batch)
	if err != nil {
		t.Fatal(err)
	}
	return in
}
