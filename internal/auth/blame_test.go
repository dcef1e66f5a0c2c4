package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/password"
)

const bcryptHash = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW" // of "U*U"

// keep stores an account, with a released lease.
func (f *fixture) keep(t *testing.T, id rushgate.PlayerID, name, hash string) {
	t.Helper()
	a := rushgate.Account{ID: id, Username: name, PasswordHash: hash, CreatedAt: time.Now()}
	made := []rushgate.Admission{{Account: a, Create: true, Attempt: "x"}}
	in, err := f.store.Store.Admit(t.Context(), f.cfg.Instance, made)
	if err != nil || in[0].Err != nil {
		t.Fatal(in, err)
	}
	leave := rushgate.Save{Character: in[0].Character, Fence: in[0].Lease.Fence, Release: true}
	if _, err := f.store.Save(t.Context(), []rushgate.Save{leave}); err != nil {
		t.Fatal(err)
	}
}

// What is our own fault is never counted against a player: an unreadable hash, a stage that panics, a store that fails.
func TestOurFaultsCountAgainstNobody(t *testing.T) {
	tests := map[string]struct {
		arm  func(*testing.T, *fixture)
		want rushgate.Reason
	}{
		"unreadable hash": {func(t *testing.T, f *fixture) {
			f.keep(t, 5000, "alice", "no hash at all")
		}, rushgate.InternalError},
		"unknown pepper": {func(t *testing.T, f *fixture) {
			f.keep(t, 5000, "alice", strings.Repeat("0", 32)+"$1000$"+strings.Repeat("0", 64)+"$lost")
		}, rushgate.InternalError},
		"load panics": {func(_ *testing.T, f *fixture) {
			f.store.beforeLoad = func(names []string) {
				if names[0] == "alice" {
					panic("load")
				}
			}
		}, rushgate.InternalError},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, nil)
			tt.arm(t, f)
			f.Start()
			for range 3 * door.FailureLimit {
				if _, err := f.Submit(t.Context(), request(Login, "alice", 1)); !errors.Is(err, tt.want) {
					t.Fatalf("got %v, want %v", err, tt.want)
				}
			}
			if _, err := f.Submit(t.Context(), request(Register, "neighbour", 1)); err != nil {
				t.Errorf("another player at that address: %v", err)
			}
			if n := len(f.door.Lockouts(10)); n != 0 {
				t.Errorf("%d lockouts", n)
			}
		})
	}
}

// lostAnswers is a store that carries out admissions and loses the answers to the first ones.
type lostAnswers struct {
	rushgate.Store
	lose int
	seen [][]rushgate.Admission
}

func (s *lostAnswers) Admit(
	ctx context.Context, by rushgate.Instance, admissions []rushgate.Admission,
) ([]rushgate.Admitted, error) {
	in, err := s.Store.Admit(ctx, by, admissions)
	s.seen = append(s.seen, admissions)
	if s.lose > 0 {
		s.lose--
		return nil, fmt.Errorf("connection reset: %w", rushgate.ErrUnavailable)
	}
	return in, err
}

// An admission whose answer is lost is repeated as it was, and the player is in: the store's contract allows it.
func TestLostAdmissionIsRepeated(t *testing.T) {
	lost := &lostAnswers{lose: 1}
	f := newFixture(t, func(c *settings) { lost.Store = c.Store; c.Store = lost })
	f.Start()
	s, err := f.Submit(t.Context(), request(Register, "alice", 1))
	if err != nil || s.Token == "" {
		t.Fatalf("the registration: %v", err)
	}
	if len(lost.seen) != 2 {
		t.Fatalf("admissions: %+v", lost.seen)
	}
	first, second := lost.seen[0][0], lost.seen[1][0]
	if first.Attempt != second.Attempt || first.Account.ID != second.Account.ID {
		t.Errorf("admissions: %+v", lost.seen)
	}
	lost.lose = 2 // and if that is lost too, the player is told to come back
	if _, err := f.Submit(t.Context(), request(Register, "bob", 2)); !errors.Is(err, rushgate.ServerBusy) {
		t.Errorf("two lost answers: %v", err)
	}
}

