package doorman_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/doorman"
)

// newHall returns the address of an HTTPS server behind a doorman, and the doorman.
func newHall(t *testing.T, maxConns int) (string, *doorman.Doorman, *http.Client) {
	t.Helper()
	return newHallOf(t, maxConns, nil)
}

// newHallOf is newHall with a doorman that wraps its connections.
func newHallOf(t *testing.T, maxConns int, wrap func(net.Conn) net.Conn) (string, *doorman.Doorman, *http.Client) {
	t.Helper()
	keys := httptest.NewUnstartedServer(nil) // for its certificate, and a client that trusts it
	keys.StartTLS()
	t.Cleanup(keys.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: keys.TLS.Certificates, NextProtos: []string{"h2", "http/1.1"}}
	d, err := doorman.New(l.(*net.TCPListener), doorman.Config{
		TLS: config, MaxConns: maxConns, Wrap: wrap,
		Share: &doorman.Share{
			Cores: 1, Workers: 1, Usage: func() doorman.Usage { return doorman.Usage{} }, Waiting: func() bool { return false },
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{TLSConfig: config, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Proto)
	})}
	served := make(chan struct{})
	go func() { defer close(served); srv.Serve(d) }()
	t.Cleanup(func() { srv.Close(); <-served })
	client := keys.Client()
	client.Timeout = 20 * time.Second // for the day when nothing comes
	return l.Addr().String(), d, client
}

// Connections that have passed their handshake speak HTTP/1.1 or HTTP/2, as they have agreed on.
func TestHandshakes(t *testing.T) {
	addr, d, client := newHall(t, 100)
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		transport := client.Transport.(*http.Transport).Clone()
		transport.ForceAttemptHTTP2 = proto == "HTTP/2.0"
		transport.Protocols = new(http.Protocols)
		transport.Protocols.SetHTTP1(proto == "HTTP/1.1")
		transport.Protocols.SetHTTP2(proto == "HTTP/2.0")
		c := &http.Client{Transport: transport, Timeout: client.Timeout}
		resp, err := c.Get("https://" + addr)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		transport.CloseIdleConnections()
		if err != nil || string(body) != proto {
			t.Errorf("the server heard %q, want %s (%v)", body, proto, err)
		}
	}
	if s := d.Stats(); s.Handed != 2 || s.Accepted != 2 {
		t.Errorf("%+v", s)
	}
}

// Clients that have begun a handshake and do not go on, or have said nothing, keep no other out.
func TestHandshakesThatStandStill(t *testing.T) {
	addr, d, client := newHall(t, 1000)
	var hello []byte
	record(t, addr, func(b []byte) { hello = append([]byte(nil), b...) })
	for i := range 100 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write(hello[:len(hello)*(i%3)/2]); err != nil {
			t.Fatal(err)
		}
	}
	resp, err := client.Get("https://" + addr)
	if err != nil {
		t.Fatalf("beside clients that stand still: %v (%+v)", err, d.Stats())
	}
	resp.Body.Close()
}

// However many clients begin a handshake and do not go on, the connections that are open stay bounded.
func TestHandshakesThatStandStillAreBounded(t *testing.T) {
	const most, besides, clients = 16, 2 * 64, 500 // besides: under way, and waiting to begin
	addr, d, client := newHall(t, most)
	for range clients {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.Write([]byte{22}) // fails for one that has made room already
		if open := d.Outside(); open > most+besides+1 {
			t.Fatalf("%d connections are open", open)
		}
	}
	resp, err := client.Get("https://" + addr)
	if err != nil {
		t.Fatalf("beside clients that stand still: %v (%+v)", err, d.Stats())
	}
	resp.Body.Close()
	if s := d.Stats(); d.Outside() > most+besides || s.Evicted+s.Unshaken < clients-most-besides {
		t.Errorf("%d connections are open: %+v", d.Outside(), s)
	}
}

// strict is a connection with which time is always up, until a deadline is lifted.
type strict struct {
	net.Conn
	lifted chan struct{}
}

func (c strict) SetDeadline(at time.Time) error {
	if at.IsZero() {
		c.lifted <- struct{}{}
		return c.Conn.SetDeadline(at)
	}
	return c.Conn.SetDeadline(time.Unix(1, 0))
}

// patient is a connection that tells when a deadline is lifted.
type patient struct{ strict }

func (c patient) SetDeadline(at time.Time) error {
	if at.IsZero() {
		return c.strict.SetDeadline(at)
	}
	return nil
}

// The time for a handshake is up when the connection says so, which knows for how long the process stood still.
func TestHandshakeTimeIsTheConnections(t *testing.T) {
	lifted := make(chan struct{}, 10)
	addr, _, _ := newHallOf(t, 100, func(c net.Conn) net.Conn { return strict{c, lifted} })
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Write([]byte{22})
	_, _ = io.Copy(io.Discard, c) // until the connection ends, be it with a reset
	if len(lifted) != 0 {
		t.Error("the handshake went on")
	}
	addr, _, client := newHallOf(t, 100, func(c net.Conn) net.Conn { return patient{strict{c, lifted}} })
	resp, err := client.Get("https://" + addr)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	<-lifted
}

// A client that speaks plain HTTP to a doorman of TLS hears what is wrong, as from net/http.
func TestPlainHTTPToTLS(t *testing.T) {
	addr, _, _ := newHall(t, 100)
	resp, err := http.Post("http://"+addr+"/v1/login", "application/json", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), "to an HTTPS server") {
		t.Errorf("%d, %q, %v", resp.StatusCode, body, err)
	}
}

// record has a client begin a handshake, and tells of its first flight.
func record(t *testing.T, addr string, tell func([]byte)) {
	t.Helper()
	mine, theirs := net.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tls.Client(theirs, &tls.Config{ServerName: addr}).HandshakeContext(ctx)
	}()
	b := make([]byte, 16<<10)
	n, err := mine.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	tell(b[:n])
	cancel()
	mine.Close()
	<-done
}

// Close returns when nothing of the doorman is left, whatever its clients do, and can be called again.
func TestCloseAmidHandshakes(t *testing.T) {
	addr, d, _ := newHall(t, 1000)
	var hello []byte
	record(t, addr, func(b []byte) { hello = append([]byte(nil), b...) })
	for range 10 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.Write(hello)
	}
	for range 2 {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := d.Accept(); err == nil {
		t.Error("a closed doorman accepts")
	}
}
