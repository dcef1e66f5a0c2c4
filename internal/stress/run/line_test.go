package run

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// peer is what a line talks to: a script for each connection, in order. It is to be used within a synctest bubble,
// which does not end while a script is stuck on a connection that the line has left open.
type peer struct {
	scripts []func(*wire)

	mu    sync.Mutex
	dials []string // addresses
	heard []string // method, path and body of each request
}

// wire is the peer's end of a connection.
type wire struct {
	net.Conn
	in *bufio.Reader
	on *peer
}

func (p *peer) dial(_ context.Context, _, address string) (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dials = append(p.dials, address)
	if len(p.dials) > len(p.scripts) {
		return nil, errors.New("no more connections")
	}
	ours, theirs := net.Pipe()
	script := p.scripts[len(p.dials)-1]
	go func() {
		defer theirs.Close()
		script(&wire{theirs, bufio.NewReader(theirs), p})
	}()
	return ours, nil
}

// count returns how many connections were made, and how many whole requests came.
func (p *peer) count() (dials, heard int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.dials), len(p.heard)
}

// hear reads a request and reports whether there was one.
func (w *wire) hear() bool {
	req, err := http.ReadRequest(w.in)
	if err != nil {
		return false
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return false
	}
	w.on.mu.Lock()
	defer w.on.mu.Unlock()
	w.on.heard = append(w.on.heard, req.Method+" "+req.URL.Path+" "+string(body))
	return true
}

func (w *wire) say(s string) { _, _ = io.WriteString(w, s) }

const good = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// polite answers every request until the line hangs up.
func polite(w *wire) {
	for w.hear() {
		w.say(good)
	}
}

// says answers one request with a text, and hangs up.
func says(s string) func(*wire) {
	return func(w *wire) {
		w.hear()
		w.say(s)
	}
}

// saysAndWaits answers one request with a text, and waits for the line to hang up.
func saysAndWaits(s string) func(*wire) {
	return func(w *wire) {
		w.hear()
		w.say(s)
		w.hear()
	}
}

// onceThen answers one request in full before it goes on.
func onceThen(next func(*wire)) func(*wire) {
	return func(w *wire) {
		w.hear()
		w.say(good)
		next(w)
	}
}

// asked tells whether the body of a request was closed, as a RoundTripper has to see to.
type asked struct {
	io.Reader
	closed bool
}

func (a *asked) Close() error { a.closed = true; return nil }

// request sends a request with a body and returns that of the answer.
func (l *line) request(ctx context.Context, body string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://game.test/v1/login", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	return l.send(req)
}

func (l *line) send(req *http.Request) (string, error) {
	resp, err := l.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func mustAsk(t *testing.T, l *line) {
	t.Helper()
	if got, err := l.request(t.Context(), "hello"); got != "ok" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestLineKeepsItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{scripts: []func(*wire){polite, saysAndWaits(strings.Replace(good, "Con", "Connection: close\r\nCon", 1)),
			polite}}
		l := &line{dial: p.dial}
		defer l.CloseIdleConnections()
		for i, want := range []int{1, 1, 1, 2, 3, 3} {
			if i == 3 {
				l.CloseIdleConnections()
				l.CloseIdleConnections() // there is nothing left to close
			}
			mustAsk(t, l)
			if dials, heard := p.count(); dials != want || heard != i+1 {
				t.Errorf("after request %d: %d connections, %d requests heard", i+1, dials, heard)
			}
		}
	})
}

func TestLineDialsTheHostAndPortOfTheURL(t *testing.T) {
	for url, want := range map[string]string{
		"http://game.test/v1/status":       "game.test:http",
		"http://game.test:8080/v1/status":  "game.test:8080",
		"http://[::1]/v1/status":           "[::1]:http",
		"https://[::1]:8443/v1/status":     "[::1]:8443",
		"https://game.test/v1/status?q=:9": "game.test:https",
	} {
		p := new(peer)
		body := &asked{Reader: strings.NewReader("hello")}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, body)
		if err != nil {
			t.Fatal(err)
		}
		_, err = (&line{dial: p.dial}).send(req)
		if err == nil || len(p.dials) != 1 || p.dials[0] != want || !body.closed {
			t.Errorf("%s: %v, dialed %v; body closed: %v", url, err, p.dials, body.closed)
		}
	}
}

