package client_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/parrot"
	"github.com/rushgate/rushgate/server"
)

// leaky is a socket that loses every fourth datagram, each way, and all while it is blocked.
type leaky struct {
	net.Conn
	blocked   *atomic.Bool
	out, back atomic.Int64
}

func (c *leaky) Write(b []byte) (int, error) {
	if c.blocked.Load() || c.out.Add(1)%4 == 0 {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func (c *leaky) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if err != nil || !c.blocked.Load() && c.back.Add(1)%4 != 0 {
			return n, err
		}
	}
}

// What players say at a real node reaches all of them once and in order: over UDP that loses a quarter of the
// datagrams, over a WebSocket, and on the way from the one to the other when UDP is blocked.
func TestMessagesAtARealNode(t *testing.T) {
	t.Parallel()
	node := busyNode(t, server.Config{World: parrot.New(), HashIterations: 1000})
	var blocked atomic.Bool
	dial := func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "udp", to.String())
		return &leaky{Conn: conn, blocked: &blocked}, err
	}
	connect := func(name string, opts client.RealtimeOptions) *client.Realtime {
		c, err := client.New("http://"+node.HTTPAddr().String(), client.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.CloseIdleConnections)
		s, err := c.Register(t.Context(), name, "correct horse")
		if err != nil {
			t.Fatal(err)
		}
		rt, err := s.Connect(t.Context(), opts)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(rt.Close)
		return rt
	}
	alice := connect("alice", client.RealtimeOptions{Dial: dial})
	bob := connect("bob", client.RealtimeOptions{WebSocket: true})
	said := 0
	say := func(n int) {
		for range n {
			speaker := []*client.Realtime{alice, bob}[said%2]
			if err := speaker.Send([]byte(fmt.Sprint("word ", said)), true); err != nil {
				t.Fatal(err)
			}
			for name, rt := range map[string]*client.Realtime{"alice": alice, "bob": bob} {
				m, ok := <-rt.Messages()
				if want := fmt.Sprint("word ", said); !ok || string(m.Data) != want || !m.Reliable {
					t.Fatalf("%s hears %q, want %q; ended for %v", name, m.Data, want, rt.Err())
				}
			}
			said++
		}
	}
	say(10)
	blocked.Store(true)
	say(10)
	if s := alice.Stats(); s.Connects < 2 || s.Malformed != 0 {
		t.Errorf("%+v", s)
	}
	for got := 0; got == 0; {
		if err := bob.Send([]byte("boo"), false); err != nil {
			t.Fatal(err)
		}
		select {
		case m := <-alice.Messages():
			if got++; string(m.Data) != "boo" || m.Reliable {
				t.Errorf("%+v", m)
			}
		case <-time.After(100 * time.Millisecond):
		}
	}
}
