package netcode

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/memnet"
)

// While the Handler blocks nothing is read, so no client can be heard: that must not be held against the clients.
func TestBlockedHandlerTimesNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = readBatch + 36 // so that some are heard only after the first pass that follows the block
		f := serve(t, memnet.Options{}, many, nil)
		defer f.server.Stop()
		release := make(chan struct{})
		f.events.onReceived = func(_ *Peer, p []byte) {
			if string(p) == "block" {
				<-release
			}
		}
		stop := make(chan struct{})
		clients := make([]*wireClient, many)
		for n := range clients {
			clients[n] = f.connected(n)
		}
		clients[0].payload("block")
		for _, c := range clients {
			go c.stay(stop)
		}
		time.Sleep(20 * time.Second)
		close(release)
		time.Sleep(10 * time.Second)
		if got := f.events.connected(); got != many {
			t.Errorf("%d of %d clients are left", got, many)
		}
		close(stop)
		eventually(t, "everyone times out who has really gone", func() bool { return f.events.connected() == 0 })
	})
}

// So it is with a Handler that is slow again and again, each time for less than a moment: what it makes the socket drop
// is not held against those who sent it.
func TestSlowHandlerTimesNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many, each = 200, 190 * time.Millisecond
		f := serve(t, memnet.Options{Queue: 8 * many}, many, nil)
		defer f.server.Stop()
		clients := make([]*wireClient, many)
		for n := range clients {
			s := spec(uint64(n))
			s.Timeout = 2 * time.Second
			clients[n] = f.dial(clientAddr(n), f.token(s))
			if !clients[n].connect(time.Second) {
				t.Fatalf("client %d could not connect", n)
			}
			for _, c := range clients[:n+1] {
				c.keepAlive()
			}
			time.Sleep(5 * time.Millisecond)
		}
		slow := atomic.Bool{}
		slow.Store(true)
		f.events.onReceived = func(*Peer, []byte) {
			if slow.Load() {
				time.Sleep(each)
			}
		}
		send := func(rounds int) {
			for range rounds {
				for n, c := range clients {
					if n%50 == 0 {
						c.payload("x")
					} else {
						c.keepAlive()
					}
				}
				time.Sleep(sendInterval)
			}
		}
		send(300) // takes 30 s, and would take the Handler 228
		slow.Store(false)
		send(30)
		if got := f.server.Stats(); got.Timeouts != 0 || got.Clients != many {
			t.Errorf("%d of %d clients are left, %d timed out", got.Clients, many, got.Timeouts)
		}
	})
}

// The time of calls is left out, not the time between them: a client that falls silent while others keep a Handler busy
// for half of the time goes after about twice the timeout.
func TestBusyHandlerKeepsNobodyForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, memnet.Options{}, 2, nil)
		defer f.server.Stop()
		f.events.onReceived = func(*Peer, []byte) { time.Sleep(sendInterval / 2) }
		f.connected(1)
		busy := f.connected(2)
		for range 150 { // 15 s
			busy.payload("x")
			time.Sleep(sendInterval)
		}
		if !f.events.ended(1, ErrTimedOut) || f.events.peer(2) == nil {
			t.Errorf("ends %v, want only the silent client timed out", f.events.ends)
		}
	})
}

// After a long block the server goes on with the passes that come, instead of sending everybody the keep-alives of all
// those it missed.
func TestMissedPassesAreNotMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, memnet.Options{}, 1, nil)
		defer f.server.Stop()
		release := make(chan struct{})
		f.events.onReceived = func(*Peer, []byte) { <-release }
		c := f.connected(1)
		c.payload("block")
		c.drain(20 * time.Second)
		close(release)
		if n := c.drain(time.Second)[packetKeepAlive]; n < 9 || n > 12 {
			t.Errorf("%d keep-alives in the second after the block, want 10", n)
		}
	})
}

// floodedConn is a Conn that, once on is set, always has more garbage to read than a read can take.
type floodedConn struct {
	Conn
	on atomic.Bool
}

func (c *floodedConn) ReadBatch(ms []Message, deadline time.Time) (int, error) {
	if !c.on.Load() {
		return c.Conn.ReadBatch(ms, deadline)
	}
	time.Sleep(time.Millisecond)
	n, _ := c.Conn.ReadBatch(ms[:len(ms)/2], time.Now())
	for i := n; i < len(ms); i++ {
		ms[i].N, ms[i].Addr = 1, clientAddr(60_000)
	}
	return len(ms), nil
}

// A server that never gets to the end of what there is to read still keeps its connections and ends those of silent
// clients.
func TestPassesGoOnUnderAFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		flood := &floodedConn{}
		f := serve(t, memnet.Options{}, 2, func(c *ServerConfig) {
			flood.Conn = c.Conn
			c.Conn = flood
		})
		c := f.connected(1)
		f.connected(2)
		flood.on.Store(true)
		keepAlives := 0
		for range 60 { // 6 s
			c.keepAlive()
			keepAlives += c.drain(sendInterval)[packetKeepAlive]
		}
		if keepAlives < 55 || keepAlives > 65 {
			t.Errorf("%d keep-alives in 6 s, want 10 a second", keepAlives)
		}
		if !f.events.ended(2, ErrTimedOut) || f.events.peer(1) == nil {
			t.Errorf("ends %v, want the silent client timed out", f.events.ends)
		}
		flood.on.Store(false) // the server closes the Conn below only when it reads no more
		f.server.Stop()
	})
}
