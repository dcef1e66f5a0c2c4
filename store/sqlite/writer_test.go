package sqlite

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/rushgate/rushgate"
)

// occupy keeps the writer busy with one job until finish is called. It is for use within a synctest bubble.
func occupy(t *testing.T, s *Store) (finish func()) {
	t.Helper()
	begun, finished := make(chan struct{}), make(chan struct{})
	go func() {
		err := s.do(context.Background(), func(context.Context) error {
			close(begun)
			<-finished
			return nil
		})
		if err != nil {
			t.Errorf("the first job: %v", err)
		}
	}()
	<-begun
	return func() { close(finished) }
}

// asGroup makes calls that the writer takes up together, and returns when they have been answered.
func asGroup(t *testing.T, s *Store, calls ...func()) {
	t.Helper()
	finish := occupy(t, s)
	for _, call := range calls {
		go call()
	}
	synctest.Wait()
	finish()
	synctest.Wait()
}

func TestWaitingCallsShareACommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 50
		s := newStore(t)
		before := s.Stats()
		answered := make(chan error, n)
		var calls []func()
		for id := range rushgate.PlayerID(n) {
			calls = append(calls, func() { answered <- register(s, id+1) })
		}
		asGroup(t, s, calls...)
		for range n {
			if err := <-answered; err != nil {
				t.Errorf("register: %v", err)
			}
		}
		after := s.Stats()
		if writes, commits := after.Writes-before.Writes, after.Commits-before.Commits; writes != n+1 || commits != 2 {
			t.Errorf("%d writes in %d commits, want %d in 2", writes, commits, n+1)
		}
	})
}

// A job that fails, panics or breaks a constraint is undone alone.
func TestFailingJobHarmsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		if err := register(s, 1); err != nil {
			t.Fatal(err)
		}
		errTest := errors.New("test")
		dirty := func(then func() error) func() error { // writes something first
			return func() error {
				return s.do(context.Background(), func(ctx context.Context) error {
					if _, err := s.writes.reserve.ExecContext(ctx, 1000); err != nil {
						t.Errorf("reserve: %v", err)
					}
					return then()
				})
			}
		}
		cancelled, cancel := context.WithCancel(context.Background())
		jobs := []struct {
			name string
			run  func() error
			want error // nil: any error, unless ok
			ok   bool
		}{
			{"healthy", func() error { return register(s, 2) }, nil, true},
			{"failing", dirty(func() error { return errTest }), errTest, false},
			{"panicking", dirty(func() error { panic("test") }), errPanic, false},
			{"constraint", func() error {
				used := registration(3)
				used.Account.ID = 1
				_, err := s.Admit(context.Background(), testInstance, []rushgate.Admission{registration(4), used})
				return err
			}, nil, false},
			{"cancelled", func() error {
				cancel()
				return s.do(cancelled, func(context.Context) error {
					t.Error("a job ran whose caller had gone")
					return nil
				})
			}, context.Canceled, false},
			{"healthy too", func() error { return register(s, 5) }, nil, true},
		}
		errs := make([]error, len(jobs))
		var calls []func()
		for i := range jobs {
			calls = append(calls, func() { errs[i] = jobs[i].run() })
		}
		asGroup(t, s, calls...)
		for i, j := range jobs {
			if j.ok != (errs[i] == nil) || j.want != nil && !errors.Is(errs[i], j.want) {
				t.Errorf("%s job: %v", j.name, errs[i])
			}
		}
		wantAccounts(t, s, 1, 2, 5)
		accounts, err := s.LoadAccounts(t.Context(), []string{"player3", "player4"})
		if err != nil || accounts[0].ID != 0 || accounts[1].ID != 0 {
			t.Errorf("the batch that failed left %+v, %v", accounts, err)
		}
		if first, err := s.ReserveIDs(t.Context(), 1); err != nil || first != 1 {
			t.Errorf("ReserveIDs = %d, %v, want 1: a job that failed was not undone", first, err)
		}
	})
}

// However much a job has changed that fails, beyond what SQLite by itself keeps in memory, it is undone, and no other.
func TestMuchIsUndone(t *testing.T) {
	s := newStore(t)
	var ids []rushgate.PlayerID
	for id := rushgate.PlayerID(1); id <= 200; id++ {
		ids = append(ids, id)
	}
	if err := register(s, ids...); err != nil {
		t.Fatal(err)
	}
	change := func(query string, then error) {
		t.Helper()
		if err := s.do(t.Context(), func(ctx context.Context) error {
			_, err := s.writer.conn.ExecContext(ctx, query)
			return errors.Join(err, then)
		}); !errors.Is(err, then) {
			t.Fatal(err)
		}
	}
	change(`UPDATE accounts SET disabled_reason = hex(zeroblob(2000))`, nil)
	change(`UPDATE accounts SET disabled_reason = ''`, errors.New("test"))
	var left int
	err := s.read.QueryRowContext(t.Context(), `SELECT count(*) FROM accounts WHERE disabled_reason <> ''`).Scan(&left)
	if err != nil || left != len(ids) {
		t.Errorf("%d of %d are as before, %v", left, len(ids), err)
	}
}

