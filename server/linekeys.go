package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/line"
)

const (
	// ringEvery is how often a node reads the keys again: well within [line.KeyLead], so that it has each before another
	// node seals with it.
	ringEvery = 5 * time.Minute
	// ringRetry is how soon it does when it has not succeeded.
	ringRetry = 5 * time.Second
	// ringTimeout ends an attempt.
	ringTimeout = 5 * time.Second
	// ringSwaps is how many swaps an attempt may lose to other nodes.
	ringSwaps = 5
)

// lineKeys keeps the node in step with the keys of the line that are in the store: it makes them if no node has, and
// changes them when it is time, under the store's compare and swap, so that all nodes have the same. It never
// overwrites what it cannot read.
type lineKeys struct {
	store  rushgate.Fleet
	logger *slog.Logger
	// hand passes on a ring other than the one before, one call at a time and never with nil.
	hand func(*line.Keyring)

	ring  *line.Keyring // that was handed on last; nil: none could be read yet
	value string        // that it was read from
	told  trouble       // what the log has heard of
	next  time.Duration // until the first look of start

	end     context.CancelFunc
	running sync.WaitGroup
}

// trouble is what keeps a node from having the keys that are in the store.
type trouble int

const (
	noTrouble trouble = iota
	storeAway
	badRing
)

func newLineKeys(store rushgate.Fleet, logger *slog.Logger, hand func(*line.Keyring)) *lineKeys {
	return &lineKeys{store: store, logger: logger, hand: hand, end: func() {}}
}

// begin looks for the first time.
func (k *lineKeys) begin(ctx context.Context) { k.next = k.look(ctx) }

// start goes on looking, until stop.
func (k *lineKeys) start() {
	var ctx context.Context
	ctx, k.end = context.WithCancel(context.Background())
	k.running.Go(func() {
		again := time.NewTimer(k.next)
		defer again.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-again.C:
				again.Reset(k.look(ctx))
			}
		}
	})
}

func (k *lineKeys) stop() {
	k.end()
	k.running.Wait()
}

// look reads the ring, makes or changes it if need be, and hands it on if it is another. It returns when to look again.
// What goes wrong is told to the log, once for as long as it lasts.
func (k *lineKeys) look(ctx context.Context) (again time.Duration) {
	inner, cancel := context.WithTimeout(ctx, ringTimeout)
	defer cancel()
	err := k.update(inner)
	if ctx.Err() != nil { // the node stops
		return ringRetry
	}
	k.tell(err)
	if err != nil {
		return ringRetry
	}
	return ringEvery
}

func (k *lineKeys) update(ctx context.Context) error {
	for range ringSwaps {
		stored, err := k.store.Shared(ctx, line.SharedName)
		if err != nil {
			return err
		}
		ring, value, err := k.due(stored, time.Now())
		if err != nil {
			return err
		}
		if value == string(stored) {
			k.use(ring, value)
			return nil
		}
		swapped, err := k.store.SwapShared(ctx, line.SharedName, stored, []byte(value))
		if err != nil {
			return err
		}
		if swapped {
			k.note(stored)
			k.use(ring, value)
			return nil
		}
	}
	return fmt.Errorf("other nodes have changed them %d times meanwhile", ringSwaps)
}

// due returns the ring that there should be, and how it is stored, if stored is what there is. Where there is nothing,
// that is the ring of the node, whose tickets players have, or a new one.
func (k *lineKeys) due(stored []byte, now time.Time) (ring *line.Keyring, value string, err error) {
	switch {
	case stored != nil:
		ring, err = line.ParseKeyring(stored)
	case k.ring != nil:
		ring = k.ring
	default:
		ring, err = line.NewKeyring(nil, now)
	}
	if err == nil {
		ring, err = ring.Rotate(nil, now)
	}
	if err != nil {
		return nil, "", err
	}
	return ring, string(ring.Marshal()), nil
}

// note tells the log of a ring that was put where there was none.
func (k *lineKeys) note(stored []byte) {
	switch {
	case stored != nil:
	case k.ring != nil:
		k.logger.Warn("the store had lost the keys of the line; those in use were put back", "name", line.SharedName)
	default:
		k.logger.Info("the first keys of the line were made", "name", line.SharedName)
	}
}

func (k *lineKeys) use(ring *line.Keyring, value string) {
	if value == k.value {
		return
	}
	k.ring, k.value = ring, value
	k.hand(ring)
}

// tell has the log hear of a trouble that is new, and of its end.
func (k *lineKeys) tell(err error) {
	now := noTrouble
	switch {
	case err == nil:
	case errors.Is(err, line.ErrBadKeyring), errors.Is(err, rushgate.ErrDamagedRecord):
		now = badRing
	default:
		now = storeAway
	}
	if now == k.told {
		return
	}
	meanwhile := "players get no tickets"
	if k.ring != nil {
		meanwhile = "those of before stay in use"
	}
	switch now {
	case noTrouble:
		k.logger.Info("the keys of the line have been read from the store")
	case storeAway:
		k.logger.Warn("the keys of the line cannot be read from the store, or written; trying again", "meanwhile", meanwhile,
			"error", err)
	case badRing:
		k.logger.Error("the keys of the line that are in the store cannot be used and are left as they are: update the node "+
			"if a newer version has written them, else remove them, and nodes put back theirs or make new ones "+
			"(docs/operations.md)", "name", line.SharedName, "meanwhile", meanwhile, "error", err)
	}
	k.told = now
}