// The log says once that a lockout has begun, with the name only if there is an account of it.
func TestLockoutIsLoggedOnce(t *testing.T) {
	var log lockedBuffer
	f := newFixture(t, func(c *settings) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	f.Start()
	if _, err := f.Submit(t.Context(), request(Register, "alice", 9)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"alice", "a typed password"} {
		for range 3 * door.FailureLimit {
			r := request(Login, name, 1)
			r.Password = "wrong"
			f.Submit(t.Context(), r)
		}
	}
	f.Stop()
	text := log.String()
	if n := strings.Count(text, "locked out"); n != 2 {
		t.Errorf("%d lines, want one for each lockout:\n%s", n, text)
	}
	for want, there := range map[string]bool{"username=alice": true, "origin=10.0.0.1/32": true, "typed": false} {
		if strings.Contains(text, want) != there {
			t.Errorf("%q in the log: %v, want %v\n%s", want, !there, there, text)
		}
	}
}

// lockedBuffer is a log that may be read while it is written to.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// 250 parallel logins at accounts with slow hashes neither hold up the others nor change the estimate of the pace, and
// those that find no room in their lane are told so at once.
func TestSlowHashesHoldUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *settings) { c.QueueDepth = 1000 })
		for i := range 250 {
			f.keep(t, rushgate.PlayerID(5000+i), fmt.Sprint("import-", i), bcryptHash)
		}
		var slow []<-chan error
		for i := range 250 {
			r := request(Login, fmt.Sprint("import-", i), i)
			r.Password = "U*U"
			slow = append(slow, f.submit(t.Context(), r))
		}
		synctest.Wait()
		own := f.submit(t.Context(), request(Register, "newcomer", 1000))
		synctest.Wait()
		before := f.door.Stats().Pace
		f.Start()
		if err := <-own; err != nil {
			t.Errorf("the newcomer behind them: %v", err)
		}
		in, busy := 0, 0
		for i, done := range slow {
			switch err := <-done; {
			case err == nil:
				in++
			case errors.Is(err, rushgate.ServerBusy):
				busy++
			default:
				t.Fatalf("login %d: %v", i, err)
			}
		}
		if in == 0 || busy == 0 || in+busy != 250 {
			t.Errorf("%d are in and %d were told to come back", in, busy)
		}
		synctest.Wait() // what a batch has taken is told when all of it are answered
		if after := f.door.Stats(); after.Pace < before/2 || after.Slow != 0 || after.InHand != 0 {
			t.Errorf("the pace was %v, and now %+v", before, after)
		}
	})
}

// A slow hash is served in its lane also while the pool drains.
func TestDrainFinishesTheSlowLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.keep(t, 5000, "import", bcryptHash)
		r := request(Login, "import", 1)
		r.Password = "U*U"
		done := f.submit(t.Context(), r)
		synctest.Wait()
		f.Start()
		if err := f.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Errorf("a login in the slow lane: %v", err)
		}
	})
}

// A hash with many times the iterations of our own is slow too.
func TestCostlyHashesAreSlow(t *testing.T) {
	costly, err := password.NewHasher(password.Config{Iterations: 100 * password.MinIterations})
	if err != nil {
		t.Fatal(err)
	}
	j := password.New(secret)
	costly.Run(t.Context(), []*password.Job{&j})
	f := newFixture(t, nil)
	f.keep(t, 5000, "alice", j.Hash)
	if !f.cfg.Hasher.Slow(j.Hash) || costly.Slow(j.Hash) {
		t.Error("slow is what takes many times as long as one's own")
	}
	f.Start()
	if _, err := f.Submit(t.Context(), request(Login, "alice", 1)); err != nil {
		t.Errorf("a login with a costly hash: %v", err)
	}
	wrong := request(Login, "alice", 2)
	wrong.Password = "wrong"
	if _, err := f.Submit(t.Context(), wrong); !errors.Is(err, rushgate.BadCredentials) {
		t.Errorf("a wrong password: %v", err)
	}
}

// Five places and 150 in the queue: only those who can come in are hashed.
func TestSeatsAreTakenBeforeTheHash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(c *settings) { c.World = 5; c.QueueDepth = 200 })
		var done []<-chan error
		for i := range 150 {
			done = append(done, f.submit(t.Context(), request(Register, fmt.Sprint("player-", i), i)))
		}
		synctest.Wait()
		f.Start()
		in := 0
		for _, d := range done {
			if err := <-d; err == nil {
				in++
			} else if !errors.Is(err, rushgate.ServerBusy) {
				t.Error(err)
			}
		}
		if n := f.cfg.Hasher.Iterations() / password.MinIterations; in != 5 || n != 5 {
			t.Errorf("%d are in, %d were hashed, want 5", in, n)
		}
		if s := f.door.Stats(); s.Seats != 5 {
			t.Errorf("%d seats are taken", s.Seats)
		}
	})
}
