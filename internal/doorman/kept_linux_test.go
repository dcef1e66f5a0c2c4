package doorman

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/door"
)

const (
	question = "GET /v1/line HTTP/1.1\r\nHost: a\r\n\r\n"
	aLogin   = "POST /v1/login HTTP/1.1\r\nHost: a\r\nContent-Length: 43\r\n\r\n" +
		`{"username":"alice","password":"something"}`
	document = "the line"
)

// newTelling returns a stage with a door that is open, or refuses all, whose connections may be idle for a minute.
func newTelling(t *testing.T, maxConns int, refuses bool) *stage {
	d, err := door.New(door.Config{Queue: 1, World: 1, MaxAge: time.Minute, Batch: 1, Pace: 1})
	if err != nil {
		t.Fatal(err)
	}
	if refuses {
		d.Close()
	}
	return newStage(t, Config{
		Door: d, MaxConns: maxConns, Idle: time.Minute,
		Name: func(_ door.Want, username, _ []byte) (string, bool) { return string(username), true },
		Page: func(_, _, _ []byte) (string, bool) { return "", true },
		Line: func(dst []byte, _ bool, _ string, _ bool, _ time.Time) []byte { return append(dst, document...) },
		Refuse: func(dst []byte, _ *rushgate.Refusal, _ string, _ bool, _ time.Time) []byte {
			return append(dst, "no"...)
		},
	})
}

// waiting returns a client that has connected.
func (s *stage) waiting() net.Conn {
	s.Helper()
	c := s.dial()
	s.turn(1)
	return c
}

// say has a client send a request, which is served, and returns the answer; "" if none comes.
func (s *stage) say(c net.Conn, request string) string {
	s.Helper()
	if _, err := c.Write([]byte(request)); err != nil {
		s.Fatal(err)
	}
	s.turn(1)
	if len(s.over) > 0 {
		return ""
	}
	b := make([]byte, 100)
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second)) // for the day when nothing comes
	n, err := c.Read(b)
	if err != nil {
		s.Error(err)
	}
	return string(b[:n])
}

// later has time pass.
func (s *stage) later(d time.Duration) {
	s.now = s.now.Add(d)
	s.expire()
}

// A client that asks every few seconds how far the line has come is told over one connection, which is closed when it
// has not asked for as long as connections may be idle, and not before.
func TestAskingOverOneConnection(t *testing.T) {
	s := newTelling(t, 10, true)
	s.cfg.Since = func(at time.Time) time.Duration { return s.now.Sub(at) }
	c := s.waiting()
	for range 20 {
		if got := s.say(c, question); got != document {
			t.Fatalf("told %q", got)
		}
		s.later(30 * time.Second)
	}
	if stats := s.Stats(); stats.Told != 20 || stats.Accepted != 1 || stats.Handed != 0 || stats.Open != 1 {
		t.Errorf("%+v", stats)
	}
	if end := s.nextEnd(); !end.Equal(s.now.Add(30 * time.Second)) {
		t.Errorf("the connection is to end in %v", end.Sub(s.now))
	}
	s.later(30 * time.Second)
	if stats := s.Stats(); stats.Idle != 1 || stats.Silent != 0 || stats.Open != 0 || !s.nextEnd().IsZero() {
		t.Errorf("idle for long enough: %+v", stats)
	}
}

// The time for which the process stood still is not the client's silence.
func TestAskingOfAProcessThatStoodStill(t *testing.T) {
	s := newTelling(t, 10, true)
	c := s.waiting()
	s.say(c, question)
	s.later(time.Hour) // of which the stage's Since knows nothing
	if got := s.say(c, question); got != document || s.Stats().Idle != 0 {
		t.Errorf("told %q: %+v", got, s.Stats())
	}
}