// A server may close a connection that is idle. A request that finds it closed goes out over another one, whole.
func TestLineReplacesAConnectionClosedWhileIdle(t *testing.T) {
	bodies := map[string]struct {
		method string
		body   io.Reader
		heard  string
	}{
		"body":             {http.MethodPost, strings.NewReader("hello"), "POST /v1/x hello"},
		"empty body":       {http.MethodGet, strings.NewReader(""), "GET /v1/x "},
		"no body":          {http.MethodGet, nil, "GET /v1/x "},
		"body of one read": {http.MethodPost, &asked{Reader: strings.NewReader("hello")}, ""},
	}
	for name, tt := range bodies {
		for when, closes := range map[string]func(*wire){
			"before the request":    onceThen(func(*wire) {}),
			"as the request comes":  onceThen(func(w *wire) { _, _ = w.in.Peek(1) }),
			"with the request read": onceThen(func(w *wire) { w.hear() }),
		} {
			t.Run(name+", "+when, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := &peer{scripts: []func(*wire){closes, polite}}
					l := &line{dial: p.dial}
					defer l.CloseIdleConnections()
					mustAsk(t, l)
					synctest.Wait() // the server has closed, or waits for the request
					body := tt.body
					if s, ok := body.(io.Seeker); ok {
						_, _ = s.Seek(0, io.SeekStart)
					}
					req, err := http.NewRequestWithContext(t.Context(), tt.method, "http://game.test/v1/x", body)
					if err != nil {
						t.Fatal(err)
					}
					got, err := l.send(req)
					synctest.Wait()
					dials, heard := p.count()
					if tt.heard == "" {
						if a := tt.body.(*asked); err == nil || dials != 1 || !a.closed {
							t.Errorf("%q, %v with %d connections; body closed: %v", got, err, dials, a.closed)
						}
						return
					}
					if err != nil || got != "ok" || dials != 2 || p.heard[heard-1] != tt.heard {
						t.Errorf("%q, %v with %d connections; heard %q", got, err, dials, p.heard)
					}
				})
			})
		}
	}
}

// A connection that was made for the request is not replaced: its end is the answer, as are half an answer and what is
// none.
func TestLineSendsNoRequestTwice(t *testing.T) {
	for name, tt := range map[string]struct {
		say string
		err error // one that has to be in the chain, or nil for any
	}{
		"first byte":         {"H", nil},
		"half of a header":   {"HTTP/1.1 200 OK\r\nContent-Le", nil},
		"no body":            {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", io.ErrUnexpectedEOF},
		"half of a body":     {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", io.ErrUnexpectedEOF},
		"half of a chunk":    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\no", io.ErrUnexpectedEOF},
		"no last chunk":      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", io.ErrUnexpectedEOF},
		"only an interim":    {"HTTP/1.1 103 Early Hints\r\n\r\n", io.ErrUnexpectedEOF},
		"another protocol":   {"SSH-2.0-OpenSSH\r\n", nil},
		"a senseless length": {"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok", nil},
		"nothing at all":     {"", io.EOF},
	} {
		for kind, script := range map[string]func(*wire){
			"new":  says(tt.say),
			"warm": onceThen(says(tt.say)),
		} {
			if kind == "warm" && tt.say == "" {
				continue // this is what a server does that closes while idle
			}
			t.Run(name+", "+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := &peer{scripts: []func(*wire){script, polite}}
					l := &line{dial: p.dial}
					defer l.CloseIdleConnections()
					want := 1
					if kind == "warm" {
						mustAsk(t, l)
						want = 2
					}
					got, err := l.request(t.Context(), "hello")
					if dials, heard := p.count(); err == nil || dials != 1 || heard != want || tt.err != nil &&
						!errors.Is(err, tt.err) {
						t.Errorf("%q, %v; %d connections, %d requests heard", got, err, dials, heard)
					}
					mustAsk(t, l) // over a new one
				})
			})
		}
	}
}

