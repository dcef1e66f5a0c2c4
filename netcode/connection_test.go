package netcode

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/memnet"
)

// badNetwork loses, doubles and reorders a good part of all datagrams.
var badNetwork = memnet.Options{Loss: 0.3, Duplicate: 0.2, Reorder: 0.3, Delay: 30 * time.Millisecond, Seed: 3}

func TestConnectionsOverABadNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clients = 30
		f := serve(t, badNetwork, clients, nil)
		defer f.server.Stop()
		stop := make(chan struct{})
		quit := sync.OnceFunc(func() { close(stop) })
		defer quit()
		var staying sync.WaitGroup
		var connected []*wireClient
		for n := range clients {
			c := f.dial(clientAddr(n), f.token(spec(uint64(n))))
			if !c.connect(10 * time.Second) {
				t.Fatalf("client %d could not connect", n)
			}
			connected = append(connected, c)
			staying.Go(func() { c.stay(stop) })
		}
		time.Sleep(time.Minute)
		if got := f.events.connected(); got != clients {
			t.Errorf("%d of %d clients are left after a minute", got, clients)
		}
		quit()
		staying.Wait()
		for n, c := range connected {
			for i := range 100 {
				c.payload(fmt.Sprint(i))
			}
			for range disconnectPackets {
				c.leave()
			}
			id := uint64(n)
			eventually(t, "the client has left", func() bool { return f.events.ended(id, ErrLeft) })
			for i := range 100 {
				if got := f.events.got(id, fmt.Sprint(i)); got > 1 {
					t.Errorf("client %d: payload %d arrived %d times", n, i, got)
				}
			}
		}
	})
}

func TestKeepAlivesFillTheSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, memnet.Options{}, 4, nil)
		defer f.server.Stop()
		c := f.connected(1)
		if n := c.drain(2 * time.Second)[packetKeepAlive]; n < 19 || n > 21 {
			t.Errorf("%d keep-alives in two silent seconds, want 10 a second", n)
		}
		p, b := f.events.peer(1), f.server.NewBatch()
		c.received = nil
		for range 40 {
			c.keepAlive()
			if err := errors.Join(b.Add(p, []byte("snapshot")), b.Flush()); err != nil {
				t.Fatal(err)
			}
			c.drain(50 * time.Millisecond)
		}
		for _, p := range c.received {
			if p.t == packetKeepAlive {
				t.Fatal("a keep-alive although payloads were sent")
			}
		}
		if len(c.received) != 40 {
			t.Errorf("%d of 40 payloads arrived", len(c.received))
		}
	})
}

// Until something has come from the client, a keep-alive tells it before each payload that it is connected.
func TestKeepAliveBeforePayloadsUntilConfirmed(t *testing.T) {
	for name, confirm := range map[string]func(*wireClient){
		"by a keep-alive": (*wireClient).keepAlive,
		"by a payload":    func(c *wireClient) { c.payload("x") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := serve(t, memnet.Options{}, 4, nil)
				defer f.server.Stop()
				c := f.dial(clientAddr(1), f.token(spec(1)))
				if !c.connect(time.Second) {
					t.Fatal("no connection")
				}
				c.respond() // a repeated response confirms nothing
				c.drain(5 * time.Millisecond)
				p, b := f.events.peer(1), f.server.NewBatch()
				send := func(want string) {
					t.Helper()
					c.received = nil
					_ = b.Add(p, []byte("a"))
					_ = b.Add(p, []byte("b"))
					_ = b.Flush()
					c.drain(5 * time.Millisecond)
					var got bytes.Buffer
					for _, p := range c.received {
						fmt.Fprint(&got, p.t)
					}
					if got.String() != want {
						t.Errorf("packet types %s, want %s", got.String(), want)
					}
				}
				send("4545")
				confirm(c)
				c.drain(5 * time.Millisecond)
				send("55")
			})
		})
	}
}

func TestSilentClientsTimeOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, memnet.Options{}, 4, nil)
		defer f.server.Stop()
		silent := f.connected(1)
		forever := spec(2)
		forever.Timeout = -1
		if !f.dial(clientAddr(2), f.token(forever)).connect(time.Second) {
			t.Fatal("no connection")
		}
		recorded := silent.sent[len(silent.sent)-1]
		peer, heard := f.events.peer(1), time.Now()
		for time.Since(heard) < 4900*time.Millisecond {
			silent.write(recorded) // neither a replayed packet nor a response keeps the connection
			silent.respond()
			time.Sleep(50 * time.Millisecond)
		}
		if f.events.connected() != 2 {
			t.Fatal("timed out before the 5 s of its token")
		}
		if got := peer.LastReceived(); got.After(heard.Add(10 * time.Millisecond)) {
			t.Errorf("last received at %v, the last packet that counts came at %v", got, heard)
		}
		time.Sleep(400 * time.Millisecond)
		if !f.events.ended(1, ErrTimedOut) {
			t.Error("not timed out after 5.3 s")
		}
		if silent.drain(time.Second)[packetDisconnect] != 0 {
			t.Error("goodbye to a client that is not there")
		}
		time.Sleep(time.Hour)
		if f.events.peer(2) == nil {
			t.Error("the client without a timeout was dropped")
		}
		if got := f.server.Stats().Timeouts; got != 1 {
			t.Errorf("%d timeouts counted", got)
		}
	})
}

func TestHandshakeMustBeFinishedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, memnet.Options{}, 4, nil)
		defer f.server.Stop()
		c := f.dial(clientAddr(1), f.token(spec(1)))
		c.request()
		if !c.await(packetChallenge, time.Second) {
			t.Fatal("no challenge")
		}
		time.Sleep(5100 * time.Millisecond)
		c.respond()
		if c.await(packetKeepAlive, time.Second) {
			t.Error("accepted a response after the timeout")
		}
		if got := f.server.Stats().Pending; got != 0 {
			t.Errorf("%d handshakes under way", got)
		}
		if !c.connect(time.Second) {
			t.Error("no second attempt")
		}
	})
}

func TestPeerDisconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, memnet.Options{}, 4, nil)
		defer f.server.Stop()
		c := f.connected(1)
		p := f.events.peer(1)
		for range 3 {
			go p.Disconnect()
		}
		if n := c.drain(time.Second)[packetDisconnect]; n != 10 {
			t.Errorf("%d disconnect packets, want 10", n)
		}
		if !f.events.ended(1, ErrKicked) || f.server.Stats().Kicked != 1 {
			t.Error("not disconnected once with ErrKicked")
		}
		p.Disconnect()
		time.Sleep(time.Second)
		if !f.events.ended(1, ErrKicked) {
			t.Error("disconnected again")
		}
	})
}

func TestHandlerMayDisconnectFromWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, memnet.Options{}, 4, nil)
		defer f.server.Stop()
		f.events.onReceived = func(p *Peer, _ []byte) { p.Disconnect() }
		c := f.connected(1)
		c.payload("go away")
		if !c.await(packetDisconnect, time.Second) {
			t.Error("no goodbye")
		}
		eventually(t, "the client is kicked", func() bool { return f.events.ended(1, ErrKicked) })
	})
}

func TestClientLeavesBeforeItIsKicked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, memnet.Options{}, 4, nil)
		defer f.server.Stop()
		f.events.onReceived = func(p *Peer, _ []byte) { p.Disconnect() }
		c := f.connected(1)
		c.payload("go away")
		c.leave()
		if got := c.drain(time.Second); got[packetDisconnect] != 0 {
			t.Error("goodbye to a client that has left")
		}
		if got := f.server.Stats(); !f.events.ended(1, ErrLeft) || got.Kicked != 0 || got.Clients != 0 {
			t.Errorf("ended with %v; %+v", f.events.ends[1], got)
		}
	})
}

// Nothing may be sent for a peer that is gone, least of all to or with the key of its successor in the slot.
func TestBatchRefusesAPeerThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, memnet.Options{}, 1, nil)
		defer f.server.Stop()
		first := f.connected(1)
		old, b := f.events.peer(1), f.server.NewBatch()
		first.leave()
		eventually(t, "the client has left", func() bool { return f.events.ended(1, ErrLeft) })
		second := f.connected(2)
		if got := f.events.peer(2).Index(); got != old.Index() {
			t.Fatalf("slot %d, want %d again", got, old.Index())
		}
		if err := b.Add(old, []byte("x")); !errors.Is(err, ErrDisconnected) {
			t.Errorf("error %v", err)
		}
		if err := b.Flush(); err != nil {
			t.Error(err)
		}
		if n := second.drain(time.Second)[packetPayload]; n != 0 {
			t.Errorf("the successor got %d payloads", n)
		}
	})
}

func TestBatchSizes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, memnet.Options{}, 1, nil)
		c := f.connected(1)
		c.drain(5 * time.Millisecond) // the keep-alive is read: confirmed
		p, b := f.events.peer(1), f.server.NewBatch()
		for _, n := range []int{0, MaxPayload + 1} {
			if err := b.Add(p, make([]byte, n)); !errors.Is(err, ErrPayloadSize) {
				t.Errorf("payload of %d bytes: error %v", n, err)
			}
		}
		for i := range 100 {
			if err := b.Add(p, bytes.Repeat([]byte{byte(i)}, 1+i*MaxPayload/100)); err != nil {
				t.Fatal(err)
			}
		}
		if got := c.drain(5 * time.Millisecond)[packetPayload]; got != 96 {
			t.Errorf("%d payloads sent before Flush, want three full batches", got)
		}
		if err := b.Flush(); err != nil {
			t.Fatal(err)
		}
		if got := c.drain(5 * time.Millisecond)[packetPayload]; got != 4 {
			t.Errorf("%d payloads sent by Flush, want the remaining 4", got)
		}
		for i, p := range c.received[len(c.received)-100:] {
			if len(p.data) != 1+i*MaxPayload/100 || p.data[0] != byte(i) {
				t.Fatalf("payload %d arrived damaged", i)
			}
		}
		f.server.Stop()
		if err := b.Add(p, []byte("x")); !errors.Is(err, ErrDisconnected) {
			t.Errorf("after Stop: error %v", err)
		}
	})
}

func TestManyBatchesToOnePeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, memnet.Options{}, 1, nil)
		defer f.server.Stop()
		c := f.connected(1)
		c.drain(5 * time.Millisecond)
		p := f.events.peer(1)
		for range 4 {
			go func() {
				b := f.server.NewBatch()
				for range 500 {
					_ = b.Add(p, []byte("x"))
				}
				_ = b.Flush()
			}()
		}
		if got := c.drain(50 * time.Millisecond)[packetPayload]; got != 2000 {
			t.Errorf("%d of 2000 payloads", got)
		}
		seen := map[uint64]bool{}
		for _, p := range c.received {
			if seen[p.seq] && p.seq < firstGlobalSequence {
				t.Fatalf("sequence %d twice", p.seq)
			}
			seen[p.seq] = true
		}
	})
}
