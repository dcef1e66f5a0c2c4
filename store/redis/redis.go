// Package redis is a [rushgate.Store] on Redis or Valkey, 6.2 or later: one server, a pair watched by Sentinel, or a
// Cluster. Several nodes share it.
//
// All that must change together is in one hash per player, and each change is one script about that one key. So a
// registration either is there whole or is not there, on a Cluster too, whatever dies in between. Leaderboards are kept
// under keys of their own and follow within a round trip. Time is the server's, so that
// nodes need not agree on it. docs/storage.md lists every key.
//
// A player who logs in waits for two round trips, LoadAccounts and Admit, each shared by a whole batch, and one who
// registers for two more, about what the name looks like. Every call of a login, a save or a refresh about up to a
// thousand players ends within two seconds; while the server does not answer, calls fail at once with
// [rushgate.ErrUnavailable].
//
// What the server has acknowledged outlives the server only if it is set up for that, see [Store.Durability].
//
// # Stability
//
// This package follows semantic versioning: until v1.0.0 a minor version may change exported names, a patch version
// never, and CHANGELOG.md says which ones did. Records that a version has written are read by every later one.
package redis

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/rushgate/rushgate"
)

// ErrClosed is the error of every call after [Store.Close].
var ErrClosed = errors.New("redis: store is closed")

// DefaultPrefix stands before every key.
const DefaultPrefix = "rushgate:"

// topologyRefresh is how often the client looks for a change of masters that nothing has told it of.
const topologyRefresh = 5 * time.Second

// Options say where the server is. The zero value means a server on this machine.
type Options struct {
	// URLs are the addresses of the server, of some servers of a Cluster, or of the Sentinels, each as
	// redis://[user:password@]host[:port][/database], or rediss:// for TLS. They differ in host and port only. Special
	// characters in a password are percent-encoded. None means redis://127.0.0.1:6379. A single address may be that of
	// a server or of a Cluster; several are those of a Cluster, unless SentinelMaster is set.
	URLs []string
	// SentinelMaster is the name by which the Sentinels at URLs know the master. User and password of the URLs are
	// then the master's.
	SentinelMaster string
	// SentinelUser and SentinelPassword are for the Sentinels themselves, if they ask for them.
	SentinelUser, SentinelPassword string
	// Prefix stands before every key, so that several worlds can share a server; empty means [DefaultPrefix]. It must
	// not contain braces, by which a Cluster would put all keys on one server.
	Prefix string
	// Boards are the leaderboards that there are, see [rushgate.CheckBoards]. All stores under one prefix are given the
	// same, or none: it then keeps, and has, those that others were given.
	Boards []rushgate.Board
	// TLS, if not nil, turns TLS on and says how. It must not be changed afterwards.
	TLS *tls.Config
	// Logger hears of the server's going and coming; nil means [slog.Default].
	Logger *slog.Logger

	clock func() time.Time // in tests: the time, in place of the server's
	// lookEvery is in place of that constant in tests.
	lookEvery time.Duration
	// cut, in tests, is told of each step of a rename that is done. Its error ends the call, as if the node had died.
	cut func(step string) error
	// patience is in place of callTimeout in tests of what a store does, which a machine at its limit must not fail.
	patience time.Duration
}

// Store is a [rushgate.Store] on Redis. It is safe for concurrent use and keeps one long-lived connection to each
// server, replicas included once they have been asked for the state of a Cluster.
type Store struct {
	client    rueidis.Client
	servers   *dialer
	prefix    string
	clock     func() time.Time
	patience  time.Duration // with a pipeline
	breaker   breaker
	standings *standings
	cutAfter  func(step string) error // nil outside of tests
	setAside  atomic.Uint64           // ids up to this one are known to be set aside for imports
	given     atomic.Uint64           // the greatest id that this store has given out
	boards    []rushgate.Board
	asked     bool // for these boards, and not for whichever there are
	kept      atomic.Pointer[[]rushgate.Board]

	looking sync.Mutex              // held by a look around
	short   map[rushgate.Board]bool // which leaderboards the last one has found short
	strange []string                // which it has found that cannot be kept

	warningsMu sync.Mutex
	warnings   []string // of the last look at the settings

	mu      sync.Mutex
	closed  bool
	calls   sync.WaitGroup
	once    sync.Once
	closing chan struct{} // closed to stop keepStandings
	settled chan struct{} // closed by it
	unwatch func()        // stops watch
	watched chan struct{} // closed by it
	noted   chan struct{} // closed by noteAll, which unwatch stops too
}

var _ rushgate.Store = (*Store)(nil)