// A caller that goes while it waits for its turn is answered at once, however long the job before it takes.
func TestCallerGoesWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		finish := occupy(t, s)
		ctx, cancel := context.WithCancel(context.Background())
		answered := make(chan error, 1)
		ran := false
		go func() {
			answered <- s.do(ctx, func(context.Context) error {
				ran = true
				return nil
			})
		}()
		synctest.Wait()
		cancel()
		if err := <-answered; !errors.Is(err, context.Canceled) {
			t.Errorf("waiting call = %v, want %v", err, context.Canceled)
		}
		finish()
		synctest.Wait()
		if ran {
			t.Error("the job ran")
		}
	})
}

// A caller that goes when its job has been taken up but has not begun has its job skipped.
func TestCallerGoesWithinAGroup(t *testing.T) {
	s := newStore(t)
	ctx, cancel := context.WithCancel(context.Background())
	var order []string
	newJob := func(ctx context.Context, name string, then func()) *job {
		return &job{ctx: ctx, done: make(chan error, 1), run: func(context.Context) error {
			order = append(order, name)
			then()
			return nil
		}}
	}
	jobs := []*job{
		newJob(context.Background(), "first", cancel),
		newJob(ctx, "gone", func() {}),
		newJob(context.Background(), "last", func() {}),
	}
	s.writer.runGroup(jobs) // the writer itself is idle
	for i, want := range []error{nil, context.Canceled, nil} {
		if err := <-jobs[i].done; !errors.Is(err, want) {
			t.Errorf("job %d = %v, want %v", i, err, want)
		}
	}
	if !slices.Equal(order, []string{"first", "last"}) {
		t.Errorf("jobs that ran: %q", order)
	}
}

// A caller that shares a commit that fails is told so, and the next commit works again.
func TestFailedCommitFailsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		breakCommit := func(ctx context.Context) error { // a violation that SQLite notices only when it commits
			_, err := s.writer.conn.ExecContext(ctx, `PRAGMA defer_foreign_keys = 1;
				INSERT INTO leases (player_id, node, run, attempt, expires_at) VALUES (99, '', '', '', 0)`)
			return err
		}
		errs := make([]error, 3)
		asGroup(t, s,
			func() { errs[0] = register(s, 1) },
			func() { errs[1] = s.do(context.Background(), breakCommit) },
			func() { errs[2] = register(s, 2) },
		)
		for i, err := range errs {
			if err == nil || !strings.Contains(err.Error(), "commit") {
				t.Errorf("job %d = %v, want the failure of the commit", i, err)
			}
		}
		if err := register(s, 3); err != nil {
			t.Errorf("after a failed commit: %v", err)
		}
		wantAccounts(t, s, 3)
		accounts, err := s.LoadAccounts(t.Context(), []string{"player1", "player2"})
		if err != nil || accounts[0].ID != 0 || accounts[1].ID != 0 {
			t.Errorf("the commit that failed left %+v, %v", accounts, err)
		}
	})
}

// If SQLite gives up the whole transaction in the middle of a group, no caller of the group is told of success.
func TestLostTransactionFailsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		errs := make([]error, 2)
		asGroup(t, s,
			func() {
				errs[0] = s.do(context.Background(), func(ctx context.Context) error {
					if _, err := s.writer.rollback.ExecContext(ctx); err != nil {
						t.Errorf("rollback: %v", err)
					}
					return errors.New("disk full")
				})
			},
			func() { errs[1] = register(s, 1) },
		)
		if errs[0] == nil || errs[1] == nil {
			t.Errorf("errors are %v, want one each", errs)
		}
		accounts, err := s.LoadAccounts(t.Context(), []string{"player1"})
		if err != nil || accounts[0].ID != 0 {
			t.Errorf("the lost transaction left %+v, %v", accounts, err)
		}
		if err := register(s, 2); err != nil {
			t.Errorf("after a lost transaction: %v", err)
		}
	})
}

// Close finishes what has begun.
func TestCloseFinishesWaitingCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		errs := make([]error, 4)
		var calls []func()
		for i := range errs {
			calls = append(calls, func() { errs[i] = register(s, rushgate.PlayerID(i+1)) })
		}
		finish := occupy(t, s)
		for _, call := range calls {
			go call()
		}
		synctest.Wait()
		closed := make(chan error, 1)
		go func() { closed <- s.Close() }()
		synctest.Wait()
		if err := register(s, 9); !errors.Is(err, ErrClosed) {
			t.Errorf("a call that comes after Close = %v, want %v", err, ErrClosed)
		}
		finish()
		if err := <-closed; err != nil {
			t.Errorf("Close: %v", err)
		}
		synctest.Wait()
		for i, err := range errs {
			if err != nil {
				t.Errorf("call %d, which came before Close: %v", i, err)
			}
		}
	})
}
