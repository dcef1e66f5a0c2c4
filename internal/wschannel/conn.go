package wschannel

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/realm"
	"github.com/rushgate/rushgate/netcode"
	"github.com/rushgate/rushgate/protocol"
)

// yieldEvery is after how many messages, pings and pongs from a client its reader lets others run, besides after
// yieldBytes. One that finds every frame in a buffer never waits, and would be stopped by the scheduler only after
// 10 ms, for which the tick might have to wait.
const yieldEvery = 16

// conn is a browser's connection. It has a goroutine that reads, one that keeps it alive and, in the end, closes it,
// and, once it is a player's, one that writes; now and then there is one for a ping.
type conn struct {
	channel *Channel
	wire    wire
	ws      *websocket.Conn
	slot    slot
	queue   queue

	// ending ends when the connection is to end, with an *ending as cause.
	ending context.Context
	cancel context.CancelCauseFunc
	tasks  sync.WaitGroup // reading, writing, pinging

	begun  time.Time
	heard  atomic.Int64 // when something last came, nanoseconds since begun
	frames atomic.Uint32
	// roundTrip is that of the last ping, in nanoseconds.
	roundTrip atomic.Int64
	attached  atomic.Bool
	guest     Guest
}

func newConn(c *Channel, guest Guest) *conn {
	n := &conn{channel: c, slot: newSlot(), begun: time.Now(), guest: guest,
		wire: wire{stats: &c.stats, yield: c.yield}}
	n.ending, n.cancel = context.WithCancelCause(context.Background())
	return n
}

// end has the connection end. The first call decides why. It does not wait, and may come before start.
func (c *conn) end(why *ending) { c.cancel(why) }

// start starts the goroutines of a connection whose handshake is done. The last one to end takes it from the channel.
func (c *conn) start(ws *websocket.Conn) {
	c.ws = ws
	c.tasks.Go(c.read)
	go c.keep()
}

// keep has the client pinged until the connection is to end, and then ends it.
func (c *conn) keep() {
	defer c.channel.remove(c)
	ticker := time.NewTicker(PingInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if c.attached.Load() {
				c.tasks.Go(c.ping)
			}
		case <-c.ending.Done():
			c.close()
			return
		}
	}
}

// ping sends a ping and waits for its pong; whether one comes is for the reader to see. The context is not that of the
// connection's end: the WebSocket library drops a connection on which a context ends during a write, and the client
// would not hear why.
func (c *conn) ping() {
	ctx, cancel := context.WithTimeout(context.Background(), PingInterval)
	defer cancel()
	sent := time.Now()
	if c.ws.Ping(ctx) == nil {
		c.roundTrip.Store(int64(time.Since(sent)))
	}
}

// RoundTrip returns how long the last ping and its pong took together, 0 before the first.
func (c *conn) RoundTrip() time.Duration { return time.Duration(c.roundTrip.Load()) }

// close closes the WebSocket and returns when all who use it have ended.
func (c *conn) close() {
	why, ok := errors.AsType[*ending](context.Cause(c.ending))
	if !ok { // nothing ends it otherwise
		why = internal
	}
	_ = c.wire.finish(closeTimeout) // it is being closed in any case; so are the errors below to be understood
	if why.code != 0 {
		_ = c.ws.Close(why.code, why.reason)
	} else {
		_ = c.ws.CloseNow()
	}
	c.tasks.Wait()
	c.channel.stats.closed[why.cause].Add(1)
	c.channel.stats.open.Add(-1)
}

// read takes the client's messages until the connection ends, and sees to that.
func (c *conn) read() {
	seat, why := c.greet()
	if seat == nil {
		c.end(why)
		return
	}
	defer seat.Detach()
	c.attached.Store(true)
	if c.guest.Attached != nil {
		c.guest.Attached()
	}
	c.onFrame()
	c.tasks.Go(c.write)
	buf, told := make([]byte, netcode.MaxPayload+1), false
	for c.ending.Err() == nil {
		kind, message, why := c.message(buf, silent)
		switch {
		case why != nil:
			c.end(why)
			return
		case kind != websocket.MessageBinary:
			c.end(textMessage)
			return
		}
		c.onFrame()
		if err := seat.Receive(message); err != nil && !told {
			told = true
			c.tasks.Go(func() { c.explain(err) })
		}
	}
}

// explain tells a client once what is wrong with a message of its own. Everything that it plays by is binary, so a text
// is for the eyes of its programmer.
func (c *conn) explain(why error) {
	text, err := json.Marshal(struct {
		Reason  string `json:"reason"`
		Message string `json:"message"`
	}{"bad-intent", why.Error()})
	if err != nil {
		return
	}
	if err := c.ws.Write(context.Background(), websocket.MessageText, text); err != nil {
		c.end(unwritable(err))
	}
}

