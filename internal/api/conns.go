package api

import (
	"bufio"
	"container/list"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/peer"
)

// The HTTP server's limits. A client on a bad line has seconds for its request, and none can hold a connection by
// sending one byte at a time.
const (
	headerTimeout  = 5 * time.Second
	readTimeout    = 10 * time.Second
	maxHeaderBytes = 8 << 10
	maxStreams     = 16 // concurrent requests on one HTTP/2 connection
)

// An answer comes by leastAnswerTimeout, below the 30 s after which many clients give up, or answerMargin after the age
// at which the queue gives a request up, if that is later: so that the more telling answer comes first. A client may
// then take writeMargin to read it.
const (
	leastAnswerTimeout = 29 * time.Second
	answerMargin       = 4 * time.Second
	writeMargin        = 10 * time.Second
)

// answerTimeout bounds every request to a node whose queue gives requests up at the age of maxAge, or of
// [auth.DefaultMaxAge] if that is 0: no client waits in silence for longer, whatever has got stuck behind the door.
func answerTimeout(maxAge time.Duration) time.Duration {
	if maxAge == 0 {
		maxAge = auth.DefaultMaxAge
	}
	return max(maxAge+answerMargin, leastAnswerTimeout)
}

// DefaultIdleTimeout is for how long a connection may be idle unless configured otherwise: for longer than the 60 s of
// most balancers, so that it is the balancer that closes it. Closed from here it could have another request on its way.
const DefaultIdleTimeout = 75 * time.Second

// DefaultMaxConns is how many connections may be open at once unless configured otherwise.
const DefaultMaxConns = 16384

// ServerConfig is what an HTTP server is made with.
type ServerConfig struct {
	// MaxConns is how many connections may be open at once, 1 or more.
	MaxConns int
	// Outside returns how many connections are open besides, which the listener has not handed over. Nil means none.
	Outside func() int
	// Later returns when a newcomer that is turned away is to come back. Required.
	Later func() time.Duration
	// Origins are [Config].Origins.
	Origins []string
	// MaxAge is [Config].MaxAge.
	MaxAge time.Duration
	// IdleTimeout is for how long a connection may be idle between requests; 0 stands for [DefaultIdleTimeout].
	IdleTimeout time.Duration
	// TLS is for a server that speaks it; nil for one that does not.
	TLS *tls.Config
	// Logger hears of broken connections, at the level debug. Required.
	Logger *slog.Logger
}

// NewServer returns an HTTP server with limits that suit a front door: on time, on header size, and on the number of
// open connections. When MaxConns are open, the one that has gone longest without bringing a whole login makes room for
// the next: be it idle, silent from the start, or sending its request a byte at a time. If all are waiting for the
// answer to a login, or are players' WebSockets, the newcomer is turned away at once; over plain HTTP it is told so, if
// it listens before it speaks.
func NewServer(h http.Handler, cfg ServerConfig) *http.Server {
	idle := cfg.IdleTimeout
	if idle == 0 {
		idle = DefaultIdleTimeout
	}
	srv := &http.Server{
		Handler:           encrypted(taken(h)),
		TLSConfig:         cfg.TLS,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      answerTimeout(cfg.MaxAge) + writeMargin,
		IdleTimeout:       idle,
		MaxHeaderBytes:    maxHeaderBytes,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams, WriteByteTimeout: writeMargin},
		// Broken handshakes and the like: an outsider decides how many there are.
		ErrorLog: slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug),
	}
	conns := newConnTable(cfg.MaxConns, cfg.Later)
	conns.turnedAway = turnedAwayOrigin(cfg.Origins)
	if cfg.Outside != nil {
		conns.outside = cfg.Outside
	}
	srv.ConnState = conns.observe
	srv.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		boundBuffers(c)
		return conns.context(withTLS(ctx, c), c)
	}
	return srv
}

// encryptedConn is a [*tls.Conn], or one that a listener has made of it.
type encryptedConn interface {
	net.Conn
	ConnectionState() tls.ConnectionState
}

// tlsKey is the context key of the [*tls.ConnectionState] of a connection of which net/http does not know that it is
// one of TLS.
type tlsKey struct{}

// withTLS notes in the context of a connection's requests the TLS that net/http does not know of, because a doorman has
// read the first request.
func withTLS(ctx context.Context, c net.Conn) context.Context {
	secured, ok := c.(encryptedConn)
	if _, known := c.(*tls.Conn); known || !ok {
		return ctx
	}
	state := secured.ConnectionState()
	return context.WithValue(ctx, tlsKey{}, &state)
}

// encrypted tells the handler of a request what withTLS has noted.
func encrypted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if state, ok := r.Context().Value(tlsKey{}).(*tls.ConnectionState); ok {
			r = r.WithContext(r.Context())
			r.TLS = state
		}
		next.ServeHTTP(w, r)
	})
}

// LimitConns gives an HTTP server that has not begun to serve the limit on open connections that [NewServer] describes;
// [HoldConn] says of a request that its connection must stay. It takes the server's ConnState and ConnContext.
func LimitConns(srv *http.Server, maxConns int, later func() time.Duration) {
	conns := newConnTable(maxConns, later)
	srv.ConnState, srv.ConnContext = conns.observe, conns.context
}

