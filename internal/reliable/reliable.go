// Package reliable brings game messages to the other end of a connection that loses, repeats and reorders packets:
// each once and in order, also when the connection is replaced by another one. docs/protocol.md has the rules.
//
// Both a node and a client have an [End] for each session. It does no I/O and has no clock: its owner hands it what
// comes, and asks it for packets when there is time to send some.
package reliable

import (
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/rushgate/rushgate/protocol"
)

const (
	// MaxWaiting and MaxWaitingBytes are how much an end keeps that was not acknowledged.
	MaxWaiting      = 256
	MaxWaitingBytes = 64 << 10

	// window and windowBytes are how much of it may be on its way.
	window      = 64
	windowBytes = 32 << 10

	// firstTimeout is how long an acknowledgement may take before one has come, leastTimeout and mostTimeout what it may
	// take at least and at most after that; losslessTimeout is for connections that lose nothing.
	firstTimeout    = 250 * time.Millisecond
	leastTimeout    = 100 * time.Millisecond
	mostTimeout     = time.Second
	losslessTimeout = 5 * time.Second
)

// ErrFull refuses a message for which there is no room until some that wait are acknowledged.
var ErrFull = errors.New("too many messages wait to be acknowledged")

// End is one end of a conversation. One goroutine at a time may use it.
type End struct {
	id   uint32
	peer uint32 // the other end; 0: not heard of
	// fresh says that nothing has come over the connection yet: only its first message may be of another end than the
	// connection before had.
	fresh    bool
	lossless bool

	// Of what this end says:
	waiting  [][]byte // not acknowledged, in order
	bytes    int      // of it
	base     uint64   // number of the first of it, or of the next one
	sent     uint64   // number of the first that is not on its way
	flying   int      // bytes on their way
	highest  uint64   // number after the last that was ever on its way
	lost     bool     // what came before base was given up, and the other end may not know
	resent   int64
	deadline time.Time // when what is on its way is sent again; the zero time: never
	backoff  int       // so often in a row it was
	timed    uint64    // number of a message whose way is being measured, 0 for none
	timedAt  time.Time
	smoothed time.Duration // time from a message to its acknowledgement; 0: not known

	// Of what the other end says:
	heard uint64 // number of the newest that was handed over
	due   bool   // the other end is to be told
}

// New returns an end that knows nothing of another.
func New() *End {
	e := &End{base: 1, sent: 1, highest: 1, fresh: true}
	for e.id == 0 {
		e.id = rand.Uint32()
	}
	return e
}

// Connect tells that there is another connection, over which all that waits is sent again.
func (e *End) Connect(lossless bool) {
	e.fresh, e.lossless = true, lossless
	e.rewind()
	e.backoff = 0
}

// rewind has all that waits sent again.
func (e *End) rewind() {
	e.sent, e.flying, e.timed, e.deadline = e.base, 0, 0, time.Time{}
	e.due = e.due || e.lost
}

// Say has a message sent, which must fit into a packet ([protocol.AppendMessage]), and keeps its bytes until it is
// acknowledged. The error is [ErrFull].
func (e *End) Say(data []byte) error {
	if len(e.waiting) == MaxWaiting || e.bytes+len(data) > MaxWaitingBytes {
		return ErrFull
	}
	e.waiting = append(e.waiting, data)
	e.bytes += len(data)
	return nil
}

// GiveUp drops all that waits and returns how much that was. The other end will be told that something was lost.
func (e *End) GiveUp() int {
	n := len(e.waiting)
	e.base += uint64(n)
	e.waiting, e.bytes = nil, 0
	e.highest = max(e.highest, e.base)
	e.lost = true
	e.rewind()
	return n
}

// Waiting returns how many messages are not acknowledged.
func (e *End) Waiting() int { return len(e.waiting) }

// Resent returns how many messages were sent again.
func (e *End) Resent() int64 { return e.resent }

// Idle reports whether Next will have nothing to say until Say or Hear is called.
func (e *End) Idle() bool { return len(e.waiting) == 0 && !e.due && !e.lost }

// Wait returns how long it takes until Next has something to say: 0 for now, and false for not before Say or Hear is
// called.
func (e *End) Wait(now time.Time) (time.Duration, bool) {
	switch {
	case e.due || e.ready():
		return 0, true
	case e.deadline.IsZero():
		return 0, false
	}
	return max(e.deadline.Sub(now), 0), true
}

// ready reports whether a packet with messages may be sent now. An end that has not been heard of may not be there, or
// may be of a client that has no use for messages: it is sent one packet at a time.
func (e *End) ready() bool { return e.sendable() && (e.peer != 0 || e.sent == e.base) }

// sendable reports whether another message may be on its way.
func (e *End) sendable() bool {
	return e.sent < e.base+uint64(len(e.waiting)) && e.sent-e.base < window &&
		e.flying+len(e.waiting[e.sent-e.base]) <= windowBytes
}

