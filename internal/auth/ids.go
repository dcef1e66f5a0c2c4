package auth

import (
	"context"
	"sync/atomic"

	"github.com/rushgate/rushgate"
)

// idBlock hands out player ids from blocks reserved in the store, so that a registration needs no round trip for one.
type idBlock struct {
	reserve  func(context.Context) (rushgate.PlayerID, error)
	failures atomic.Uint64 // of reserve

	turn      chan struct{} // holds one token while a caller uses what follows
	next, end rushgate.PlayerID
	failure   error // the last one
}

func newIDBlock(reserve func(context.Context) (rushgate.PlayerID, error)) *idBlock {
	return &idBlock{reserve: reserve, turn: make(chan struct{}, 1)}
}

// Take returns a player id that has not been and will not be given to any other. Of callers who wait for a new block at
// the same time one asks for it, and if that fails it has failed for all: they would wait as long again, one after the
// other.
func (b *idBlock) Take(ctx context.Context) (rushgate.PlayerID, error) {
	before := b.failures.Load()
	select {
	case b.turn <- struct{}{}:
		defer func() { <-b.turn }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	if b.next == b.end {
		if b.failures.Load() != before {
			return 0, b.failure
		}
		first, err := b.reserve(ctx)
		if err != nil {
			b.failure = err
			b.failures.Add(1)
			return 0, err
		}
		b.next, b.end = first, first+idReserve
	}
	id := b.next
	b.next++
	return id, nil
}
