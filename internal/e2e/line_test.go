package e2e

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rushgate/rushgate/internal/porttest"
)

// line is a TCP connection's way to a node, which can be cut like a player's own.
type line struct {
	t    testing.TB
	addr string

	mu       sync.Mutex
	target   string
	listener net.Listener // nil while the line is cut
	conns    []*end
	work     sync.WaitGroup
}

// end is an end of a connection that a line carries.
type end struct {
	net.Conn
	hushed atomic.Bool
}

// Write passes on what comes from the other end, unless the line is silent.
func (e *end) Write(p []byte) (int, error) {
	if e.hushed.Load() {
		return len(p), nil
	}
	return e.Conn.Write(p)
}

func newLine(t testing.TB, target string) *line {
	t.Helper()
	l := &line{t: t, addr: porttest.Addr(t)}
	l.mend(target)
	t.Cleanup(l.cut)
	return l
}

// mend has the line lead to a node.
func (l *line) mend(target string) {
	l.t.Helper()
	listener, err := net.Listen("tcp", l.addr)
	if err != nil {
		l.t.Fatal(err)
	}
	l.mu.Lock()
	l.target, l.listener = target, listener
	l.mu.Unlock()
	l.work.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			l.work.Go(func() { l.carry(c, target) })
		}
	})
}

// cut breaks all connections, and refuses new ones until the line is mended.
func (l *line) cut() {
	l.mu.Lock()
	if l.listener != nil {
		l.listener.Close()
		l.listener = nil
	}
	for _, c := range l.conns {
		c.Close()
	}
	l.conns = nil
	l.mu.Unlock()
	l.work.Wait()
}

// hush has no connection that there is carry anything more, without its ends hearing of it, as when a router on the way
// has forgotten them. New connections are as good as ever.
func (l *line) hush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.conns {
		e.hushed.Store(true)
	}
}

func (l *line) carry(client net.Conn, target string) {
	defer client.Close()
	node, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer node.Close()
	from, to := &end{Conn: client}, &end{Conn: node}
	l.mu.Lock()
	if l.listener == nil { // cut meanwhile
		l.mu.Unlock()
		return
	}
	l.conns = append(l.conns, from, to)
	l.mu.Unlock()
	l.work.Go(func() {
		_, _ = io.Copy(to, from)
		to.Close()
	})
	_, _ = io.Copy(from, to)
}
