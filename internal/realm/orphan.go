package realm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rushgate/rushgate"
)

const (
	// orphanAge is for how long a lease without a session must have been asked for before it is released. An admission
	// whose answer is on its way to the tick is not to lose its lease.
	orphanAge = 3 * time.Second
	// orphanMemory is how long after the first request an orphan is remembered that was not asked for again.
	orphanMemory = time.Minute
)

// orphans are the leases of this node that were asked for and have no session: the answer to their admission was lost
// for good, or a run of the node claimed them that is gone. Their players could come in nowhere until the leases run
// out.
type orphans map[rushgate.Lease]orphanage

type orphanage struct {
	since    time.Time // it was first asked for, or given up
	released bool      // it is, or is about to be: an arrival comes too late
}

// add notes that a lease was asked for, and reports whether it is to be released now.
func (o orphans) add(l rushgate.Lease, now time.Time) bool {
	known, ok := o[l]
	switch {
	case !ok && len(o) < rushgate.MaxWanted:
		o[l] = orphanage{since: now}
	case ok && !known.released && now.Sub(known.since) >= orphanAge:
		o[l] = orphanage{since: now, released: true}
		return true
	}
	return false
}

// forget drops those that were not asked for again.
func (o orphans) forget(now time.Time) {
	for l, known := range o {
		if now.Sub(known.since) > orphanMemory {
			delete(o, l)
		}
	}
}

// orphan notes that a lease was asked for that no session has, and has it released if that goes on.
func (r *Realm) orphan(w rushgate.Wanted) {
	if r.orphans.add(w.Lease, time.Now()) {
		r.saver.orphaned.put(w)
	}
}

// releaseOrphans ends leases that no session has, with the characters as they are stored. Of one that is asked for to
// go on elsewhere the session is parked.
func (s *saver) releaseOrphans(ctx context.Context) (err error) {
	leases := s.orphaned.take(nil)
	if len(leases) == 0 {
		return nil
	}
	defer func() {
		if err != nil { // they are tried again
			for _, l := range leases {
				s.orphaned.put(l)
			}
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	names := make([]string, len(leases))
	for i, l := range leases {
		names[i] = l.Name
	}
	characters, err := s.store.LoadCharacters(ctx, names)
	if err == nil && len(characters) != len(names) {
		err = fmt.Errorf("realm: %d characters for %d names", len(characters), len(names))
	}
	if err != nil {
		return err
	}
	var saves []rushgate.Save
	for i, l := range leases {
		if c := characters[i]; c.Err == nil && c.ID == l.Player {
			save := rushgate.Save{Character: c.Character, Fence: l.Fence, Release: true}
			if l.Move {
				save.Resumable = s.resumable
			}
			saves = append(saves, save)
		}
	}
	if len(saves) == 0 {
		return nil
	}
	errs, err := s.store.Save(ctx, saves)
	if err == nil && len(errs) != len(saves) {
		err = fmt.Errorf("realm: %d results for %d saves", len(errs), len(saves))
	}
	if err != nil {
		return err
	}
	for i, e := range errs {
		switch player := saves[i].Character.ID; {
		case e == nil:
			s.logger.Info("a lease that no session had is released", "player", player)
		case !errors.Is(e, rushgate.ErrLeaseLost): // else it was over
			s.logger.Warn("a lease that no session has cannot be released", "player", player, "error", e)
		}
	}
	return nil
}
