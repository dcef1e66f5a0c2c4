package auth

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/store/memory"
)

func TestPoolExpiresStaleRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		old := f.submit(t.Context(), request(Register, "old", 1))
		time.Sleep(29 * time.Second)
		young := f.submit(t.Context(), request(Register, "young", 2))
		time.Sleep(time.Second)
		f.Start()
		if err := <-old; !errors.Is(err, rushgate.RequestExpired) {
			t.Errorf("a request 30 s old: %v, want request-expired", err)
		}
		if err := <-young; err != nil {
			t.Errorf("a request 1 s old: %v", err)
		}
		if c := f.Stats().Counters; c.Expired != 1 || c.Processed != 1 {
			t.Errorf("counters %+v", c)
		}
	})
}

func TestPoolSparesStoreAndHashForTheStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		gone := f.submit(ctx, request(Register, "gone", 1))
		old := f.submit(t.Context(), request(Register, "old", 2))
		synctest.Wait()
		cancel()
		time.Sleep(DefaultMaxAge + 1)
		f.Start()
		if err := <-gone; !errors.Is(err, rushgate.RequestExpired) {
			t.Errorf("caller gone: %v", err)
		}
		if err := <-old; !errors.Is(err, rushgate.RequestExpired) {
			t.Errorf("too old: %v", err)
		}
		synctest.Wait() // whose caller has gone is not waited for by anybody
		s := f.Stats()
		if s.Counters.Expired != 2 || f.store.loads.Load() != 0 || f.store.admits.Load() != 0 || s.Derive.Count != 0 {
			t.Errorf("expired %d, loads %d, admits %d, derivations %d; want 2 and no work", s.Counters.Expired,
				f.store.loads.Load(), f.store.admits.Load(), s.Derive.Count)
		}
	})
}

func TestPoolChecksTheDeadlineAgainBeforeHashing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.store.beforeLoad = func([]string) { time.Sleep(9 * time.Second) } // a store that is slow
		done := f.submit(t.Context(), request(Register, "alice", 1))
		time.Sleep(DefaultMaxAge - time.Second)
		f.Start()
		if err := <-done; !errors.Is(err, rushgate.RequestExpired) {
			t.Errorf("got %v, want request-expired", err)
		}
		if f.store.admits.Load() != 0 {
			t.Error("a stale request was committed")
		}
	})
}

func TestPoolOpensNoSessionForACallerWhoHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		f.store.beforeLoad = func([]string) { cancel() }
		f.Start()
		f.Submit(ctx, request(Register, "alice", 1))
		f.Stop()
		if f.store.admits.Load() != 0 || f.Stats().Counters.Expired != 1 {
			t.Errorf("admits %d, counters %+v", f.store.admits.Load(), f.Stats().Counters)
		}
	})
}

// Who goes away between the hash and the commit is not admitted either.
func TestPoolChecksForTheCallerAgainBeforeCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *settings) { c.Workers = 1 })
		ctx, cancel := context.WithCancel(t.Context())
		f.store.beforeReserve = cancel // while the first of the batch is given its id
		first := f.submit(t.Context(), request(Register, "first", 1))
		synctest.Wait()
		second := f.submit(ctx, request(Register, "second", 2))
		synctest.Wait()
		f.Start()
		if err := <-first; err != nil {
			t.Errorf("the first: %v", err)
		}
		if err := <-second; !errors.Is(err, rushgate.RequestExpired) {
			t.Errorf("the second: %v", err)
		}
		f.Stop()
		if n := f.cfg.Hasher.Iterations() / password.MinIterations; n != 2 {
			t.Fatalf("%d derivations, want 2: the caller went too early for this test", n)
		}
		if n := f.store.admits.Load(); n != 1 {
			t.Errorf("%d admissions, want 1", n)
		}
	})
}

