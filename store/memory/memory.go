// Package memory is a [rushgate.Store] that keeps everything in the process's memory and loses it with the process. It
// serves tests, and nodes whose players need not be remembered (MMORPG_DB_BACKEND=memory).
//
// # Stability
//
// This package follows semantic versioning: until v1.0.0 a minor version may change exported names, a patch version
// never, and CHANGELOG.md says which ones did. It keeps nothing that a later version would have to read.
package memory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/beats"
	"github.com/rushgate/rushgate/store/internal/lease"
	"github.com/rushgate/rushgate/store/internal/validate"
	"github.com/rushgate/rushgate/store/internal/wanted"
)

// ErrClosed is the error of every call after [Store.Close].
var ErrClosed = errors.New("memory: store is closed")

// Options adjust a [Store]. The zero value is ready for use.
type Options struct {
	// Now tells the time by which leases run out and bans end. It must be safe for concurrent use and must not call the
	// store. Nil means [time.Now] for bans; leases then do not follow a time of day that is set meanwhile.
	Now func() time.Time
	// LeaseTTL is how long a lease lasts, to the millisecond; zero or less means [rushgate.LeaseTTL].
	LeaseTTL time.Duration
	// Boards are the leaderboards that there are, see [rushgate.CheckBoards]; if it refuses them, there are none.
	Boards []rushgate.Board
}

// Store is a [rushgate.Store] in memory. It is safe for concurrent use. Its memory grows with the number of accounts.
type Store struct {
	now func() time.Time // of leases
	day func() time.Time // of bans
	ttl time.Duration

	boards []rushgate.Board

	mu      sync.Mutex
	closed  bool
	lastID  rushgate.PlayerID // the greatest id given out by ReserveIDs or set aside by BeginImport
	imports rushgate.PlayerID // ids up to this one are set aside
	wanted  wanted.List
	beats   beats.List
	players map[rushgate.PlayerID]*player
	names   map[string]*player
	looks   map[string][]string // the names of each skeleton
	sorted  []string            // all names, or nil if they have changed
	held    map[string]holds    // by look
	shared  map[string][]byte
	agenda  agenda
	audit   []rushgate.AuditRecord
	claims  map[rushgate.IdentityKey]identityClaim
}

// player is one account and all that hangs on it.
type player struct {
	account   rushgate.Account
	character rushgate.Character
	events    []rushgate.AccountEvent // the oldest first
	fence     uint64                  // that of the last lease claimed
	lease     *lease.State            // nil: released, or never claimed
}

// leaseID is what names the player's present lease, or the last one.
func (p *player) leaseID() rushgate.Lease {
	return rushgate.Lease{Player: p.account.ID, Name: p.account.Username, Fence: p.fence}
}

var _ rushgate.Store = (*Store)(nil)

// New returns an empty store.
func New(opts Options) *Store {
	s := &Store{
		now:     opts.Now,
		day:     opts.Now,
		ttl:     opts.LeaseTTL,
		players: make(map[rushgate.PlayerID]*player),
		names:   make(map[string]*player),
		looks:   make(map[string][]string),
		held:    make(map[string]holds),
		shared:  make(map[string][]byte),
		agenda:  make(agenda),
		claims:  make(map[rushgate.IdentityKey]identityClaim),
	}
	if opts.Now == nil {
		begun := time.Now()
		s.now, s.day = func() time.Time { return begun.Add(time.Since(begun)) }, time.Now
	}
	if s.ttl <= 0 {
		s.ttl = rushgate.LeaseTTL
	}
	s.boards, _ = rushgate.CheckBoards(opts.Boards) // asked for others, Top fails
	return s
}

// lock takes the mutex, unless the caller has gone or the store is closed.
func (s *Store) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	return nil
}

// Save implements [rushgate.Leases]. A release that is repeated because its answer was lost answers nil and changes
// nothing, as long as no session has claimed the player in between.
func (s *Store) Save(ctx context.Context, saves []rushgate.Save) ([]error, error) {
	if err := validate.Saves(saves); err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	errs := make([]error, len(saves))
	for i := range saves {
		errs[i] = s.save(&saves[i])
	}
	return errs, nil
}

