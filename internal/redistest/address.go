package redistest

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Address is one address behind which servers change places, as behind a name or a load balancer: a new connection
// leads to the server that was named last, and those that there are stay where they lead.
type Address struct {
	listener net.Listener
	relays   sync.WaitGroup

	mu     sync.Mutex
	to     string
	closed bool
	conns  map[net.Conn]struct{}
}

// StartAddress starts an address that leads to a server, until the end of the test.
func StartAddress(tb testing.TB, to *Server) *Address {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	a := &Address{listener: l, to: to.Addr(), conns: make(map[net.Conn]struct{})}
	a.relays.Go(a.serve)
	tb.Cleanup(a.close)
	return a
}

// URL returns the address as a URL.
func (a *Address) URL() string { return "redis://" + a.listener.Addr().String() }

// LeadTo makes new connections lead to a server.
func (a *Address) LeadTo(to *Server) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.to = to.Addr()
}

func (a *Address) close() {
	a.listener.Close()
	a.mu.Lock()
	a.closed = true
	for c := range a.conns {
		c.Close()
	}
	a.mu.Unlock()
	a.relays.Wait()
}

func (a *Address) serve() {
	for {
		from, err := a.listener.Accept()
		if err != nil {
			return
		}
		a.relays.Go(func() { a.relay(from) })
	}
}

func (a *Address) relay(from net.Conn) {
	defer from.Close()
	a.mu.Lock()
	to, err := net.Dial("tcp", a.to)
	if err != nil || a.closed {
		a.mu.Unlock()
		return
	}
	a.conns[from], a.conns[to] = struct{}{}, struct{}{}
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		delete(a.conns, from)
		delete(a.conns, to)
		a.mu.Unlock()
	}()
	a.relays.Go(func() {
		_, _ = io.Copy(to, from)
		to.Close()
	})
	_, _ = io.Copy(from, to)
	to.Close()
}
