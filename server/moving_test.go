package server_test

import (
	"context"
	"net"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/server"
)

// network is a client's network: one way to the nodes' HTTP interfaces, as through a load balancer, and one to each of
// their realtime channels.
type network struct {
	front *httptest.Server
	to    atomic.Pointer[server.Server] // where requests go
}

func newNetwork(t *testing.T, to *server.Server) *network {
	r := &network{}
	r.to.Store(to)
	r.front = httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.Out.URL.Scheme, p.Out.URL.Host = "http", r.to.Load().HTTPAddr().String()
	}})
	t.Cleanup(r.front.Close)
	return r
}

// dial opens a way to a realtime channel that is dead while requests go to another node.
func (r *network) dial(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "udp", to.String())
	return &way{conn, r, to.String()}, err
}

type way struct {
	net.Conn
	network *network
	to      string
}

func (w *way) alive() bool { return w.network.to.Load().UDPAddr().String() == w.to }

func (w *way) Write(p []byte) (int, error) {
	if !w.alive() {
		return len(p), nil
	}
	return w.Conn.Write(p)
}

func (w *way) Read(p []byte) (int, error) {
	for {
		if n, err := w.Conn.Read(p); err != nil || w.alive() {
			return n, err
		}
	}
}

// A client whose network leads to another node of the same Redis plays on there, where it stood and without a password,
// while the first node lives; and back again.
func TestPlayerMovesBetweenNodes(t *testing.T) {
	_, here, there := twoNodes(t)
	network := newNetwork(t, here)
	c, err := client.New(network.front.URL, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	session, err := c.Register(t.Context(), "alice", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	rt, err := session.Connect(t.Context(), client.RealtimeOptions{Dial: network.dial, UDPOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rt.Close)
	for _, to := range []*server.Server{there, here} {
		from, last := network.to.Load(), walk(t, session, rt)
		connects := rt.Stats().Connects
		network.to.Store(to)
		for rt.Stats().Connects == connects {
			nextView(t, rt)
		}
		me, err := session.Me(t.Context())
		if err != nil || me.ID != last.ID || me.X != last.X || me.Y != last.Y || me.Playtime < last.Playtime {
			t.Errorf("the other node has %+v, %v; the last state was %+v", me, err, last)
		}
		if f, t2 := readDump(t, from).Tick.Players, readDump(t, to).Tick.Players; f != 0 || t2 != 1 {
			t.Errorf("%d players are on the node before, and %d on the other, want 0 and 1", f, t2)
		}
	}
	walk(t, session, rt)
}
