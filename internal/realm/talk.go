package realm

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
	// talkRate is how many messages a player may say per second, talkBurst how many at once. So many wait for the tick at
	// most.
	talkRate, talkBurst = 30, 60
	// maxLoose and maxLooseBytes are how much that is not reliable waits for a player's next snapshot.
	maxLoose, maxLooseBytes = 64, 16 << 10
)

// errDeaf is for the programmer of a client that says something to a world that does not listen.
var errDeaf = errors.New("the world of this node takes no messages")

// talk is what the world and a session's player say to each other. A session has one from the first word on.
type talk struct {
	session *session
	counts  *talkCounts
	busy    atomic.Bool // there may be something to send

	mu   sync.Mutex
	end  *reliable.End
	link *link // that end knows of

	// For the player.
	loose      [][]byte // not reliable
	looseBytes int

	// From the player.
	heard  []said
	queued bool // the tick knows that there is something
	tokens float64
	filled time.Time
}

// said is what a player has said and the world has yet to hear.
type said struct {
	data     []byte
	reliable bool
}

// talkCounts counts messages.
type talkCounts struct {
	heard   atomic.Int64 // by the world
	refused atomic.Int64 // of players who say too much, reliable ones each time that they come
	said    atomic.Int64 // by the world, to one player each
	resent  atomic.Int64
	lost    atomic.Int64 // of those of the world
}

// talkOf returns a session's talk, which begins if it has none.
func (r *Realm) talkOf(s *session) *talk {
	if t := s.talk.Load(); t != nil {
		return t
	}
	t := &talk{session: s, counts: &r.stats.talk, end: reliable.New(), tokens: talkBurst, filled: time.Now()}
	if s.talk.CompareAndSwap(nil, t) {
		return t
	}
	if other := s.talk.Load(); other != nil {
		return other
	}
	return t // the session has ended meanwhile
}

// receiveMessages takes what a player says. The error says what is wrong with what cannot be read, or that there is no
// use in saying anything.
func (r *Realm) receiveMessages(l *link, payload []byte, kind protocol.Kind) error {
	if r.world.messenger == nil {
		r.stats.talk.refused.Add(1)
		return errDeaf
	}
	var packet protocol.Reliable
	var err error
	if kind == protocol.KindReliable {
		packet, err = protocol.ParseReliable(payload)
	} else {
		packet.Messages, err = protocol.ParseUnreliable(payload)
	}
	if err != nil {
		r.stats.malformed.Add(1)
		return err
	}
	if l.session.link.Load() != l { // else receive looks again
		return nil
	}
	if r.talkOf(l.session).receive(l, &packet, time.Now()) {
		r.talkers.put(l.session)
	}
	return nil
}

// receive takes a packet, which is not reliable if it comes from no one. It reports whether the tick has to be told.
func (t *talk) receive(l *link, packet *protocol.Reliable, now time.Time) (tell bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.session.link.Load() != l {
		return false
	}
	if packet.From == 0 {
		for data, ok := packet.Messages.Next(); ok; data, ok = packet.Messages.Next() {
			t.take(data, false, now)
		}
	} else {
		t.over(l)
		t.end.Hear(packet, now, func(reliable.News) {}, func(data []byte) bool { return t.take(data, true, now) })
		t.busy.Store(true)
	}
	tell = len(t.heard) > 0 && !t.queued
	t.queued = t.queued || tell
	return tell
}

// over has the end know of the connection. t.mu is held, here and below.
func (t *talk) over(l *link) {
	if t.link != l {
		t.link = l
		t.end.Connect(l.transport.Lossless())
	}
}

// take keeps a message for the tick, unless the player says too much.
func (t *talk) take(data []byte, reliable bool, now time.Time) bool {
	t.tokens = min(t.tokens+max(now.Sub(t.filled).Seconds(), 0)*talkRate, talkBurst)
	t.filled = now
	if t.tokens < 1 || len(t.heard) >= talkBurst {
		t.counts.refused.Add(1)
		return false
	}
	t.tokens--
	t.heard = append(t.heard, said{slices.Clone(data), reliable})
	return true
}