// greet reads the first message and makes the connection that of the session in it, or returns what it ends for.
func (c *conn) greet() (*realm.Attachment, *ending) {
	if err := c.wire.silence(GreetingTimeout); err != nil {
		return nil, lost
	}
	kind, message, why := c.message(make([]byte, MaxGreeting+1), late)
	if why != nil {
		return nil, why
	}
	if kind != websocket.MessageText {
		return nil, badGreeting
	}
	token, err := parseGreeting(message)
	if err != nil {
		return nil, badGreeting
	}
	c.heard.Store(int64(time.Since(c.begun)))
	seat, err := c.channel.realm.Attach(token, c.channel, c)
	if errors.Is(err, rushgate.BadCredentials) && c.guest.Continue != nil {
		seat, err = c.goOn(token)
	}
	if err != nil {
		return nil, refused(err)
	}
	return seat, nil
}

// goOn makes the connection that of a session that the node does not have, if it can go on here.
func (c *conn) goOn(token string) (*realm.Attachment, error) {
	ctx, cancel := context.WithTimeout(c.ending, continueTimeout)
	defer cancel()
	if err := c.guest.Continue(ctx, token); err != nil {
		return nil, err
	}
	return c.channel.realm.Attach(token, c.channel, c)
}

// message reads a message into buf, which it must not fill; timeout is what a deadline means.
func (c *conn) message(buf []byte, timeout *ending) (websocket.MessageType, []byte, *ending) {
	// Without a context that can end, nothing is allocated: what ends reading is the wire.
	kind, r, err := c.ws.Reader(context.Background())
	if err != nil {
		return 0, nil, unreadable(err, timeout)
	}
	c.wire.begin()
	defer c.wire.done() // the end of the connection may throw away as much as it has time for
	n := 0
	for {
		k, err := r.Read(buf[n:])
		n += k
		switch {
		case n == len(buf):
			return 0, nil, tooLarge
		case errors.Is(err, io.EOF):
			c.channel.stats.messagesReceived.Add(1)
			return kind, buf[:n], nil
		case err != nil:
			return 0, nil, unreadable(err, timeout)
		}
	}
}

// onFrame notes that the client has been heard of. Its reader calls it, for pings and pongs by way of the library.
func (c *conn) onFrame() {
	if c.frames.Add(1)%yieldEvery == 0 {
		c.wire.yield()
	}
	if !c.attached.Load() { // the greeting has a deadline, which nothing prolongs
		return
	}
	c.heard.Store(int64(time.Since(c.begun)))
	_ = c.wire.silence(SilenceTimeout) // the next read fails when this does
}

func (c *conn) onPing(context.Context, []byte) bool { c.onFrame(); return true }
func (c *conn) onPong(context.Context, []byte)      { c.onFrame() }

// write sends what is in queue and slot until the connection ends.
func (c *conn) write() {
	buf := make([]byte, 0, protocol.MaxSnapshot)
	for {
		select {
		case <-c.slot.ready:
		case <-c.ending.Done():
			return
		}
		for packet, ok := c.queue.take(); ok; packet, ok = c.queue.take() {
			if !c.put(packet) {
				return
			}
		}
		var ok bool
		if buf, ok = c.slot.take(buf); !ok {
			continue
		}
		if !c.put(buf) {
			return
		}
		c.channel.stats.snapshotsSent.Add(1)
	}
}

// put writes a message, or has the connection end.
func (c *conn) put(message []byte) bool {
	if err := c.ws.Write(context.Background(), websocket.MessageBinary, message); err != nil {
		c.end(unwritable(err))
		return false
	}
	return true
}

// Disconnect implements [realm.Connection].
func (c *conn) Disconnect(why realm.Cause) {
	if why == realm.Stopping {
		c.end(c.channel.stopping())
		return
	}
	c.end(disconnected(why))
}

// LastReceived implements [realm.Connection].
func (c *conn) LastReceived() time.Time { return c.begun.Add(time.Duration(c.heard.Load())) }

// send puts a snapshot where the connection's writer takes it from.
func (c *conn) send(snapshot []byte) error {
	if c.ending.Err() != nil {
		return net.ErrClosed
	}
	if c.slot.put(snapshot) {
		c.channel.stats.snapshotsReplaced.Add(1)
	}
	return nil
}

// sendMessages puts a packet of the game's messages where the connection's writer takes it from.
func (c *conn) sendMessages(packet []byte) error {
	if c.ending.Err() != nil {
		return net.ErrClosed
	}
	if !c.queue.put(packet) {
		return errQueueFull
	}
	c.slot.nudge()
	return nil
}
