package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/store/memory"
)

const secret = "correct horse"

// spyStore counts the calls that reach a store, and can do something before each.
type spyStore struct {
	rushgate.Store
	loads, admits atomic.Int64
	beforeLoad    func(names []string)
	beforeAdmit   func(admissions []rushgate.Admission)
	beforeReserve func()
}

func (s *spyStore) ReserveIDs(ctx context.Context, n int) (rushgate.PlayerID, error) {
	if s.beforeReserve != nil {
		s.beforeReserve()
	}
	return s.Store.ReserveIDs(ctx, n)
}

func (s *spyStore) LoadAccounts(ctx context.Context, names []string) ([]rushgate.Account, error) {
	s.loads.Add(1)
	if s.beforeLoad != nil {
		s.beforeLoad(names)
	}
	return s.Store.LoadAccounts(ctx, names)
}

func (s *spyStore) Admit(ctx context.Context, by rushgate.Instance, admissions []rushgate.Admission) ([]rushgate.Admitted, error) {
	s.admits.Add(1)
	if s.beforeAdmit != nil {
		s.beforeAdmit(admissions)
	}
	return s.Store.Admit(ctx, by, admissions)
}

// fixture is a pool on a memory store whose world lets everyone in at once.
type fixture struct {
	*Pool
	store   *spyStore
	limiter *Limiter
}

func newFixture(t *testing.T, change func(*Config)) *fixture {
	t.Helper()
	hasher, err := password.NewHasher(password.Config{Iterations: password.MinIterations})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{store: &spyStore{Store: memory.New(memory.Options{})}, limiter: NewLimiter(0)}
	cfg := Config{
		Store: f.store, Hasher: hasher, Limiter: f.limiter, HashTime: time.Millisecond,
		Instance: rushgate.Instance{Node: "node", Run: "run"},
		Enter: func(a rushgate.Arrival) {
			a.Reply(rushgate.Session{Player: a.Lease.Player, Token: a.Token}, nil)
		},
		Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&cfg)
	}
	if f.Pool, err = NewPool(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Stop)
	return f
}

