package netcode

import (
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// sendInterval is the pause between requests, between responses, and before a keep-alive: the standard's 10 Hz.
	sendInterval = 100 * time.Millisecond

	// quietAfter is how long a server has been silent of which the client thinks that it may be gone. Until it is heard
	// again, keep-alives come at faintInterval only, and one goodbye stands for all: what is not received does not have to
	// be said ten times, and to a closed port each of them costs the machine an ICMP message, too.
	quietAfter    = time.Second
	faintInterval = 500 * time.Millisecond

	// drainTime is how long a client that was kept from reading looks for packets that arrived meanwhile before it
	// believes in the silence.
	drainTime = 50 * time.Millisecond

	// maxReadErrors is how many failed reads between two wake-ups are repeated at once. An error that an outsider caused
	// must not keep the client from reading what waits behind it; a socket that always fails must not make it spin.
	maxReadErrors = 16
)

// errClosed is what a closed client returns.
var errClosed = fmt.Errorf("netcode: %w", net.ErrClosed)

// ClientOptions change how a Client connects. The zero value is ready to use.
type ClientOptions struct {
	// Dial makes the socket for a server address; nil means a connected UDP socket. The socket receives datagrams
	// of that server only, a Read takes one of them, and its Write does not block for long. Only read errors that wrap
	// net.ErrClosed or io.EOF end the connection. Others, ICMP refusals for instance, can be caused by outsiders, and
	// the server may come back; the timeout of the token decides.
	//
	// It is called on the goroutine that is in Dial, and is to return at once: the other addresses wait for it. Where it
	// fails while there are sockets for other addresses, as one does that binds all to the same local address, it is
	// called for that address again when those have failed and are closed.
	Dial func(ctx context.Context, server netip.AddrPort) (net.Conn, error)

	// OnState, if not nil, is called with each new state on the goroutine that is in Dial, Read, or Close. While several
	// server addresses are tried there is one state: StateSendingResponse when the only ones whose turn it is have
	// challenged the client, and StateSendingRequest otherwise.
	OnState func(State)
}

// Client is the connection of one player to a server. It has no goroutine of its own: the caller of Read keeps the
// connection alive, and one goroutine at a time may call it. All other methods are safe for use by any goroutine at
// any time.
type Client struct {
	opts   ClientOptions
	token  *ConnectToken
	sealer cipher.AEAD
	opener cipher.AEAD
	start  time.Time // the zero of all times below: durations of the monotonic clock

	state      atomic.Int32
	lastSent   atomic.Int64  // time.Duration since start
	lastHeard  atomic.Int64  // likewise
	done       chan struct{} // closed when the client has ended
	conn       net.Conn
	index      int
	maxClients int

	// What follows belongs to the goroutine in Dial or Read.
	now      time.Duration // when the last read of the socket ended
	heard    time.Duration // the server was last heard, or the connection began
	wake     time.Duration // read deadline of the socket
	draining bool          // the next deadline ends drainTime
	replay   replayWindow
	scratch  scratch
	failures int                 // reads that failed since the last wake-up
	early    []byte              // a datagram that was read during Dial and came too late for that
	packet   [maxPacket + 1]byte // a datagram that is too long must not be cut to a packet that opens

	sending sendingHalf
}

// sendingHalf is what the writers of a Client share.
type sendingHalf struct {
	mu       sync.Mutex
	ended    error // why nothing is sent any more
	sequence uint64
	scratch  scratch
	packet   [maxPacket]byte
}

func newClient(t *ConnectToken, opts ClientOptions) *Client {
	if opts.Dial == nil {
		opts.Dial = dialUDP
	}
	return &Client{
		opts:   opts,
		token:  t,
		sealer: newAEAD(&t.ClientToServer),
		opener: newAEAD(&t.ServerToClient),
		start:  time.Now(),
		done:   make(chan struct{}),
	}
}

func dialUDP(ctx context.Context, server netip.AddrPort) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "udp", server.String())
}

// broken gives a reason outside the protocol its state.
func broken(err error) error { return fmt.Errorf("%w: %w", StateError{StateDisconnected}, err) }

// begin begins the connection.
func (c *Client) begin() {
	c.hear()
	c.setState(StateConnected)
}

// setState tells the application of a change.
func (c *Client) setState(s State) {
	if State(c.state.Swap(int32(s))) != s && c.opts.OnState != nil {
		c.opts.OnState(s)
	}
}

// Read returns the next payload from the server. It also sends the keep-alives and notices the end of the connection,
// so it has to be called again and again without long pauses, or the server will time out the client. A buf of
// MaxPayload bytes holds every payload; of a longer payload the rest is lost and the error is io.ErrShortBuffer, after
// which the connection goes on.
//
// Every other error is final and returned from then on: StateError with StateDisconnected if the server ended the
// connection or the socket was closed, with StateTimedOut if the server fell silent, or the socket failed, for the
// token's timeout; an error that wraps net.ErrClosed after Close.
func (c *Client) Read(buf []byte) (int, error) {
	for {
		payload, err := c.step()
		if err != nil {
			return 0, c.end(err, false)
		}
		if payload == nil {
			continue
		}
		n := copy(buf, payload)
		if n < len(payload) {
			return n, io.ErrShortBuffer
		}
		return n, nil
	}
}

// Write sends a payload of 1 to MaxPayload bytes. Like every datagram it may get lost, and a refusal by the network is
// such a loss and no error. The error wraps ErrPayloadSize, or is what Read returns when the connection has ended.
func (c *Client) Write(payload []byte) error {
	if len(payload) == 0 || len(payload) > MaxPayload {
		return fmt.Errorf("%w, not %d", ErrPayloadSize, len(payload))
	}
	return c.send(packetPayload, payload)
}

// Format writes the client's state whatever the verb is.
func (c *Client) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "netcode client, %v", c.State()) }

// State returns what the client is doing now.
func (c *Client) State() State { return State(c.state.Load()) }

// LastReceived returns when a payload or keep-alive packet of the server was last read, or when the connection began. A
// server that has nothing to send sends keep-alives, ten in a second or, as Server does, no fewer than five.
func (c *Client) LastReceived() time.Time { return c.start.Add(time.Duration(c.lastHeard.Load())) }

// Index returns the client's slot on the server, from 0 to MaxClients-1.
func (c *Client) Index() int { return c.index }

// MaxClients returns the number of slots the server has.
func (c *Client) MaxClients() int { return c.maxClients }

// Close tells the server that the client leaves, several times because it is not confirmed, or once if the server has
// been silent for a second, and ends a Read that waits.
// Every call after the first, or after the connection has ended, does nothing. The error is always nil.
func (c *Client) Close() error {
	_ = c.end(errClosed, true)
	return nil
}

// end closes the client for the reason err, unless it has ended before, and returns the reason it has ended for.
func (c *Client) end(err error, sayGoodbye bool) error {
	c.sending.mu.Lock()
	if c.sending.ended != nil {
		defer c.sending.mu.Unlock()
		return c.sending.ended
	}
	if sayGoodbye && c.State() == StateConnected {
		times := disconnectPackets
		if time.Since(c.LastReceived()) >= quietAfter {
			times = 1
		}
		for range times {
			c.seal(c.conn, packetDisconnect, nil)
		}
	}
	c.sending.ended = err
	close(c.done)
	c.sending.mu.Unlock()

	if c.conn != nil {
		_ = c.conn.Close()
	}
	last := StateError{StateDisconnected}
	errors.As(err, &last)
	c.setState(last.State)
	return err
}
