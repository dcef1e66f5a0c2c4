package client

import (
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/memnet"
	"github.com/rushgate/rushgate/internal/udpknock"
)

// machine is that of a node: it says of a datagram to a port at which nothing listens that it does so.
type machine struct {
	node   *node
	away   atomic.Bool // nothing listens
	knocks atomic.Int64
	sent   atomic.Int64 // all else that came while nothing listened
}

func (m *machine) dial(ctx context.Context, server netip.AddrPort) (net.Conn, error) {
	conn, err := m.node.dial(ctx, server)
	return &portConn{Conn: conn, machine: m}, err
}

// leave has the node be gone, and come has it be there again.
func (m *machine) leave() {
	m.away.Store(true)
	m.node.network.SetOptions(outage)
	m.node.kick() // it forgets all connections, of which no client hears
	m.node.set(func(n *node) { n.noAnswer, n.requests = true, 0 })
}

func (m *machine) come() {
	m.node.network.SetOptions(memnet.Options{})
	m.node.set(func(n *node) { n.noAnswer = false })
	m.away.Store(false)
}

// portConn is a client's socket.
type portConn struct {
	net.Conn
	machine *machine
	refused atomic.Bool
}

func (c *portConn) Write(b []byte) (int, error) {
	if c.machine.away.Load() {
		c.refused.Store(true)
		if _, ok := udpknock.ParseKnock(b); ok {
			c.machine.knocks.Add(1)
		} else {
			c.machine.sent.Add(1)
		}
	}
	return c.Conn.Write(b)
}

func (c *portConn) Read(b []byte) (int, error) {
	if c.refused.Swap(false) {
		return 0, &net.OpError{Op: "read", Net: "udp", Err: syscall.ECONNREFUSED}
	}
	return c.Conn.Read(b)
}

// Of a node that is away its machine says so. A crowd of clients is back soon after it, and asks it for little while it
// is away.
func TestClientsOfANodeThatIsAway(t *testing.T) {
	for name, tt := range map[string]struct {
		lasts                     time.Duration
		requests, knocks, packets int           // of each client, at most
		back                      time.Duration // after the node, at the latest
	}{
		"for a moment": {1250 * time.Millisecond, 1, 4, 25, 2 * time.Second},
		"for a minute": {time.Minute, 14, 40, 50, maxReconnectPause + time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(20) {
				synctest.Test(t, func(t *testing.T) {
					n := startNode(t, memnet.Options{}, 1)
					defer n.stop()
					m := &machine{node: n}
					s := n.login()
					s.client.opts.Rand = rand.New(rand.NewPCG(seed, 16)).Float64
					rt, err := s.Connect(t.Context(), RealtimeOptions{Dial: m.dial})
					if err != nil {
						t.Fatal(err)
					}
					defer rt.Close()
					time.Sleep(10*time.Second + time.Duration(seed)*7*time.Millisecond)
					m.leave()
					time.Sleep(tt.lasts)
					n.mu.Lock()
					requests := n.requests
					n.mu.Unlock()
					knocks, packets := m.knocks.Load(), m.sent.Load()
					m.come()
					began := time.Now()
					for v := range rt.Views() {
						if v.ReceivedAt.After(began) {
							break
						}
					}
					if took := time.Since(began); took > tt.back {
						t.Errorf("seed %d: back %v after the node", seed, took)
					}
					if requests > tt.requests || int(knocks) > tt.knocks || int(packets) > tt.packets {
						t.Errorf("seed %d: %d requests, %d knocks and %d packets to a node that is away",
							seed, requests, knocks, packets)
					}
				})
			}
		})
	}
}