func addr(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

func request(kind Kind, name string, i int) Request {
	return Request{Kind: kind, Username: name, Password: secret, Addr: addr(i)}
}

// submit submits in the background; the error arrives on the channel.
func (f *fixture) submit(ctx context.Context, r Request) <-chan error {
	done := make(chan error, 1)
	go func() { _, err := f.Submit(ctx, r); done <- err }()
	return done
}

func TestPoolAnswersEveryRequest(t *testing.T) {
	for _, workers := range []int{1, 2, 4} {
		f := newFixture(t, func(c *Config) { c.Workers = workers })
		f.Start()
		const n = 100
		var wg sync.WaitGroup
		players := make([]rushgate.PlayerID, n)
		for i := range n {
			wg.Go(func() {
				s, err := f.Submit(t.Context(), request(Register, fmt.Sprintf("player-%d", i), i))
				if err != nil || s.Token == "" {
					t.Errorf("registration %d: %+v, %v", i, s, err)
				}
				players[i] = s.Player
			})
		}
		wg.Wait()
		f.Stop()
		seen := map[rushgate.PlayerID]bool{}
		for _, id := range players {
			if id == 0 || seen[id] {
				t.Errorf("player id %d is zero or was given out twice", id)
			}
			seen[id] = true
		}
		s := f.Stats()
		if c := s.Counters; c.Queued != n || c.Processed != n || c.Success != n || s.Wait.Count != n {
			t.Errorf("%d workers: counters %+v, want %d", workers, c, n)
		}
	}
}

func TestPoolOneNameHasOneWinner(t *testing.T) {
	f := newFixture(t, nil)
	f.Start()
	var wins, taken atomic.Int64
	var wg sync.WaitGroup
	for i := range 64 {
		name, err := rushgate.ParseUsername([]string{"alice", "ALICE", "Alice", "aLiCe"}[i%4])
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			switch _, err := f.Submit(t.Context(), request(Register, name, i)); {
			case err == nil:
				wins.Add(1)
			case errors.Is(err, rushgate.UsernameTaken):
				taken.Add(1)
			default:
				t.Errorf("registration %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if wins.Load() != 1 || taken.Load() != 63 {
		t.Errorf("%d won and %d were told the name is taken, want 1 and 63", wins.Load(), taken.Load())
	}
	ranks, err := f.store.Top(t.Context(), rushgate.BoardXP, 100)
	online, err2 := f.store.Online(t.Context())
	if err != nil || err2 != nil || len(ranks) != 1 || online != 1 {
		t.Errorf("left in the store: %d characters, %d online, want 1 and 1 (%v, %v)", len(ranks), online, err, err2)
	}
}

func TestPoolLogin(t *testing.T) {
	f := newFixture(t, nil)
	f.Start()
	if _, err := f.Submit(t.Context(), request(Register, "alice", 1)); err != nil {
		t.Fatal(err)
	}
	wrong := request(Login, "alice", 2)
	wrong.Password = "wrong"
	tests := []struct {
		name string
		r    Request
		want rushgate.Reason
	}{
		{"wrong password", wrong, rushgate.BadCredentials},
		{"unknown user", request(Login, "nobody", 3), rushgate.BadCredentials},
		{"live session", request(Login, "alice", 4), rushgate.AlreadyLoggedIn},
		{"taken name", request(Register, "alice", 5), rushgate.UsernameTaken},
		{"no name", request(Login, "", 6), rushgate.MissingCredentials},
		{"no password", Request{Kind: Login, Username: "alice", Addr: addr(7)}, rushgate.MissingCredentials},
		{"attempt too long", Request{Username: "alice", Password: secret, Attempt: strings.Repeat("x", 65)}, rushgate.MissingCredentials},
	}
	for _, tt := range tests {
		if _, err := f.Submit(t.Context(), tt.r); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	f.Stop() // the workers' last records are in
	s := f.Stats()
	if s.Counters.Fail[rushgate.BadCredentials] != 2 || s.Counters.Fail[rushgate.MissingCredentials] != 3 {
		t.Errorf("failures by reason: %v", s.Counters.Fail)
	}
	// alice's registration, the wrong password, the unknown user's decoy, the one with a live session.
	if n := f.cfg.Hasher.Iterations() / password.MinIterations; n != 4 {
		t.Errorf("%d derivations, want 4", n)
	}
}

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
		s := f.Stats()
		if s.Counters.Expired != 2 || f.store.loads.Load() != 0 || f.store.admits.Load() != 0 || s.Derive.Count != 0 {
			t.Errorf("expired %d, loads %d, admits %d, derivations %d; want 2 and no work", s.Counters.Expired, f.store.loads.Load(), f.store.admits.Load(), s.Derive.Count)
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
		f := newFixture(t, func(c *Config) { c.Workers = 1 })
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
		if online, err := f.store.Online(t.Context()); err != nil || online != 1 {
			t.Errorf("%d admitted (%v), want 1", online, err)
		}
	})
}

// A login replaces an outdated hash; in a rush it does not, and succeeds all the same.
func TestPoolRehashes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const legacy = "5f14740d5493f4de552bc5517834724b$b6754e0cbba0bac05a056e6ffd1fcc0aadbe49b6b75656703bbec3c3474bac0e"
		f := newFixture(t, func(c *Config) { c.Workers = 1; c.QueueDepth = 10 })
		login := func(name string, i int) Request {
			r := request(Login, name, i)
			r.Password = "p@$$w0rd"
			return r
		}
		names := []string{"alice", "bob"}
		for i, name := range names {
			a := rushgate.Account{ID: rushgate.PlayerID(1000 + i), Username: name, PasswordHash: legacy, CreatedAt: time.Now(), Version: 2}
			leave := rushgate.Save{Character: rushgate.Character{ID: a.ID, Level: 1}, Fence: 1, Release: true}
			if _, err := f.store.Store.Admit(t.Context(), f.cfg.Instance, []rushgate.Admission{{Account: a, Create: true, Attempt: "x"}}); err != nil {
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

func TestPoolInRush(t *testing.T) {
	for limit, half := range map[int]int{10: 5, 200: 100, 0: DefaultQueueDepth / 2} {
		f := newFixture(t, func(c *Config) { c.QueueDepth = limit })
		for i := range half + 1 {
			if f.inRush() {
				t.Errorf("depth %d: a rush with %d in the queue", limit, i)
			}
			f.queue.TryPush(&pending{Request: request(Login, "x", i), answer: make(chan answer, 1)})
		}
		if !f.inRush() {
			t.Errorf("depth %d: no rush with %d in the queue", limit, half+1)
		}
	}
}

// A slow hash from another system makes nobody else of its batch wait.
func TestPoolAnswersOwnHashesBeforeForeignOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *Config) { c.Workers = 1 })
		foreign := rushgate.Account{ID: 5000, Username: "foreign", CreatedAt: time.Now(),
			PasswordHash: "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"}
		if _, err := f.store.Store.Admit(t.Context(), f.cfg.Instance, []rushgate.Admission{{Account: foreign, Create: true, Attempt: "x"}}); err != nil {
			t.Fatal(err)
		}
		if _, err := f.store.Save(t.Context(), []rushgate.Save{{Character: rushgate.Character{ID: 5000, Level: 1}, Fence: 1, Release: true}}); err != nil {
			t.Fatal(err)
		}
		var order []string
		f.store.beforeAdmit = func(admissions []rushgate.Admission) {
			for _, a := range admissions {
				order = append(order, a.Account.Username)
			}
		}
		login := request(Login, "foreign", 1)
		login.Password = "U*U"
		first := f.submit(t.Context(), login)
		synctest.Wait()
		second := f.submit(t.Context(), request(Register, "own", 2))
		synctest.Wait()
		f.Start()
		if err1, err2 := <-first, <-second; err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		f.Stop()
		if !slices.Equal(order, []string{"own", "foreign"}) {
			t.Errorf("admitted in the order %q", order)
		}
		accounts, err := f.store.LoadAccounts(t.Context(), []string{"foreign"})
		if err != nil || password.Foreign(accounts[0].PasswordHash) {
			t.Errorf("the foreign hash was not replaced (%v)", err)
		}
	})
}

