package run

import (
	"context"
	"errors"
	"math"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/netcode"
	"github.com/rushgate/rushgate/protocol"
)

const (
	turnInterval   = 3 * time.Second
	connectTimeout = 30 * time.Second // as long as a connect token lasts
)

// What is still plausible for a player's own position: the reference world's players move 8 units per second.
const (
	plausibleSpeed = 12 // units per second
	plausibleSlack = 2  // units
)

// walk is a player in the world.
type walk struct {
	player *player
	tally  *playTally
	rt     *client.Realtime

	// Owned by the player's goroutine until the end.
	connected bool
	since     time.Duration // when the connection was made, by the tally's clock
	counts    playCounts    // of the connection

	trip trip // the intent whose effect is awaited
	seen seen // owned by the goroutine that reads, until it has ended

	// Of an outage:
	quiet          hush
	connectsBefore int64       // connections made before it
	gone           atomic.Bool // the session was lost, or the player has left
}

// trip measures how long it takes from a player's turning until a snapshot knows of it.
type trip struct {
	mu     sync.Mutex
	number uint32 // of the intent; 0: none is awaited
	begin  time.Time
}

func (t *trip) start(number uint32, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.number == 0 { // one that never arrives must not be replaced by the next, or slow ones would not show
		t.number, t.begin = number, now
	}
}

// stop returns how long the trip took, if the server now has the intent.
func (t *trip) stop(newest uint32, now time.Time) (time.Duration, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.number == 0 || newest != t.number && !protocol.Newer(newest, t.number) {
		return 0, false
	}
	t.number = 0
	return now.Sub(t.begin), true
}

// enter connects a player to the world. It returns nil if that fails, or ctx ends before; the player then stays as one
// who does not play.
func (p *player) enter(ctx context.Context, session *client.Session) *walk {
	w := &walk{player: p, tally: &p.run.play}
	limited, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	rt, err := session.Connect(limited, p.realtimeOptions(w))
	if err != nil {
		if ctx.Err() == nil {
			p.run.tally.failedToConnect(err)
			w.tally.connectFailed(err)
		}
		return nil
	}
	w.rt = rt
	p.run.outage.joins(w)
	p.line.CloseIdleConnections() // a game would not keep it either, and it takes a file at both ends
	w.turn()
	return w
}

// realtimeOptions returns how the player connects to the world. For a WebSocket the connection of the login makes room:
// it takes a file at both ends.
func (p *player) realtimeOptions(w *walk) client.RealtimeOptions {
	opts := client.RealtimeOptions{Dial: p.dialWorld(), UDPOnly: true, OnSnapshot: w.onSnapshot}
	if p.run.cfg.WebSocket {
		p.line.CloseIdleConnections()
		t := p.run.network.transport(p.number)
		t.DisableKeepAlives = true
		opts.WebSocket, opts.Transport = true, t
	}
	return opts
}

// dialWorld returns how the player makes sockets to the world, nil for the default.
func (p *player) dialWorld() dialUDPFunc {
	dial, connection := p.run.network.realtimeDial(p.number), p.connection()
	if p.run.cfg.DropBy != DropByClients {
		return dial
	}
	return func(ctx context.Context, server netip.AddrPort) (conn net.Conn, err error) {
		if dial != nil {
			conn, err = dial(ctx, server)
		} else {
			conn, err = new(net.Dialer).DialContext(ctx, "udp", server.String())
		}
		return socket{conn, connection}, err
	}
}

// socket is one through which nothing goes out once the connection has broken off, goodbyes neither.
type socket struct {
	net.Conn
	connection context.Context
}

func (s socket) Write(b []byte) (int, error) {
	if s.connection.Err() != nil {
		return len(b), nil
	}
	return s.Conn.Write(b)
}

