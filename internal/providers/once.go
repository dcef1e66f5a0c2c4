package providers

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/identity"
)

const (
	// onceSwaps is how often a node tries again when another one was faster.
	onceSwaps = 10
	// onceGrace is for how much longer than it has to be something is remembered: by so much clocks of nodes may differ.
	onceGrace = time.Minute

	onceVersion = 1
	onceHead    = 1 + 8  // version, and bytes of chance
	onceEntry   = 16 + 4 // of the hash, and when it is forgotten, in seconds since 1970
	onceMost    = (rushgate.MaxSharedLen - onceHead) / onceEntry
)

// errShelf is for a shared value that is none of these.
var errShelf = errors.New("providers: what was good once cannot be read: it is of a newer version, or damaged")

// Once returns an [identity.Once] of all nodes on a store. What was seen is kept as hashes of 128 bits, with the time
// when it can be forgotten, in 256 of the values that nodes share: a call reads one of them and, if the thing is new,
// writes it. Each has room for 13,106, some 3.3 million in all; while one is full of what is still to be remembered,
// the error is [identity.ErrFull]. With n logins a second by ID tokens or tickets that are remembered for t seconds,
// one value has 20·n·t/256 bytes: 100 a second, for 12 minutes, take 5.6 KB read and written for each.
func Once(store rushgate.Fleet, now func() time.Time) identity.Once {
	return func(ctx context.Context, what string, until time.Time) (bool, error) {
		sum := sha256.Sum256([]byte(what))
		name := fmt.Sprintf("seen-once-%02x", sum[0]) // one of 256
		for range onceSwaps {
			before, err := store.Shared(ctx, name)
			if err != nil {
				return false, err
			}
			after, first, err := onShelf(before, [16]byte(sum[1:]), now(), until)
			if err != nil || !first {
				return false, err
			}
			switch swapped, err := store.SwapShared(ctx, name, before, after); {
			case err != nil:
				return false, err
			case swapped:
				return true, nil
			}
		}
		return false, identity.ErrFull
	}
}

// onShelf returns a shelf with one thing more, and without what can be forgotten; or that the thing is there. Bytes of
// chance make it another than what any other node makes of the same: a swap succeeds for one of them.
func onShelf(shelf []byte, key [16]byte, now, until time.Time) (next []byte, first bool, err error) {
	if len(shelf) > 0 && (shelf[0] != onceVersion || len(shelf) < onceHead || (len(shelf)-onceHead)%onceEntry != 0) {
		return nil, false, errShelf
	}
	next = append(make([]byte, 0, len(shelf)+onceHead+onceEntry), onceVersion)
	next = append(next, make([]byte, onceHead-1)...)
	_, _ = rand.Read(next[1:onceHead]) // never fails
	for entries := shelf[min(onceHead, len(shelf)):]; len(entries) > 0; entries = entries[onceEntry:] {
		if end := int64(binary.BigEndian.Uint32(entries[16:])); end <= now.Unix() {
			continue
		}
		if [16]byte(entries) == key {
			return nil, false, nil
		}
		next = append(next, entries[:onceEntry]...)
	}
	if (len(next)-onceHead)/onceEntry >= onceMost {
		return nil, false, identity.ErrFull
	}
	next = append(next, key[:]...)
	end := min(max(until.Add(onceGrace).Unix()+1, 0), 1<<32-1)
	return binary.BigEndian.AppendUint32(next, uint32(end)), true, nil
}
