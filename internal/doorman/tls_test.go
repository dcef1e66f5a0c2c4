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
	keys := httptest.NewUnstartedServer(nil) // for its certificate, and a client that trusts it
	keys.StartTLS()
	t.Cleanup(keys.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: keys.TLS.Certificates, NextProtos: []string{"h2", "http/1.1"}}
	d, err := doorman.New(l.(*net.TCPListener), doorman.Config{
		TLS: config, MaxConns: maxConns,
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