func TestLineBoundsAnAnswer(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	for name, tt := range map[string]struct {
		say  string
		body int // length, or -1: refused
	}{
		"a body at the bound":    {"HTTP/1.1 200 OK\r\nContent-Length: 524288\r\n\r\n" + x(maxBody), maxBody},
		"a body above the bound": {"HTTP/1.1 200 OK\r\nContent-Length: 524289\r\n\r\n" + x(maxBody+1), -1},
		"chunks at the bound": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n80000\r\n" + x(maxBody) +
			"\r\n0\r\n\r\n", maxBody},
		"chunks above the bound": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n80001\r\n" + x(maxBody+1) +
			"\r\n0\r\n\r\n", -1},
		"an endless body":          {"HTTP/1.1 200 OK\r\n\r\n" + x(4*maxBody), -1},
		"an endless header":        {"HTTP/1.1 200 OK\r\nX-A: " + x(4*maxBody), -1},
		"endless header lines":     {"HTTP/1.1 200 OK\r\n" + strings.Repeat("X-A: 1\r\n", maxBody), -1},
		"endless interim answers":  {strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", maxBody/8), -1},
		"a header that ends late":  {"HTTP/1.1 200 OK\r\nX-A: " + x(maxBody+1000) + "\r\n\r\n" + x(maxBody-1000), -1},
		"an endless first line":    {x(4 * maxBody), -1},
		"an endless chunk trailer": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-A: " + x(4*maxBody), -1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &peer{scripts: []func(*wire){saysAndWaits(tt.say), polite}}
				l := &line{dial: p.dial}
				defer l.CloseIdleConnections()
				got, err := l.request(t.Context(), "hello")
				if tt.body < 0 && err == nil || tt.body >= 0 && (err != nil || len(got) != tt.body) {
					t.Errorf("%d bytes, %v", len(got), err)
				}
				l.CloseIdleConnections()
				mustAsk(t, l)
			})
		})
	}
}

// What the server says unasked is no answer to the next request.
func TestLineMatchesAnswersToRequests(t *testing.T) {
	for name, tt := range map[string]struct {
		say   string
		dials int // for two requests
	}{
		"interim answers":   {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + good, 1},
		"one answer more":   {good + strings.Replace(good, "ok", "no", 1), 2},
		"bytes after it":    {good + "\r\n", 2},
		"a trailer with it": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-A: 1\r\n\r\n", 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				script := func(w *wire) {
					w.hear()
					w.say(tt.say)
					polite(w)
				}
				p := &peer{scripts: []func(*wire){script, polite}}
				l := &line{dial: p.dial}
				defer l.CloseIdleConnections()
				mustAsk(t, l)
				mustAsk(t, l)
				if dials, _ := p.count(); dials != tt.dials {
					t.Errorf("%d connections, want %d", dials, tt.dials)
				}
			})
		})
	}
}

func TestLineIsForOneRequestAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		p := &peer{scripts: []func(*wire){func(w *wire) {
			w.hear()
			<-answer
			w.say(good)
			polite(w)
		}}}
		l := &line{dial: p.dial}
		first := make(chan error)
		go func() {
			_, err := l.request(t.Context(), "first")
			first <- err
		}()
		synctest.Wait()
		body := &asked{Reader: strings.NewReader("second")}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://game.test/", body)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.send(req); !errors.Is(err, errBusyLine) || !body.closed {
			t.Errorf("%v; body closed: %v", err, body.closed)
		}
		l.CloseIdleConnections() // it is not idle
		close(answer)
		if err := <-first; err != nil {
			t.Error(err)
		}
		mustAsk(t, l)
		if dials, heard := p.count(); dials != 1 || heard != 2 {
			t.Errorf("%d connections, %d requests heard", dials, heard)
		}
		l.CloseIdleConnections()
		time.Sleep(time.Second)
	})
}
