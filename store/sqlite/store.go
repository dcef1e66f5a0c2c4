// Package sqlite is a [rushgate.Store] in one SQLite file, for a node that needs no database server.
//
// A write is answered only once it is on disk (write-ahead log, synchronous=FULL). Since that costs a disk flush, one
// goroutine does all the writing and commits whatever is waiting together: the more callers, the fewer flushes each.
// Reads go to a small pool of connections that cannot write, and never wait for a write.
//
// A file belongs to one process at a time, see [ErrLocked].
//
// # Stability
//
// This package follows semantic versioning: until v1.0.0 a minor version may change exported names, a patch version
// never, and CHANGELOG.md says which ones did. A file that a version has written is read by every later one, which
// brings it up to date when it opens it; an older one refuses it then with a [*SchemaError].
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/filelock"
	"github.com/rushgate/rushgate/store/internal/beats"
	"github.com/rushgate/rushgate/store/internal/wanted"
)

// ErrClosed is the error of every call after [Store.Close].
var ErrClosed = errors.New("sqlite: store is closed")

// Options adjust a [Store]. The zero value is ready for use.
type Options struct {
	// Now tells the time by which leases run out and bans end. It must be safe for concurrent use and must not call the
	// store. Nil means [time.Now] for bans; leases then do not follow a time of day that is set while the store is open.
	Now func() time.Time
	// LeaseTTL is how long a lease lasts, to the millisecond; zero or less means [rushgate.LeaseTTL].
	LeaseTTL time.Duration
	// Boards are the leaderboards that there are, see [rushgate.CheckBoards].
	Boards []rushgate.Board
	// Existing refuses to begin with an empty database where there is none: [ErrMissing].
	Existing bool
	// Inherited, if not nil, is the lock of a store that another process has open, as [Store.Lock] tells it, and that this
	// one is to go on in place of. The store has it from now on, also if Open fails. See [Store.Begin].
	Inherited *os.File
	// Logger hears when the files of the database are taken away and when they are back; nil means [slog.Default].
	Logger *slog.Logger
}

// Store is a [rushgate.Store] in a SQLite file. It is safe for concurrent use.
//
// A call whose context ends before its turn to write has come does nothing and returns the context's error; once its
// turn has come it runs to the end.
type Store struct {
	now func() time.Time // of leases
	day func() time.Time // of bans
	ttl time.Duration

	path   string
	opts   Options
	begun  bool
	lock   *os.File
	read   *sql.DB
	reads  readStmts
	write  *sql.DB // one connection, which the writer keeps
	writer *writer
	writes writeStmts
	files  files
	keeper *keeper
	wanted wanted.List
	beats  beats.List

	mu     sync.Mutex
	closed bool
	calls  sync.WaitGroup // under way; none is added once closed is set

	close func() error
}

var _ rushgate.Store = (*Store)(nil)

// Open opens the database at path, or creates it there, readable by its owner only; the folder must exist. It brings
// the schema up to date. Beside the database it keeps SQLite's own files and path.lock.
//
// It refuses a file that is in use ([ErrLocked]), that is not a Rushgate database ([ErrForeign]), that is missing where
// one should be ([ErrMissing]), or that a newer version of Rushgate has written ([*SchemaError]), and changes no
// contents of such a file (SQLite may move what is in its write-ahead log into it).
//
// With a lock that is inherited, the store is not used before [Store.Begin]: Open finds out whether it could be.
//
// ctx bounds the opening only.
func Open(ctx context.Context, path string, opts Options) (opened *Store, err error) {
	s := &Store{now: opts.Now, day: opts.Now, ttl: opts.LeaseTTL, opts: opts, lock: opts.Inherited}
	if opts.Now == nil {
		begun := time.Now()
		s.now, s.day = func() time.Time { return begun.Add(time.Since(begun)) }, time.Now
	}
	if s.ttl <= 0 {
		s.ttl = rushgate.LeaseTTL
	}
	s.close = sync.OnceValue(s.shutDown)
	defer func() {
		if err != nil {
			_ = s.release() // err says what is the matter
			opened, err = nil, fmt.Errorf("sqlite: open %s: %w", path, err)
		}
	}()

	if s.opts.Boards, err = rushgate.CheckBoards(opts.Boards); err != nil {
		return nil, err
	}
	file, err := resolve(path)
	if err != nil {
		return nil, err
	}
	s.path = file
	if s.lock != nil {
		return s, s.couldBegin(ctx)
	}
	// No descriptor of the database may be opened before the lock is held: closing it would strip the locks of a
	// store that this very process has on the file (POSIX record locks belong to the process).
	if s.lock, err = filelock.Acquire(file + ".lock"); err != nil {
		return nil, err
	}
	if err := expect(file, opts.Existing); err != nil {
		return nil, err
	}
	if err := create(file); err != nil {
		return nil, err
	}
	if err := inspect(ctx, file, len(migrations)); err != nil {
		return nil, err
	}
	return s, s.start(ctx)
}

