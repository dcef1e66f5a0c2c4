package peer

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// memListener hands out connections in memory that have come from an address.
type memListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l *memListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *memListener) Addr() net.Addr { return &net.TCPAddr{} }

type memConn struct {
	net.Conn
	from netip.AddrPort
}

func (c memConn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.from) }

// node is an HTTP server behind a [Proxies.Listener] that says which address a request counts against.
type node struct {
	*memListener
	log *bytes.Buffer
}

const (
	theProxy   = "10.0.0.1"
	theClient  = "198.51.100.7"
	aStranger  = "203.0.113.5"
	requestFor = "GET / HTTP/1.1\r\nHost: x\r\n"
)

// newNode serves within a synctest bubble.
func newNode(t *testing.T, config *tls.Config) node {
	t.Helper()
	n := node{&memListener{conns: make(chan net.Conn), closed: make(chan struct{})}, new(bytes.Buffer)}
	p := NewProxies([]netip.Prefix{netip.MustParsePrefix(theProxy + "/32")}, slog.New(slog.NewTextHandler(n.log, nil)))
	srv := &http.Server{
		ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, ConnContext: WithConn, TLSConfig: config,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "%v passed=%v", p.Client(r), p.Passed(r))
		}),
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		if config != nil {
			_ = srv.ServeTLS(p.Listener(n.memListener), "", "")
		} else {
			_ = srv.Serve(p.Listener(n.memListener))
		}
	})
	t.Cleanup(func() {
		srv.Close()
		serving.Wait()
	})
	return n
}

// dial connects from an address.
func (n node) dial(t *testing.T, from string) net.Conn {
	t.Helper()
	near, far := net.Pipe()
	n.conns <- memConn{far, netip.AddrPortFrom(netip.MustParseAddr(from), 40000)}
	t.Cleanup(func() { near.Close() })
	return near
}

// answer returns the body of the answer on a connection, or "" if it is closed instead, however politely.
func answer(c net.Conn) string {
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		return ""
	}
	return string(body)
}

// v2 returns a header of version 2: command 1 is PROXY, 0 is LOCAL; family 0x11 is TCP over IPv4.
func v2(command, family byte, addresses ...byte) string {
	return "\r\n\r\n\x00\r\nQUIT\n" + string([]byte{0x20 | command, family, 0, byte(len(addresses))}) + string(addresses)
}

var v2TCP4 = v2(1, 0x11, 198, 51, 100, 7, 10, 0, 0, 9, 0x9c, 0x40, 1, 187)

func TestProxyProtocol(t *testing.T) {
	const (
		forwarded = "X-Forwarded-For: 192.0.2.66\r\n"
		v1        = "PROXY TCP4 198.51.100.7 10.0.0.9 40000 443\r\n"
		v1IPv6    = "PROXY TCP6 2001:db8::7 fd00::9 40000 443\r\n"
		unknown   = "PROXY UNKNOWN\r\n"
		untrusted = "--trusted-proxies"
	)
	for name, c := range map[string]struct {
		from, send, want string
		log              string // what the log says, "" for nothing
	}{
		"version 1":              {theProxy, v1 + requestFor, theClient + " passed=true", ""},
		"version 1, IPv6":        {theProxy, v1IPv6 + requestFor, "2001:db8::7 passed=true", ""},
		"version 2":              {theProxy, v2TCP4 + requestFor, theClient + " passed=true", ""},
		"a header of the client": {theProxy, v2TCP4 + requestFor + forwarded, theClient + " passed=true", ""},
		"a client that names itself after the proxy": {
			theProxy, "PROXY TCP4 10.0.0.1 10.0.0.9 1 2\r\n" + requestFor + forwarded, "192.0.2.66 passed=true", "",
		},
		"the proxy itself":             {theProxy, v2(0, 0) + requestFor, theProxy + " passed=true", ""},
		"the proxy itself, version 1":  {theProxy, unknown + requestFor, theProxy + " passed=true", ""},
		"of unknown origin, forwarded": {theProxy, unknown + requestFor + forwarded, theProxy + " passed=true", ""},
		"local, forwarded":             {theProxy, v2(0, 0) + requestFor + forwarded, theProxy + " passed=true", ""},

		"no header":                        {theProxy, requestFor, "", "does not begin with a PROXY header"},
		"no header but X-Forwarded-For":    {theProxy, requestFor + forwarded, "", "does not begin with a PROXY header"},
		"garbage":                          {theProxy, "PROXY TCP4 nonsense\r\n" + requestFor, "", ""},
		"a name for an address":            {theProxy, "PROXY TCP4 localhost 10.0.0.9 1 2\r\n" + requestFor, "", ""},
		"a port out of range":              {theProxy, "PROXY TCP4 198.51.100.7 10.0.0.9 70000 2\r\n" + requestFor, "", ""},
		"too long":                         {theProxy, "PROXY TCP4 " + strings.Repeat("9", 200) + requestFor, "", ""},
		"version 2, too short":             {theProxy, v2(1, 0x11, 1, 2, 3) + requestFor, "", ""},
		"version 2, another command":       {theProxy, v2(7, 0x11, 1, 1, 1, 1, 2, 2, 2, 2, 0, 1, 0, 2) + requestFor, "", ""},
		"version 2, datagrams":             {theProxy, v2(1, 0x12, 1, 1, 1, 1, 2, 2, 2, 2, 0, 1, 0, 2) + requestFor, "", ""},
		"a stranger without":               {aStranger, requestFor, aStranger + " passed=false", ""},
		"a stranger who forwards":          {aStranger, requestFor + forwarded, aStranger + " passed=false", untrusted},
		"a stranger with one, version 1":   {aStranger, v1 + requestFor, "", untrusted},
		"a stranger with one, version 2":   {aStranger, v2TCP4 + requestFor, "", untrusted},
		"a stranger with a LOCAL one":      {aStranger, v2(0, 0) + requestFor, "", untrusted},
		"a stranger with an UNKNOWN one":   {aStranger, unknown + requestFor, "", untrusted},
		"a stranger with half a signature": {aStranger, "\r\n\r\n\x00" + requestFor, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNode(t, nil)
				for range 2 {
					client := n.dial(t, c.from)
					go io.WriteString(client, c.send+"\r\n")
					if got := answer(client); got != c.want {
						t.Errorf("answer %q, want %q", got, c.want)
					}
				}
				synctest.Wait()
				log := n.log.String()
				lines := strings.Count(log, "\n")
				if c.log == "" && lines > 0 || c.log != "" && (lines != 1 || !strings.Contains(log, c.log)) {
					t.Errorf("the log is %q, want %q once", log, c.log)
				}
			})
		})
	}
}

