package realm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/latency"
)

const (
	// saveBatch is how many characters one call to the store carries.
	saveBatch = 256
	// saveTimeout bounds one call to the store.
	saveTimeout = 10 * time.Second
	// A store that fails is tried again after saveBackoffMin, then twice as long each time up to saveBackoffMax.
	saveBackoffMin = 100 * time.Millisecond
	saveBackoffMax = 5 * time.Second
)

// saver writes characters back and refreshes leases on a goroutine of its own. Of several copies of a character that
// wait, only the newest is written, so what waits is bounded by the number of sessions however long the store is away.
type saver struct {
	store    Store
	instance rushgate.Instance
	logger   *slog.Logger
	// resumable is for how long a session can go on elsewhere that is parked.
	resumable time.Duration
	outcomes  mailbox[outcome]         // for the tick
	wanted    mailbox[rushgate.Wanted] // for the tick: those that another node or login has asked for
	orphaned  mailbox[rushgate.Wanted] // from the tick: those that no session has, to be released

	saves, retries atomic.Int64
	duration       latency.Histogram

	wake chan struct{}
	// saving and watching hold one while the goroutine of that name is at the store, or is kept from it, see rest.
	saving, watching chan struct{}
	resting          atomic.Bool // what is under way is to end soon
	// calls ends when calls of the store that are under way are to be given up.
	calls  context.Context
	giveUp context.CancelFunc

	mu      sync.Mutex
	pending map[rushgate.Lease]rushgate.Save
	spare   map[rushgate.Lease]rushgate.Save // empty; takes the place of pending while that is written
	inHand  int                              // being written
	leases  []rushgate.Lease                 // to refresh; nil when there is nothing to do
}

// errResting is why a round was not brought to its end.
var errResting = errors.New("realm: the saver is to rest")

// rest keeps the saver from the store until goOn, and returns when no call of the store is under way, or ctx's error,
// as if it had not been called. What is to be saved waits meanwhile.
func (s *saver) rest(ctx context.Context) error {
	s.resting.Store(true)
	for i, at := range []chan struct{}{s.saving, s.watching} {
		select {
		case at <- struct{}{}:
		case <-ctx.Done():
			if i > 0 {
				<-s.saving
			}
			s.resting.Store(false)
			return ctx.Err()
		}
	}
	return nil
}

// goOn ends a rest.
func (s *saver) goOn() {
	s.resting.Store(false)
	<-s.watching
	<-s.saving
	s.signal()
}

// errNotSaved is why characters were not saved that the store has refused one by one.
var errNotSaved = errors.New("their records cannot be written to")

// outcome is what has become of a save or a refresh.
type outcome struct {
	lease    rushgate.Lease
	err      error // nil or rushgate.ErrLeaseLost
	saved    bool
	released bool
	told     told // of the character saved
}

func newSaver(store Store, by rushgate.Instance, resumable time.Duration, logger *slog.Logger) *saver {
	s := &saver{store: store, instance: by, resumable: resumable, logger: logger, wake: make(chan struct{}, 1),
		saving: make(chan struct{}, 1), watching: make(chan struct{}, 1),
		pending: make(map[rushgate.Lease]rushgate.Save), spare: make(map[rushgate.Lease]rushgate.Save)}
	s.calls, s.giveUp = context.WithCancel(context.Background())
	return s
}

// save queues a copy of a character; an older copy that still waits is dropped.
func (s *saver) save(v rushgate.Save) {
	s.mu.Lock()
	s.pending[v.Lease()] = v
	s.mu.Unlock()
	s.signal()
}

// drop takes back a copy that waits under a lease which is no longer valid.
func (s *saver) drop(l rushgate.Lease) {
	s.mu.Lock()
	delete(s.pending, l)
	s.mu.Unlock()
}

// release queues the end of a lease that never became a session, with the character as it is stored. If it is the lease
// of one that was to go on, it may do so elsewhere for a while.
func (s *saver) release(c rushgate.Character, l rushgate.Lease, resumable time.Duration) {
	s.save(rushgate.Save{Character: c, Fence: l.Fence, Release: true, Resumable: resumable})
}

// refresh queues the extension of leases, in place of any that still wait.
func (s *saver) refresh(leases []rushgate.Lease) {
	if len(leases) == 0 {
		return
	}
	s.mu.Lock()
	s.leases = leases
	s.mu.Unlock()
	s.signal()
}

// waiting returns how many characters are yet to be written.
func (s *saver) waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pending) + s.inHand
}

func (s *saver) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run works until ctx ends; the call of the store that is then under way is finished.
func (s *saver) run(ctx context.Context) {
	for {
		select {
		case <-s.wake:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return
		}
		s.work(ctx)
	}
}

