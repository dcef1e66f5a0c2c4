package client

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/memnet"
	"github.com/rushgate/rushgate/netcode"
)

// natted is a client's socket behind a router that forgets about it: what it sends comes from another port from then
// on, and what is sent to the old one is lost.
type natted struct {
	net.Conn
	mu    sync.Mutex
	outer net.Conn // nil: the router has not forgotten
}

func (c *natted) move(to net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outer = to
}

func (c *natted) moved() net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.outer
}

func (c *natted) Write(b []byte) (int, error) {
	if outer := c.moved(); outer != nil {
		return outer.Write(b)
	}
	return c.Conn.Write(b)
}

func (c *natted) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if err != nil || c.moved() == nil {
			return n, err
		}
	}
}

// router is what clients of a test dial through.
type router struct {
	node  *node
	conns []*natted
}

func (r *router) dial(ctx context.Context, server netip.AddrPort) (net.Conn, error) {
	conn, err := r.node.dial(ctx, server)
	if err != nil {
		return nil, err
	}
	c := &natted{Conn: conn}
	r.node.set(func(*node) { r.conns = append(r.conns, c) })
	return c, nil
}

// forget has the router forget all clients.
func (r *router) forget() {
	for _, c := range r.conns {
		outer, err := r.node.dial(context.Background(), nodeAddr)
		if err != nil {
			r.node.t.Fatal(err)
		}
		c.move(outer)
	}
}

// longestGap returns the longest time without a view during some time.
func longestGap(rt *Realtime, during time.Duration) (longest time.Duration) {
	last := time.Now()
	for end := last.Add(during); time.Now().Before(end); {
		select {
		case <-rt.Views():
			longest = max(longest, time.Since(last))
			last = time.Now()
		case <-time.After(time.Until(end)):
			return max(longest, time.Since(last))
		}
	}
	return longest
}

var deadAddr = netip.MustParseAddrPort("10.9.9.9:40000")

// A changed source port, and an address that is dead, cost two seconds without snapshots at most.
func TestLongestTimeWithoutSnapshots(t *testing.T) {
	for name, tt := range map[string]struct {
		addresses []netip.AddrPort
		happens   func(*node, *router)
		chance    float64 // of the client
	}{
		"a new source port":                 {[]netip.AddrPort{nodeAddr}, func(_ *node, r *router) { r.forget() }, 0.5},
		"a new source port, the last to go": {[]netip.AddrPort{nodeAddr}, func(_ *node, r *router) { r.forget() }, 0.999},
		"and a dead first address": {
			[]netip.AddrPort{deadAddr, nodeAddr}, func(_ *node, r *router) { r.forget() }, 0.5,
		},
		"the node has ended the connection": {
			[]netip.AddrPort{deadAddr, nodeAddr}, func(n *node, _ *router) { n.kick() }, 0.5,
		},
		"nothing": {[]netip.AddrPort{deadAddr, nodeAddr}, func(*node, *router) {}, 0.5},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := startNode(t, memnet.Options{Delay: 20 * time.Millisecond}, 1)
				defer n.stop()
				n.set(func(n *node) { n.addresses = tt.addresses })
				r := &router{node: n}
				s := n.login()
				s.client.opts.Rand = func() float64 { return tt.chance }
				begin := time.Now()
				rt, err := s.Connect(t.Context(), RealtimeOptions{Dial: r.dial})
				if err != nil {
					t.Fatal(err)
				}
				defer rt.Close()
				if took := time.Since(begin); took > time.Second/2 {
					t.Errorf("it took %v to connect", took)
				}
				rt.SendIntent(rushgate.Intent{Action: 3})
				longestGap(rt, 10*time.Second)
				n.intents()
				tt.happens(n, r)
				if gap := longestGap(rt, 20*time.Second); gap > 2*time.Second {
					t.Errorf("%v without a snapshot", gap)
				}
				got := n.intents()
				for i := range got[1:] {
					if got[i+1].Seq <= got[i].Seq || got[i+1].Action != 3 {
						t.Fatalf("intent %+v after %+v", got[i+1].Intent, got[i].Intent)
					}
				}
				n.check(rt.Latest())
			})
		})
	}
}

