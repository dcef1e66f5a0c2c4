package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/protocol"
)

const (
	// DefaultIntentRate is how many intents per second a [Realtime] sends at most.
	DefaultIntentRate = 20
	// MaxIntentRate is the most that [RealtimeOptions.IntentRate] allows: one for each step of the world.
	MaxIntentRate = rushgate.TickRate
)

// eventQueue is how many events wait for a game that does not look at them.
const eventQueue = 16

var (
	// ErrConnected refuses a second realtime connection of one session: the server would end the first for it.
	ErrConnected = errors.New("the session has a realtime connection already")
	// ErrReplaced ends a realtime connection over a WebSocket in whose place another program has connected with the
	// same session. To connect again would end that one in turn.
	ErrReplaced = errors.New("the session is connected elsewhere")
)

// connection is a realtime connection that stands: a [*netcode.Client] or a [*webSocket]. One goroutine reads; Write
// and Close may be called from any, and do not wait for the network for long.
type connection interface {
	Read(buf []byte) (int, error) // an error is final
	Write(message []byte) error
	LastReceived() time.Time // when something last came, keep-alives included, or the connection was made
	Close() error            // never fails, and is idempotent
}

// RealtimeOptions are the settings of a realtime connection. The zero value of each field selects its default.
type RealtimeOptions struct {
	// Dial makes the socket for an address of the server, as in [netcode.ClientOptions]. Default: a connected UDP
	// socket. A WebSocket does not use it.
	Dial func(ctx context.Context, server netip.AddrPort) (net.Conn, error)
	// WebSocket has the game played over a WebSocket to the address of the server's HTTP interface rather than over
	// UDP: to test the road that browsers take. Where packets get lost, it is slower.
	WebSocket bool
	// UDPOnly has the game played over UDP or not at all. Without it a Realtime falls back to a WebSocket where nothing
	// answers by UDP within 1.5 s although the server answers over HTTP, and to UDP when it connects the next time and
	// the server answers a probe by UDP. A game that falls back loses the light touch of datagrams, not the player.
	UDPOnly bool
	// Transport carries the opening handshake of a WebSocket, and decides over which connection it then goes: its
	// answer to a status of 101 must have a body that can be written to, as that of [http.Transport] has. Redirects are
	// not followed. Default: [Options].Transport of the session's client.
	Transport http.RoundTripper
	// IntentRate is how many intents are sent per second at most, 1 to [MaxIntentRate]. Default [DefaultIntentRate].
	IntentRate int
	// OnSnapshot, if set, takes the place of views, which are then never built: it is called with each new snapshot
	// as it comes from the wire, in the order of the ticks. The snapshot is valid during the call only. The calls are
	// made on the goroutine that reads the connection: they must be quick, and must not call Close. This is for
	// programs that hold many connections and cannot afford a copy of everything, such as load generators. After a change
	// of connections it is another goroutine, but never two at a time.
	OnSnapshot func(*protocol.Snapshot)
}

// Realtime is a player's connection to the world: intents go out, views of the world come in. All methods may be called
// from any goroutine.
//
// It has goroutines of its own: one reads, and one notices when nothing comes any more, and connects again. It ends by
// Close, or by itself when there is nothing left to connect to; [Realtime.Events] tells.
type Realtime struct {
	session Session
	opts    RealtimeOptions
	intents intents
	talk    talk
	views   chan *View // the newest one, if the game has not taken it
	latest  atomic.Pointer[View]
	events  chan Event
	stats   realtimeCounters

	cancel context.CancelFunc
	ended  chan struct{} // closed when err is known
	err    error         // why it has ended; nil: by Close
	done   chan struct{} // closed when the goroutine is about to return

	begun time.Time
	lost  atomic.Int64  // when there last was a connection: nanoseconds since begun
	lives chan struct{} // holds one, for the keeper
	// roads belongs to the search that holds the one place in seeking.
	seeking chan struct{}
	roads   roads

	mu sync.Mutex // held while a snapshot is shown
	// current is the newest connection, over which intents go; nil while there is none. previous is the one before, which
	// is read until something comes over the current one. The keeper alone changes them.
	current, previous *feed

	emitting sync.Mutex
}