// A login over a connection that was kept is treated like one over a new one, and so is everything else.
func TestOtherRequestsOverAKeptConnection(t *testing.T) {
	for name, c := range map[string]struct {
		refuses bool
		request string
		want    string // "": it is for the server behind
	}{
		"a login that is refused":       {true, aLogin, "no"},
		"a login that may be let in":    {false, aLogin, ""},
		"another path":                  {true, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", ""},
		"two questions at once":         {true, question + question, ""},
		"half a question":               {true, question[:20], ""},
		"a question with a query":       {true, "GET /v1/line?t=1 HTTP/1.1\r\nHost: a\r\n\r\n", ""},
		"a question for a strange line": {true, "GET /v1/line?line=x HTTP/1.1\r\nHost: a\r\n\r\n", ""},
		"the last question":             {true, "GET /v1/line HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", document},
		"a question with another form":  {true, "GET /v1/line HTTP/1.0\r\nHost: a\r\n\r\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTelling(t, 10, c.refuses)
			conn := s.waiting()
			s.say(conn, question)
			if got := s.say(conn, c.request); got != c.want {
				t.Errorf("told %q, want %q", got, c.want)
			}
			stats := s.Stats()
			if stats.Open != 0 || s.kept != (row{}) {
				t.Errorf("the doorman still has the connection: %+v", stats)
			}
			if c.want != "" {
				if n, err := conn.Read(make([]byte, 1)); err == nil {
					t.Errorf("%d bytes more", n)
				}
				return
			}
			behind := <-s.over
			defer behind.Close()
			b := make([]byte, 1000)
			if n, err := behind.Read(b); err != nil || string(b[:n]) != c.request {
				t.Errorf("handed over with %q, %v", b[:n], err)
			}
		})
	}
}

// Clients who have asked and keep their connections make room for those who come: first one that has brought nothing
// for a second, then the one that was told longest ago.
func TestAskersMakeRoom(t *testing.T) {
	s := newTelling(t, 3, true)
	first, second := s.waiting(), s.waiting()
	s.say(first, question)
	s.say(second, question)
	s.say(first, question)
	s.waiting() // and it brings nothing
	for i, want := range []struct {
		after         time.Duration
		silent, asked int // connections left, with the newcomer's
	}{
		{brief, 1, 2}, // the silent one went
		{0, 2, 1},     // the newcomer has had no time: the second asker went
		{0, 3, 0},     // and the first
	} {
		s.later(want.after)
		s.waiting()
		silent, asked := s.count(s.silent), s.count(s.kept)
		if stats := s.Stats(); silent != want.silent || asked != want.asked || stats.Evicted != int64(i+1) ||
			stats.Handed != 0 {
			t.Fatalf("newcomer %d: %d silent and %d askers left: %+v", i, silent, asked, stats)
		}
		if i == 1 {
			if got := s.say(first, question); got != document {
				t.Errorf("the first asker, who asked last, is told %q", got)
			}
		}
	}
	s.waiting()
	if stats := s.Stats(); stats.Evicted != 3 || stats.Handed != 1 {
		t.Errorf("none has had time: %+v", stats)
	}
}

// count counts the connections of a row, from both ends.
func (s *stage) count(r row) (n int) {
	s.Helper()
	back := 0
	for fd := r.first; fd != 0; fd = s.conns[fd].next {
		n++
	}
	for fd := r.last; fd != 0; fd = s.conns[fd].prev {
		back++
	}
	if n != back {
		s.Fatalf("%d connections from the front, %d from the back", n, back)
	}
	return n
}

// A client that asks and takes no answers is left to the server behind, which bounds what the kernel keeps for it,
// before an answer does not fit; no answer is lost by that.
func TestAskingWithoutListening(t *testing.T) {
	s := newTelling(t, 10, true)
	c := s.waiting()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 1)
	}); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	long := make([]byte, 1000)
	s.cfg.Line = func(dst []byte, _ bool, _ string, _ bool, _ time.Time) []byte { return append(dst, long...) }
	asked := 0
	for ; s.Stats().Handed == 0; asked++ {
		if s.Stats().Open != 1 || asked == 10_000 {
			t.Fatalf("asked %d times: %+v", asked, s.Stats())
		}
		if _, err := c.Write([]byte(question)); err != nil {
			t.Fatal(err)
		}
		s.turn(1)
	}
	if told := s.Stats().Told; told != int64(asked-1) {
		t.Errorf("told %d times, asked %d times", told, asked)
	}
}

// A client that goes after it was told leaves nothing behind.
func TestAskerGoes(t *testing.T) {
	s := newTelling(t, 10, true)
	c := s.waiting()
	s.say(c, question)
	c.Close()
	s.turn(1)
	if stats := s.Stats(); stats.Open != 0 || stats.Idle+stats.Silent+stats.Evicted != 0 || s.kept != (row{}) {
		t.Errorf("%+v", stats)
	}
}
