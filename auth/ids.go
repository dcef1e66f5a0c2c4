package auth

import (
	"context"
	"sync"

	"github.com/rushgate/rushgate"
)

// idBlock hands out player ids from blocks reserved in the store, so that a registration needs no round trip for one.
type idBlock struct {
	reserve func(context.Context) (rushgate.PlayerID, error)

	mu        sync.Mutex
	next, end rushgate.PlayerID
}

// Take returns a player id that nobody else has been or will be given.
func (b *idBlock) Take(ctx context.Context) (rushgate.PlayerID, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == b.end {
		first, err := b.reserve(ctx)
		if err != nil {
			return 0, err
		}
		b.next, b.end = first, first+idReserve
	}
	id := b.next
	b.next++
	return id, nil
}