// Next appends the next packet to dst, which is empty, and returns it. It returns false if there is none to send now.
func (e *End) Next(dst []byte, now time.Time) (packet []byte, ok bool) {
	e.expire(now)
	ready := e.ready()
	if !e.due && !ready {
		return dst, false
	}
	first := e.sent
	dst = protocol.AppendReliable(dst, protocol.Reliable{
		From: e.id, To: e.peer, Ack: e.heard, First: first, Lost: e.lost && first == e.base,
	})
	for ready && e.sendable() {
		data := e.waiting[e.sent-e.base]
		if dst, ok = protocol.AppendMessage(dst, data); !ok {
			break
		}
		e.depart(len(data), now)
	}
	e.due = false
	if e.deadline.IsZero() && (e.sent > e.base || e.lost) {
		e.deadline = now.Add(e.timeout())
	}
	return dst, true
}

// depart notes that the next message is on its way. The way of one that was there before is not measured: it would not
// be known which of the two is acknowledged.
func (e *End) depart(size int, now time.Time) {
	if e.sent < e.highest {
		e.resent++
	} else if e.highest = e.sent + 1; e.timed == 0 {
		e.timed, e.timedAt = e.sent, now
	}
	e.sent++
	e.flying += size
}

// expire has all that waits sent again if it was not acknowledged in time.
func (e *End) expire(now time.Time) {
	if e.deadline.IsZero() || now.Before(e.deadline) {
		return
	}
	e.rewind()
	e.backoff = min(e.backoff+1, 8)
}

func (e *End) timeout() time.Duration {
	switch {
	case e.lossless:
		return losslessTimeout
	case e.smoothed == 0:
		return min(firstTimeout<<e.backoff, mostTimeout)
	}
	return min(max(e.smoothed*3/2, leastTimeout)<<e.backoff, mostTimeout)
}

// News is what a packet tells besides its messages.
type News struct {
	// Anew says that the other end has lost what it knew, and all that it had yet to say. Of what was said to it, what
	// was not acknowledged is said again, though it may have been handed over.
	Anew bool
	// Lost says that messages of the other end are lost that come before those that follow.
	Lost bool
}

// Hear takes a packet that has come over the newest connection. News is told before the messages, which are handed over
// in order: one that is not taken is not acknowledged, and comes again later, and with it those after it. The data
// share the memory of the packet.
func (e *End) Hear(p *protocol.Reliable, now time.Time, news func(News), take func(data []byte) bool) {
	if p.From != e.peer {
		if e.peer != 0 && !e.fresh {
			return // it cannot be of this connection
		}
		e.meet(p.From, news)
	}
	e.fresh = false
	if p.To != 0 && p.To != e.id { // it is numbered for another one
		e.due = true
		return
	}
	if p.To == e.id {
		e.acknowledge(p.Ack, now)
	}
	if p.Messages.Empty() && !p.Lost {
		return
	}
	e.due = true
	if p.Lost && p.First > e.heard+1 {
		e.heard = p.First - 1
		news(News{Lost: true})
	}
	if p.First > e.heard+1 {
		return
	}
	number := p.First
	for data, ok := p.Messages.Next(); ok; data, ok = p.Messages.Next() {
		if number == e.heard+1 {
			if !take(data) {
				return
			}
			e.heard++
		}
		number++
	}
}

// meet begins the conversation with an end that has not been heard of. If there was another one before, that one has
// lost what it knew, and what it did not acknowledge is counted from 1 for the new one.
func (e *End) meet(peer uint32, news func(News)) {
	anew := e.peer != 0
	e.peer = peer
	if !anew {
		return
	}
	e.heard = 0
	e.base, e.highest, e.lost = 1, 1, false
	e.rewind()
	e.backoff = 0
	e.due = true
	news(News{Anew: true})
}

// acknowledge forgets the messages that have arrived.
func (e *End) acknowledge(number uint64, now time.Time) {
	if number >= e.highest { // which was never sent
		return
	}
	if number+1 < e.base {
		return
	}
	if e.lost = false; number < e.base {
		if e.sent == e.base {
			e.deadline = time.Time{}
		}
		return
	}
	if e.timed != 0 && number >= e.timed {
		e.measure(now.Sub(e.timedAt))
	}
	n := int(number + 1 - e.base)
	for _, data := range e.waiting[:n] {
		e.bytes -= len(data)
	}
	arrived := min(n, int(e.sent-e.base))
	for _, data := range e.waiting[:arrived] {
		e.flying -= len(data)
	}
	if e.waiting = slices.Delete(e.waiting, 0, n); len(e.waiting) == 0 {
		e.waiting = nil
	}
	e.base = number + 1
	e.sent = max(e.sent, e.base)
	e.deadline = time.Time{}
	if e.sent > e.base {
		e.deadline = now.Add(e.timeout())
	}
}

// measure takes note of how long a message took that was sent once. Until there is such a one, the pauses stay as long
// as they have become: after shorter ones all would be sent twice, and none be measured.
func (e *End) measure(took time.Duration) {
	e.timed, e.backoff = 0, 0
	if e.smoothed == 0 {
		e.smoothed = max(took, 1)
		return
	}
	e.smoothed += (took - e.smoothed) / 8
}
