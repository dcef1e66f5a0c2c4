package realm

import (
	"context"
	"errors"
	"time"
)

const (
	// watchInterval is how often the store is asked which players are wanted elsewhere. With the save that follows, it is
	// what a takeover takes, and a ban.
	watchInterval = 500 * time.Millisecond
	// watchTimeout bounds one such call.
	watchTimeout = 5 * time.Second
)

// watch asks the store once in a while which leases of this node another login wants, and tells the tick, until ctx
// ends. It is not done by the goroutine that saves: a store that does not answer this must not keep it from that.
func (s *saver) watch(ctx context.Context) {
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		select {
		case s.watching <- struct{}{}:
		case <-ctx.Done():
			return
		}
		err := errors.Join(s.askWanted(ctx), s.releaseOrphans(ctx))
		<-s.watching
		if ctx.Err() == nil && (err != nil) != failing {
			if failing = err != nil; failing {
				s.logger.Warn("players cannot be taken over for now", "error", err)
			} else {
				s.logger.Info("players can be taken over again")
			}
		}
	}
}

func (s *saver) askWanted(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	leases, err := s.store.Wanted(ctx, s.instance)
	for _, w := range leases {
		s.wanted.put(w)
	}
	return err
}

// letGo ends the sessions of the players who are wanted elsewhere, or who have come here once more: they are saved and
// released as if they had logged out, or, where the session itself moves, such that it goes on there. A lease that is
// no session's is passed over, unless it goes on being asked for; one that is older than the player's session is over.
func (r *Realm) letGo() {
	r.asked = r.saver.wanted.take(r.asked)
	for _, w := range r.asked {
		switch s := r.players[w.Player]; {
		case s == nil || s.fence < w.Fence:
			r.orphan(w)
		case s.state != stateInside || s.fence != w.Fence:
		case w.Move:
			r.stats.moved.Add(1)
			r.leave(s, MovedAway, nil)
		default:
			r.stats.takenOver.Add(1)
			r.leave(s, TakenOver, nil)
		}
	}
}