// holdKey is the context key of the function that holds a request's connection.
type holdKey struct{}

// forgetKey is the context key of the function that forgets a request's connection.
type forgetKey struct{}

// context is an [http.Server].ConnContext hook.
func (t *connTable) context(ctx context.Context, c net.Conn) context.Context {
	ctx = context.WithValue(peer.WithConn(ctx, c), holdKey{}, func() { t.hold(c) })
	return context.WithValue(ctx, forgetKey{}, func() { t.forget(c) })
}

// HoldConn keeps the connection of the request whose context ctx is from being closed in favour of another until the
// request is answered. Requests to a server without [LimitConns] are left alone.
func HoldConn(ctx context.Context) {
	if hold, ok := ctx.Value(holdKey{}).(func()); ok {
		hold()
	}
}

// countedHijacker hands a request's connection over such that it goes on counting as open until it is closed. Every
// handler that hijacks has to do it this way: the HTTP server does not say when such a connection is closed.
type countedHijacker struct {
	http.ResponseWriter
	request *http.Request
}

func (h countedHijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	forget, _ := h.request.Context().Value(forgetKey{}).(func()) // nil for a request that did not come by way of NewServer
	return &countedConn{Conn: c, forget: forget}, rw, nil
}

// countedConn is a hijacked connection. Its Close does not block.
type countedConn struct {
	net.Conn
	forget func()
}

func (c *countedConn) Close() error {
	if c.forget != nil {
		c.forget()
	}
	return abort(c.Conn)
}

// connTable knows the open connections and which of them may be closed.
type connTable struct {
	max        int
	outside    func() int // see ServerConfig.Outside
	later      func() time.Duration
	turnedAway string // header lines for newcomers for whom there is no room, each with its end

	mu    sync.Mutex
	conns map[net.Conn]*list.Element // nil while held
	idle  *list.List                 // of net.Conn, the ones not held, last heard of longest ago first

	// What clients have not taken of their answers, in bytes, as of the last answer of each. See unread.go.
	unread, maxUnread int
	unreadOf          map[net.Conn]int
}

func newConnTable(max int, later func() time.Duration) *connTable {
	return &connTable{
		max: max, outside: func() int { return 0 }, later: later, conns: make(map[net.Conn]*list.Element), idle: list.New(),
		maxUnread: maxUnread, unreadOf: make(map[net.Conn]int),
	}
}

func (t *connTable) hold(c net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.conns[c]; e != nil {
		t.idle.Remove(e)
		t.conns[c] = nil
	}
}

func (t *connTable) forget(c net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.remove(c)
}

// remove takes a connection from the table, which the caller has locked.
func (t *connTable) remove(c net.Conn) {
	if e := t.conns[c]; e != nil {
		t.idle.Remove(e)
	}
	delete(t.conns, c)
	t.setUnread(c, 0)
}

// turnedAway is what a newcomer hears when there is no room: as much of the usual answer as can be given before the
// request has been read.
const turnedAway = "HTTP/1.1 503 Service Unavailable\r\n" +
	"Connection: close\r\nRetry-After: %d\r\n%sContent-Length: 0\r\n\r\n"

// observe is an [http.Server].ConnState hook.
func (t *connTable) observe(c net.Conn, state http.ConnState) {
	victim := t.note(c, state)
	if state == http.StateIdle { // an answer is written
		t.settle(c)
	}
	if victim == nil {
		return
	}
	_, encrypted := c.(encryptedConn)
	if tcp, ok := peer.Raw(victim).(*net.TCPConn); ok && victim == c && !encrypted {
		// An empty send buffer takes this without blocking; the deadline is for the day it does not.
		if tcp.SetWriteDeadline(time.Now().Add(10*time.Millisecond)) == nil {
			seconds := int64(math.Ceil(t.later().Seconds()))
			_, _ = fmt.Fprintf(tcp, turnedAway, seconds, t.turnedAway) // it is as well if the newcomer has gone
		}
	}
	_ = abort(victim) // it is given up in any case
}

// note updates the table and returns the connection that has to go, if any.
func (t *connTable) note(c net.Conn, state http.ConnState) net.Conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch state {
	case http.StateNew:
		var victim net.Conn
		if len(t.conns)+t.outside() >= t.max {
			front := t.idle.Front()
			if front == nil {
				return c
			}
			victim = front.Value.(net.Conn)
			t.remove(victim)
		}
		t.conns[c] = t.idle.PushBack(c)
		return victim
	case http.StateActive: // the first byte of a request; it is not to be closed when it is whole, see hold
		if e := t.conns[c]; e != nil {
			t.idle.MoveToBack(e)
		}
	case http.StateIdle:
		if e, known := t.conns[c]; known && e == nil {
			t.conns[c] = t.idle.PushBack(c)
		} else if e != nil {
			t.idle.MoveToBack(e)
		}
	case http.StateClosed:
		t.remove(c)
	case http.StateHijacked: // it stays, until its countedConn is closed
	}
	return nil
}

// abort closes a connection without the courtesies of TLS and without waiting for a proxy's header, both of which could
// block the caller.
func abort(c net.Conn) error {
	err := peer.Raw(c).Close()
	_ = c.Close() // what lies above learns of it, and has nothing left to say it to
	return err
}