func TestPoolLocksOutWhoKeepsFailing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.Start()
		for i := range FailureLimit {
			if _, err := f.Submit(t.Context(), request(Login, "nobody", 1)); !errors.Is(err, rushgate.BadCredentials) {
				t.Fatalf("try %d: %v", i+1, err)
			}
		}
		_, err := f.Submit(t.Context(), request(Login, "nobody", 1))
		var refusal *rushgate.Refusal
		if !errors.As(err, &refusal) || refusal.Reason != rushgate.RateLimited || refusal.RetryAfter != LockoutTime {
			t.Errorf("after %d failures: %v, %+v", FailureLimit, err, refusal)
		}
		if f.Stats().Counters.RateLimited != 1 {
			t.Errorf("counters %+v", f.Stats().Counters)
		}
	})
}

// The limiter is asked once, when a request is queued: a lockout in between changes nothing for it, and its own
// failure still counts.
func TestPoolServesWhoWasAdmittedToTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		good := f.submit(t.Context(), request(Register, "alice", 1))
		bad := f.submit(t.Context(), request(Login, "nobody", 2))
		synctest.Wait()
		for i := range FailureLimit {
			f.limiter.Failure(OriginOf(addr(1)))
			if i > 0 {
				f.limiter.Failure(OriginOf(addr(2)))
			}
		}
		if f.limiter.LockedFor(OriginOf(addr(1))) == 0 || f.limiter.LockedFor(OriginOf(addr(2))) != 0 {
			t.Fatal("the fixture is wrong: want address 1 locked out and address 2 one failure short of it")
		}
		f.Start()
		if err := <-good; err != nil {
			t.Errorf("registration queued before the lockout: %v", err)
		}
		if err := <-bad; !errors.Is(err, rushgate.BadCredentials) {
			t.Errorf("login queued before the lockout: %v", err)
		}
		if f.limiter.LockedFor(OriginOf(addr(1))) != 0 {
			t.Error("a success did not clear its address")
		}
		if f.limiter.LockedFor(OriginOf(addr(2))) == 0 {
			t.Error("the failure of a request that was already queued was not counted")
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
				f := newFixture(t, func(c *Config) { c.Workers = 1 })
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
	for range 2 * FailureLimit {
		_, err := f.Submit(t.Context(), request(Login, "alice", 1))
		var refusal *rushgate.Refusal
		if !errors.As(err, &refusal) || refusal.Reason != rushgate.ServerBusy || refusal.RetryAfter < storeRetry || !errors.Is(err, memory.ErrClosed) {
			t.Fatalf("got %v, want server-busy that wraps the store's error", err)
		}
	}
}

