package server

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// parked is a server whose connections can be parked, and one that another process would be.
type parked struct {
	*parking
	*httptest.Server
	next *adopted
}

// adopted serves connections that are given to it.
type adopted struct {
	conns chan net.Conn
	addr  net.Addr
}

func (a *adopted) Accept() (net.Conn, error) {
	c, ok := <-a.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (a *adopted) Close() error   { return nil }
func (a *adopted) Addr() net.Addr { return a.addr }

func newParked(t *testing.T) *parked {
	t.Helper()
	answer := func(who string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %s", who, body)
		})
	}
	p := &parked{parking: newParking(), Server: httptest.NewUnstartedServer(answer("old"))}
	p.Listener = p.listener(p.Listener)
	p.Config.ConnState = p.observe
	p.Start()
	p.next = &adopted{make(chan net.Conn, 10), p.Listener.Addr()}
	srv := &http.Server{Handler: answer("new")}
	go srv.Serve(p.next)
	t.Cleanup(func() { p.open(); p.Close(); close(p.next.conns); srv.Close() })
	return p
}

// talk sends a request over a connection, and hear reads the answer.
func talk(t *testing.T, c net.Conn, body string) {
	t.Helper()
	_, err := fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	if err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, r *bufio.Reader, want string) {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("in place of %q: %v", want, err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != want {
		t.Errorf("the answer is %q, %v; want %q", b, err, want)
	}
}

func (p *parked) dial(t *testing.T) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", p.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute)) // for the day when nothing comes
	return c, bufio.NewReader(c)
}

// await waits until so many connections are parked.
func (p *parked) await(n int) {
	for {
		p.mu.Lock()
		got := 0
		for k := range p.conns {
			if k.parked {
				got++
			}
		}
		p.mu.Unlock()
		if got == n {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// A request that comes over a connection that is parked is answered by whichever process goes on with it, once, and the
// connection goes on.
func TestParking(t *testing.T) {
	for _, who := range []string{"old", "new"} {
		p := newParked(t)
		c, r := p.dial(t)
		busy, busyReader := p.dial(t)
		talk(t, c, "one")
		hear(t, r, "old one")
		fmt.Fprint(busy, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nha")
		time.Sleep(10 * time.Millisecond) // so that it is read, or not: both are right
		p.close()
		p.close()
		p.await(1)
		talk(t, c, "two")
		fmt.Fprint(busy, "lf") // of a request that is under way
		hear(t, busyReader, "old half")
		p.await(2)
		if who == "old" {
			p.open()
			p.open()
		} else {
			given := p.give()
			if len(given) != 2 {
				t.Fatalf("%d connections are given", len(given))
			}
			for _, f := range given {
				c, err := net.FileConn(f)
				if f.Close(); err != nil {
					t.Fatal(err)
				}
				p.next.conns <- c
			}
		}
		hear(t, r, who+" two")
		talk(t, c, "three")
		hear(t, r, who+" three")
		talk(t, busy, "four")
		hear(t, busyReader, who+" four")
	}
}

// A connection that is parked can be closed by its server, and by its client.
func TestParkedAndClosed(t *testing.T) {
	p := newParked(t)
	c, r := p.dial(t)
	talk(t, c, "one")
	hear(t, r, "old one")
	p.close()
	p.await(1)
	p.mu.Lock()
	for k := range p.conns {
		go k.Close()
	}
	p.mu.Unlock()
	if _, err := r.ReadByte(); err == nil {
		t.Error("it is still open")
	}
	p.await(0)
	if given := p.give(); len(given) != 0 {
		t.Errorf("%d connections are given", len(given))
	}
}

// A held gate accepts nothing until it is resumed, and can be closed.
func TestGate(t *testing.T) {
	l, err := listenTCP("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{TCPListener: l}
	accepted := make(chan error, 2)
	accept := func() {
		c, err := g.Accept()
		if err == nil {
			c.Close()
		}
		accepted <- err
	}
	go accept()
	g.hold()
	g.hold()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	select {
	case err := <-accepted: // it was on its way
		t.Logf("accepted: %v", err)
	case <-time.After(10 * time.Millisecond):
		g.resume()
		g.resume()
		if err := <-accepted; err != nil {
			t.Error(err)
		}
	}
	g.hold()
	go accept()
	g.Close()
	if err := <-accepted; err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("after Close: %v", err)
	}
	g.hold()
}
