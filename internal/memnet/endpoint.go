package memnet

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// endpoint is the receiving half of a socket: a bounded queue whose reader can be woken by a datagram, a deadline or
// close.
type endpoint struct {
	network *Network
	addr    netip.AddrPort
	peer    netip.AddrPort // takes datagrams from this address only; invalid: from all
	limit   int

	mu       sync.Mutex
	changed  sync.Cond
	queue    []datagram
	deadline time.Time // zero: none
	timer    *time.Timer
	closed   bool
}

func newEndpoint(n *Network, addr, peer netip.AddrPort, limit int) *endpoint {
	e := &endpoint{network: n, addr: addr, peer: peer, limit: limit}
	e.changed.L = &e.mu
	return e
}

func (e *endpoint) put(d datagram) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.queue) >= e.limit || e.peer.IsValid() && d.from != e.peer {
		return
	}
	e.queue = append(e.queue, d)
	e.changed.Broadcast()
}

// take waits for a datagram, the deadline or close and returns up to limit datagrams. A socket with a deadline in the
// past reports it even if something has arrived; a batch read takes what is there first.
func (e *endpoint) take(limit int, deadlineFirst bool) ([]datagram, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for {
		expired := !e.deadline.IsZero() && !time.Now().Before(e.deadline)
		switch {
		case e.closed:
			return nil, net.ErrClosed
		case expired && deadlineFirst:
			return nil, os.ErrDeadlineExceeded
		case len(e.queue) > 0:
			got := e.queue[:min(limit, len(e.queue))]
			e.queue = e.queue[len(got):]
			return got, nil
		case expired:
			return nil, os.ErrDeadlineExceeded
		}
		e.changed.Wait()
	}
}

func (e *endpoint) setDeadline(t time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.deadline = t
	if e.timer != nil {
		e.timer.Stop()
		e.timer = nil
	}
	if wait := time.Until(t); !t.IsZero() && wait > 0 && !e.closed {
		e.timer = time.AfterFunc(wait, func() {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.changed.Broadcast()
		})
	}
	e.changed.Broadcast()
}

func (e *endpoint) isClosed() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.closed
}

func (e *endpoint) close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return net.ErrClosed
	}
	e.closed = true
	e.queue = nil
	if e.timer != nil {
		e.timer.Stop()
	}
	e.changed.Broadcast()
	e.mu.Unlock()
	e.network.detach(e.addr) // not under e.mu: a delivery locks the network first
	return nil
}

// Message constrains a type to the shape of a batched datagram: Buf is the room of a message, N counts the bytes in
// use, Addr is where it comes from or goes to, Local is the address of this side.
type Message interface {
	~struct {
		Buf   []byte
		N     int
		Addr  netip.AddrPort
		Local netip.Addr
	}
}

// Listener is an unconnected socket that reads and writes batches of M. Several goroutines may use it at once, but
// only one may read.
type Listener[M Message] struct{ endpoint *endpoint }

// Listen makes a socket at addr. Its message type M is the caller's. The error wraps ErrAddressInUse if addr is
// taken.
func Listen[M Message](n *Network, addr netip.AddrPort) (*Listener[M], error) {
	e, err := n.attach(addr, netip.AddrPort{})
	if err != nil {
		return nil, err
	}
	return &Listener[M]{endpoint: e}, nil
}

// ReadBatch waits until deadline for at least one datagram and stores as many as there are, at most len(ms). A
// datagram longer than Buf is cut and its N is len(Buf)+1. The errors are os.ErrDeadlineExceeded, which comes only
// with 0 messages, and net.ErrClosed. A deadline in the past makes it take what is there, a zero one wait forever.
func (l *Listener[M]) ReadBatch(ms []M, deadline time.Time) (int, error) {
	l.endpoint.setDeadline(deadline)
	got, err := l.endpoint.take(len(ms), false)
	for i, d := range got {
		m := message(ms[i])
		if m.N = copy(m.Buf, d.data); m.N < len(d.data) {
			m.N = len(m.Buf) + 1
		}
		m.Addr, m.Local = d.from, d.to.Addr()
		ms[i] = M(m)
	}
	return len(got), err
}

// message is what every M converts to; the fields of a type parameter cannot be named.
type message = struct {
	Buf   []byte
	N     int
	Addr  netip.AddrPort
	Local netip.Addr
}

// WriteBatch sends Buf[:N] of each message to its Addr and returns how many it sent. Local is ignored: a socket has one
// address. The error is net.ErrClosed.
func (l *Listener[M]) WriteBatch(ms []M) (int, error) {
	if l.endpoint.isClosed() {
		return 0, net.ErrClosed
	}
	for i := range ms {
		m := message(ms[i])
		l.endpoint.network.send(l.endpoint.addr, m.Addr, m.Buf[:m.N])
	}
	return len(ms), nil
}

// LocalAddr returns the address given to Listen.
func (l *Listener[M]) LocalAddr() netip.AddrPort { return l.endpoint.addr }

// Close frees the address and wakes the reader. It is idempotent; the error is always nil.
func (l *Listener[M]) Close() error {
	_ = l.endpoint.close()
	return nil
}

// conn is a connected socket.
type conn struct{ endpoint *endpoint }

// Dial makes a connected socket at from, which receives only what to sends. It does not matter whether anybody is
// there. The error wraps ErrAddressInUse if from is taken.
func (n *Network) Dial(from, to netip.AddrPort) (net.Conn, error) {
	e, err := n.attach(from, to)
	if err != nil {
		return nil, err
	}
	return &conn{endpoint: e}, nil
}

func (c *conn) Read(b []byte) (int, error) {
	got, err := c.endpoint.take(1, true)
	if err != nil {
		return 0, err
	}
	return copy(b, got[0].data), nil
}

func (c *conn) Write(b []byte) (int, error) {
	if c.endpoint.isClosed() {
		return 0, net.ErrClosed
	}
	c.endpoint.network.send(c.endpoint.addr, c.endpoint.peer, b)
	return len(b), nil
}

func (c *conn) Close() error                      { return c.endpoint.close() }
func (c *conn) LocalAddr() net.Addr               { return net.UDPAddrFromAddrPort(c.endpoint.addr) }
func (c *conn) RemoteAddr() net.Addr              { return net.UDPAddrFromAddrPort(c.endpoint.peer) }
func (c *conn) SetReadDeadline(t time.Time) error { c.endpoint.setDeadline(t); return nil }

// SetDeadline applies to Read only: Write never blocks.
func (c *conn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetWriteDeadline does nothing: Write never blocks.
func (c *conn) SetWriteDeadline(time.Time) error { return nil }
