// Package wschannel is the realtime channel for those who cannot send datagrams: a WebSocket (RFC 6455) that carries
// the messages of package protocol, one in each binary message. Section 1.1 of docs/protocol.md describes it for
// clients.
//
// A snapshot is worth sending only until the next is there, so a connection holds one: a client that reads slowly gets
// fewer of them, and always the newest. Packets of the game's messages wait in a queue.
package wschannel

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/rushgate/rushgate/internal/realm"
)

// Subprotocol is the WebSocket subprotocol that a client has to offer.
const Subprotocol = "rushgate.v1"

const (
	// MaxGreeting is the greatest length in bytes of a client's first message.
	MaxGreeting = 4 << 10
	// GreetingTimeout is how long a client may take for its first message.
	GreetingTimeout = 5 * time.Second
	// PingInterval is the time between two pings.
	PingInterval = 5 * time.Second
	// SilenceTimeout ends a connection of whose client nothing was heard for so long, pongs included.
	SilenceTimeout = 10 * time.Second
	// WriteTimeout ends a connection that does not take a message within it.
	WriteTimeout = 10 * time.Second
	// closeTimeout is what the courtesies at a connection's end may take.
	closeTimeout = 2 * time.Second
)

// ErrStopped is returned for a connection that comes when the channel has stopped.
var ErrStopped = errors.New("wschannel: channel stopped")

// HandshakeError refuses a request that is no opening handshake of a WebSocket for this channel.
type HandshakeError struct {
	// Status is the HTTP status that says so, 400 or more.
	Status int
	// Message says in a sentence what is wrong. It quotes nothing of the request.
	Message string
}

// Error returns the status and the message.
func (e *HandshakeError) Error() string {
	return fmt.Sprintf("wschannel: HTTP status %d: %s", e.Status, e.Message)
}

// refusedHandshake returns the error for a handshake that the WebSocket library refuses with a status.
func refusedHandshake(status int) *HandshakeError {
	switch status {
	case http.StatusUpgradeRequired:
		return &HandshakeError{status, "This is a WebSocket: the request has to ask for the upgrade."}
	case http.StatusBadRequest, http.StatusMethodNotAllowed:
		return &HandshakeError{status, "The request is no opening handshake of a WebSocket of version 13."}
	default:
		return &HandshakeError{status, "The connection cannot become a WebSocket."}
	}
}

// Channel has the connections of a node's browsers. Its methods are safe for concurrent use.
type Channel struct {
	realm *realm.Realm
	later func() time.Duration
	stats counters
	yield func() // lets other goroutines run

	mu      sync.Mutex
	stopped bool
	conns   map[*conn]struct{}
	running sync.WaitGroup // of conns
}

// New returns a channel to the sessions of r. When the node goes down, each player is told to come back after what
// later returns, or no time if it is nil. The channel's owner has to stop it.
func New(r *realm.Realm, later func() time.Duration) *Channel {
	return &Channel{realm: r, later: later, yield: runtime.Gosched, conns: make(map[*conn]struct{})}
}

// Guest is what the caller of [Channel.Serve] does for a connection. Its functions are called after Serve has returned.
type Guest struct {
	// Attached, if not nil, is called once the connection has become that of a player.
	Attached func()
	// Continue, if not nil, has the session of a token that the node does not have go on here. The error is a
	// [rushgate.Refusal] or [rushgate.Reason].
	Continue func(ctx context.Context, token string) error
}

// continueTimeout bounds [Guest].Continue.
const continueTimeout = 30 * time.Second

// Serve answers the opening handshake of a WebSocket and returns; what follows goes on by itself. Who may open one, by
// the Origin header, is for the caller to decide.
// The error is [ErrStopped] or a [*HandshakeError], with nothing answered yet but for headers that are set; every other
// failure has been answered.
//
// The connection that w is hijacked for must heed deadlines, and its Close must not block.
func (c *Channel) Serve(w http.ResponseWriter, r *http.Request, guest Guest) error {
	if !offered(r.Header, Subprotocol) {
		return &HandshakeError{http.StatusBadRequest, "The WebSocket subprotocol " + Subprotocol + " has to be offered."}
	}
	conn := newConn(c, guest)
	if !c.add(conn) {
		return ErrStopped
	}
	// Not the library's check of the origin: it compares hosts only.
	h := &hijacker{ResponseWriter: w, wire: &conn.wire}
	ws, err := websocket.Accept(h, r, &websocket.AcceptOptions{
		Subprotocols: []string{Subprotocol}, InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled,
		OnPingReceived: conn.onPing, OnPongReceived: conn.onPong,
	})
	if err != nil {
		c.remove(conn)
		if h.refused != 0 {
			return refusedHandshake(h.refused)
		}
		return nil
	}
	ws.SetReadLimit(-1) // the reader has its own
	c.stats.opened.Add(1)
	c.stats.open.Add(1)
	conn.start(ws)
	return nil
}

// offered reports whether a client offers a subprotocol (RFC 6455 section 4.1).
func offered(h http.Header, subprotocol string) bool {
	for _, line := range h.Values("Sec-WebSocket-Protocol") {
		if slices.ContainsFunc(strings.Split(line, ","), func(s string) bool { return strings.TrimSpace(s) == subprotocol }) {
			return true
		}
	}
	return false
}

// add makes a connection one that Stop waits for.
func (c *Channel) add(conn *conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return false
	}
	c.conns[conn] = struct{}{}
	c.running.Add(1)
	return true
}

func (c *Channel) remove(conn *conn) {
	c.mu.Lock()
	delete(c.conns, conn)
	c.mu.Unlock()
	c.running.Done()
}

// Name implements [realm.Transport].
func (c *Channel) Name() string { return "websocket" }

// NewSender implements [realm.Transport]: what sends to connections of the channel, from any number of goroutines.
func (c *Channel) NewSender() realm.Sender { return sender{} }

// sender hands each snapshot to its connection, which sends it by itself, so there is nothing to collect.
type sender struct{}

// Lossless implements [realm.Transport].
func (c *Channel) Lossless() bool { return true }

func (sender) Send(to realm.Connection, snapshot []byte) error { return to.(*conn).send(snapshot) }
func (sender) Flush()                                          {}

func (sender) SendMessages(to realm.Connection, packet []byte) error {
	return to.(*conn).sendMessages(packet)
}

// Stop ends all connections, telling their clients that the node is going away, and returns when none of the channel's
// goroutines is left: within seconds, however the clients behave. It is idempotent.
func (c *Channel) Stop() {
	c.mu.Lock()
	c.stopped = true
	for conn := range c.conns {
		conn.end(c.stopping())
	}
	c.mu.Unlock()
	c.running.Wait()
}
