package auth

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/linked"
	"github.com/rushgate/rushgate/password"
)

// doer does errands as a node does, and counts them.
func (f *fixture) doer(calls *int) func(context.Context, []Proved) ([]error, error) {
	return func(ctx context.Context, proved []Proved) ([]error, error) {
		*calls++
		changes := make([]rushgate.AccountChange, len(proved))
		for i, p := range proved {
			changes[i] = rushgate.AccountChange{
				Player: p.Account.ID, Name: p.Account.Username, Epoch: p.Account.Epoch, PasswordHash: p.NewHash, RaiseEpoch: true,
			}
		}
		return f.store.UpdateAccounts(ctx, changes)
	}
}

// have makes accounts, player-0 and so on, with the password secret.
func (f *fixture) have(t *testing.T, n int) (ids []rushgate.PlayerID) {
	t.Helper()
	first, err := f.store.ReserveIDs(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	job := password.New(secret)
	f.cfg.Hasher.Run(t.Context(), []*password.Job{&job})
	for i := range n {
		a := rushgate.Account{ID: first + rushgate.PlayerID(i), Username: fmt.Sprintf("player-%d", i), PasswordHash: job.Hash}
		errs, err := f.store.CreateAccounts(t.Context(), []rushgate.Account{a})
		if err != nil || errs[0] != nil {
			t.Fatal(err, errs)
		}
		ids = append(ids, a.ID)
	}
	return ids
}

func change(id rushgate.PlayerID, i int, current string) Request {
	return Request{
		Kind: ChangePassword, Player: id, Username: fmt.Sprintf("player-%d", i), Password: current,
		NewPassword: "another horse", Addr: addr(i),
	}
}

// newErrands is a fixture whose pool does errands.
func newErrands(t *testing.T, calls *int, set func(*settings)) *fixture {
	t.Helper()
	var f *fixture
	f = newFixture(t, func(c *settings) {
		c.Errands = func(ctx context.Context, proved []Proved) ([]error, error) { return f.doer(calls)(ctx, proved) }
		if set != nil {
			set(c)
		}
	})
	return f
}

// A rush of a thousand logins, of thirteen seconds, loses a fortieth of its hashes at most to two hundred who change
// their passwords, and these get their share: none has to wait for the end of the rush.
func TestErrandsLeaveLoginsTheirShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const logins, errands = 1000, 200
		var calls int
		f := newErrands(t, &calls, func(c *settings) { c.QueueDepth, c.Workers = 2*logins, 1 })
		ids := f.have(t, logins+errands)
		var atHalf, atEnd int64
		f.store.beforeAdmit = func([]rushgate.Admission) {
			time.Sleep(200 * time.Millisecond)
			switch left := f.queue.Len(); {
			case left >= logins/2:
				atHalf = f.Stats().Errands.Success
			case left > 0:
				atEnd = f.Stats().Errands.Success
			}
		}
		for i := range logins {
			f.submit(t.Context(), request(Login, fmt.Sprintf("player-%d", i), i))
		}
		synctest.Wait()
		refused := 0
		for i := logins; i < logins+errands; i++ {
			go func() {
				if _, err := f.Errand(t.Context(), change(ids[i], i, secret)); err != nil {
					var r *rushgate.Refusal
					if !errors.As(err, &r) || r.Reason != rushgate.ServerBusy || r.RetryAfter <= 0 {
						t.Errorf("a change of the password in a rush: %v", err)
					}
					f.mu.Lock()
					refused++
					f.mu.Unlock()
				}
			}()
		}
		synctest.Wait()
		f.Start()
		for tries := 0; tries < 20000 && f.Stats().Counters.Success < logins; tries++ {
			time.Sleep(10 * time.Millisecond)
		}
		if done := f.Stats().Errands.Success; done > atEnd+1 { // one came with the last logins
			t.Errorf("%d errands done in the rush, %d as soon as nobody waits: more may come", atEnd, done)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		s := f.Stats()
		if s.Counters.Success != logins {
			t.Errorf("%d of %d logins were let in", s.Counters.Success, logins)
		}
		if hashes := 2 * atEnd; hashes*39 > logins {
			t.Errorf("%d hashes of errands beside %d of logins, more than one in forty", hashes, logins)
		}
		if atHalf < 2 || atEnd < 8 {
			t.Errorf("%d errands done in the first half of the rush, %d in all of it: they starve", atHalf, atEnd)
		}
		if s.Errands.Success+int64(refused) != errands || refused == 0 || s.Errands.Depth != 0 {
			t.Errorf("%d errands done and %d refused, of %d", s.Errands.Success, refused, errands)
		}
		f.Stop()
	})
}