// What counts against an address: bad and missing credentials, and requests that bring a stage down.
func TestPoolCountsFailuresAgainstTheAddress(t *testing.T) {
	boom := request(Login, "boom", 1)
	tests := map[string]struct {
		r      Request
		counts bool
	}{
		"bad credentials":     {request(Login, "nobody", 1), true},
		"missing credentials": {request(Login, "", 1), true},
		"internal error":      {boom, true},
		"name taken":          {request(Register, "alice", 1), false},
		"live session":        {request(Login, "alice", 1), false},
	}
	for name, tt := range tests {
		f := newFixture(t, nil)
		f.store.beforeLoad = func(names []string) {
			if names[0] == "boom" {
				panic("load")
			}
		}
		f.Start()
		if _, err := f.Submit(t.Context(), request(Register, "alice", 2)); err != nil {
			t.Fatal(err)
		}
		for range FailureLimit {
			f.Submit(t.Context(), tt.r)
		}
		if got := f.limiter.LockedFor(OriginOf(addr(1))) > 0; got != tt.counts {
			t.Errorf("%s: locked out %v, want %v", name, got, tt.counts)
		}
	}
}

// Repeating a login that has already been answered does not wash an address clean.
func TestPoolRepeatDoesNotClearFailures(t *testing.T) {
	f := newFixture(t, nil)
	f.Start()
	own := request(Register, "mallory", 1)
	own.Attempt = "attempt"
	if _, err := f.Submit(t.Context(), own); err != nil {
		t.Fatal(err)
	}
	for range FailureLimit {
		if _, err := f.Submit(t.Context(), own); err != nil {
			t.Fatal(err)
		}
		f.Submit(t.Context(), request(Login, "nobody", 1))
	}
	if f.limiter.LockedFor(OriginOf(addr(1))) == 0 {
		t.Error("the failures were forgotten")
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
		f := newFixture(t, func(c *Config) { c.Workers = 1 })
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

func TestPoolRefusesAtOnceWhenFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *Config) { c.QueueDepth = 10; c.HashTime = time.Second; c.Workers = 1 })
		for i := range 10 {
			f.submit(t.Context(), request(Register, fmt.Sprintf("player-%d", i), i))
		}
		synctest.Wait()
		start := time.Now()
		var last time.Duration
		for i := range 5 {
			_, err := f.Submit(t.Context(), request(Register, "late", 100+i))
			var refusal *rushgate.Refusal
			if !errors.As(err, &refusal) || refusal.Reason != rushgate.ServerBusy {
				t.Fatalf("a full queue answers %v", err)
			}
			if refusal.RetryAfter <= last {
				t.Errorf("refusal %d is to come back in %v, the one before in %v", i, refusal.RetryAfter, last)
			}
			last = refusal.RetryAfter
		}
		if time.Since(start) != 0 {
			t.Errorf("the refusals took %v", time.Since(start))
		}
		if !f.Busy() || f.Stats().Counters.RejectedBusy != 5 {
			t.Errorf("busy %v, counters %+v", f.Busy(), f.Stats().Counters)
		}
		f.Stop()
	})
}

func TestPoolRefusesWhileTheWorldIsFull(t *testing.T) {
	full := true
	f := newFixture(t, func(c *Config) { c.Full = func() bool { return full } })
	f.Start()
	_, err := f.Submit(t.Context(), request(Register, "alice", 1))
	var refusal *rushgate.Refusal
	if !errors.As(err, &refusal) || refusal.Reason != rushgate.ServerBusy || refusal.RetryAfter < fullRetry || !f.Busy() {
		t.Errorf("a full world: %v, %+v", err, refusal)
	}
	full = false
	if _, err := f.Submit(t.Context(), request(Register, "alice", 1)); err != nil || f.Busy() {
		t.Errorf("with room again: %v", err)
	}
}

func TestPoolRefusesWhatWouldExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// One login a second in batches of six, and no bound on the queue: the 21st might be stale before its turn.
		f := newFixture(t, func(c *Config) { c.QueueDepth = 0; c.HashTime = time.Second; c.Workers = 1 })
		for i := range 40 {
			f.submit(t.Context(), request(Register, fmt.Sprintf("player-%d", i), i))
			synctest.Wait()
		}
		if c := f.Stats().Counters; c.Queued != 20 || c.RejectedBusy != 20 {
			t.Errorf("queued %d, refused %d; want 20 and 20", c.Queued, c.RejectedBusy)
		}
		f.Stop()
	})
}

