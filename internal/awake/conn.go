package awake

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// Listener returns a listener whose connections' deadlines leave out the time for which the process stands still: what
// a client sent meanwhile waits in the kernel, and is read.
func (c *Clock) Listener(l net.Listener) net.Listener {
	if c == nil {
		return l
	}
	return &listener{l, c}
}

type listener struct {
	net.Listener
	clock *Clock
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.clock.Conn(c), nil
}

// Conn returns a connection like those of a Listener.
func (c *Clock) Conn(below net.Conn) net.Conn {
	if c == nil {
		return below
	}
	return &conn{Conn: below, clock: c}
}

// conn is a connection whose deadlines leave out the time for which the process stands still.
type conn struct {
	net.Conn
	clock *Clock

	mu          sync.Mutex
	read, write limit
}

// limit is a deadline of one direction.
type limit struct {
	at    time.Time // the zero time: none
	begun time.Time // when it was set, or last put off
}

// NetConn returns the connection below.
func (c *conn) NetConn() net.Conn { return c.Conn }

func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *conn) SetReadDeadline(t time.Time) error { return c.set(&c.read, t, c.Conn.SetReadDeadline) }

func (c *conn) SetWriteDeadline(t time.Time) error {
	return c.set(&c.write, t, c.Conn.SetWriteDeadline)
}

func (c *conn) set(l *limit, t time.Time, below func(time.Time) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	*l = limit{at: t, begun: c.clock.now()}
	return below(t)
}

// Read reads, and goes on reading when a deadline has passed only because the process stood still.
func (c *conn) Read(b []byte) (n int, err error) {
	for {
		n, err = c.Conn.Read(b)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) || !c.putOff(&c.read, c.Conn.SetReadDeadline) {
			return n, err
		}
	}
}

// Write writes, as Read reads.
func (c *conn) Write(b []byte) (written int, err error) {
	for {
		n, err := c.Conn.Write(b[written:])
		written += n
		if !errors.Is(err, os.ErrDeadlineExceeded) || !c.putOff(&c.write, c.Conn.SetWriteDeadline) {
			return written, err
		}
	}
}

// putOff moves a deadline by the time for which the process stood still since it was set, and reports whether there is
// time left. A deadline that was in the past when it was set is an order to stop, and stays.
func (c *conn) putOff(l *limit, below func(time.Time) error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.clock.now()
	if l.at.IsZero() {
		return true // it was lifted a moment ago
	}
	if !l.at.After(l.begun) {
		return false
	}
	stood := c.clock.stood(l.begun, now)
	later := limit{at: l.at.Add(stood), begun: now}
	if stood == 0 || !later.at.After(now) || below(later.at) != nil {
		return l.at.After(now) // it was set anew a moment ago
	}
	*l = later
	return true
}
