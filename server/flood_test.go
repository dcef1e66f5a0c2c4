package server_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/netcode"
	"github.com/rushgate/rushgate/protocol"
)

// floodPackets is how many packets each flood sends, as fast as the system takes them.
const floodPackets = 20_000

// recorder keeps what a client sends.
type recorder struct {
	net.Conn
	mu   sync.Mutex
	sent [][]byte
}

func (r *recorder) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = append(r.sent, bytes.Clone(b))
	return r.Conn.Write(b)
}

// enter registers and connects a player, whose datagrams are recorded.
func enter(t *testing.T, s string, o opened) (*netcode.Client, *recorder) {
	t.Helper()
	r := &recorder{}
	c, err := netcode.Dial(t.Context(), o.ConnectToken, netcode.ClientOptions{
		Dial: func(_ context.Context, to netip.AddrPort) (conn net.Conn, err error) {
			r.Conn, err = net.Dial("udp", to.String())
			return r, err
		},
	})
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return c, r
}

// snapshots reads until so many snapshots have come, and returns the tick of the last.
func snapshots(t *testing.T, c *netcode.Client, n int) (tick uint32) {
	t.Helper()
	var decoder protocol.Decoder
	var s protocol.Snapshot
	buf := make([]byte, netcode.MaxPayload)
	for range n {
		size, err := c.Read(buf)
		if err != nil {
			t.Fatalf("an honest player lost the connection: %v", err)
		}
		if err := decoder.Decode(buf[:size], &s); err != nil {
			t.Fatalf("an honest player got what makes no sense: %v", err)
		}
		if s.Tick <= tick {
			t.Fatalf("tick %d after %d", s.Tick, tick)
		}
		tick = s.Tick
	}
	return tick
}

// TestFloods sends the port garbage, recorded packets and one player's endless intents. Honest players play on, and
// newcomers get in.
func TestFloods(t *testing.T) {
	node := start(t, config(t, t.TempDir()))
	honest, _ := enter(t, "honest", register(t, node, "honest"))
	defer honest.Close()
	to := node.UDPAddr().String()
	var floods sync.WaitGroup
	floods.Go(func() { garbage(t, to) })
	flooder, recorded := enter(t, "flooder", register(t, node, "flooder"))
	defer flooder.Close()
	floods.Go(func() {
		for i := range floodPackets {
			in := protocol.Intent{Seq: uint32(i + 1), Intent: rushgate.Intent{MoveX: 1}}
			if flooder.Write(protocol.AppendIntent(nil, in)) != nil {
				return
			}
		}
		recorded.mu.Lock()
		defer recorded.mu.Unlock()
		for _, b := range recorded.sent {
			recorded.Conn.Write(b)
		}
	})
	during := snapshots(t, honest, 20)
	body := `{"username":"newcomer","password":"correct horse"}`
	if status, _ := post(t, node, "/v1/register", "", body); status != http.StatusCreated {
		t.Errorf("a newcomer during the floods was answered %d", status)
	}
	floods.Wait()
	if after := snapshots(t, honest, 20); after <= during {
		t.Errorf("the world stood still at tick %d", during)
	}
	newcomer, _ := enter(t, "newcomer", register(t, node, "late"))
	defer newcomer.Close()
	snapshots(t, newcomer, 5)
}

// garbage sends datagrams of all kinds that mean nothing.
func garbage(t *testing.T, to string) {
	conn, err := net.Dial("udp", to)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	random := rand.NewChaCha8([32]byte{1})
	b := make([]byte, 2000)
	for i := range floodPackets {
		n := []int{1, 18, 400, 1078, 1225, 2000}[i%6]
		random.Read(b[:n])
		if n == 1078 { // as far as a request can be told from its first bytes
			copy(b, "\x00NETCODE 1.02\x00")
		}
		conn.Write(b[:n]) // a full buffer refuses some
	}
}
