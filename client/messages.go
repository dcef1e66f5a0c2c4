package client

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/reliable"
	"github.com/rushgate/rushgate/protocol"
)

const (
	// unreadMessages is how many messages of the world wait for a game that does not read them.
	unreadMessages = 64
	// tellAgain is how often a game is told of a loss that has no room for being told.
	tellAgain = 250 * time.Millisecond
)

// Errors of [Realtime.Send].
var (
	// ErrMessageLength refuses a message of less than 1 or more than [rushgate.MaxMessage] bytes.
	ErrMessageLength = errors.New("a message of no or too great length")
	// ErrMessagesWait refuses a reliable message while 256 of them, or 64 KiB, are not acknowledged yet.
	ErrMessagesWait = errors.New("too many messages have yet to be acknowledged")
	// ErrRealtimeEnded refuses a message after the end of a [Realtime].
	ErrRealtimeEnded = errors.New("the realtime connection has ended")
)

// Message is something that the world says to the player, or the word that something is lost.
type Message struct {
	// Data is 1 to [rushgate.MaxMessage] bytes, and the game's own.
	Data []byte
	// Reliable says that the message arrives once and in the order of all reliable ones. Others may be lost, and overtake.
	Reliable bool
	// Lost is no message, and without Data: of the reliable messages that would come here some are lost, or all. The
	// player was away for too long, or a node has lost what it had to say, as when it crashes or when another one goes on
	// with the session. In the latter case what the player has said last may be heard twice.
	Lost bool
}

// talk is what player and world say to each other. It needs no goroutine, as intents do not.
type talk struct {
	received, dropped, resent, waiting atomic.Int64

	mu     sync.Mutex
	conn   connection // nil: none
	end    *reliable.End
	ended  bool // nothing more is said
	closed bool // nor heard
	inbox  chan Message
	gap    bool // the game has to be told that something is lost
	timer  *time.Timer
	firing sync.WaitGroup // counts the calls of fire that will come or have not returned
	buf    []byte
}

func (m *talk) init() {
	m.end = reliable.New()
	m.timer = time.AfterFunc(time.Hour, m.fire)
	m.timer.Stop()
}

// Send says something to the world, once: 1 to [rushgate.MaxMessage] bytes of the game's own, which it may use again
// afterwards. It never blocks. What is reliable is heard once and in order, for as long as the session lasts on one
// node, however often the connection is replaced; where another node goes on with the session, what was not
// acknowledged is said again. [RealtimeStats].MessagesWaiting tells how much that is. What is not reliable may be lost,
// and is while there is no connection. A player may say 30 messages a second, and 60 at once: beyond that a server
// drops those that are not reliable, and takes the others later. A world that listens to no messages acknowledges none.
//
// The error is [ErrMessageLength], [ErrMessagesWait] or [ErrRealtimeEnded].
func (rt *Realtime) Send(data []byte, reliable bool) error { return rt.talk.say(data, reliable) }

// Messages delivers what the world says to the player, reliable messages in their order. The channel holds 64: while it
// is full, views go on, messages that are not reliable are dropped, and reliable ones come again when there is room:
// within a second or so, over a WebSocket within five. A game that reads none of them at all is sent reliable ones
// again and again, until the server gives them up. The channel is closed at the end.
func (rt *Realtime) Messages() <-chan Message {
	m := &rt.talk
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.channel()
}

// channel returns the channel, which is made when there is use for it: many games have none. m.mu is held, here and
// below.
func (m *talk) channel() chan Message {
	if m.inbox == nil {
		m.inbox = make(chan Message, unreadMessages)
		if m.closed {
			close(m.inbox)
		}
	}
	return m.inbox
}

func (m *talk) say(data []byte, isReliable bool) error {
	if len(data) == 0 || len(data) > rushgate.MaxMessage {
		return ErrMessageLength
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended {
		return ErrRealtimeEnded
	}
	if !isReliable {
		if m.conn != nil {
			m.buf, _ = protocol.AppendMessage(protocol.AppendUnreliable(m.buf[:0]), data)
			write(m.conn, m.buf)
		}
		return nil
	}
	if m.end.Say(slices.Clone(data)) != nil {
		return ErrMessagesWait
	}
	m.flush()
	return nil
}

// write has a packet of messages sent. If that fails the reader of the connection learns of its end.
func write(conn connection, packet []byte) {
	if ws, ok := conn.(*webSocket); ok {
		ws.writeMessages(packet)
		return
	}
	_ = conn.Write(packet)
}

// flush sends what there is to send, and sees to it that the rest is sent in time.
func (m *talk) flush() {
	if m.conn != nil {
		now := time.Now()
		for packet, ok := m.end.Next(m.buf[:0], now); ok; packet, ok = m.end.Next(m.buf[:0], now) {
			m.buf = packet
			write(m.conn, packet)
		}
		m.resent.Store(m.end.Resent())
	}
	m.waiting.Store(int64(m.end.Waiting()))
	wait, ok := m.end.Wait(time.Now())
	ok = ok && m.conn != nil
	if m.gap && (!ok || wait > tellAgain) {
		wait, ok = tellAgain, true
	}
	if ok && !m.ended {
		m.arm(wait)
	}
}

// arm has fire called after d.
func (m *talk) arm(d time.Duration) {
	if !m.timer.Reset(d) {
		m.firing.Add(1)
	}
}

func (m *talk) fire() {
	defer m.firing.Done()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended {
		return
	}
	m.tellGap()
	m.flush()
}

// receive takes a packet of messages that has come over a connection.
func (m *talk) receive(conn connection, packet []byte, now time.Time) error {
	if protocol.KindOf(packet) == protocol.KindUnreliable {
		all, err := protocol.ParseUnreliable(packet)
		m.mu.Lock()
		defer m.mu.Unlock()
		for data, ok := all.Next(); ok && m.conn == conn; data, ok = all.Next() {
			if !m.deliver(Message{Data: slices.Clone(data)}) {
				m.dropped.Add(1)
			}
		}
		return err
	}
	r, err := protocol.ParseReliable(packet)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conn != conn { // the other end may be another one by now
		return nil
	}
	m.end.Hear(&r, now, func(reliable.News) { m.gap = true }, func(data []byte) bool {
		return m.deliver(Message{Data: slices.Clone(data), Reliable: true})
	})
	m.tellGap()
	m.flush()
	return nil
}

// deliver hands a message to the game, if there is room.
func (m *talk) deliver(message Message) bool {
	if !m.tellGap() || m.closed {
		return false
	}
	select {
	case m.channel() <- message:
		m.received.Add(1)
		return true
	default:
		return false
	}
}

// tellGap tells the game of a loss, if there was one. It returns false while there is no room for that.
func (m *talk) tellGap() bool {
	if !m.gap || m.closed {
		return true
	}
	select {
	case m.channel() <- Message{Lost: true}:
		m.gap = false
	default:
	}
	return !m.gap
}

// attach goes on over a connection that has delivered nothing yet.
func (m *talk) attach(conn connection) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended || m.conn == conn {
		return
	}
	_, lossless := conn.(*webSocket)
	m.conn = conn
	m.end.Connect(lossless)
	m.flush()
}

// detach waits for another connection.
func (m *talk) detach() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conn = nil
}

// stop ends the saying, and returns when no timer is left. It is idempotent.
func (m *talk) stop() {
	m.mu.Lock()
	m.ended, m.conn = true, nil
	if m.timer.Stop() {
		m.firing.Done()
	}
	m.mu.Unlock()
	m.firing.Wait()
}

// close ends the hearing.
func (m *talk) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	if m.inbox != nil {
		close(m.inbox)
	}
}