// A login replaces an outdated hash; in a rush it does not, and succeeds all the same.
func TestPoolRehashes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const legacy = "5f14740d5493f4de552bc5517834724b$b6754e0cbba0bac05a056e6ffd1fcc0aadbe49b6b75656703bbec3c3474bac0e"
		f := newFixture(t, func(c *settings) { // at half the cost of the old hash, which is not slow enough to be put aside
			c.Workers, c.QueueDepth, c.Iterations = 1, 10, password.DefaultIterations/2
		})
		login := func(name string, i int) Request {
			r := request(Login, name, i)
			r.Password = "p@$$w0rd"
			return r
		}
		names := []string{"alice", "bob"}
		for i, name := range names {
			a := rushgate.Account{
				ID: rushgate.PlayerID(1000 + i), Username: name, PasswordHash: legacy, CreatedAt: time.Now(), Version: 2,
			}
			leave := rushgate.Save{Character: rushgate.Character{ID: a.ID, Name: name, Numbers: rushgate.Numbers{"level": 1}},
				Fence: 1, Release: true}
			made := []rushgate.Admission{{Account: a, Create: true, Attempt: "x"}}
			if _, err := f.store.Store.Admit(t.Context(), f.cfg.Instance, made); err != nil {
				t.Fatal(err)
			}
			if _, err := f.store.Save(t.Context(), []rushgate.Save{leave}); err != nil {
				t.Fatal(err)
			}
		}
		// bob comes when more than half of the queue is taken, alice when it is empty.
		f.batch = 1
		bob := f.submit(t.Context(), login("bob", 1))
		synctest.Wait()
		for i := range 8 {
			f.submit(t.Context(), request(Login, "nobody", 10+i))
		}
		synctest.Wait()
		f.Start()
		if err := <-bob; err != nil {
			t.Errorf("bob: %v", err)
		}
		synctest.Wait()
		if _, err := f.Submit(t.Context(), login("alice", 2)); err != nil {
			t.Errorf("alice: %v", err)
		}
		f.Stop()
		accounts, err := f.store.LoadAccounts(t.Context(), names)
		if err != nil {
			t.Fatal(err)
		}
		if accounts[1].PasswordHash != legacy || accounts[1].Version != 2 {
			t.Errorf("in a rush the hash was replaced: version %d", accounts[1].Version)
		}
		t.Logf("stored before the first login: %s", legacy) // a test's, no secret
		t.Logf("stored after it:               %s", accounts[0].PasswordHash)
		if f.cfg.Hasher.NeedsRehash(accounts[0].PasswordHash) || accounts[0].Version != rushgate.AccountVersion {
			t.Errorf("the outdated hash is still there: version %d", accounts[0].Version)
		}
		if n := f.Stats().Counters.Rehashed; n != 1 {
			t.Errorf("%d rehashed, want 1", n)
		}
		check := password.Verify("p@$$w0rd", accounts[0].PasswordHash)
		if f.cfg.Hasher.Run(t.Context(), []*password.Job{&check}); !check.Match {
			t.Error("the new hash is not that of the password")
		}
	})
}

// A slow hash from another system makes no other of its batch wait.
func TestPoolAnswersOwnHashesBeforeForeignOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *settings) { c.Workers = 1 })
		f.keep(t, 5000, "foreign", bcryptHash)
		ownIsIn := make(chan struct{})
		f.store.beforeAdmit = func(admissions []rushgate.Admission) {
			if admissions[0].Account.Username == "foreign" {
				<-ownIsIn // for ever, if the other had to wait for this one
			}
		}
		login := request(Login, "foreign", 1)
		login.Password = "U*U"
		first := f.submit(t.Context(), login)
		synctest.Wait()
		second := f.submit(t.Context(), request(Register, "own", 2))
		synctest.Wait()
		f.Start()
		if err := <-second; err != nil {
			t.Fatal(err)
		}
		close(ownIsIn)
		if err := <-first; err != nil {
			t.Fatal(err)
		}
		f.Stop()
		accounts, err := f.store.LoadAccounts(t.Context(), []string{"foreign"})
		if err != nil || password.Foreign(accounts[0].PasswordHash) {
			t.Errorf("the foreign hash was not replaced (%v)", err)
		}
	})
}

