package netcode

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/memnet"
)

// join connects a Client to the server of a fixture.
func (f *fixture) join(n int, onState func(State)) (*Client, error) {
	token, err := NewConnectToken(spec(uint64(n)), &testKey, f.tokens)
	if err != nil {
		f.t.Fatal(err)
	}
	return Dial(f.t.Context(), token, ClientOptions{
		Dial: func(_ context.Context, server netip.AddrPort) (net.Conn, error) {
			return f.network.Dial(clientAddr(n), server)
		},
		OnState: onState,
	})
}

func TestClientsAndServerOverABadNetwork(t *testing.T) {
	networks := map[string]memnet.Options{
		"perfect":    {},
		"slow":       {Delay: 150 * time.Millisecond},
		"lossy":      {Loss: 0.2, Seed: 1},
		"duplicates": {Duplicate: 0.5, Seed: 2},
		"reorders":   {Reorder: 0.5, Delay: 10 * time.Millisecond, Seed: 3},
		"damages":    {Corrupt: 0.2, Seed: 4},
		"everything": {Loss: 0.1, Duplicate: 0.1, Reorder: 0.1, Corrupt: 0.1, Delay: 20 * time.Millisecond, Seed: 5},
	}
	for name, opts := range networks {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { talk(t, opts) }) })
	}
}

// talk has clients and a server send each other numbered payloads and checks what arrives.
func talk(t *testing.T, opts memnet.Options) {
	const clients, payloads = 4, 200
	f := serve(t, opts, clients, nil)
	var wg sync.WaitGroup
	for id := 1; id <= clients; id++ {
		c, err := f.join(id, nil)
		if err != nil {
			t.Error(err)
			continue
		}
		r, peer := readAll(c), f.awaitPeer(uint64(id))
		wg.Go(func() {
			f.exchange(c, peer, payloads)
			time.Sleep(time.Second) // all that is still under way
			c.Close()
			r.wait()
			checkArrivals(t, opts, fmt.Sprintf("client %d", id), "down", payloads, r.payloads)
			var up []string
			for i := range payloads {
				text := fmt.Sprintf("up %d", i)
				up = append(up, slices.Repeat([]string{text}, f.events.got(uint64(id), text))...)
			}
			checkArrivals(t, opts, fmt.Sprintf("server from %d", id), "up", payloads, up)
		})
	}
	wg.Wait()
	f.server.Stop()
}

// exchange sends numbered payloads both ways, one every 20 ms.
func (f *fixture) exchange(c *Client, peer *Peer, payloads int) {
	batch := f.server.NewBatch()
	for i := range payloads {
		if err := errors.Join(c.Write(fmt.Appendf(nil, "up %d", i)),
			batch.Add(peer, fmt.Appendf(nil, "down %d", i)), batch.Flush()); err != nil {
			f.t.Error(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// awaitPeer waits until the server has told its Handler of a client.
func (f *fixture) awaitPeer(id uint64) *Peer {
	eventually(f.t, "the client has a peer", func() bool { return f.events.peer(id) != nil })
	return f.events.peer(id)
}

// checkArrivals checks that payloads arrived whole, at most once, and not fewer than the network explains.
func checkArrivals(t *testing.T, opts memnet.Options, who, direction string, sent int, got []string) {
	t.Helper()
	seen := map[string]bool{}
	for _, text := range got {
		var i int
		if _, err := fmt.Sscanf(text, direction+" %d", &i); err != nil || i < 0 || i >= sent || seen[text] {
			t.Errorf("%s: got %q, twice or not as it was sent", who, text)
		}
		seen[text] = true
	}
	fewest := sent
	if opts.Loss+opts.Corrupt > 0 {
		fewest = sent * 7 / 10
	}
	if len(seen) < fewest {
		t.Errorf("%s: %d of %d payloads arrived, want %d", who, len(seen), sent, fewest)
	}
}

func TestIdleConnectionLastsUntilTheNetworkFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, memnet.Options{}, 1, nil)
		c, err := f.join(1, nil)
		if err != nil {
			t.Fatal(err)
		}
		r := readAll(c)
		time.Sleep(time.Hour)
		f.network.SetOptions(memnet.Options{Loss: 1})
		if err := r.wait(); !errors.Is(err, StateError{StateTimedOut}) {
			t.Errorf("Read failed with %v", err)
		}
		eventually(t, "the server times the client out", func() bool { return f.events.ended(1, ErrTimedOut) })
		f.server.Stop()
	})
}

func TestBothSidesLearnWhoEndedTheConnection(t *testing.T) {
	tests := []struct {
		name   string
		end    func(*fixture, *Client)
		client error
		server error
	}{
		{"client", func(_ *fixture, c *Client) { c.Close() }, net.ErrClosed, ErrLeft},
		{"server", func(f *fixture, _ *Client) { f.events.peer(1).Disconnect() }, StateError{StateDisconnected}, ErrKicked},
		{"stop", func(f *fixture, _ *Client) { f.server.Stop() }, StateError{StateDisconnected}, ErrServerClosed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := serve(t, memnet.Options{Loss: 0.5, Delay: time.Millisecond, Seed: 9}, 1, nil)
				c, err := f.join(1, nil)
				if err != nil {
					t.Fatal(err)
				}
				f.awaitPeer(1)
				r := readAll(c)
				tt.end(f, c)
				if err := r.wait(); !errors.Is(err, tt.client) {
					t.Errorf("the client read %v, want %v", err, tt.client)
				}
				eventually(t, "the server is told why", func() bool { return f.events.ended(1, tt.server) })
				f.server.Stop()
			})
		})
	}
}

func TestFullServerDeniesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, memnet.Options{}, 1, nil)
		c, err := f.join(1, nil)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, err := f.join(2, nil); !errors.Is(err, StateError{StateDenied}) || time.Since(start) > time.Second {
			t.Errorf("Dial of a full server: %v after %v", err, time.Since(start))
		}
		c.Close()
		f.server.Stop()
	})
}

func TestClientAndServerOverUDP(t *testing.T) {
	conn, err := ListenUDP("127.0.0.1:0", UDPOptions{})
	if err != nil {
		t.Fatal(err)
	}
	events := newRecorder()
	server, err := NewServer(ServerConfig{
		Conn: conn, ProtocolID: testProtocol, Keys: []Key{testKey},
		Addresses: []netip.AddrPort{conn.LocalAddr()}, MaxClients: 4,
	})
	if err != nil {
		t.Fatal(err)
	}
	// The server returns what it receives.
	batch := server.NewBatch()
	events.onReceived = func(p *Peer, payload []byte) {
		if err := errors.Join(batch.Add(p, payload), batch.Flush()); err != nil {
			t.Error(err)
		}
	}
	server.Start(events)
	defer server.Stop()

	c, err := Dial(t.Context(), tokenFor(t, func(s *TokenSpec) {
		s.Addresses, s.Timeout, s.ExpiresAt = []netip.AddrPort{conn.LocalAddr()}, -1, s.CreatedAt.Add(time.Hour)
	}), ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, MaxPayload)
	for i := range 50 {
		text := fmt.Sprintf("payload %d", i)
		if err := c.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(buf); err != nil || string(buf[:n]) != text {
			t.Fatalf("Read = %q, %v, want %q", buf[:n], err, text)
		}
	}
	c.Close()
	if c.MaxClients() != 4 || c.Index() < 0 || c.Index() > 3 {
		t.Errorf("slot %d of %d", c.Index(), c.MaxClients())
	}
}
