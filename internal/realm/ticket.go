package realm

import (
	"context"
	"sync"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/netcode"
)

// ConnectWindow is how long a connect token of a session may last.
const ConnectWindow = 30 * time.Second

// maxRenewals is how often a session may be renewed within any [ConnectWindow], more often than any honest network
// breaks. The channel remembers each token that a player has presented until the token expires, and lets a player in
// with so many of them at most: so there may be no more, together with the one of the login. One is to spare, for the
// time between a renewal and the making of its token.
const maxRenewals = netcode.MaxTokensPerClient - 2

// Renew returns the session of a session token with a new ticket, so that the player can connect anew. Connect tokens
// with the tickets before open nothing from now on; a connection that the session has goes on until the new one stands.
// The error is [rushgate.BadCredentials] for a token without a session and [rushgate.RateLimited] for a session that
// was renewed too often.
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

// renew gives a session a new ticket, and makes l its connection, in place of the one that it has, unless l is nil.
func (r *Realm) renew(s *session, l *link) error {
	release, err := r.gate.hold(context.Background()) // the realm does not stand still for long
	if err != nil {
		return err
	}
	defer release()
	wait, old := s.renew(r.tickets.Add(1), time.Now(), l)
	if wait > 0 {
		return &rushgate.Refusal{Reason: rushgate.RateLimited, RetryAfter: r.cfg.RetryAfter(wait)}
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
		return 0, nil
	}
	return 0, s.link.Swap(l)
}

// ticket is what the connect token of a session must carry. Its mutex also orders the session's connections.
type ticket struct {
	mu       sync.Mutex
	number   uint64
	renewals [maxRenewals]time.Time // when the last ones were, the zero time for those that have not been
	oldest   int                    // of them
}

func (t *ticket) current() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.number
}

// renew replaces the number, or returns how long to wait. The caller has locked the ticket.
func (t *ticket) renew(number uint64, now time.Time) (wait time.Duration) {
	if wait := t.renewals[t.oldest].Add(ConnectWindow).Sub(now); wait > 0 {
		return wait
	}
	t.renewals[t.oldest], t.number = now, number
	t.oldest = (t.oldest + 1) % maxRenewals
	return 0
}
