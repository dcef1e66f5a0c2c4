package doorman

import (
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/cpuclock"
)

// stage is a doorman's loop that a test turns by hand, at a time of its own.
type stage struct {
	*testing.T
	*loop
	addr string
}

func newStage(t *testing.T, cfg Config) *stage {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Share = newMachine(1, 1).Share
	cfg.Wrap = func(c net.Conn) net.Conn { return c }
	cfg.Since = func(time.Time) time.Duration { return 0 }
	d := &Doorman{
		cfg: cfg, l: listener.(*net.TCPListener), over: make(chan net.Conn, handover), closed: make(chan struct{}),
	}
	if cfg.TLS != nil {
		d.hall = &reception{Doorman: d, hellos: make(chan net.Conn, greeted)} // which greets no client
	}
	l := &loop{Doorman: d, fd: -1, wake: -1, waited: func(int) time.Duration { return 0 }, now: time.Now()}
	if err := l.open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.closeAll()
		l.free()
		listener.Close()
		for len(d.next()) > 0 {
			(<-d.next()).Close()
		}
	})
	return &stage{t, l, listener.Addr().String()}
}

// dial has a client connect.
func (s *stage) dial() net.Conn {
	s.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { c.Close() })
	return c
}

// look looks for events until there are so many.
func (s *stage) look(n int) {
	for s.n < n {
		_ = s.poll.Control(func(epoll uintptr) { s.n = s.loop.look(epoll) })
	}
}

// turn looks for events until there are so many, and serves them at a time after the start.
func (s *stage) turn(n int) {
	s.look(n)
	watch := cpuclock.Start()
	s.serveEvents(watch)
}

// A connection whose client has had no time to bring anything is not closed to make room for another: those that the
// server behind has, and may have had for longer, are many.
func TestNewcomersHaveTimeToSpeak(t *testing.T) {
	s := newStage(t, Config{MaxConns: 3})
	s.out.Store(2) // connections that send a byte now and then
	for range 3 {
		s.dial()
		s.turn(1)
	}
	if stats := s.Stats(); stats.Open != 1 || stats.Handed != 2 || stats.Evicted != 0 {
		t.Errorf("want the first to stay, and the server behind to choose for the others; got %+v", stats)
	}
	s.now = s.now.Add(brief)
	s.dial()
	s.turn(1)
	if stats := s.Stats(); stats.Open != 1 || stats.Handed != 2 || stats.Evicted != 1 {
		t.Errorf("want the silent one to make room; got %+v", stats)
	}
}

// Over TLS the server behind cannot choose before the handshake, for which there is some more room.
func TestNewcomersHaveTimeForTheirHandshake(t *testing.T) {
	s := newStage(t, Config{MaxConns: 3, TLS: new(tls.Config)})
	s.out.Store(2)
	for range 3 + 2*unshaken {
		s.dial()
		s.turn(1)
	}
	if stats := s.Stats(); stats.Open != 1+unshaken || stats.Handed != 0 || stats.Evicted != 2+unshaken {
		t.Errorf("%+v", stats)
	}
}

// What the epoll has told of a connection is not taken for news of one that has come in its place since.
func TestNewsOfAConnectionThatIsGone(t *testing.T) {
	s := newStage(t, Config{MaxConns: 2, TLS: new(tls.Config)})
	old := s.dial()
	s.turn(1)
	fd := s.silent.first
	s.out.Store(1)
	s.now = s.now.Add(brief)
	s.dial()
	s.look(1)
	s.dial()
	old.Close()
	for s.n < 2 {
		s.look(1)
		_ = s.poll.Control(func(epoll uintptr) { s.n = s.loop.look(epoll) })
	}
	if s.events[0].Fd != int32(s.fd) {
		t.Fatalf("the listener is not the first of the events: %v", s.events[:s.n])
	}
	s.turn(2) // the first newcomer makes the old one go, whose descriptor the second one has
	if c := s.conns[fd]; !c.ours || s.Stats().Evicted != 1 || s.Stats().Open != 2 {
		t.Errorf("the second newcomer has gone: %+v", s.Stats())
	}
}
