package client

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/protocol"
)

// heartbeat is how often the newest intent is repeated. Every message also acknowledges a snapshot, so this decides how
// old the baselines of snapshots are, and with that how small they are.
const heartbeat = 200 * time.Millisecond

// faintHeartbeat is how often it is repeated over a connection that has fallen silent. What the player wants goes out
// at once all the same.
const faintHeartbeat = time.Second

// intents sends what the player wants. It needs no goroutine: what is not sent by the caller of put is sent by a timer.
type intents struct {
	ack atomic.Uint32 // the newest snapshot that has come over the connection
	gap time.Duration // between two datagrams at least

	mu     sync.Mutex
	conn   connection // nil: none
	closed bool
	newest rushgate.Intent
	number uint32 // of the newest intent or message
	unsent bool   // newest has its number to itself still
	sent   time.Time
	due    time.Time
	timer  *time.Timer
	watch  sleepWatch
	firing sync.WaitGroup // counts the calls of fire that will come or have not returned
	buf    []byte
}

func (s *intents) init(gap time.Duration) {
	s.gap = gap
	s.timer = time.AfterFunc(time.Hour, s.fire)
	s.timer.Stop()
	s.buf = make([]byte, 0, 32)
}

// put replaces the intent, and returns its number.
func (s *intents) put(in rushgate.Intent) uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newest, s.unsent = in, true
	s.count()
	if s.conn == nil {
		return s.number
	}
	if wait := s.gap - time.Since(s.sent); wait > 0 {
		s.arm(wait)
	} else {
		s.send()
	}
	return s.number
}

// acknowledge tells the server of the connection's first snapshot as soon as may be: until it knows, each snapshot
// tells all that there is, names included, which costs both sides most when many come back at once.
func (s *intents) acknowledge() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return
	}
	if wait := s.gap - time.Since(s.sent); wait > 0 {
		s.arm(wait)
	} else {
		s.send()
	}
}

// count gives the next message its number, which is never 0. s.mu is held, here and below.
func (s *intents) count() {
	if s.number++; s.number == 0 {
		s.number = 1
	}
}

// send sends the newest intent. A repetition has a number of its own: the server ignores what is not newer, and with it
// the acknowledgement.
func (s *intents) send() {
	if !s.unsent {
		s.count()
	}
	s.unsent = false
	s.buf = protocol.AppendIntent(s.buf[:0], protocol.Intent{Seq: s.number, Ack: s.ack.Load(), Intent: s.newest})
	_ = s.conn.Write(s.buf) // the reader of the connection learns of its end
	s.sent = time.Now()
	if s.sent.Sub(s.conn.LastReceived()) >= noticeAfter {
		s.arm(faintHeartbeat)
		return
	}
	s.arm(heartbeat)
}

// arm has fire called after d, and not before.
func (s *intents) arm(d time.Duration) {
	s.due = time.Now().Add(d)
	if !s.timer.Reset(d) {
		s.firing.Add(1)
	}
}

func (s *intents) disarm() {
	if s.timer.Stop() {
		s.firing.Done()
	}
}

func (s *intents) fire() {
	defer s.firing.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil || time.Now().Before(s.due) { // it was armed anew meanwhile
		return
	}
	if s.watch.beat(time.Now(), timeOfDay(), s.ack.Load()) {
		conn := s.conn
		s.firing.Go(func() { _ = conn.Close() }) // never fails; the reader of the connection learns of it
		return
	}
	s.send()
}

// attach begins to send on a connection that has delivered nothing yet. It returns false after close.
func (s *intents) attach(conn connection) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.ack.Store(0)
	s.conn, s.watch = conn, sleepWatch{}
	s.watch.beat(time.Now(), timeOfDay(), 0)
	s.send()
	return true
}

// detach ends the sending until the next attach.
func (s *intents) detach() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn = nil
	s.disarm()
}

// close ends the sending and the connection, and returns when no timer is left. It is idempotent.
func (s *intents) close() {
	s.mu.Lock()
	conn := s.conn
	s.closed, s.conn = true, nil
	s.disarm()
	s.mu.Unlock()
	if conn != nil {
		_ = conn.Close() // never fails
	}
	s.firing.Wait()
}
