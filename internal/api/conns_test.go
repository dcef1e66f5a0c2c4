package api

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/peer"
)

// limitedServer serves with room for max connections; a request for /hold is answered when release is closed.
func limitedServer(t *testing.T, max int) (address string, holding <-chan struct{}, release chan<- struct{}) {
	t.Helper()
	return limitedServerOn(t, max, func(l net.Listener) net.Listener { return l })
}

// limitedServerOn is a limitedServer on a listener made of a plain one.
func limitedServerOn(
	t *testing.T, max int, listener func(net.Listener) net.Listener,
) (address string, holding <-chan struct{}, release chan<- struct{}) {
	t.Helper()
	held, free := make(chan struct{}, max), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/hold", func(_ http.ResponseWriter, r *http.Request) {
		HoldConn(r.Context())
		held <- struct{}{}
		<-free
	})
	mux.HandleFunc("/body", func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := NewServer(mux, ServerConfig{MaxConns: max, Later: later, Logger: slog.New(slog.DiscardHandler)})
	served := make(chan struct{})
	go func() { srv.Serve(listener(l)); close(served) }()
	t.Cleanup(func() { srv.Close(); <-served })
	return l.Addr().String(), held, free
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(30 * time.Second))
	return c
}

// get sends a request over an open connection and returns the status of the answer.
func get(t *testing.T, c net.Conn, path string) (int, error) {
	t.Helper()
	if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return 0, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

func TestIdleConnectionsMakeRoom(t *testing.T) {
	const max = 16
	address, _, _ := limitedServer(t, max)
	silent := dial(t, address) // says nothing, like the thousands of a flood
	if _, err := get(t, dial(t, address), "/"); err != nil {
		t.Fatal(err)
	}
	for i := range 5 * max {
		c := dial(t, address)
		if status, err := get(t, c, "/"); err != nil || status != 200 {
			t.Fatalf("connection %d: %v", i, err)
		} // and stays open
	}
	if _, err := silent.Read(make([]byte, 1)); err == nil {
		t.Error("the connection idle longest is still open")
	} else if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection idle longest was not closed")
	}
}

// A body that never comes does not hold a place.
func TestHalfSentRequestsMakeRoom(t *testing.T) {
	const max = 16
	address, _, _ := limitedServer(t, max)
	for round := range 3 {
		for range max {
			const begun = "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n\r\nx"
			if _, err := io.WriteString(dial(t, address), begun); err != nil {
				t.Fatal(err)
			}
		}
		if status, err := get(t, dial(t, address), "/"); err != nil || status != 200 {
			t.Fatalf("round %d: %d, %v", round, status, err)
		}
	}
}

// Connections that are open before the server has them take up room.
func TestConnectionsOutsideTakeUpRoom(t *testing.T) {
	table := newConnTable(3, later)
	table.outside = func() int { return 1 }
	conns := make([]net.Conn, 4)
	for i := range conns {
		conns[i], _ = net.Pipe()
	}
	for i, want := range []net.Conn{nil, nil, conns[0], conns[1]} {
		if got := table.note(conns[i], http.StateNew); got != want {
			t.Errorf("newcomer %d: the wrong one has to go", i)
		}
	}
}