// start opens the connections and starts the goroutines.
func (s *Store) start(ctx context.Context) (err error) {
	if err := s.openWriter(ctx, s.path); err != nil {
		return err
	}
	if err := s.openReaders(ctx, s.path); err != nil {
		return err
	}
	if s.files, err = openFiles(s.path); err != nil {
		return err
	}
	s.writer.check = s.files.check
	s.keeper = &keeper{store: s, logger: s.opts.Logger, quit: make(chan struct{})}
	if s.keeper.logger == nil {
		s.keeper.logger = slog.Default()
	}
	s.writer.start()
	s.keeper.start()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun = true
	return nil
}

func (s *Store) openWriter(ctx context.Context, file string) error {
	var err error
	if s.write, err = sql.Open("sqlite", dataSource(file, false)); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return err
	}
	s.writer = &writer{conn: conn, jobs: make(chan *job), chores: make(chan func()), stopped: make(chan struct{})}
	var mode string
	if err := conn.QueryRowContext(ctx, `PRAGMA journal_mode`).Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" { // SQLite does not call it an error when the file system cannot do it
		return fmt.Errorf("write-ahead log is not available here (journal mode %q)", mode)
	}
	if err := migrate(ctx, conn, migrations); err != nil {
		return err
	}
	if err := fillSkeletons(ctx, conn); err != nil {
		return fmt.Errorf("write what names look like: %w", err)
	}
	if err := indexBoards(ctx, conn, s.opts.Boards); err != nil {
		return err
	}
	// What jobs would undo is kept in memory: SQLite else writes it to a file, for each transaction a new one, which is
	// no use to anybody once the process is gone. Not before what the opening sorts, which may be much.
	if _, err := conn.ExecContext(ctx, `PRAGMA temp_store = MEMORY`); err != nil {
		return err
	}
	return s.writer.prepare(ctx, s.writes.queries(), s.writes.lasting())
}

func (s *Store) openReaders(ctx context.Context, file string) error {
	var err error
	if s.read, err = sql.Open("sqlite", dataSource(file, true)); err != nil {
		return err
	}
	s.read.SetMaxOpenConns(readers)
	s.read.SetMaxIdleConns(readers)
	return s.reads.prepare(ctx, s.read, s.opts.Boards)
}

// enter admits one call, which must end with leave.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return ErrClosed
	case !s.begun:
		return ErrNotBegun
	}
	s.calls.Add(1)
	return nil
}

func (s *Store) leave() { s.calls.Done() }

// do runs a job in the writer and returns once it is on disk or has failed.
func (s *Store) do(ctx context.Context, run func(context.Context) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if err := s.writer.do(ctx, run); err != nil {
		return wrap(err)
	}
	return nil
}

// Stats counts what the writer has done since [Open].
type Stats struct {
	// Writes is the number of calls that were written: those of the methods that change something, if they succeeded.
	Writes uint64
	// Commits is the number of transactions that it took, each with one flush of the log to disk.
	Commits uint64
}

// Stats returns the current counts. It may be called at any time, also after Close.
func (s *Store) Stats() Stats {
	if !s.hasBegun() {
		return Stats{}
	}
	commits := s.writer.commits.Load() // first, because the writer counts it last: never more commits than writes
	return Stats{Writes: s.writer.writes.Load(), Commits: commits}
}

// Close implements [rushgate.Store]. Calls that have begun are finished first. Every call of Close returns the same
// error.
func (s *Store) Close() error { return s.close() }

func (s *Store) shutDown() error {
	s.mu.Lock()
	s.closed = true
	begun := s.begun
	s.mu.Unlock()
	s.calls.Wait()
	if begun {
		s.keeper.stop()
		s.writer.stop()
	}
	if err := s.release(); err != nil {
		return fmt.Errorf("sqlite: close: %w", err)
	}
	return nil
}

// release gives back whatever Open has got hold of. The writer goes last, so that it can move the log into the
// database, and the lock after everything.
func (s *Store) release() error {
	var errs []error
	if s.read != nil {
		errs = append(errs, s.read.Close())
	}
	if s.writer != nil {
		errs = append(errs, s.writer.close())
	}
	if s.write != nil {
		errs = append(errs, s.write.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// wrap marks an error as this package's, unless it is one that callers compare.
func wrap(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if _, ok := errors.AsType[rushgate.Reason](err); ok {
		return err
	}
	return fmt.Errorf("sqlite: %w", err)
}
