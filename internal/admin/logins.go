package admin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

const (
	// loginLasts is how long a browser stays logged in.
	loginLasts = 12 * time.Hour
	// maxLogins is how many browsers may be logged in; the one that has been for longest makes room for the next.
	maxLogins = 64
	// maxFailures wrong tokens from one address within failureWindow are called wrong; further ones are told to wait.
	maxFailures   = 10
	failureWindow = time.Minute
	// maxAddresses is how many addresses with failures are remembered.
	maxAddresses = 1024
)

// logins are the browsers that have shown a token, and the addresses that have failed to.
type logins struct {
	secure bool // cookies go over TLS only

	mu       sync.Mutex
	sessions map[[sha256.Size]byte]session // by the hash of what the cookie holds
	failures map[netip.Prefix]failures
}

// session is a browser that is logged in. What it has begun ends with it.
type session struct {
	who    person
	ctx    context.Context // ends when the session does, and when its operator's token is worth nothing any more
	cancel context.CancelFunc
	ends   time.Time
}

// failures are those of an address since a moment.
type failures struct {
	count int
	since time.Time
}

func newLogins(secure bool) *logins {
	return &logins{
		secure: secure, sessions: make(map[[sha256.Size]byte]session), failures: make(map[netip.Prefix]failures),
	}
}

// try finds out whose token a client presents. If it is nobody's, and their address has failed too often, it returns
// how long they are told to wait. A token itself is always heard: who fails from an address that an operator shares
// must not keep the operator out, and it is too long to be guessed.
func (l *logins) try(access *access, presented string, r *http.Request) (who person, wait time.Duration, right bool) {
	from, now := origin(r), time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if who, right = access.identify(presented); right {
		delete(l.failures, from)
		return who, 0, true
	}
	f := l.failures[from]
	if now.Sub(f.since) >= failureWindow {
		f = failures{since: now}
	}
	if f.count >= maxFailures {
		return person{}, f.since.Add(failureWindow).Sub(now), false
	}
	f.count++
	if _, known := l.failures[from]; !known && len(l.failures) >= maxAddresses {
		l.forget(now)
	}
	l.failures[from] = f
	return person{}, 0, false
}

// forget makes room for another address: those whose window is over go, or the one whose window began first.
func (l *logins) forget(now time.Time) {
	var first netip.Prefix
	for from, f := range l.failures {
		if now.Sub(f.since) >= failureWindow {
			delete(l.failures, from)
		} else if !first.IsValid() || f.since.Before(l.failures[first].since) {
			first = from
		}
	}
	if len(l.failures) >= maxAddresses {
		delete(l.failures, first)
	}
}

// origin is what failures are counted by: an IPv4 address, or an IPv6 network as one customer has.
func origin(r *http.Request) netip.Prefix {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Prefix{}
	}
	addr, bits := from.Addr().Unmap().WithZone(""), 32
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.Prefix(bits) // which fits the address
	return p
}

// begin logs a browser in that has shown the token of an operator, for as long as that token lasts and no longer than
// loginLasts.
func (l *logins) begin(who person, w http.ResponseWriter, r *http.Request) {
	id, now := rand.Text(), time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, s := range l.sessions {
		if s.ctx.Err() != nil {
			l.drop(key)
		}
	}
	for len(l.sessions) >= maxLogins {
		l.dropOldest()
	}
	s := session{who: who, ends: now.Add(loginLasts)}
	s.ctx, s.cancel = context.WithDeadline(who.over, s.ends)
	l.sessions[sha256.Sum256([]byte(id))] = s
	http.SetCookie(w, l.cookie(r, id, int(loginLasts/time.Second)))
}

func (l *logins) dropOldest() {
	var oldest [sha256.Size]byte
	var ends time.Time
	for key, s := range l.sessions {
		if ends.IsZero() || s.ends.Before(ends) {
			oldest, ends = key, s.ends
		}
	}
	l.drop(oldest)
}

// drop ends a session, if there is one of that key. The caller has the lock.
func (l *logins) drop(key [sha256.Size]byte) {
	if s, ok := l.sessions[key]; ok {
		s.cancel()
		delete(l.sessions, key)
	}
}

// valid reports whether a request comes from a browser that is logged in.
func (l *logins) valid(r *http.Request) bool {
	_, ok := l.session(r)
	return ok
}

// session returns who is logged in with the browser that a request comes from. What the request begins has to end with
// the session: [person].over does.
func (l *logins) session(r *http.Request) (who person, ok bool) {
	key, ok := l.key(r)
	if !ok {
		return person{}, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.sessions[key]
	if !ok {
		return person{}, false
	}
	if s.ctx.Err() != nil || !time.Now().Before(s.ends) {
		l.drop(key)
		return person{}, false
	}
	return person{s.who.name, s.who.role, s.ctx}, true
}

// end logs a browser out.
func (l *logins) end(w http.ResponseWriter, r *http.Request) {
	if key, ok := l.key(r); ok {
		l.mu.Lock()
		l.drop(key)
		l.mu.Unlock()
	}
	http.SetCookie(w, l.cookie(r, "", -1))
}

func (l *logins) key(r *http.Request) (key [sha256.Size]byte, ok bool) {
	c, err := r.Cookie(l.cookieName(r))
	if err != nil {
		return key, false
	}
	return sha256.Sum256([]byte(c.Value)), true
}

func (l *logins) cookie(r *http.Request, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: l.cookieName(r), Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: l.secure, SameSite: http.SameSiteStrictMode,
	}
}

// cookieName has the port in it: browsers send the cookies of a host to all of its ports, and several nodes may be
// looked at by way of one. The prefix keeps others from setting it (RFC 6265bis, section 4.1.3).
func (l *logins) cookieName(r *http.Request) string {
	name := "rushgate-admin"
	if l.secure {
		name = "__Host-" + name
	}
	if i := strings.LastIndexByte(r.Host, ':'); i >= 0 && !strings.Contains(r.Host[i:], "]") {
		name += "-" + r.Host[i+1:]
	}
	return name
}
