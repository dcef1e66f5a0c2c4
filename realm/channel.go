package realm

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/netcode"
	"github.com/rushgate/rushgate/protocol"
)

// TokenUserData returns the user data that the connect token of a session must carry for the realm to accept the
// connection.
func TokenUserData(s rushgate.Session) (data [netcode.UserDataSize]byte) {
	binary.LittleEndian.PutUint64(data[:], s.Ticket)
	return data
}

// channelHandler is the realm as its channel sees it. The channel calls it on one goroutine.
type channelHandler struct{ *Realm }

// Connected attaches a connection to its session, or ends it if there is none: the token was of an earlier session, or
// has been replaced.
func (h channelHandler) Connected(p *netcode.Peer) {
	s, _ := h.byPlayer.get(rushgate.PlayerID(p.ClientID()))
	if s == nil || binary.LittleEndian.Uint64(p.UserData()[:]) != s.ticket.current() {
		p.Disconnect()
		return
	}
	l := newLink(p, s, h.cfg.SnapshotRate)
	p.Data = l
	s.touch(time.Now())
	s.link.Store(l)
	if s.gone.Load() { // it ended meanwhile, and did not see this connection
		p.Disconnect()
	}
}

// Received takes an intent. While the inbox is full it waits, and nothing is read: what comes then stays in the
// socket's buffer, and is dropped there when that is full too.
func (h channelHandler) Received(p *netcode.Peer, payload []byte) {
	l, ok := p.Data.(*link)
	if !ok {
		return
	}
	in, err := protocol.ParseIntent(payload)
	if err != nil {
		h.stats.malformed.Add(1)
		return
	}
	h.stats.intents.Add(1)
	h.deliver(l, in)
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

// Disconnected leaves the session without a connection; it ends unless the player comes back in time. Until then the
// player stands still.
func (h channelHandler) Disconnected(p *netcode.Peer, _ error) {
	if l, ok := p.Data.(*link); ok {
		h.deliver(l, protocol.Intent{Seq: l.intents.last() + 1})
		l.session.touch(p.LastReceived())
		l.session.link.CompareAndSwap(l, nil)
	}
}

const (
	// A session may be renewed maxRenewals times in renewalWindow, more often than any honest network breaks. Each token
	// that is presented has to be remembered by the channel until it expires, which bounds how many may be given out.
	maxRenewals   = 6
	renewalWindow = 30 * time.Second
)

// Renew returns the session of a session token with a new ticket, and ends its realtime connection, if it has one, so
// that the player can connect anew. The error is [rushgate.BadCredentials] for a token without a session and
// [rushgate.RateLimited] for a session that was renewed too often.
func (r *Realm) Renew(token string) (rushgate.Session, error) {
	s, err := r.authenticate(token)
	if err != nil {
		return rushgate.Session{}, err
	}
	if wait := s.ticket.renew(r.tickets.Add(1), time.Now()); wait > 0 {
		return rushgate.Session{}, &rushgate.Refusal{Reason: rushgate.RateLimited, RetryAfter: wait}
	}
	if l := s.link.Load(); l != nil {
		l.peer.Disconnect()
	}
	return r.describe(s), nil
}

// ticket is what the connect token of a session must carry.
type ticket struct {
	mu       sync.Mutex
	number   uint64
	renewals int
	since    time.Time // of the first of them
}

func (t *ticket) current() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.number
}

// renew replaces the number, or returns how long to wait.
func (t *ticket) renew(number uint64, now time.Time) (wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.renewals == 0 || now.Sub(t.since) >= renewalWindow {
		t.renewals, t.since = 0, now
	}
	if t.renewals == maxRenewals {
		return t.since.Add(renewalWindow).Sub(now)
	}
	t.renewals++
	t.number = number
	return 0
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