// On a node with nothing else to do, changes of passwords are made at once, and those that come together in one call of
// the store.
func TestErrandsTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls int
		f := newErrands(t, &calls, func(c *settings) { c.Workers = 2 })
		ids := f.have(t, 6)
		for i, id := range ids {
			go func() {
				if a, err := f.Errand(t.Context(), change(id, i, secret)); err != nil || a.ID != id || a.Epoch != 0 {
					t.Errorf("errand of player %d: %+v, %v", id, a, err)
				}
			}()
		}
		synctest.Wait()
		f.Start()
		synctest.Wait()
		if calls != 1 || f.Stats().Errands.Success != 6 {
			t.Errorf("%d calls of the store, %+v", calls, f.Stats().Errands)
		}
		if _, err := f.Submit(t.Context(), request(Login, "player-0", 0)); !errors.Is(err, rushgate.BadCredentials) {
			t.Errorf("a login with the old password: %v", err)
		}
		r := request(Login, "player-0", 0)
		r.Password = "another horse"
		if _, err := f.Submit(t.Context(), r); err != nil {
			t.Errorf("a login with the new password: %v", err)
		}
		f.Stop()
	})
}

// A wrong password is a failure as it is at a login, wherever it is tried; what the store has broken is not.
func TestErrandsCountAsGuesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls int
		broken := errors.New("disk full")
		f := newErrands(t, &calls, nil)
		f.cfg.Errands = func(context.Context, []Proved) ([]error, error) { return nil, broken }
		ids := f.have(t, 3)
		f.Start()
		for range 10 {
			if _, err := f.Errand(t.Context(), change(ids[0], 0, secret)); !errors.Is(err, rushgate.ServerBusy) {
				t.Fatalf("with a store that fails: %v", err)
			}
		}
		wrong := change(ids[1], 1, "wrong horse")
		for i := range 5 {
			wrong.Player = ids[1+i%2] // of another account it is told no more
			if _, err := f.Errand(t.Context(), wrong); !errors.Is(err, rushgate.BadCredentials) {
				t.Fatalf("try %d: %v", i, err)
			}
		}
		if _, err := f.Errand(t.Context(), change(ids[1], 1, secret)); !errors.Is(err, rushgate.RateLimited) {
			t.Errorf("after five wrong passwords: %v", err)
		}
		if _, err := f.Submit(t.Context(), request(Login, "player-1", 1)); !errors.Is(err, rushgate.RateLimited) {
			t.Errorf("a login after five wrong passwords: %v", err)
		}
		f.Stop()
	})
}

// What waits when the node stops is told so.
func TestErrandsOfAStoppedPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls int
		f := newErrands(t, &calls, nil)
		ids := f.have(t, 1)
		done := make(chan error, 1)
		go func() { _, err := f.Errand(t.Context(), change(ids[0], 0, secret)); done <- err }()
		synctest.Wait()
		f.Stop()
		if err := <-done; !errors.Is(err, rushgate.ServerBusy) || !f.door.Empty() {
			t.Errorf("answered %v, the door empty: %v", err, f.door.Empty())
		}
	})
}

// An errand may show an identity of its account in place of the password, and gets the account another password by it.
func TestErrandsByAnIdentity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls int
		f := newErrands(t, &calls, nil)
		device, other := linked.OfGuest([32]byte{1}), linked.OfGuest([32]byte{2})
		guest := rushgate.Account{
			ID: 1 << 20, Username: "player-7", PasswordHash: password.Locked(), Credentials: []rushgate.Credential{device},
		}
		if errs, err := f.store.CreateAccounts(t.Context(), []rushgate.Account{guest}); err != nil || errs[0] != nil {
			t.Fatal(errs, err)
		}
		f.Start()
		defer f.Stop()
		r := change(guest.ID, 7, "")
		for _, c := range []struct {
			shown rushgate.Credential
			of    rushgate.PlayerID
			want  error
		}{
			{other, guest.ID, rushgate.BadCredentials},
			{device, guest.ID + 1, rushgate.BadCredentials}, // of a session that is another's
			{rushgate.Credential{}, guest.ID, rushgate.MissingCredentials},
			{device, guest.ID, nil},
		} {
			r.Shown.Credential, r.Player = c.shown, c.of
			if _, err := f.Errand(t.Context(), r); !errors.Is(err, c.want) {
				t.Errorf("%+v of %d: %v, want %v", c.shown.Kind, c.of, err, c.want)
			}
			if proved, err := f.Confirm(t.Context(), r); !errors.Is(err, c.want) || err == nil && proved.Account.ID != guest.ID {
				t.Errorf("confirming %+v of %d: %v, want %v", c.shown.Kind, c.of, err, c.want)
			}
		}
		if calls != 1 {
			t.Errorf("%d passwords were changed", calls)
		}
		if _, err := f.Submit(t.Context(), request(Login, "player-7", 7)); !errors.Is(err, rushgate.BadCredentials) {
			t.Errorf("a wrong password: %v", err)
		}
		login := request(Login, "player-7", 7)
		login.Password = "another horse"
		if _, err := f.Submit(t.Context(), login); err != nil {
			t.Errorf("the password that it has now: %v", err)
		}
	})
}
