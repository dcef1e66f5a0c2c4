package auth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/password"
)

// outage is how long a store takes to give up in these tests.
const outage = 1500 * time.Millisecond

// Callers who wait for the same block of ids share what becomes of it; who comes later asks again.
func TestIDsThatCannotBeReservedAreAskedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const callers = 8
		calls, away := 0, true // changed by reserve, one call at a time
		ids := newIDBlock(func(context.Context) (rushgate.PlayerID, error) {
			calls++
			time.Sleep(outage)
			if away {
				return 0, rushgate.ErrUnavailable
			}
			return 1, nil
		})
		for _, away = range []bool{true, true, false} {
			start := time.Now()
			calls = 0
			var wg sync.WaitGroup
			for range callers {
				wg.Go(func() {
					if _, err := ids.Take(t.Context()); away != errors.Is(err, rushgate.ErrUnavailable) {
						t.Errorf("store away %v: %v", away, err)
					}
				})
			}
			wg.Wait()
			if took := time.Since(start); calls != 1 || took != outage {
				t.Errorf("store away %v: asked %d times, which took %v; want once and %v", away, calls, took, outage)
			}
		}
	})
}

// unreservable is a store that gives out no ids.
type unreservable struct {
	rushgate.Store
	err   error
	calls int
}

func (s *unreservable) ReserveIDs(context.Context, int) (rushgate.PlayerID, error) {
	s.calls++
	time.Sleep(outage)
	return 0, s.err
}

// A batch that finds no ids to be had is answered after one attempt. Who needs none is let in, unless the store is
// away.
func TestBatchWithoutIDsIsAnsweredAtOnce(t *testing.T) {
	for _, err := range []error{rushgate.ErrUnavailable, errors.New("ids are exhausted")} {
		t.Run(err.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const registrations = 10
				f := newFixture(t, func(c *settings) { c.Workers = 1 })
				player, e := f.store.Store.ReserveIDs(t.Context(), 1)
				if e != nil {
					t.Fatal(e)
				}
				store := &unreservable{Store: f.store.Store, err: err}
				f.store.Store = store
				member := request(Login, "member", 99)
				hash := password.New(secret)
				f.cfg.Hasher.Run(t.Context(), []*password.Job{&hash})
				admitted, e := store.Admit(t.Context(), f.cfg.Instance, []rushgate.Admission{{
					Account: rushgate.Account{ID: player, Username: "member", PasswordHash: hash.Hash}, Create: true, Attempt: "m",
				}})
				if e != nil || admitted[0].Err != nil {
					t.Fatal(e, admitted)
				}
				member.Attempt = "m" // let in again
				loggedIn := f.submit(t.Context(), member)
				var registered []<-chan error
				for i := range registrations {
					registered = append(registered, f.submit(t.Context(), request(Register, fmt.Sprintf("newcomer-%d", i), i)))
				}
				synctest.Wait()
				start := time.Now()
				f.Start()
				for _, r := range registered {
					if err := <-r; !errors.Is(err, rushgate.ServerBusy) {
						t.Errorf("a registration: %v, want %v", err, rushgate.ServerBusy)
					}
				}
				e = <-loggedIn
				if took := time.Since(start); store.calls != 1 || took > 2*time.Second {
					t.Errorf("the store was asked for ids %d times, which took %v; want once", store.calls, took)
				}
				if away := errors.Is(err, rushgate.ErrUnavailable); away != errors.Is(e, rushgate.ServerBusy) || !away && e != nil {
					t.Errorf("a login that needs no id: %v", e)
				}
				if away := errors.Is(err, rushgate.ErrUnavailable); away != (f.store.admits.Load() == 0) {
					t.Errorf("the store was asked %d times to admit", f.store.admits.Load())
				}
			})
		})
	}
}