// Who waits for the answer to a login is not sent away in favour of others.
func TestHeldConnectionsStay(t *testing.T) {
	const max = 16
	address, holding, release := limitedServer(t, max)
	waiting := dial(t, address)
	if _, err := io.WriteString(waiting, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-holding
	for range 5 * max {
		if status, err := get(t, dial(t, address), "/"); err != nil || status != 200 {
			t.Fatalf("%d, %v", status, err)
		}
	}
	close(release)
	resp, err := http.ReadResponse(bufio.NewReader(waiting), nil)
	if err != nil {
		t.Fatalf("the one who waited was sent away: %v", err)
	}
	resp.Body.Close()
}

// later is what the door would tell a newcomer for which there is no connection.
func later() time.Duration { return 7 * time.Second }

// Nothing that a client can draw out is without a limit.
func TestServerLimits(t *testing.T) {
	s := NewServer(http.NotFoundHandler(), ServerConfig{MaxConns: 1, Later: later, Logger: slog.New(slog.DiscardHandler)})
	for name, d := range map[string]time.Duration{
		"header": s.ReadHeaderTimeout, "read": s.ReadTimeout, "write": s.WriteTimeout, "idle": s.IdleTimeout,
		"answer": answerTimeout(0),
	} {
		if d <= 0 || d > 2*time.Minute {
			t.Errorf("%s timeout %v", name, d)
		}
	}
	if s.MaxHeaderBytes != maxHeaderBytes || s.HTTP2.MaxConcurrentStreams != maxStreams || maxStreams < 1 {
		t.Errorf("header bytes %d, streams %d", s.MaxHeaderBytes, s.HTTP2.MaxConcurrentStreams)
	}
}

// A request that the queue still means to serve is not cut off by a limit before that.
func TestAnswersOutlastTheQueue(t *testing.T) {
	for _, maxAge := range []time.Duration{0, time.Second, 25 * time.Second, 26 * time.Second, time.Minute, time.Hour} {
		answer := answerTimeout(maxAge)
		logger := slog.New(slog.DiscardHandler)
		s := NewServer(http.NotFoundHandler(), ServerConfig{MaxConns: 1, MaxAge: maxAge, Logger: logger})
		if answer <= maxAge || s.WriteTimeout <= answer {
			t.Errorf("the queue gives up at %v, the request at %v, the connection at %v", maxAge, answer, s.WriteTimeout)
		}
		if maxAge <= 25*time.Second && answer != 29*time.Second {
			t.Errorf("with a queue of %v an answer may take %v", maxAge, answer)
		}
	}
}

// As above, seen from a request that waits.
func TestRequestWaitsAsLongAsTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &handler{Config: Config{Logger: slog.New(slog.DiscardHandler)}, answerTimeout: answerTimeout(time.Minute)}
		start := time.Now()
		h.guard(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
		})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/v1/login", nil))
		if waited := time.Since(start); waited != time.Minute+answerMargin {
			t.Errorf("with a queue of a minute a request was given up after %v", waited)
		}
	})
}

func TestNewcomerIsTurnedAwayAtOnceWhenAllAreBusy(t *testing.T) {
	const max = 16
	address, holding, release := limitedServer(t, max)
	for range max {
		c := dial(t, address)
		if _, err := io.WriteString(c, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		<-holding
	}
	// Without a request: the answer must not get lost in a reset.
	resp, err := http.ReadResponse(bufio.NewReader(dial(t, address)), nil)
	if err != nil {
		t.Fatalf("a newcomer heard nothing: %v", err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") != "7" {
		t.Errorf("a newcomer was told %s", resp.Status)
	}
	close(release)
}

func TestConnTableForgetsClosedConnections(t *testing.T) {
	const max = 16
	address, _, _ := limitedServer(t, max)
	for range 10 * max {
		c := dial(t, address)
		get(t, c, "/")
		c.Close()
	}
	if _, err := get(t, dial(t, address), "/"); err != nil {
		t.Error(err)
	}
}

func TestHeadersAreBounded(t *testing.T) {
	address, _, _ := limitedServer(t, 16)
	c := dial(t, address)
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("x", 4*maxHeaderBytes)+"\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %s", resp.Status)
	}
}

// Behind a proxy that speaks the PROXY protocol the limit is the same: connections on which no header has come make
// room, and when there is none a newcomer hears so without having to send one.
func TestLimitBehindAProxyProtocol(t *testing.T) {
	const max = 16
	proxies := peer.NewProxies([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, slog.New(slog.DiscardHandler))
	address, holding, release := limitedServerOn(t, max, proxies.Listener)
	defer close(release)
	for range 2 * max {
		dial(t, address) // and sends nothing
	}
	const header = "PROXY TCP4 198.51.100.7 127.0.0.1 40000 443\r\n"
	for range max {
		if _, err := io.WriteString(dial(t, address), header+"GET /hold HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		<-holding
	}
	resp, err := http.ReadResponse(bufio.NewReader(dial(t, address)), nil)
	if err != nil {
		t.Fatalf("a newcomer heard nothing: %v", err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("a newcomer was told %s", resp.Status)
	}
}

// layered is a connection above another, which counts the open ones.
type layered struct {
	net.Conn
	open *int
}

func (c layered) NetConn() net.Conn { return c.Conn }

func (c layered) Close() error {
	*c.open--
	return c.Conn.Close()
}

// A connection that is given up is closed in all its layers: the one of a listener counts what is open.
func TestGivenUpConnectionsAreClosedInAllLayers(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	open := 1
	if err := abort(layered{near, &open}); err != nil || open != 0 {
		t.Errorf("%d open, %v", open, err)
	}
	if _, err := far.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the other end reads %v", err)
	}
}