func TestPoolPanicHarmsNoOther(t *testing.T) {
	tests := map[string]func(*fixture){
		"load": func(f *fixture) {
			f.store.beforeLoad = func(names []string) {
				for _, n := range names {
					if n == "boom" {
						panic("load")
					}
				}
			}
		},
		"commit": func(f *fixture) {
			f.store.beforeAdmit = func(admissions []rushgate.Admission) {
				for _, a := range admissions {
					if a.Account.Username == "boom" {
						panic("admit")
					}
				}
			}
		},
	}
	for name, arm := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, func(c *settings) { c.Workers = 1 })
				arm(f)
				var others []<-chan error
				for i := range 10 {
					others = append(others, f.submit(t.Context(), request(Register, fmt.Sprintf("player-%d", i), i)))
				}
				boom := f.submit(t.Context(), request(Register, "boom", 99))
				synctest.Wait()
				f.Start()
				for i, done := range others {
					if err := <-done; err != nil {
						t.Errorf("request %d of the batch: %v", i, err)
					}
				}
				if err := <-boom; !errors.Is(err, rushgate.InternalError) {
					t.Errorf("the request that panics: %v, want internal-error", err)
				}
				if f.Stats().Counters.Success != 10 {
					t.Errorf("counters %+v", f.Stats().Counters)
				}
			})
		})
	}
}

// A store that fails is no fault of the player's: the same attempt is worth another try, and nothing counts against the
// address.
func TestPoolAnswersTheBatchWhenTheStoreFails(t *testing.T) {
	f := newFixture(t, nil)
	f.store.Close()
	f.Start()
	for range 2 * door.FailureLimit {
		_, err := f.Submit(t.Context(), request(Login, "alice", 1))
		var refusal *rushgate.Refusal
		if !errors.As(err, &refusal) || refusal.Reason != rushgate.ServerBusy || refusal.RetryAfter < time.Second ||
			!errors.Is(err, memory.ErrClosed) {
			t.Fatalf("got %v, want server-busy that wraps the store's error", err)
		}
	}
}

func TestPoolRepeatedAttemptGetsItsSession(t *testing.T) {
	f := newFixture(t, nil)
	f.Start()
	first := request(Register, "alice", 1)
	first.Attempt = "attempt-1"
	s1, err := f.Submit(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	s2, err := f.Submit(t.Context(), first)
	if err != nil || s2.Player != s1.Player {
		t.Errorf("the registration sent again: player %d, %v; want player %d", s2.Player, err, s1.Player)
	}
	wrong := first
	wrong.Password = "wrong"
	if _, err := f.Submit(t.Context(), wrong); !errors.Is(err, rushgate.BadCredentials) {
		t.Errorf("the same attempt with another password: %v", err)
	}
	other := first
	other.Attempt = "attempt-2"
	if _, err := f.Submit(t.Context(), other); !errors.Is(err, rushgate.UsernameTaken) {
		t.Errorf("another attempt: %v", err)
	}
}

// Two copies of one attempt in flight together: one makes the account, the other is told to ask again, and then gets
// the session. Neither is told that the name is taken.
func TestPoolConcurrentCopiesOfAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *settings) { c.Workers = 1 })
		r := request(Register, "alice", 1)
		r.Attempt = "attempt-1"
		a, b := f.submit(t.Context(), r), f.submit(t.Context(), r)
		synctest.Wait()
		f.Start()
		errs := []error{<-a, <-b}
		if errs[0] != nil {
			errs[0], errs[1] = errs[1], errs[0]
		}
		if errs[0] != nil || !errors.Is(errs[1], rushgate.ServerBusy) {
			t.Fatalf("got %v, want one success and one server-busy", errs)
		}
		if _, err := f.Submit(t.Context(), r); err != nil {
			t.Errorf("asking again: %v", err)
		}
	})
}
