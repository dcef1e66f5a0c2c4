package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/store/memory"
)

const secret = "correct horse"

// spyStore counts the calls that reach a store, and can do something before each.
type spyStore struct {
	rushgate.Store
	loads, admits, updates atomic.Int64
	beforeLoad             func(names []string)
	beforeAdmit            func(admissions []rushgate.Admission)
	beforeReserve          func()
}

func (s *spyStore) ReserveIDs(ctx context.Context, n int) (rushgate.PlayerID, error) {
	if s.beforeReserve != nil {
		s.beforeReserve()
	}
	return s.Store.ReserveIDs(ctx, n)
}

func (s *spyStore) LoadAccounts(ctx context.Context, names []string) ([]rushgate.LoadedAccount, error) {
	s.loads.Add(1)
	if s.beforeLoad != nil {
		s.beforeLoad(names)
	}
	return s.Store.LoadAccounts(ctx, names)
}

func (s *spyStore) UpdateAccounts(ctx context.Context, changes []rushgate.AccountChange) ([]error, error) {
	s.updates.Add(1)
	return s.Store.UpdateAccounts(ctx, changes)
}

func (s *spyStore) Admit(
	ctx context.Context, by rushgate.Instance, admissions []rushgate.Admission,
) ([]rushgate.Admitted, error) {
	s.admits.Add(1)
	if s.beforeAdmit != nil {
		s.beforeAdmit(admissions)
	}
	return s.Store.Admit(ctx, by, admissions)
}

// fixture is a pool on a memory store whose world lets everyone in at once.
type fixture struct {
	*Pool
	store *spyStore
	door  *door.Door

	mu      sync.Mutex
	inside  map[string]rushgate.Admitted
	release func() // see holdLane
}

// settings are a pool's and its door's.
type settings struct {
	Config
	QueueDepth int
	World      int
	Iterations int
}

func newFixture(t *testing.T, change func(*settings)) *fixture {
	t.Helper()
	f := &fixture{store: &spyStore{Store: memory.New(memory.Options{})}, inside: make(map[string]rushgate.Admitted)}
	tokens := make(map[rushgate.Lease]string)
	cfg := settings{World: 10_000, Iterations: password.MinIterations, Config: Config{
		Remember: testLife, Grace: 30 * time.Second,
		Store: f.store, HashTime: time.Millisecond, Workers: DefaultWorkers, MaxAge: DefaultMaxAge,
		Instance: rushgate.Instance{Node: "node", Run: "run"},
		Enter: func(a rushgate.Arrival) {
			f.mu.Lock()
			f.inside[a.Lease.Name] = a.Admitted
			if !a.Resumed || tokens[a.Lease] == "" {
				tokens[a.Lease] = a.Token
			}
			s := rushgate.Session{Player: a.Lease.Player, Token: tokens[a.Lease]}
			f.mu.Unlock()
			a.Reply(s, nil)
		},
		Logger: slog.New(slog.DiscardHandler),
	}}
	if change != nil {
		change(&cfg)
	}
	var err error
	if cfg.Hasher, err = password.NewHasher(password.Config{Iterations: cfg.Iterations}); err != nil {
		t.Fatal(err)
	}
	batch, pace := Capacity(cfg.Workers, cfg.MaxAge, cfg.HashTime)
	f.door, err = door.New(door.Config{
		Queue: cfg.QueueDepth, World: cfg.World, MaxAge: cfg.MaxAge, Batch: batch, Pace: pace, OriginShare: 100,
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Door = f.door
	if f.Pool, err = NewPool(cfg.Config); err != nil {
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
		f := newFixture(t, func(c *settings) { c.Workers = workers })
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
	where, err2 := f.store.Presence(t.Context(), []string{"alice"})
	if err != nil || err2 != nil || len(ranks) != 1 || !where[0].Inside() {
		t.Errorf("left in the store: %d characters, %+v, want one, inside (%v, %v)", len(ranks), where, err, err2)
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
		{
			"attempt too long", Request{Username: "alice", Password: secret, Attempt: strings.Repeat("x", 65)},
			rushgate.MissingCredentials,
		},
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

func TestPoolLocksOutWhoKeepsFailing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.Start()
		for i := range door.FailureLimit {
			if _, err := f.Submit(t.Context(), request(Login, "nobody", 1)); !errors.Is(err, rushgate.BadCredentials) {
				t.Fatalf("try %d: %v", i+1, err)
			}
		}
		_, err := f.Submit(t.Context(), request(Login, "nobody", 1))
		var refusal *rushgate.Refusal
		if !errors.As(err, &refusal) || refusal.Reason != rushgate.RateLimited || refusal.RetryAfter != door.LockoutTime {
			t.Errorf("after %d failures: %v, %+v", door.FailureLimit, err, refusal)
		}
		if f.Stats().Counters.RateLimited != 1 {
			t.Errorf("counters %+v", f.Stats().Counters)
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
		f := newFixture(t, func(c *settings) { c.Logger = slog.New(log) })
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

// ignorant is a store of a time before sessions went on: it admits whom it is asked to admit.
type ignorant struct{ rushgate.Store }

func (s ignorant) Admit(
	ctx context.Context, by rushgate.Instance, admissions []rushgate.Admission,
) ([]rushgate.Admitted, error) {
	for i := range admissions {
		admissions[i].Continue, admissions[i].Session = false, ""
	}
	results, err := s.Store.Admit(ctx, by, admissions)
	for i := range results {
		results[i].Attempt = ""
	}
	return results, err
}
