package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
)

// writer runs jobs on the one connection that writes, as many in one transaction as are waiting when it begins (group
// commit): a caller pays for at most two disk flushes, whatever the number of callers.
type writer struct {
	conn    *sql.Conn
	jobs    chan *job    // unbuffered: the callers themselves are the queue
	chores  chan func()  // what runs between transactions
	check   func() error // of the files; an error fails what was to be written
	stopped chan struct{}

	begin, savepoint, release, undo, commit, rollback *sql.Stmt
	prepared                                          []*sql.Stmt // these and those of the jobs

	writes, commits atomic.Uint64
}

// job is one call. run may use the writer's connection; whatever it has changed is undone if it fails.
type job struct {
	ctx  context.Context
	run  func(context.Context) error
	done chan error // takes one answer without a receiver
}

// prepare prepares the writer's own statements and those of its jobs.
func (w *writer) prepare(ctx context.Context, jobs ...map[**sql.Stmt]string) error {
	own := map[**sql.Stmt]string{
		&w.begin:     `BEGIN IMMEDIATE`,
		&w.savepoint: `SAVEPOINT job`,
		&w.release:   `RELEASE job`,
		&w.undo:      `ROLLBACK TO job`,
		&w.commit:    `COMMIT`,
		&w.rollback:  `ROLLBACK`,
	}
	for _, queries := range append(jobs, own) {
		prepared, err := prepare(ctx, w.conn, queries)
		w.prepared = append(w.prepared, prepared...)
		if err != nil {
			return err
		}
	}
	return nil
}

// close gives the connection back. The writer must not be running.
func (w *writer) close() error {
	var errs []error
	for _, stmt := range w.prepared {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(append(errs, w.conn.Close())...)
}

func (w *writer) start() {
	go func() {
		defer close(w.stopped)
		for {
			select {
			case first, ok := <-w.jobs:
				if !ok {
					return
				}
				w.runGroup(w.collect(first))
			case chore := <-w.chores:
				chore()
			}
		}
	}()
}

// alone runs something outside of a transaction, between two groups. The writer must not be stopped meanwhile.
func (w *writer) alone(run func(context.Context) error) error {
	done := make(chan error, 1)
	w.chores <- func() { done <- run(context.Background()) }
	return <-done
}

// stop ends the writer. No do may be under way.
func (w *writer) stop() {
	close(w.jobs)
	<-w.stopped
}

// do runs one job and waits until it is on disk. It does not give up a job that has been taken up, because the job
// uses the caller's arguments.
func (w *writer) do(ctx context.Context, run func(context.Context) error) error {
	j := &job{ctx: ctx, run: run, done: make(chan error, 1)}
	select {
	case w.jobs <- j:
		return <-j.done
	case <-ctx.Done():
		return ctx.Err()
	}
}

// collect adds to first the jobs that are waiting now. The group is no larger than the number of callers.
func (w *writer) collect(first *job) []*job {
	group := []*job{first}
	for {
		select {
		case j, ok := <-w.jobs:
			if !ok {
				return group
			}
			group = append(group, j)
		default:
			return group
		}
	}
}

// runGroup answers each job of a group once all that succeeded are on disk.
func (w *writer) runGroup(group []*job) {
	errs := make([]error, len(group))
	if err := w.transact(group, errs); err != nil {
		for i := range errs {
			if errs[i] == nil {
				errs[i] = err
			}
		}
	}
	for i, j := range group {
		j.done <- errs[i]
	}
}

// transact runs a group in one transaction. What goes wrong with one job goes into errs; what it returns has
// befallen all those that have no error there.
func (w *writer) transact(group []*job, errs []error) error {
	ctx := context.Background()
	if err := w.check(); err != nil {
		return err
	}
	if _, err := w.begin.ExecContext(ctx); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	written := uint64(0)
	for i, j := range group {
		var err error
		if errs[i], err = w.runJob(j); err != nil {
			w.abandon(ctx)
			return err
		}
		if errs[i] == nil {
			written++
		}
	}
	if written == 0 {
		w.abandon(ctx)
		return nil
	}
	if _, err := w.commit.ExecContext(ctx); err != nil {
		w.abandon(ctx)
		return fmt.Errorf("commit: %w", err)
	}
	if err := w.check(); err != nil { // they went in the middle of it: what was written may be lost
		return err
	}
	w.writes.Add(written)
	w.commits.Add(1)
	return nil
}

// abandon rolls the transaction back. After some errors, such as a full disk, SQLite has already done so, which makes
// the ROLLBACK itself fail; if it is for any other reason, the next BEGIN reports that.
func (w *writer) abandon(ctx context.Context) { _, _ = w.rollback.ExecContext(ctx) }

// runJob runs one job inside a savepoint of its own. The second error is that of the transaction as a whole.
func (w *writer) runJob(j *job) (jobErr, txErr error) {
	if err := j.ctx.Err(); err != nil {
		return err, nil
	}
	ctx := context.WithoutCancel(j.ctx) // an interrupted statement may take the whole transaction with it
	if _, err := w.savepoint.ExecContext(ctx); err != nil {
		return nil, fmt.Errorf("savepoint: %w", err)
	}
	if jobErr = protect(ctx, j.run); jobErr != nil {
		if _, err := w.undo.ExecContext(ctx); err != nil {
			return jobErr, fmt.Errorf("undo a failed write (%w): %w", jobErr, err)
		}
	}
	if _, err := w.release.ExecContext(ctx); err != nil {
		return jobErr, fmt.Errorf("release savepoint: %w", err)
	}
	return jobErr, nil
}

// errPanic marks the error of a job that panicked.
var errPanic = errors.New("panic during a write")

// protect turns a panic of run into an error with the stack of the panic.
func protect(ctx context.Context, run func(context.Context) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v\n%s", errPanic, r, debug.Stack())
		}
	}()
	return run(ctx)
}