func (s *Store) save(save *rushgate.Save) error {
	p := s.players[save.Character.ID]
	if p == nil || p.leaseID() != save.Lease() {
		return rushgate.ErrLeaseLost
	}
	if !p.lease.Held() {
		if !save.Release {
			return rushgate.ErrLeaseLost
		}
		if save.Resumable == 0 {
			p.lease = nil
		}
		return nil
	}
	if save.Credentials != nil && p.account.Epoch != save.Epoch || !p.takesCredentials(save.Credentials, save.Replaces) {
		return rushgate.ErrAccountChanged
	}
	p.putCredentials(save.Credentials)
	c := clone(save.Character)
	c.Name, c.CreatedAt = p.character.Name, p.character.CreatedAt
	c.Playtime = c.Playtime.Truncate(time.Millisecond)
	p.character = c
	switch l := p.lease; {
	case save.Release && save.Resumable > 0 && l.Session != "":
		l.Parked, l.ExpiresAt = true, s.now().Add(save.Resumable).UnixMilli()
	case save.Release:
		p.lease = nil
	}
	return nil
}

// Refresh implements [rushgate.Leases].
func (s *Store) Refresh(ctx context.Context, by rushgate.Instance, leases []rushgate.Lease) ([]error, error) {
	if err := validate.Instance(by); err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	expiresAt := s.now().Add(s.ttl).UnixMilli()
	errs := make([]error, len(leases))
	for i, l := range leases {
		p := s.players[l.Player]
		if p == nil || p.leaseID() != l || !p.lease.Held() {
			errs[i] = rushgate.ErrLeaseLost
			continue
		}
		p.lease.By = by
		p.lease.ExpiresAt = expiresAt
	}
	return errs, nil
}

// ReserveIDs implements [rushgate.Accounts].
func (s *Store) ReserveIDs(ctx context.Context, n int) (rushgate.PlayerID, error) {
	if err := validate.Count("block of ids", n); err != nil {
		return 0, fmt.Errorf("memory: %w", err)
	}
	if err := s.lock(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	if uint64(n) > math.MaxInt64-uint64(s.lastID) {
		return 0, errors.New("memory: player ids are exhausted")
	}
	first := s.lastID + 1
	s.lastID += rushgate.PlayerID(n)
	return first, nil
}

// Top implements [rushgate.Boards]. It looks at every character.
func (s *Store) Top(ctx context.Context, board rushgate.Board, limit int) ([]rushgate.Rank, error) {
	if !slices.Contains(s.boards, board) {
		return nil, fmt.Errorf("memory: unknown leaderboard %q", board)
	}
	if err := validate.Count("leaderboard limit", limit); err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	ranks := make([]rushgate.Rank, 0, len(s.players))
	for id, p := range s.players {
		ranks = append(ranks, rushgate.Rank{Player: id, Name: p.character.Name, Score: p.character.Numbers[string(board)]})
	}
	slices.SortFunc(ranks, func(a, b rushgate.Rank) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Player, b.Player))
	})
	ranks = slices.Clone(ranks[:min(limit, len(ranks))])
	for i := range ranks {
		ranks[i].Rank = i + 1
		if i > 0 && ranks[i].Score == ranks[i-1].Score {
			ranks[i].Rank = ranks[i-1].Rank
		}
	}
	return ranks, nil
}

// Ping implements [rushgate.Store].
func (s *Store) Ping(ctx context.Context) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	s.mu.Unlock()
	return nil
}

// Close implements [rushgate.Store]. It never fails.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.players, s.names, s.looks, s.sorted, s.held = nil, nil, nil, nil, nil
	s.shared, s.agenda, s.audit = nil, nil, nil
	return nil
}

// clone returns a copy that shares no memory with c.
func clone(c rushgate.Character) rushgate.Character {
	if len(c.Data) == 0 {
		c.Data = nil
	}
	c.Data = slices.Clone(c.Data)
	c.Numbers = c.Numbers.Clone()
	return c
}