// A server that stands still for a moment is asked for nothing over HTTP; one that does for long is asked now and then.
func TestServerThatStandsStillIsNotStormed(t *testing.T) {
	for _, tt := range []struct {
		lasts          time.Duration
		most, connects int
	}{
		{1500 * time.Millisecond, 0, 1},
		{35 * time.Second, 4, 2},
	} {
		t.Run(tt.lasts.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := startNode(t, memnet.Options{}, 1)
				defer n.stop()
				rt := n.connect(RealtimeOptions{})
				defer rt.Close()
				<-rt.Views()
				time.Sleep(time.Minute)
				n.set(func(n *node) { n.requests, n.stopped = 0, true })
				n.network.SetOptions(outage)
				time.Sleep(tt.lasts)
				n.network.SetOptions(memnet.Options{})
				n.set(func(n *node) { n.stopped = false })
				gap := longestGap(rt, 10*time.Second)
				n.mu.Lock()
				asked := n.requests
				n.mu.Unlock()
				if asked > tt.most || rt.Err() != nil || rt.Stats().Connects != int64(tt.connects) {
					t.Errorf("%d requests, %v, %+v", asked, rt.Err(), rt.Stats())
				}
				if gap > maxReconnectPause+time.Second {
					t.Errorf("%v without snapshots afterwards", gap)
				}
				if v := rt.Latest(); time.Since(v.ReceivedAt) > 100*time.Millisecond {
					t.Errorf("the last snapshot came %v ago", time.Since(v.ReceivedAt))
				}
			})
		})
	}
}

// However often the network comes and goes, a client asks for connections no more often than it is granted them.
func TestDoubtsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memnet.Options{}, 1)
		defer n.stop()
		rt := n.connect(RealtimeOptions{})
		defer rt.Close()
		var renewals []time.Time
		before := 0
		for range 60 {
			n.network.SetOptions(outage)
			time.Sleep(1800 * time.Millisecond)
			n.network.SetOptions(memnet.Options{})
			time.Sleep(time.Second)
			n.mu.Lock()
			for ; before < n.renewals; before++ {
				renewals = append(renewals, time.Now())
			}
			n.mu.Unlock()
		}
		for i := 6; i < len(renewals); i++ {
			if within := renewals[i].Sub(renewals[i-6]); within < 30*time.Second {
				t.Errorf("7 connections asked for within %v", within)
			}
		}
		if len(renewals) == 0 || rt.Err() != nil {
			t.Errorf("%d renewals, %v", len(renewals), rt.Err())
		}
		if v := rt.Latest(); time.Since(v.ReceivedAt) > time.Second {
			t.Errorf("the last snapshot came %v ago", time.Since(v.ReceivedAt))
		}
	})
}

// twoRoads is a node that is reached by UDP and by WebSocket.
type twoRoads struct {
	*channelNode
	datagrams *node
}

func startTwoRoads(t *testing.T, opts memnet.Options) *twoRoads {
	n := &twoRoads{startChannelNode(t), startNode(t, opts, 1)}
	n.udp = n.datagrams // for its tokens
	return n
}

func (n *twoRoads) connect(opts RealtimeOptions) (*Realtime, error) {
	opts.Dial = n.datagrams.dial
	return n.enter().Connect(n.t.Context(), opts)
}

// roadsTaken returns over what the connections were made since the last call.
func roadsTaken(rt *Realtime) (roads string) {
	for len(rt.Events()) > 0 {
		if e := <-rt.Events(); e.Kind == EventConnected && e.WebSocket {
			roads += "w"
		} else if e.Kind == EventConnected {
			roads += "u"
		}
	}
	return roads
}

func TestFallsBackWhereThereIsNoUDP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startTwoRoads(t, outage)
		defer n.datagrams.stop()
		ends := n.endings()
		timedOut := netcode.StateError{State: netcode.StateRequestTimedOut}
		if _, err := n.connect(RealtimeOptions{UDPOnly: true}); !errors.Is(err, timedOut) {
			t.Errorf("by UDP only: %v", err)
		}
		begin := time.Now()
		rt, err := n.connect(RealtimeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer rt.Close()
		if took := time.Since(begin); took < udpPatience || took > udpPatience+200*time.Millisecond {
			t.Errorf("it took %v to connect", took)
		}
		gap := longestGap(rt, time.Minute)
		if roads := roadsTaken(rt); gap > time.Second || roads != "w" {
			t.Errorf("%v without a snapshot, roads %q", gap, roads)
		}
		// A proxy on the way starts anew: there is no UDP yet, so nothing waits for it but the probe.
		for _, code := range []websocket.StatusCode{1001, 1012, 0} {
			ends <- closing(code, "")
			if gap := longestGap(rt, 10*time.Second); gap > 1500*time.Millisecond {
				t.Errorf("after code %d %v without a snapshot", code, gap)
			}
			if roads := roadsTaken(rt); roads != "w" {
				t.Errorf("after code %d: roads %q", code, roads)
			}
		}
		n.datagrams.network.SetOptions(memnet.Options{})
		ends <- closing(1001, "")
		if gap := longestGap(rt, 10*time.Second); gap > 1500*time.Millisecond {
			t.Errorf("back to UDP: %v without a snapshot", gap)
		}
		if roads := roadsTaken(rt); roads != "u" {
			t.Errorf("once there is UDP: roads %q", roads)
		}
	})
}

