package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/netcode"
	"github.com/rushgate/rushgate/protocol"
)

const (
	// noticeAfter is for how long nothing may come over a connection before another one is asked for beside it. Over UDP
	// a server that sends no snapshots sends keep-alives ten times a second; over a WebSocket the client asks.
	noticeAfter = time.Second
	// askPatience is how long a WebSocket over which nothing has come may take to answer a ping.
	askPatience = 400 * time.Millisecond
	// leastSpread and spread are within which time those whose server fell silent ask it whether it is there: a time in
	// which many connections come to life again, and in which the others do not come as one wave.
	leastSpread = 100 * time.Millisecond
	spread      = 300 * time.Millisecond
	// maxDoubts is how often within doubtWindow a client asks for another connection although it has one: the server
	// grants six connections in 30 s, of which some are to be left for when it has none.
	maxDoubts   = 3
	doubtWindow = 30 * time.Second
	// doubtPoll is how often it looks whether keep-alives have come meanwhile. Of messages it is told at once: a crowd
	// whose server is gone would spend more time with looking than with what brings it back.
	doubtPoll = 250 * time.Millisecond
	// ownReplacement is how long after an attempt a connection may end for having been replaced by it.
	ownReplacement = 15 * time.Second
)

// feed is a connection that stands, and what has come over it. A goroutine of its own reads it.
type feed struct {
	conn     connection
	decoder  protocol.Decoder
	snapshot protocol.Snapshot
	newest   uint32 // tick of the newest snapshot, 0 for none
	buf      [netcode.MaxPayload]byte

	lives bool // a snapshot has come; guarded by Realtime.mu
}

// keeper keeps a Realtime connected. It belongs to the Realtime's goroutine, which owns all others.
type keeper struct {
	rt       *Realtime
	ctx      context.Context
	ends     chan end
	found    chan found
	lives    chan struct{} // holds one: the current connection has brought its first snapshot
	stirs    chan struct{} // holds one: a connection has brought a message after a silence
	stopped  chan struct{} // closed when nothing is taken from the others any more
	tasks    sync.WaitGroup
	searched time.Time   // when a search last ended, or was seen to go on
	doubts   []time.Time // when searches began while there was a connection
	quiet    time.Time   // until when none is to begin

	search *search // under way; nil: none
	asked  time.Time
}

// end is that of a connection.
type end struct {
	feed *feed
	err  error
}

// search is one for the next connection.
type search struct {
	approach
	cancel context.CancelFunc
	beside bool          // it began while there was a connection
	wait   time.Duration // what the server asks for before the first try
}

// found is what has become of a search.
type found struct {
	search *search
	conn   connection
	err    error
}

func newKeeper(ctx context.Context, rt *Realtime) *keeper {
	return &keeper{
		rt: rt, ctx: ctx, ends: make(chan end), found: make(chan found), lives: rt.lives, stirs: make(chan struct{}, 1),
		stopped: make(chan struct{}),
	}
}

// run keeps the Realtime connected, beginning with a connection, and returns why that is over; nil if ctx has ended.
func (k *keeper) run(first connection) error {
	defer k.stop()
	k.promote(first)
	timer := time.NewTimer(noticeAfter)
	defer timer.Stop()
	for {
		timer.Reset(k.look(time.Now()))
		var err error
		select {
		case <-k.ctx.Done():
			return nil
		case e := <-k.ends:
			err = k.ended(e)
		case f := <-k.found:
			err = k.take(f)
		case <-k.lives:
			k.closePrevious()
		case <-k.stirs:
		case <-timer.C:
		}
		if err != nil && k.ctx.Err() == nil {
			return err
		}
	}
}

// stop ends all that is left, and returns when nothing runs any more.
func (k *keeper) stop() {
	close(k.stopped)
	if k.search != nil {
		k.search.cancel()
	}
	rt := k.rt
	rt.mu.Lock()
	current, previous := rt.current, rt.previous
	rt.current, rt.previous = nil, nil
	rt.mu.Unlock()
	rt.intents.close()
	rt.talk.stop()
	for _, f := range []*feed{current, previous} {
		if f != nil {
			_ = f.conn.Close() // never fails
		}
	}
	k.tasks.Wait()
}

// promote makes a connection the current one. The one before is read until the first snapshot has come.
func (k *keeper) promote(conn connection) {
	f, rt := &feed{conn: conn}, k.rt
	k.closePrevious()
	rt.mu.Lock()
	rt.previous, rt.current = rt.current, f
	attached := rt.intents.attach(conn)
	rt.talk.attach(conn)
	rt.mu.Unlock()
	if !attached {
		_ = conn.Close() // by Close, which also ends ctx
	}
	rt.stats.connects.Add(1)
	_, ws := conn.(*webSocket)
	rt.emit(Event{Kind: EventConnected, WebSocket: ws})
	k.asked = time.Time{}
	k.tasks.Go(func() { k.read(f) })
}

// closePrevious gives up the connection before the current one.
func (k *keeper) closePrevious() {
	rt := k.rt
	rt.mu.Lock()
	f := rt.previous
	rt.previous = nil
	rt.mu.Unlock()
	if f != nil {
		k.tasks.Go(func() { _ = f.conn.Close() }) // never fails
	}
}

