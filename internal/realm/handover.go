package realm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rushgate/rushgate"
)

// MaxState is the greatest length of what [Realm.State] returns, in bytes.
const MaxState = 1 << 30

const (
	// answerWait is how long a realm that is to stand still waits for calls that wait for a save.
	answerWait = time.Second
	// answerLook is how often it looks.
	answerLook = 20 * time.Millisecond
	// ticketJump is by how much the numbers of tickets jump when the state is taken: further than another realm that goes
	// on from it comes before it is known which of the two goes on.
	ticketJump = 1 << 32
	// tickMargin is by how many steps more than have passed the number of the tick jumps when a realm goes on whose state
	// was taken: another realm may have made up for some.
	tickMargin = rushgate.TickRate
)

var (
	// ErrFixedWorld says that the world is no [rushgate.Checkpointer], and stays in its process.
	ErrFixedWorld = errors.New("realm: the world cannot be moved into another process")
	// ErrBadState is wrapped by the error of [New] for a [Config].State that it cannot use.
	ErrBadState = errors.New("realm: not the state of a realm that this one can go on from")

	errNotFrozen = errors.New("realm: the state can be taken only while the realm is frozen")
	errFrozen    = errors.New("realm: frozen already")
	errStopped   = errors.New("realm: stopped")
)

// frost is what a realm that is frozen, or about to be, keeps from going on.
type frost struct {
	mu     sync.Mutex    // of Freeze, State, Thaw and Leave
	over   chan struct{} // not nil: frozen; closed when the tick is to go on
	frozen bool          // all of it stands
	views  []*view       // taken from the snapshotter
	saver  bool          // it rests
	taken  time.Time     // when the state was; the zero time if it was not
}

// Freeze has the realm stand still, so that [Realm.State] can be taken: first calls of players wait, the channel reads
// no more, logouts under way are answered and the saver comes to rest, then the tick stops between two steps and the
// snapshots that it has asked for are sent. All but the last two go on while the world is stepped as ever.
//
// If ctx ends before, or the world is no [rushgate.Checkpointer] ([ErrFixedWorld]), the realm goes on as if it had not
// been asked, and the error says what it waited for. Otherwise [Realm.Thaw] or [Realm.Leave] has to follow.
func (r *Realm) Freeze(ctx context.Context) error {
	f := &r.frost
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := r.cfg.World.(rushgate.Checkpointer); !ok {
		return ErrFixedWorld
	}
	if f.over != nil {
		return errFrozen
	}
	f.over = make(chan struct{})
	if err := r.freeze(ctx, f); err != nil {
		r.thaw(f)
		return err
	}
	f.frozen = true
	return nil
}

func (r *Realm) freeze(ctx context.Context, f *frost) error {
	r.gate.close()
	if r.cfg.Channel != nil { // before the tick: a handler that waits for it would never let the channel stand still
		r.cfg.Channel.Pause()
	}
	if err := r.awaitAnswers(ctx); err != nil {
		return fmt.Errorf("realm: waiting for logouts to be answered: %w", err)
	}
	if err := r.saver.rest(ctx); err != nil {
		return fmt.Errorf("realm: waiting for saves under way: %w", err)
	}
	f.saver = true
	stands := make(chan struct{})
	over := f.over
	if err := r.between(ctx, func() { r.stand(stands, over) }); err != nil {
		return fmt.Errorf("realm: waiting for the tick: %w", err)
	}
	if !r.started.Load() {
		return nil
	}
	select {
	case <-stands:
	case <-ctx.Done():
		return fmt.Errorf("realm: waiting for the tick: %w", ctx.Err())
	}
	for range viewsAtOnce {
		select {
		case v := <-r.snapshots.idle:
			f.views = append(f.views, v)
		case <-ctx.Done():
			return fmt.Errorf("realm: waiting for snapshots to be sent: %w", ctx.Err())
		}
	}
	return nil
}

