package api

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/rushgate/rushgate"
)

const (
	// boardAge is how old a leaderboard may be: however many ask, the store is asked once in that time.
	boardAge = time.Second
	// boardTimeout bounds the store's answer.
	boardTimeout = 5 * time.Second
)

// boardCache stands between the public and the store. While the store is away it answers with what it has.
type boardCache struct {
	store   rushgate.Boards
	logger  *slog.Logger
	flight  singleflight.Group
	mu      sync.Mutex
	entries map[rushgate.Board]cachedBoard
}

type cachedBoard struct {
	ranks  []rushgate.Rank
	known  bool      // ranks are what the store has answered, though perhaps long ago
	failed bool      // the store has not answered when it was last asked
	at     time.Time // when that was
}

// top returns the first [maxBoardLimit] lines of a leaderboard. The error is [rushgate.ServerBusy] as long as the store
// has never answered, or that of ctx.
func (b *boardCache) top(ctx context.Context, board rushgate.Board) ([]rushgate.Rank, error) {
	b.mu.Lock()
	entry := b.entries[board]
	b.mu.Unlock()
	if !entry.at.IsZero() && time.Since(entry.at) < boardAge {
		return entry.answer()
	}
	result := b.flight.DoChan(string(board), func() (any, error) { return b.load(board), nil })
	if entry.known && entry.failed { // whether the store is back is for the next request to see
		return entry.answer()
	}
	select {
	case r := <-result:
		return r.Val.(cachedBoard).answer()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c cachedBoard) answer() ([]rushgate.Rank, error) {
	if !c.known {
		return nil, rushgate.ServerBusy
	}
	return c.ranks, nil
}

// load asks the store. If that fails, what was there stays.
func (b *boardCache) load(board rushgate.Board) cachedBoard {
	ctx, cancel := context.WithTimeout(context.Background(), boardTimeout) // many wait for it, not one of them owns it
	defer cancel()
	ranks, err := b.store.Top(ctx, board, maxBoardLimit)
	b.mu.Lock()
	defer b.mu.Unlock()
	entry := b.entries[board]
	if err == nil {
		entry.ranks, entry.known = ranks, true
	} else if !entry.failed { // once for each time that the store is away
		b.logger.Error("leaderboard cannot be read", "board", board, "error", err)
	}
	entry.failed, entry.at = err != nil, time.Now()
	if b.entries == nil {
		b.entries = make(map[rushgate.Board]cachedBoard)
	}
	b.entries[board] = entry
	return entry
}