// finish writes what is left, and returns an error that tells how much could not be written before ctx ended. It is
// the saver's last work.
func (s *saver) finish(ctx context.Context) error {
	defer s.giveUp()
	s.mu.Lock()
	s.leases = nil // they are about to be released
	s.mu.Unlock()
	s.work(ctx)
	if n := s.waiting(); n > 0 {
		return fmt.Errorf("realm: characters not saved: %d: %w", n, cmp.Or(ctx.Err(), errNotSaved))
	}
	return nil
}

// work does what is queued, again and again while the store fails, until nothing is left or ctx has ended.
func (s *saver) work(ctx context.Context) {
	backoff := saveBackoffMin
	for {
		select {
		case s.saving <- struct{}{}:
		case <-ctx.Done():
			return
		}
		err := s.round(ctx)
		<-s.saving
		switch {
		case err == nil:
			return
		case errors.Is(err, errResting): // which is for the rest to end, and no failure
			continue
		}
		s.retries.Add(1)
		s.logger.Error("saving failed, will be tried again", "error", err, "waiting", s.waiting(), "in", backoff)
		timer := time.NewTimer(backoff)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		backoff = min(2*backoff, saveBackoffMax)
	}
}

// round makes one attempt at everything that is queued now, and puts back what it could not do, or what it did not
// come to before ctx ended.
func (s *saver) round(ctx context.Context) error {
	s.mu.Lock() // the tick may be waiting: no more under the lock than has to be
	pending := s.pending
	s.pending, s.inHand = s.spare, len(pending)
	s.mu.Unlock()
	saves := slices.SortedFunc(maps.Values(pending), func(a, b rushgate.Save) int {
		return cmp.Compare(a.Character.ID, b.Character.ID)
	})
	clear(pending)
	s.spare = pending

	err := s.refreshLeases()
	for batch := range slices.Chunk(saves, saveBatch) {
		e := ctx.Err()
		switch {
		case e != nil:
		case s.resting.Load():
			e = errResting
		default:
			e = s.write(batch)
		}
		if e != nil {
			s.requeue(batch)
			err = cmp.Or(err, e)
		}
		s.putDown(len(batch))
		err = cmp.Or(err, s.refreshLeases()) // which may have come due while a slow store was written to
	}
	return err
}

func (s *saver) write(batch []rushgate.Save) error {
	ctx, cancel := context.WithTimeout(s.calls, saveTimeout)
	defer cancel()
	start := time.Now()
	errs, err := s.store.Save(ctx, batch)
	s.duration.Record(time.Since(start))
	if err == nil && len(errs) != len(batch) {
		err = fmt.Errorf("realm: %d results for %d saves", len(errs), len(batch))
	}
	if err != nil {
		return err
	}
	for i, v := range batch {
		if !isAnswer(errs[i]) {
			// Another has not got the player for that. The copy waits for the next round, or for a newer one.
			s.logger.Error("a character cannot be saved for now", "player", v.Character.ID, "error", errs[i])
			s.requeue(batch[i : i+1])
			continue
		}
		if errs[i] == nil {
			s.saves.Add(1)
		}
		s.outcomes.put(outcome{
			lease: v.Lease(), err: errs[i], saved: errs[i] == nil,
			released: v.Release, told: toldOf(&v.Character),
		})
	}
	return nil
}

// isAnswer reports whether the store has said of one item what became of it.
func isAnswer(err error) bool { return err == nil || errors.Is(err, rushgate.ErrLeaseLost) }

// putDown notes that some of what was in hand is written, or back in the queue.
func (s *saver) putDown(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inHand -= n
}

// requeue puts back what could not be written, unless a newer copy has come meanwhile.
func (s *saver) requeue(batch []rushgate.Save) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range batch {
		if _, newer := s.pending[v.Lease()]; !newer {
			s.pending[v.Lease()] = v
		}
	}
}

// refreshLeases extends the leases that are due, if any, and puts them back if that fails.
func (s *saver) refreshLeases() error {
	s.mu.Lock()
	leases := s.leases
	s.leases = nil
	s.mu.Unlock()
	if len(leases) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(s.calls, saveTimeout)
	defer cancel()
	errs, err := s.store.Refresh(ctx, s.instance, leases)
	if err == nil && len(errs) != len(leases) {
		err = fmt.Errorf("realm: %d results for %d leases", len(errs), len(leases))
	}
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.leases == nil {
			s.leases = leases
		}
		return err
	}
	for i, e := range errs {
		switch {
		case errors.Is(e, rushgate.ErrLeaseLost):
			s.outcomes.put(outcome{lease: leases[i], err: e})
		case e != nil: // it comes round again
			s.logger.Error("a lease cannot be refreshed for now", "player", leases[i].Player, "error", e)
		}
	}
	return nil
}