// Open connects to the server and fails if it does not answer. The error wraps [ErrInvalidURL] or
// [rushgate.ErrUnavailable], or is the server's refusal.
func Open(ctx context.Context, opts Options) (*Store, error) {
	if strings.ContainsAny(opts.Prefix, "{}") {
		return nil, fmt.Errorf("redis: prefix %q contains braces", opts.Prefix)
	}
	boards, err := rushgate.CheckBoards(opts.Boards)
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	opts.patience = cmp.Or(opts.patience, callTimeout)
	option, servers, err := clientOption(&opts)
	if err != nil {
		return nil, err
	}
	client, err := connect(ctx, option)
	if err != nil {
		servers.close()
		return nil, err
	}
	s := &Store{
		client:    client,
		servers:   servers,
		prefix:    cmp.Or(opts.Prefix, DefaultPrefix),
		clock:     opts.clock,
		patience:  opts.patience,
		cutAfter:  opts.cut,
		breaker:   breaker{log: cmp.Or(opts.Logger, slog.Default())},
		standings: newStandings(),
		boards:    boards,
		asked:     len(opts.Boards) > 0,
		closing:   make(chan struct{}),
		settled:   make(chan struct{}),
		watched:   make(chan struct{}),
		noted:     make(chan struct{}),
	}
	s.kept.Store(&boards)
	if _, err := s.learnBoards(ctx); err != nil { // which a later look makes good
		s.breaker.log.Debug("redis: leaderboards were not looked at", "error", err)
	}
	go s.keepStandings()
	ctx, s.unwatch = context.WithCancel(context.Background())
	go s.noteAll(ctx)
	go s.watch(ctx, cmp.Or(opts.lookEvery, lookEvery))
	return s, nil
}

// connect returns early if the context ends; the attempt then ends by its own timeout.
func connect(ctx context.Context, option rueidis.ClientOption) (rueidis.Client, error) {
	type connected struct {
		client rueidis.Client
		err    error
	}
	result := make(chan connected)
	go func() {
		client, err := newClient(option)
		select {
		case result <- connected{client, err}:
		case <-ctx.Done():
			if err == nil {
				client.Close()
			}
		}
	}()
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("redis: %w", ctx.Err())
	case r := <-result:
		if r.err == nil {
			return r.client, nil
		}
		if isUnavailable(r.err) {
			return nil, fmt.Errorf("redis: %w: %w", rushgate.ErrUnavailable, r.err)
		}
		return nil, fmt.Errorf("redis: %w", r.err)
	}
}

// enter admits a call unless the store is closed; nil obliges the caller to leave.
func (s *Store) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.calls.Add(1)
	return nil
}

func (s *Store) leave() { s.calls.Done() }

// Close implements [rushgate.Store]. It brings leaderboards up to date if the server answers, and never fails.
func (s *Store) Close() error {
	s.once.Do(func() {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		s.calls.Wait()
		close(s.closing)
		s.unwatch()
		<-s.settled
		<-s.watched
		<-s.noted
		if err := s.settle(context.Background()); err != nil {
			s.breaker.log.Warn("redis: leaderboards are not up to date", "error", err)
		}
		s.client.Close()
		s.servers.close()
	})
	return nil
}

// cut is called between the steps of a rename.
func (s *Store) cut(step string) error {
	if s.cutAfter == nil {
		return nil
	}
	return s.cutAfter(step)
}

// now is the time for scripts: empty for the server's own.
func (s *Store) now() string {
	if s.clock == nil {
		return ""
	}
	return formatTime(s.clock())
}

func (s *Store) ttl() string { return strconv.FormatInt(rushgate.LeaseTTL.Milliseconds(), 10) }

func (s *Store) playerKey(username string) string { return s.prefix + "player:" + username }
func (s *Store) idsKey() string                   { return s.prefix + "ids" }
func (s *Store) nameKey(id rushgate.PlayerID) string {
	return s.prefix + "name:" + formatID(id)
}

// idsCopyKey is beside idsKey on a Cluster, for what is between its braces.
func (s *Store) idsCopyKey() string { return s.prefix + "{" + s.idsKey() + "}:copy" }
func (s *Store) boardKey(board rushgate.Board) string {
	return s.prefix + "leaderboard:" + string(board)
}
func (s *Store) boardsKey() string            { return s.prefix + "boards" }
func (s *Store) wantedKey(node string) string { return s.prefix + "wanted:" + node }
func (s *Store) beatsKey() string             { return s.prefix + "beats" }
func (s *Store) sharedKey(name string) string { return s.prefix + "shared:" + name }