// UDP that is cut off while the game goes on is left for a WebSocket, and the WebSocket for UDP, when that is silent.
func TestFallsBackWhilePlaying(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startTwoRoads(t, memnet.Options{})
		defer n.datagrams.stop()
		rt, err := n.connect(RealtimeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer rt.Close()
		longestGap(rt, time.Minute)
		n.datagrams.network.SetOptions(outage)
		if gap := longestGap(rt, time.Minute); gap > 4*time.Second {
			t.Errorf("to a WebSocket: %v without a snapshot", gap)
		}
		if roads := roadsTaken(rt); roads != "uw" {
			t.Errorf("roads %q", roads)
		}
		n.datagrams.network.SetOptions(memnet.Options{})
		n.silence.Store(true)
		n.mute.Store(true)
		if gap := longestGap(rt, time.Minute); gap > 2500*time.Millisecond {
			t.Errorf("to UDP: %v without a snapshot", gap)
		}
		if roads := roadsTaken(rt); roads != "u" || rt.Err() != nil {
			t.Errorf("roads %q, %v", roads, rt.Err())
		}
	})
}

// Slow is not dead: a network that lets a challenge through in time is given the time to finish, and one where there
// are no WebSockets is given all the time.
func TestSlowUDPIsNotGivenUp(t *testing.T) {
	for name, tt := range map[string]struct {
		delay    time.Duration // each way
		noSocket bool
		roads    string
	}{
		"slow":                         {600 * time.Millisecond, false, "u"},
		"very slow":                    {900 * time.Millisecond, false, "w"},
		"very slow, and no WebSockets": {900 * time.Millisecond, true, "u"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := startTwoRoads(t, memnet.Options{Delay: tt.delay})
				defer n.datagrams.stop()
				if tt.noSocket {
					n.handshake = http.NotFound
				}
				rt, err := n.connect(RealtimeOptions{})
				if err != nil {
					t.Fatal(err)
				}
				defer rt.Close()
				time.Sleep(time.Minute)
				if roads := roadsTaken(rt); roads != tt.roads {
					t.Errorf("roads %q, want %q", roads, tt.roads)
				}
			})
		})
	}
}

// The node says of a WebSocket that it was replaced: by the client's own new connection, which is no end.
func TestOwnReplacementIsNoEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startChannelNode(t)
		ends := n.endings()
		play := n.serve
		n.serve = func(ws *websocket.Conn, nth int) {
			if nth == 1 {
				ends <- closing(4409, "replaced by a newer connection") // the first, before the second has said anything
			}
			play(ws, nth)
		}
		rt := n.connect()
		defer rt.Close()
		time.Sleep(time.Minute)
		n.silence.Store(true)
		n.mute.Store(true)
		if gap := longestGap(rt, 10*time.Second); gap > 3*time.Second {
			t.Errorf("%v without a snapshot", gap)
		}
		if rt.Err() != nil || rt.Stats().Connects != 2 {
			t.Errorf("%v, %+v", rt.Err(), rt.Stats())
		}
		ends <- closing(4409, "replaced") // of another program, this time
		time.Sleep(2 * ownReplacement)
	})
}

// grant is what a login and POST /v1/connect of a node with both roads answer besides.
func (n *channelNode) grant() map[string]any {
	body := map[string]any{"expires_at": time.Now().Add(sessionLife)}
	if n.udp != nil {
		if b, err := base64.StdEncoding.DecodeString(n.udp.token()); err == nil {
			body["connect_token"] = b
		}
	}
	return body
}

func (n *channelNode) renew(w http.ResponseWriter, _ *http.Request) {
	if n.udp == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_ = json.NewEncoder(w).Encode(n.grant())
}