// TLS comes after the header.
func TestProxyProtocolBeforeTLS(t *testing.T) {
	certified := httptest.NewUnstartedServer(nil)
	certified.StartTLS()
	t.Cleanup(certified.Close)
	config := &tls.Config{Certificates: certified.TLS.Certificates}
	for from, header := range map[string]string{theProxy: v2TCP4, aStranger: ""} {
		synctest.Test(t, func(t *testing.T) {
			n := newNode(t, config)
			raw := n.dial(t, from)
			go io.WriteString(raw, header)
			synctest.Wait()
			client := tls.Client(raw, &tls.Config{InsecureSkipVerify: true}) // the certificate is not what is tested
			go io.WriteString(client, requestFor+"\r\n")
			want := theClient + " passed=true"
			if header == "" {
				want = aStranger + " passed=false"
			}
			if got := answer(client); got != want {
				t.Errorf("answer %q, want %q", got, want)
			}
			raw.Close()
		})
	}
}

// A connection on which no header comes is given up, and holds up no other.
func TestSlowProxyHeader(t *testing.T) {
	for name, sent := range map[string]string{"nothing": "", "a byte": "P", "half of version 2": v2TCP4[:20]} {
		synctest.Test(t, func(t *testing.T) {
			n := newNode(t, nil)
			slow := n.dial(t, theProxy)
			go io.WriteString(slow, sent)
			synctest.Wait()
			start := time.Now()
			other := n.dial(t, theProxy)
			go io.WriteString(other, v2TCP4+requestFor+"\r\n")
			if got := answer(other); got != theClient+" passed=true" || !time.Now().Equal(start) {
				t.Errorf("%s: another connection was answered %q after %v", name, got, time.Since(start))
			}
			if got := answer(slow); got != "" {
				t.Errorf("%s: answered %q", name, got)
			}
			if took := time.Since(start); took > headerTimeout {
				t.Errorf("%s: closed after %v", name, took)
			}
		})
	}
}

// The address of a stranger is known without waiting for what the stranger sends.
func TestStrangersAddressDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &memListener{conns: make(chan net.Conn, 1), closed: make(chan struct{})}
		p := NewProxies([]netip.Prefix{netip.MustParsePrefix(theProxy + "/32")}, slog.New(slog.DiscardHandler))
		near, far := net.Pipe()
		defer near.Close()
		l.conns <- memConn{far, netip.MustParseAddrPort(aStranger + ":1")}
		c, err := p.Listener(l).Accept()
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if got := c.RemoteAddr().String(); got != aStranger+":1" || !time.Now().Equal(start) {
			t.Errorf("%s after %v", got, time.Since(start))
		}
		if Raw(c) != (memConn{far, netip.MustParseAddrPort(aStranger + ":1")}) {
			t.Error("another connection below it")
		}
		c.Close()
	})
}