// read reads a connection until it ends.
func (k *keeper) read(f *feed) {
	heard, since := &k.rt.session.grant.channel.heard, k.rt.session.grant.since
	last := time.Now()
	for {
		n, err := f.conn.Read(f.buf[:])
		if err != nil {
			_ = f.conn.Close() // never fails
			select {
			case k.ends <- end{f, err}:
			case <-k.stopped:
			}
			return
		}
		now := time.Now()
		heard.Store(int64(now.Sub(since)))
		k.rt.receive(f, f.buf[:n], now)
		if now.Sub(last) >= noticeAfter {
			select {
			case k.stirs <- struct{}{}:
			default:
			}
		}
		last = now
	}
}

// look sees to it that another connection is asked for when nothing comes over the current one, and that this is given
// up when something does. It returns when to look again.
func (k *keeper) look(now time.Time) time.Duration {
	f := k.rt.current // this goroutine alone changes it
	if f == nil {
		return time.Hour // there is a search, and its end is told
	}
	silent := now.Sub(f.conn.LastReceived())
	switch s := k.search; {
	case s != nil && silent >= noticeAfter, s != nil && s.committed.Load():
		return doubtPoll
	case s != nil:
		k.end(s)
		k.rt.emit(Event{Kind: EventRecovered})
	case silent < noticeAfter:
		return noticeAfter - silent
	case k.asks(f, now):
		return askPatience
	case now.Before(k.quiet):
		return k.quiet.Sub(now)
	case !k.mayDoubt(now):
		return k.doubts[0].Add(doubtWindow).Sub(now)
	default:
		k.rt.emit(Event{Kind: EventSilent})
		k.begin(true, 0)
		return doubtPoll
	}
	return noticeAfter
}

// asks has a WebSocket answer a ping, unless it has had time for that.
func (k *keeper) asks(f *feed, now time.Time) bool {
	ws, ok := f.conn.(*webSocket)
	if !ok {
		return false
	}
	if !k.asked.After(f.conn.LastReceived()) { // else it has not answered the last one
		k.asked = now
		ws.ask()
	}
	return now.Sub(k.asked) < askPatience
}

// mayDoubt reports whether the client may ask for another connection beside the one it has, and notes that it does.
func (k *keeper) mayDoubt(now time.Time) bool {
	for len(k.doubts) > 0 && now.Sub(k.doubts[0]) >= doubtWindow {
		k.doubts = k.doubts[1:]
	}
	if len(k.doubts) == maxDoubts {
		return false
	}
	k.doubts = append(k.doubts, now)
	return true
}

// begin begins a search, beside the current connection or for want of one.
func (k *keeper) begin(beside bool, wait time.Duration) {
	ctx, cancel := context.WithCancel(k.ctx)
	s := &search{cancel: cancel, beside: beside, wait: wait}
	k.search = s
	k.tasks.Go(func() {
		defer cancel()
		conn, err := k.rt.seek(ctx, s)
		select {
		case k.found <- found{s, conn, err}:
		case <-k.stopped:
			if conn != nil {
				_ = conn.Close() // never fails
			}
		}
	})
}

// end gives a search up. A connection that it has found in the last moment is taken all the same.
func (k *keeper) end(s *search) {
	s.cancel()
	k.search = nil
}

// ended deals with the end of a connection. The error is why there is no use in another one.
func (k *keeper) ended(e end) error {
	rt := k.rt
	rt.mu.Lock()
	current := e.feed == rt.current
	if current {
		rt.current = nil
		rt.intents.detach()
		rt.talk.detach()
	} else if e.feed == rt.previous {
		rt.previous = nil
	}
	rt.mu.Unlock()
	if !current {
		return nil
	}
	lost := wrap(e.err)
	if k.ctx.Err() != nil {
		return nil
	}
	rt.emit(Event{Kind: kindOf(lost), Err: lost, Lost: true})
	own := errors.Is(lost, ErrReplaced) && (k.search != nil || time.Since(k.searched) < ownReplacement)
	comesBack := errors.Is(lost, ErrSessionEnded) && rt.session.mayComeBack()
	if followed := rt.session.followed(lost); hopeless(lost) && !own && !comesBack && !followed {
		return lost
	}
	rt.lost.Store(int64(time.Since(rt.begun)))
	if k.search == nil {
		wait := time.Duration(0)
		if refusal, ok := errors.AsType[*rushgate.Refusal](lost); ok {
			wait = rt.patience(refusal.RetryAfter)
		}
		k.begin(false, wait)
	}
	return nil
}

// take deals with the end of a search.
func (k *keeper) take(f found) error {
	k.searched = time.Now()
	given := k.search == f.search
	if given {
		k.search = nil
	}
	switch {
	case f.err == nil:
		if k.search != nil { // another one has begun since this one was given up
			k.end(k.search)
		}
		k.promote(f.conn)
	case !given: // given up
	case k.rt.current == nil, errors.Is(f.err, rushgate.BadCredentials):
		return f.err
	default:
		k.quiet = k.searched.Add(maxReconnectPause)
	}
	return nil
}

func wrap(err error) error { return fmt.Errorf("client: realtime: %w", err) }