// Places that free up belong to those who were promised them.
func TestPoolKeepsPlacesForThePromised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *Config) { c.QueueDepth = 10; c.HashTime = time.Second; c.Workers = 1 })
		for i := range 10 {
			f.submit(t.Context(), request(Register, fmt.Sprintf("player-%d", i), i))
		}
		synctest.Wait()
		_, err := f.Submit(t.Context(), request(Register, "promised", 50))
		var refusal *rushgate.Refusal
		if !errors.As(err, &refusal) {
			t.Fatal(err)
		}
		f.queue.take(3) // places free up
		if _, err := f.Submit(t.Context(), request(Register, "newcomer", 51)); !errors.Is(err, rushgate.ServerBusy) {
			t.Errorf("a newcomer took a promised place: %v", err)
		}
		if _, err := f.Submit(t.Context(), request(Register, "promised", 50)); !errors.Is(err, rushgate.ServerBusy) {
			t.Errorf("a client that came back early was let in: %v", err)
		}
		time.Sleep(refusal.RetryAfter)
		done := f.submit(t.Context(), request(Register, "promised", 50))
		synctest.Wait()
		select {
		case err := <-done:
			t.Errorf("a client that came back in time was refused: %v", err)
		default:
		}
		f.Stop()
	})
}

func TestPoolStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *Config) { c.Workers = 1 })
		var inHand atomic.Bool
		release := make(chan struct{})
		f.store.beforeLoad = func([]string) { inHand.Store(true); <-release }
		f.Start()
		first := f.submit(t.Context(), request(Register, "first", 1))
		synctest.Wait()
		if !inHand.Load() {
			t.Fatal("no worker took the request")
		}
		queued := f.submit(t.Context(), request(Register, "queued", 2))
		synctest.Wait()
		stopped := make(chan struct{})
		go func() { f.Stop(); close(stopped) }()
		synctest.Wait()
		select {
		case <-stopped:
			t.Fatal("Stop returned with a batch in hand")
		default:
		}
		close(release)
		<-stopped
		if err := <-first; err != nil {
			t.Errorf("the batch in hand: %v", err)
		}
		if err := <-queued; !errors.Is(err, rushgate.ServerBusy) {
			t.Errorf("a queued request: %v, want server-busy", err)
		}
		if _, err := f.Submit(t.Context(), request(Register, "late", 3)); !errors.Is(err, rushgate.ServerBusy) {
			t.Errorf("after Stop: %v, want server-busy", err)
		}
		f.Start() // does nothing
		f.Stop()
	})
}

func TestPoolDrainFinishesTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *Config) { c.Workers = 1 })
		var done []<-chan error
		for i := range 100 {
			done = append(done, f.submit(t.Context(), request(Register, fmt.Sprintf("player-%d", i), i)))
		}
		synctest.Wait()
		f.store.beforeLoad = func([]string) { time.Sleep(time.Second) }
		f.Start()
		if err := f.Drain(t.Context()); err != nil {
			t.Errorf("Drain: %v", err)
		}
		for i, d := range done {
			if err := <-d; err != nil {
				t.Errorf("queued request %d: %v", i, err)
			}
		}
	})
}

func TestPoolDrainGivesUpInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *Config) { c.Workers = 1 })
		f.store.beforeLoad = func([]string) { time.Sleep(time.Second) }
		var done []<-chan error
		for i := range 100 {
			done = append(done, f.submit(t.Context(), request(Register, fmt.Sprintf("player-%d", i), i)))
		}
		synctest.Wait()
		f.Start()
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		if err := f.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Drain: %v", err)
		}
		ok, busy := 0, 0
		for _, d := range done {
			switch err := <-d; {
			case err == nil:
				ok++
			case errors.Is(err, rushgate.ServerBusy):
				busy++
			default:
				t.Errorf("unexpected answer: %v", err)
			}
		}
		// Two batches were done, the third was about to be hashed.
		if ok != 2*BatchMax || busy != 100-2*BatchMax {
			t.Errorf("%d served and %d told to come back, want %d and %d", ok, busy, 2*BatchMax, 100-2*BatchMax)
		}
	})
}

func TestPoolStartAndStopInAnyOrder(t *testing.T) {
	for range 50 {
		f := newFixture(t, nil)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(f.Start)
			wg.Go(f.Stop)
			wg.Go(func() { f.Submit(t.Context(), request(Login, "nobody", 1)) })
		}
		wg.Wait()
	}
}