// stay walks about until the player is to leave, or the session is lost.
func (w *walk) stay(ctx context.Context) end {
	defer w.end()
	defer w.gone.Store(true)
	timer := time.NewTimer(time.Duration(w.player.run.cfg.random() * float64(turnInterval)))
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			w.turn()
			timer.Reset(turnInterval)
		case e := <-w.rt.Events():
			if w.note(e); e.Kind == client.EventEnded {
				return lost
			}
		case <-w.player.connection().Done():
			return lost
		case <-ctx.Done():
			return leaving
		}
	}
}

// turn takes another direction at random. The client repeats it five times a second.
func (w *walk) turn() {
	y, x := math.Sincos(2 * math.Pi * w.player.run.cfg.random())
	now := time.Now()
	w.trip.start(w.rt.SendIntent(rushgate.Intent{MoveX: float32(x), MoveY: float32(y)}), now)
}

// note counts an event.
func (w *walk) note(e client.Event) {
	c, at := &w.counts, w.tally.at(e.At)
	if e.Kind == client.EventConnected {
		w.connected, w.since = true, at
		w.tally.connected.Add(1)
		return
	}
	switch {
	case e.Kind == client.EventDenied:
		c.denied++
	case e.Kind == client.EventTimedOut && e.Lost:
		c.timedOut++
	case e.Kind == client.EventDisconnected && e.Lost:
		c.disconnected++
	}
	if w.connected && (e.Lost || e.Kind == client.EventEnded) {
		w.connected = false
		w.tally.connected.Add(-1)
		c.playing += w.tally.within(w.since, at)
	}
}

// end closes the connection and hands over what was counted.
func (w *walk) end() {
	w.rt.Close()
	for e := range w.rt.Events() { // until it is closed
		w.note(e)
	}
	s := w.rt.Stats()
	w.counts.connects = s.Connects
	w.counts.bytes, w.counts.late, w.counts.noBaseline, w.counts.malformed = s.Bytes, s.Late, s.NoBaseline, s.Malformed
	w.tally.add(&w.counts, &w.seen)
}

func (w *walk) onSnapshot(s *protocol.Snapshot) {
	now := time.Now()
	at := w.tally.at(now)
	w.seen.take(s, at, w.tally)
	w.quiet.take(at, time.Duration(w.player.run.outage.from.Load()))
	if took, ok := w.trip.stop(s.Intent, now); ok && w.tally.isOpen(at) {
		w.tally.roundTrip.Record(took)
	}
}

// seen is what a player has seen of the world, and what was wrong with it.
type seen struct {
	snapshots, missing, gaps int64 // during the play
	implausible              int64

	any      bool
	tick     uint32
	own      protocol.Own
	came     time.Duration
	cameOpen bool // during the play
}

// take looks at the next snapshot, which came at that time. It is on the way of every snapshot of every player.
func (v *seen) take(s *protocol.Snapshot, now time.Duration, t *playTally) {
	open := t.isOpen(now)
	if open {
		v.snapshots++
	}
	if v.any {
		ticks := s.Tick - v.tick
		if open && v.cameOpen {
			t.interArrival.Record(now - v.came)
			if n := t.snapshotsIn(ticks) - 1; n > 0 {
				v.missing += n
				v.gaps++
			}
		}
		if !plausible(&v.own, &s.Own, ticks) {
			v.implausible++
		}
	}
	v.any, v.tick, v.own, v.came, v.cameOpen = true, s.Tick, s.Own, now, open
}

// plausible reports whether a player can have got from one state to the other in so many ticks. Portals and deaths take
// players anywhere.
func plausible(a, b *protocol.Own, ticks uint32) bool {
	if ticks == 0 || ticks > math.MaxInt32 {
		return false // time does not stand still, nor go back
	}
	if a.Zone != b.Zone || a.Deaths != b.Deaths || a.HP <= 0 || b.HP <= 0 {
		return true
	}
	far := math.Hypot(float64(b.X)-float64(a.X), float64(b.Y)-float64(a.Y)) / protocol.Scale
	return far <= plausibleSlack+plausibleSpeed*float64(ticks)/rushgate.TickRate
}

// denied reports whether a connection was refused because the server is full.
func denied(err error) bool { return errors.Is(err, netcode.StateError{State: netcode.StateDenied}) }
