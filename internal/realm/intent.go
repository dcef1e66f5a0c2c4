package realm

import (
	"sync"

	"github.com/rushgate/rushgate/protocol"
)

// receive takes an intent, or what the player says. While the inbox is full an intent waits. The error says what is
// wrong with what cannot be read, which is counted and changes nothing.
func (r *Realm) receive(l *link, payload []byte) error {
	if kind := protocol.KindOf(payload); kind == protocol.KindUnreliable || kind == protocol.KindReliable {
		return r.receiveMessages(l, payload, kind)
	}
	in, err := protocol.ParseIntent(payload)
	if err != nil {
		r.stats.malformed.Add(1)
		return err
	}
	r.stats.intents.Add(1)
	r.deliver(l, in)
	return nil
}

// deliver hands an intent to the tick. It waits while the inbox is full.
func (r *Realm) deliver(l *link, in protocol.Intent) {
	if !l.intents.put(in) {
		return
	}
	select {
	case r.inbox <- message{session: l.session, kind: messageIntent, link: l}:
	case <-r.quit:
	}
}

// intentSlot holds the newest intent of a connection until the tick takes it. However many a player sends, one waits.
type intentSlot struct {
	mu      sync.Mutex
	newest  protocol.Intent
	any     bool // there was one ever
	waiting bool
}

// put keeps an intent if it is newer than all before. It reports whether the tick has to be told: the first one since
// it last looked.
func (s *intentSlot) put(in protocol.Intent) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.any && !protocol.Newer(in.Seq, s.newest.Seq) {
		return false
	}
	s.newest, s.any = in, true
	tell := !s.waiting
	s.waiting = true
	return tell
}

// last returns the number of the newest intent.
func (s *intentSlot) last() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newest.Seq
}

// take returns the newest intent.
func (s *intentSlot) take() protocol.Intent {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = false
	return s.newest
}
