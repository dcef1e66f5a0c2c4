package peer

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/pires/go-proxyproto"
)

// headerTimeout is how long a proxy may take for its PROXY header, which it sends before anything else.
const headerTimeout = 5 * time.Second

var (
	errUnwanted  = errors.New("peer: a PROXY header from a peer that is not trusted")
	errTransport = errors.New("peer: a PROXY header for something other than TCP")
)

// Listener returns a listener whose connections from trusted proxies have to begin with a PROXY header, version 1 or 2
// (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt): its source is their remote address. One without is
// closed, as the specification demands, and so is one from another peer that has such a header. Accept does not wait
// for headers: the first use of a connection does, [headerTimeout] at most.
func (p *Proxies) Listener(l net.Listener) net.Listener { return &listener{l, p} }

type listener struct {
	net.Listener
	proxies *Proxies
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if l.proxies.Trusts(addrOf(c.RemoteAddr())) {
		return l.proxies.fromProxy(c), nil
	}
	return l.proxies.fromStranger(c), nil
}

// Conn is a connection of a [Proxies.Listener].
type Conn struct {
	*proxyproto.Conn
	trusted bool
	report  func(error)
}

// fromProxy returns a connection that has to begin with a header.
func (p *Proxies) fromProxy(c net.Conn) *Conn {
	streamsOnly := func(h *proxyproto.Header) error {
		if _, _, ok := h.TCPAddrs(); !ok && h.SourceAddr != nil && !h.Command.IsLocal() {
			return errTransport
		}
		return nil
	}
	return &Conn{trusted: true, Conn: proxyproto.NewConn(c, proxyproto.WithPolicy(proxyproto.REQUIRE),
		proxyproto.ValidateHeader(streamsOnly), proxyproto.SetReadHeaderTimeout(headerTimeout)),
		report: func(err error) {
			if errors.Is(err, proxyproto.ErrNoProxyProtocol) {
				p.headerless.Do(func() {
					p.logger.Warn("--proxy-protocol is on, but a connection of a proxy in --trusted-proxies does not begin with "+
						"a PROXY header, so it was closed; its health checks need one too", "proxy", c.RemoteAddr())
				})
			}
		}}
}

// fromStranger returns a connection that must not begin with a header.
func (p *Proxies) fromStranger(c net.Conn) *Conn {
	none := func(*proxyproto.Header) error { return errUnwanted }
	return &Conn{Conn: proxyproto.NewConn(c, proxyproto.WithPolicy(proxyproto.USE),
		proxyproto.ValidateHeader(none), proxyproto.SetReadHeaderTimeout(headerTimeout)),
		report: func(err error) {
			if errors.Is(err, errUnwanted) {
				p.unwanted.Do(func() {
					p.logger.Warn("a peer that is not trusted has sent a PROXY header, so its connection was closed; if it is a "+
						"proxy of yours, name its address with --trusted-proxies", "peer", c.RemoteAddr())
				})
			}
		}}
}

// Read reads what comes after the header.
func (c *Conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		c.report(err)
	}
	return n, err
}

// RemoteAddr returns the address that a trusted proxy gives, for which it waits, and the peer's own otherwise.
func (c *Conn) RemoteAddr() net.Addr {
	if !c.trusted {
		return c.Raw().RemoteAddr()
	}
	return c.Conn.RemoteAddr()
}

// LocalAddr returns the node's own address.
func (c *Conn) LocalAddr() net.Addr { return c.Raw().LocalAddr() }

// Raw returns the connection below a connection of TLS or of a [Proxies.Listener], on which deadlines and writes do not
// wait for a peer's handshake or header.
func Raw(c net.Conn) net.Conn {
	for {
		switch outer := c.(type) {
		case *Conn:
			c = outer.Raw()
		case interface{ NetConn() net.Conn }: // one of TLS, or whose deadlines or first bytes are the listener's own
			c = outer.NetConn()
		default:
			return c
		}
	}
}

// connKey is the context key of the [*Conn] that a request has come over.
type connKey struct{}

// WithConn notes in the context of a connection's requests what kind of connection it is. It is meant for
// [net/http.Server].ConnContext and does not block.
func WithConn(ctx context.Context, c net.Conn) context.Context {
	if tc, ok := c.(*tls.Conn); ok {
		c = tc.NetConn()
	}
	if pc, ok := c.(*Conn); ok && pc.trusted {
		return context.WithValue(ctx, connKey{}, pc)
	}
	return ctx
}

// proxied reports whether a request has come over the connection of a trusted proxy that speaks the PROXY protocol.
func proxied(ctx context.Context) bool {
	_, ok := ctx.Value(connKey{}).(*Conn)
	return ok
}

// unnamed reports whether a proxy has said by the PROXY protocol that it speaks for itself, or does not know its
// client: the rest of the connection may be of any origin.
func unnamed(ctx context.Context) bool {
	c, ok := ctx.Value(connKey{}).(*Conn)
	if !ok {
		return false
	}
	h := c.ProxyHeader()
	return h == nil || h.Command.IsLocal() || h.SourceAddr == nil
}
