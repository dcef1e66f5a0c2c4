package server

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// gate is a listener that can stop accepting for a while: the connections that come then wait in the kernel.
type gate struct {
	*net.TCPListener

	mu     sync.Mutex
	held   chan struct{} // closed when it goes on; nil: it is open
	closed bool
}

// hold has no further connection accepted, but for one that is just being.
func (g *gate) hold() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held == nil && !g.closed {
		g.held = make(chan struct{})
		_ = g.SetDeadline(time.Unix(1, 0)) // fails if the listener is closed
	}
}

// resume ends what hold began.
func (g *gate) resume() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held != nil {
		_ = g.SetDeadline(time.Time{})
		close(g.held)
		g.held = nil
	}
}

// Close closes the listener.
func (g *gate) Close() error {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.resume()
	return g.TCPListener.Close()
}

// Accept waits for a connection, and while the gate is held.
func (g *gate) Accept() (net.Conn, error) {
	for {
		g.mu.Lock()
		held := g.held
		g.mu.Unlock()
		if held != nil {
			<-held
		}
		c, err := g.TCPListener.Accept()
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return c, err
		}
	}
}
