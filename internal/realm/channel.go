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
	if s == nil {
		p.Disconnect()
		return
	}
	l := newLink(peerConnection{p}, s, h.cfg.SnapshotRate)
	old, ok := s.admit(l, binary.LittleEndian.Uint64(p.UserData()[:]))
	if !ok {
		p.Disconnect()
		return
	}
	if old != nil {
		old.conn.Disconnect(Replaced)
	}
	p.Data = l
	s.touch(time.Now())
	if s.gone.Load() { // it ended meanwhile, and did not see this connection
		p.Disconnect()
	}
}

// Received takes an intent. While the inbox is full it waits, and nothing is read: what comes then stays in the
// socket's buffer, and is dropped there when that is full too.
func (h channelHandler) Received(p *netcode.Peer, payload []byte) {
	if l, ok := p.Data.(*link); ok {
		h.receive(l, payload)
	}
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
		h.detach(l)
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
	if err := r.renew(s, nil); err != nil {
		return rushgate.Session{}, err
	}
	return r.describe(s), nil
}

// renew gives a session a new ticket, and ends its connection: in favour of l, or, if that is nil, of one that is to come.
func (r *Realm) renew(s *session, l *link) error {
	wait, old := s.renew(r.tickets.Add(1), time.Now(), l)
	if wait > 0 {
		return &rushgate.Refusal{Reason: rushgate.RateLimited, RetryAfter: wait}
	}
	if old != nil {
		old.conn.Disconnect(Replaced)
	}
	return nil
}

// admit makes l the connection of a session if its present ticket has this number, and returns the one before, if any.
func (s *session) admit(l *link, number uint64) (old *link, ok bool) {
	s.ticket.mu.Lock()
	defer s.ticket.mu.Unlock()
	if number != s.ticket.number {
		return nil, false
	}
	return s.link.Swap(l), true
}

// renew replaces the ticket and, unless l is nil, the connection in one step, such that no connection with the ticket
// before can come in between. It returns the connection that has to end, or how long to wait.
func (s *session) renew(number uint64, now time.Time, l *link) (wait time.Duration, old *link) {
	s.ticket.mu.Lock()
	defer s.ticket.mu.Unlock()
	if wait := s.ticket.renew(number, now); wait > 0 {
		return wait, nil
	}
	if l == nil {
		return 0, s.link.Load()
	}
	return 0, s.link.Swap(l)
}

// ticket is what the connect token of a session must carry. Its mutex also orders the session's connections.
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

// renew replaces the number, or returns how long to wait. The caller has locked the ticket.
func (t *ticket) renew(number uint64, now time.Time) (wait time.Duration) {
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