// RealtimeStats count what has come from the server since [Session.Connect].
type RealtimeStats struct {
	Bytes      int64 // of messages, without what the transport adds
	Snapshots  int64 // that were new
	Late       int64 // that came after a newer one, or twice, and were ignored
	NoBaseline int64 // relative to one that had not come, and of no use
	Malformed  int64 // messages that made no sense
	Connects   int64 // connections made, the first one included

	Messages        int64 // of the world, that the game has been given
	MessagesDropped int64 // of the world, for which there was no room
	MessagesResent  int64 // of the player
	MessagesWaiting int64 // of the player, that are not acknowledged yet
}

type realtimeCounters struct {
	bytes, snapshots, late, noBaseline, malformed, connects atomic.Int64
}

// Connect opens the session's realtime connection. ctx bounds the connecting, not the connection.
//
// One session has one such connection at a time; while it lasts, another Connect fails with [ErrConnected]. It keeps
// the session open without any other call, and moves [Session.ExpiresAt]. When nothing has come for a second, the
// Realtime asks for another connection beside the one that it has, and goes over to that when it is there; when the
// connection is lost, it connects again by itself.
//
// Errors of UDP wrap a [netcode.StateError]: a server that is full matches
// netcode.StateError{State: netcode.StateDenied}, and one that can be reached neither by UDP, perhaps for a firewall on
// the way, nor by a WebSocket, the state StateRequestTimedOut. A server without a realtime channel is [ErrNoChannel], a
// session that has ended [rushgate.BadCredentials]. A server that has no time for it now, or of which too many
// connections were asked ([rushgate.RateLimited]), says when to come back: [rushgate.Refusal].RetryAfter. Connect tries
// each road once and may be called again; an answer over HTTP, and the first message over a WebSocket, has 5 s to come.
func (s Session) Connect(ctx context.Context, opts RealtimeOptions) (*Realtime, error) {
	if opts.IntentRate == 0 {
		opts.IntentRate = DefaultIntentRate
	}
	if opts.IntentRate < 1 || opts.IntentRate > MaxIntentRate {
		return nil, fmt.Errorf("client: RealtimeOptions.IntentRate: %d is not within 1 to %d", opts.IntentRate, MaxIntentRate)
	}
	if !s.grant.channel.claim() {
		return nil, fmt.Errorf("client: realtime: %w", ErrConnected)
	}
	rt := &Realtime{
		session: s, opts: opts,
		views: make(chan *View, 1), events: make(chan Event, eventQueue),
		ended: make(chan struct{}), done: make(chan struct{}), lives: make(chan struct{}, 1), begun: time.Now(),
		seeking: make(chan struct{}, 1),
	}
	rt.intents.init(time.Second / time.Duration(opts.IntentRate))
	rt.talk.init()
	conn, err := rt.connect(ctx)
	if err != nil {
		s.grant.channel.release()
		return nil, err
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	rt.cancel = cancel
	rt.talk.attach(conn) // what is said from now on has a connection
	go rt.run(life, conn)
	return rt, nil
}

// run is the goroutine of a Realtime.
func (rt *Realtime) run(ctx context.Context, conn connection) {
	defer close(rt.done)
	err := newKeeper(ctx, rt).run(conn)
	rt.cancel()
	rt.session.grant.channel.release()
	rt.err = err
	close(rt.ended)
	rt.emit(Event{Kind: EventEnded, Err: err})
	close(rt.events)
	close(rt.views)
	rt.talk.close()
}

// receive takes a message that has come just now.
func (rt *Realtime) receive(f *feed, message []byte, now time.Time) {
	rt.stats.bytes.Add(int64(len(message)))
	if kind := protocol.KindOf(message); kind == protocol.KindUnreliable || kind == protocol.KindReliable {
		if rt.talk.receive(f.conn, message, now) != nil {
			rt.stats.malformed.Add(1)
		}
		return
	}
	switch err := f.decoder.Decode(message, &f.snapshot); {
	case errors.Is(err, protocol.ErrNoBaseline):
		rt.stats.noBaseline.Add(1)
		return
	case err != nil:
		rt.stats.malformed.Add(1)
		return
	case f.newest != 0 && !protocol.Newer(f.snapshot.Tick, f.newest):
		rt.stats.late.Add(1)
		return
	}
	f.newest = f.snapshot.Tick
	rt.mu.Lock()
	defer rt.mu.Unlock()
	if rt.counts(f) {
		rt.show(f, now)
	}
}

// counts reports whether what comes over a connection is to be shown: that of the current one, and that of the one
// before until then. rt.mu is held, here and below.
func (rt *Realtime) counts(f *feed) bool {
	if f != rt.current {
		return f == rt.previous && (rt.current == nil || !rt.current.lives)
	}
	rt.intents.ack.Store(f.newest)
	if !f.lives {
		f.lives = true
		rt.intents.acknowledge()
		select {
		case rt.lives <- struct{}{}:
		default:
		}
	}
	return true
}

// show hands a connection's newest snapshot to the game.
func (rt *Realtime) show(f *feed, now time.Time) {
	rt.stats.snapshots.Add(1)
	if rt.opts.OnSnapshot != nil {
		rt.opts.OnSnapshot(&f.snapshot)
		return
	}
	v := newView(&f.snapshot, rt.session.PlayerID, now)
	rt.latest.Store(v)
	replace(rt.views, v)
}

// SendIntent tells the world what the player wants from now on, and returns the number that [View.Applied] will know it
// by. It never blocks and may be called in every frame: the newest intent is sent at once, or, when the last one was
// less than 1/[RealtimeOptions.IntentRate] s ago, as soon as that has passed, older ones then being left out. It is
// repeated five times a second until the next one replaces it, so that a lost datagram costs a fifth of a second at
// most. While there is no connection, the newest intent waits for it. After the end nothing happens.
func (rt *Realtime) SendIntent(in rushgate.Intent) (number uint32) { return rt.intents.put(in) }

// Views delivers views of the world in the order of their ticks, for a game that is driven by them. A game that is late
// finds the newest view and misses those before; nothing piles up. The channel is closed at the end.
func (rt *Realtime) Views() <-chan *View { return rt.views }

// Latest returns the newest view of the world, for a game that draws frames at its own pace; nil if none has come yet.
// It does not take anything from [Realtime.Views].
func (rt *Realtime) Latest() *View { return rt.latest.Load() }

// Err returns why a Realtime has ended: nil after Close, and while it lasts.
func (rt *Realtime) Err() error {
	select {
	case <-rt.ended:
		return rt.err
	default:
		return nil
	}
}

// Stats returns what has been counted so far.
func (rt *Realtime) Stats() RealtimeStats {
	c, m := &rt.stats, &rt.talk
	return RealtimeStats{
		Messages: m.received.Load(), MessagesDropped: m.dropped.Load(), MessagesResent: m.resent.Load(),
		MessagesWaiting: m.waiting.Load(),
		Bytes:           c.bytes.Load(), Snapshots: c.snapshots.Load(), Late: c.late.Load(), NoBaseline: c.noBaseline.Load(),
		Malformed: c.malformed.Load(), Connects: c.connects.Load(),
	}
}

// Close says goodbye to the server, and returns when nothing is left running. The session stays open, until the server
// ends it for silence: see [Session.Logout]. Further calls do nothing but wait for the first.
func (rt *Realtime) Close() {
	rt.cancel()
	rt.intents.close()
	rt.talk.stop()
	<-rt.done
}

// String returns whose connection it is.
func (rt *Realtime) String() string {
	return fmt.Sprintf("realtime connection of player %d", rt.session.PlayerID)
}

// GoString is [Realtime.String] for the verb %#v.
func (rt *Realtime) GoString() string { return "client.Realtime{" + rt.String() + "}" }

// LogValue is [Realtime.String] for log/slog.
func (rt *Realtime) LogValue() slog.Value { return slog.StringValue(rt.String()) }

// replace puts the newest value into a channel that holds one. There is one sender.
func replace[T any](c chan T, v T) {
	for {
		select {
		case c <- v:
			return
		default:
		}
		select {
		case <-c:
		default:
		}
	}
}

// channelUse is what a session knows of its realtime channel.
type channelUse struct {
	// heard is when something last came over it: nanoseconds since the session's answer.
	heard atomic.Int64

	mu       sync.Mutex
	open     bool // there is a Realtime
	tokenOut bool // the connect token that came with the session has been used
}

func (u *channelUse) claim() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	ok := !u.open
	u.open = true
	return ok
}

func (u *channelUse) release() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.open = false
}

// takeToken reports whether the session's connect token has yet to be used, which it now is.
func (u *channelUse) takeToken() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	ok := !u.tokenOut
	u.tokenOut = true
	return ok
}