// awaitAnswers waits for a while until no call waits for a save. Those that still do are answered when the realm goes
// on, or turned away when it is left.
func (r *Realm) awaitAnswers(ctx context.Context) error {
	for start := time.Now(); ; {
		count := make(chan int, 1)
		err := r.between(ctx, func() {
			r.handleMessages()
			count <- r.waitingForSaves()
		})
		if err != nil {
			return err
		}
		select {
		case n := <-count:
			if n == 0 || time.Since(start) >= answerWait {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		case <-r.quit:
			return errStopped
		}
		time.Sleep(answerLook)
	}
}

func (r *Realm) waitingForSaves() (n int) {
	for _, s := range r.players {
		n += len(s.onSaved)
	}
	return n
}

// between has the tick call f between two steps, and returns when it has taken it on. A realm that is not started has
// it called at once.
func (r *Realm) between(ctx context.Context, f func()) error {
	if !r.started.Load() {
		f()
		return nil
	}
	select {
	case r.asides <- f:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-r.quit:
		return errStopped
	}
}

// stand brings to an end what has come to the tick, and then, unless the realm has not been started, has it stand still
// until it is over: meanwhile it does what else it is asked to.
func (r *Realm) stand(stands chan<- struct{}, over <-chan struct{}) {
	for len(r.calls) > 0 || len(r.inbox) > 0 { // what comes later, over a transport that goes on, is for after
		before := len(r.calls) + len(r.inbox)
		r.handleMessages()
		if len(r.calls)+len(r.inbox) >= before {
			break
		}
	}
	r.arriving = r.arrivals.take(r.arriving)
	r.integrate(r.arriving, time.Now())
	r.letGo()
	if !r.started.Load() {
		return
	}
	close(stands)
	for {
		select {
		case f := <-r.asides:
			f()
		case <-over:
			return
		case <-r.quit:
			return
		}
	}
}

// State returns all that another realm needs to go on in place of this one, see [Config].State: the world's checkpoint,
// the sessions, and what has not been saved. It holds the tokens of all sessions. The realm must be frozen. The state
// of the channel is apart: [netcode.Server.State] gives it, while the realm is frozen.
func (r *Realm) State() ([]byte, error) {
	f := &r.frost
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.frozen {
		return nil, errNotFrozen
	}
	type result struct {
		state []byte
		err   error
	}
	done := make(chan result, 1)
	err := r.between(context.Background(), func() {
		state, err := r.appendState(nil)
		done <- result{state, err}
	})
	if err != nil {
		return nil, err
	}
	if f.taken.IsZero() {
		f.taken = time.Now()
	}
	select {
	case res := <-done:
		return res.state, res.err
	case <-r.quit:
		return nil, errStopped
	}
}

// Thaw ends what [Realm.Freeze] began: the realm goes on from where it stood. If the state was taken, the number of the
// tick has jumped by the time that has passed and a second more: another realm may have told players of steps by the
// numbers that would come next, and what this one tells would be taken for old, or for a change of what that one has
// told. It is idempotent.
func (r *Realm) Thaw() {
	r.frost.mu.Lock()
	defer r.frost.mu.Unlock()
	r.thaw(&r.frost)
}

func (r *Realm) thaw(f *frost) {
	if f.over == nil {
		return
	}
	for _, v := range f.views {
		r.snapshots.idle <- v
	}
	if f.saver {
		r.saver.goOn()
	}
	if !f.taken.IsZero() { // the tick still stands
		r.tick += uint64(time.Since(f.taken)/rushgate.TickInterval) + tickMargin
	}
	close(f.over)
	f.over, f.views, f.saver, f.frozen, f.taken = nil, nil, false, false, time.Time{}
	if r.cfg.Channel != nil {
		r.cfg.Channel.Resume()
	}
	r.gate.open(false)
}

// Leave ends a frozen realm that another one goes on in place of: nothing is saved and no lease released, the calls
// that wait are answered [rushgate.ServerBusy], and connections but those of the channel end for [Moved]. It returns
// when no goroutine of the realm is left. [Realm.Stop] then has nothing to do. A realm that is not frozen stays as it
// is.
func (r *Realm) Leave() {
	f := &r.frost
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.frozen {
		return
	}
	f.frozen = false
	r.stopOnce.Do(func() {
		r.startOnce.Do(func() {})
		close(r.quit)
		r.stopBackground()
		r.saver.giveUp()
		r.loops.Wait()
		// From here on this goroutine owns what the tick owned.
		r.snapshots.close()
		r.senders.Wait()
		for _, s := range r.inside {
			s.gone.Store(true)
			if l := s.link.Load(); l != nil {
				l.conn.Disconnect(Moved)
			}
		}
		for _, a := range r.arrivals.close() {
			a.Reply(rushgate.Session{}, rushgate.ServerBusy)
		}
		if r.cfg.Channel != nil { // says nothing, since its state was taken
			r.cfg.Channel.Stop()
		}
		close(r.stopped)
		r.gate.open(true)
		r.log.flush()
	})
}