// pop returns the oldest message for the tick, and whether there is another.
func (t *talk) pop() (m said, ok, more bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.heard) == 0 {
		t.queued = false
		return said{}, false, false
	}
	m = t.heard[0]
	if t.heard = slices.Delete(t.heard, 0, 1); len(t.heard) == 0 {
		t.heard, t.queued = nil, false
	}
	return m, true, t.queued
}

// hearNext hands the world a message of a player, if there is one. Players take turns.
func (r *Realm) hearNext() bool {
	if r.nextTalker == len(r.talking) {
		if r.world.messenger == nil {
			return false
		}
		r.talking, r.nextTalker = r.talkers.take(r.talking), 0
		if len(r.talking) == 0 {
			return false
		}
	}
	s := r.talking[r.nextTalker]
	r.nextTalker++
	t := s.talk.Load()
	if t == nil { // the session has ended
		return true
	}
	m, ok, more := t.pop()
	if more {
		r.talkers.put(s)
	}
	if ok && s.state == stateInside {
		r.stats.talk.heard.Add(1)
		r.world.hear(rushgate.Message{Player: s.player, Reliable: m.reliable, Data: m.data})
	}
	return true
}

// speak takes what the world says after a step.
func (r *Realm) speak() {
	if r.world.messenger == nil {
		return
	}
	r.spoken = r.world.speak(r.spoken[:0])
	for i := range r.spoken {
		switch m := &r.spoken[i]; {
		case len(m.Data) == 0 || len(m.Data) > rushgate.MaxMessage:
			r.stats.talk.lost.Add(1)
			r.world.complain("the world says something of no or too great length", "player", m.Player, "bytes", len(m.Data))
		case m.Player == 0:
			data := slices.Clone(m.Data) // for all of them
			for _, s := range r.inside {
				r.talkOf(s).say(data, m.Reliable)
			}
		default:
			if s := r.players[m.Player]; s != nil && s.state == stateInside {
				r.talkOf(s).say(slices.Clone(m.Data), m.Reliable)
			} else {
				r.stats.talk.lost.Add(1)
			}
		}
	}
	clear(r.spoken) // the data are the world's
}

// say keeps a message for the player. What finds no room takes the place of what waits.
func (t *talk) say(data []byte, reliable bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.said.Add(1)
	switch {
	case reliable:
		if t.end.Say(data) != nil {
			t.counts.lost.Add(int64(t.end.GiveUp()))
			_ = t.end.Say(data) // there is room now
		}
	case t.session.link.Load() == nil:
		t.counts.lost.Add(1)
		return
	default:
		for len(t.loose) == maxLoose || t.looseBytes+len(data) > maxLooseBytes {
			t.counts.lost.Add(1)
			t.looseBytes -= len(t.loose[0])
			t.loose = slices.Delete(t.loose, 0, 1)
		}
		t.loose = append(t.loose, data)
		t.looseBytes += len(data)
	}
	t.busy.Store(true)
}

// next writes the next packet for the player over dst, and returns it. It returns false if there is none to send now
// over that connection.
func (t *talk) next(dst []byte, l *link, now time.Time) (packet []byte, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.session.link.Load() != l {
		return dst, false
	}
	t.over(l)
	before := t.end.Resent()
	packet, ok = t.end.Next(dst[:0], now)
	t.counts.resent.Add(t.end.Resent() - before)
	switch {
	case ok:
		return packet, true
	case len(t.loose) > 0:
		return t.nextLoose(protocol.AppendUnreliable(packet[:0])), true
	}
	t.busy.Store(!t.end.Idle())
	return packet, false
}

func (t *talk) nextLoose(packet []byte) []byte {
	n := 0
	for ; n < len(t.loose); n++ {
		var ok bool
		if packet, ok = protocol.AppendMessage(packet, t.loose[n]); !ok {
			break
		}
		t.looseBytes -= len(t.loose[n])
	}
	if t.loose = slices.Delete(t.loose, 0, n); len(t.loose) == 0 {
		t.loose = nil
	}
	return packet
}