// burst has clients knock all at once at a pool with a known speed, each coming back when it is told to, and returns the
// attempts per success, the time until the last was in, and the time that the workers need at least. address tells who
// shares one.
func burst(t *testing.T, clients int, address func(i int) int) (attempts float64, took, ideal time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		const hash = 10 * time.Millisecond // two at a time: 200 logins per second
		f := newFixture(t, func(c *Config) { c.QueueDepth = 200; c.Workers = 2; c.HashTime = hash })
		f.rate = newDrainRate(2 / hash.Seconds())
		f.store.beforeLoad = func(names []string) { time.Sleep(time.Duration(len(names)) * hash) }
		f.Start()
		start := time.Now()
		var wg sync.WaitGroup
		var total atomic.Int64
		for i := range clients {
			wg.Go(func() {
				for {
					total.Add(1)
					r := request(Register, fmt.Sprintf("player-%d", i), address(i))
					_, err := f.Submit(t.Context(), r)
					if err == nil {
						return
					}
					var refusal *rushgate.Refusal
					if !errors.As(err, &refusal) || refusal.Reason != rushgate.ServerBusy {
						t.Errorf("client %d: %v", i, err)
						return
					}
					time.Sleep(refusal.RetryAfter)
				}
			})
		}
		wg.Wait()
		attempts = float64(total.Load()) / float64(clients)
		took, ideal = time.Since(start), time.Duration(clients)*hash/2
		t.Logf("%.2f attempts per success, %v for %v of work", attempts, took, ideal)
	})
	return attempts, took, ideal
}

// A burst of five times what the queue holds: everyone gets in, on the second try at the latest but for a few, and the
// workers are hardly ever out of work before the last.
func TestBurstComesBackAtTheRateItIsServed(t *testing.T) {
	attempts, took, ideal := burst(t, 1000, func(i int) int { return i })
	if attempts > 1.9 || took > ideal*110/100 {
		t.Errorf("%.2f attempts per success, took %v for %v of work", attempts, took, ideal)
	}
}

// The same burst from behind one address: the clients are spread as well as if each had its own.
func TestBurstBehindOneAddress(t *testing.T) {
	attempts, took, ideal := burst(t, 1000, func(int) int { return 7 })
	if attempts > 2.5 || took > ideal*115/100 {
		t.Errorf("%.2f attempts per success, took %v for %v of work", attempts, took, ideal)
	}
}

// Under a steady overload hardly anything is queued only to expire: what has expired does not pass for capacity.
func TestOverloadDoesNotQueueToExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const hash = 500 * time.Millisecond
		f := newFixture(t, func(c *Config) { c.QueueDepth = 0; c.Workers = 1; c.HashTime = hash })
		f.store.beforeLoad = func(names []string) { time.Sleep(time.Duration(len(names)) * hash) }
		f.Start()
		var wg sync.WaitGroup
		for i := range 3000 { // ten a second for five minutes, against two a second
			wg.Go(func() { f.Submit(t.Context(), request(Register, fmt.Sprintf("player-%d", i), i)) })
			time.Sleep(100 * time.Millisecond)
		}
		wg.Wait()
		c := f.Stats().Counters
		if c.Expired > c.Success/50 || c.Success < 590 {
			t.Errorf("%d served and %d expired, want 600 or more and next to none", c.Success, c.Expired)
		}
		if rate := f.rate.PerSecond(); rate < 1.9 || rate > 2.1 {
			t.Errorf("the estimate is %v per second, want 2", rate)
		}
	})
}

// lines collects a log.
type lines struct {
	slog.Handler
	mu   sync.Mutex
	text []string
}

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, r.Message)
	return nil
}

func TestPoolLogsASummaryWhenSomethingChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &lines{Handler: slog.NewTextHandler(t.Output(), nil)}
		f := newFixture(t, func(c *Config) { c.Logger = slog.New(log) })
		f.Start()
		time.Sleep(65 * time.Second) // between two lines of the log
		if _, err := f.Submit(t.Context(), request(Register, "alice", 1)); err != nil {
			t.Fatal(err)
		}
		f.Submit(t.Context(), request(Register, "alice", 1))
		time.Sleep(time.Minute)
		f.Stop()
		want := "[AUTH] queue=0 queued=2 processed=2 expired=0 busy=0 ok=1 fail=1"
		if len(log.text) != 1 || log.text[0] != want {
			t.Errorf("logged %q, want only %q", log.text, want)
		}
	})
}
