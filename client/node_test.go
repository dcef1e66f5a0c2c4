package client

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/memnet"
	"github.com/rushgate/rushgate/internal/reliable"
	"github.com/rushgate/rushgate/internal/udpknock"
	"github.com/rushgate/rushgate/netcode"
	"github.com/rushgate/rushgate/protocol"
)

const (
	nodePlayer  = 12
	nodeStep    = 3 // ticks between two snapshots: 20 Hz
	nodeToken   = 30 * time.Second
	nodeTimeout = 10 * time.Second
)

var nodeAddr = netip.MustParseAddrPort("10.0.0.1:40000")

// node is a server in memory, to be used in a synctest bubble: HTTP by its method RoundTrip, the realtime channel over
// a network in memory. Its world is a function of the tick, see entityAt.
type node struct {
	t       *testing.T
	network *memnet.Network
	server  *netcode.Server
	key     netcode.Key
	ticking sync.WaitGroup
	quit    chan struct{}
	probes  atomic.Int64

	mu       sync.Mutex
	noAnswer bool // to HTTP
	hang     int  // so many requests, the next ones, are not answered, and leave the kept connections dead
	dead     bool // no request is answered until the kept connections are closed
	hung     int  // requests that were not answered
	mortal   bool // the session ends after sessionLife of silence
	heard    time.Time
	refuse   *rushgate.Refusal // of each client that asks for a connect token
	over     bool              // the session has ended
	// overToken is that of a session that has ended; who comes back then is given another one, unless elsewhere.
	overToken string
	elsewhere bool
	rewind    bool // the world is to begin again
	stopped   bool // the process stands still: requests wait
	requests  int
	renewals  int
	ports     uint16
	// addresses are those of connect tokens; none: the node's.
	addresses []netip.AddrPort
	links     map[*netcode.Peer]*nodeLink
	got       []gotIntent
	sent      []sentSnapshot
	// end is the node's end of its talk with the player, with whose last connection it goes on; nil: the world does not
	// talk. What it hears it says.
	end     *reliable.End
	deaf    bool // it takes no notice of messages
	talking *netcode.Peer
	echoed  []string
}

type nodeLink struct {
	ack, applied uint32
	sent         map[uint32][]*protocol.State
}

type gotIntent struct {
	at time.Time
	protocol.Intent
}

type sentSnapshot struct {
	tick, base uint32
	size       int
}

// startNode starts a node for so many players. stop must be called within the bubble.
func startNode(t *testing.T, opts memnet.Options, slots int) *node {
	t.Helper()
	n := &node{
		t: t, network: memnet.New(opts), key: netcode.Key{7}, quit: make(chan struct{}),
		links: map[*netcode.Peer]*nodeLink{},
	}
	conn, err := memnet.Listen[netcode.Message](n.network, nodeAddr)
	if err != nil {
		t.Fatal(err)
	}
	n.server, err = netcode.NewServer(netcode.ServerConfig{
		Conn: conn, ProtocolID: protocol.ID, Keys: []netcode.Key{n.key}, Addresses: []netip.AddrPort{nodeAddr},
		MaxClients: slots, Replace: func(*netcode.Peer, *[netcode.UserDataSize]byte) bool { return true },
		Other: func(dst []byte, _ netip.AddrPort, datagram []byte) []byte {
			if k, ok := udpknock.ParseKnock(datagram); ok {
				n.probes.Add(1)
				return udpknock.AppendCookie(dst, k.Nonce, udpknock.Cookie{1})
			}
			return dst
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	n.server.Start(n)
	n.ticking.Go(n.tick)
	return n
}

func (n *node) stop() {
	close(n.quit)
	n.ticking.Wait()
	n.server.Stop()
}

// tick sends snapshots.
func (n *node) tick() {
	ticker := time.NewTicker(nodeStep * rushgate.TickInterval)
	defer ticker.Stop()
	batch := n.server.NewBatch()
	var encoder protocol.Encoder
	for tick := uint32(nodeStep); ; tick += nodeStep {
		select {
		case <-ticker.C:
		case <-n.quit:
			return
		}
		n.mu.Lock()
		if n.rewind {
			tick, n.rewind = nodeStep, false
		}
		for p, l := range n.links {
			n.sent = append(n.sent, l.send(batch, &encoder, p, tick))
		}
		n.speak(batch)
		n.mu.Unlock()
		if err := batch.Flush(); err != nil {
			n.t.Error(err)
		}
	}
}

func (l *nodeLink) send(batch *netcode.Batch, encoder *protocol.Encoder, p *netcode.Peer, tick uint32) sentSnapshot {
	own := protocol.Own{Zone: 1, X: protocol.Fixed(selfAt(tick)), HP: 90, MaxHP: 100}
	h := protocol.Header{Tick: tick, Intent: l.applied, Own: own}
	baseline := l.sent[l.ack]
	if baseline != nil && tick-l.ack <= protocol.MaxBase {
		h.Base = l.ack
	}
	encoder.Begin(h, baseline)
	var states []*protocol.State
	for i := range 20 {
		e := entityAt(i, tick)
		s := protocol.Quantise(&e)
		if encoder.Add(&s) {
			states = append(states, &s)
		}
	}
	l.sent[tick] = states
	_ = batch.Add(p, encoder.Bytes()) // a peer that has gone
	return sentSnapshot{tick, h.Base, len(encoder.Bytes())}
}

// selfAt is the player's x coordinate at a tick.
func selfAt(tick uint32) float64 { return float64(tick) / protocol.Scale }

// entityAt is entity i at a tick: half of them move, and all have hit points of their own.
func entityAt(i int, tick uint32) rushgate.Entity {
	e := rushgate.Entity{
		ID: uint64(100 + i), Name: fmt.Sprintf("entity number %d", i), Zone: 1, Kind: 2, Level: 3,
		X: float64(i), Y: 5, HP: int32(i), MaxHP: 50,
	}
	if i%2 == 0 {
		e.Y = math.Mod(float64(tick)/8, 1000)
	}
	return e
}

// check compares a view with the world at its tick.
func (n *node) check(v *View) {
	n.t.Helper()
	if v.Self.X != selfAt(v.Tick) || v.Self.ID != nodePlayer || v.Self.HP != 90 || v.Self.MaxHP != 100 ||
		v.Self.Zone != 1 {
		n.t.Errorf("tick %d: self %+v", v.Tick, v.Self)
	}
	if len(v.Entities) != 20 {
		n.t.Errorf("tick %d: %d entities", v.Tick, len(v.Entities))
	}
	for i, e := range v.Entities {
		if e != entityAt(i, v.Tick) {
			n.t.Errorf("tick %d: entity %+v, want %+v", v.Tick, e, entityAt(i, v.Tick))
			return
		}
	}
}

func (n *node) Connected(p *netcode.Peer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.links[p] = &nodeLink{sent: map[uint32][]*protocol.State{}}
	if n.end != nil {
		n.talking = p
		n.end.Connect(false)
	}
}

// speak sends what the world has to say. n.mu is held.
func (n *node) speak(batch *netcode.Batch) {
	if n.end == nil || n.links[n.talking] == nil {
		return
	}
	for packet, ok := n.end.Next(nil, time.Now()); ok; packet, ok = n.end.Next(nil, time.Now()) {
		_ = batch.Add(n.talking, packet) // a peer that has gone
	}
}

// hear takes what a player says. n.mu is held.
func (n *node) hear(p *netcode.Peer, payload []byte) {
	hear := func(data []byte, again func([]byte) error) {
		n.echoed = append(n.echoed, string(data))
		if err := again(slices.Clone(data)); err != nil {
			n.t.Error(err)
		}
	}
	if m, err := protocol.ParseUnreliable(payload); err == nil {
		for data, ok := m.Next(); ok; data, ok = m.Next() {
			hear(data, func(data []byte) error {
				packet, _ := protocol.AppendMessage(protocol.AppendUnreliable(nil), data)
				batch := n.server.NewBatch()
				_ = batch.Add(p, packet) // a peer that has gone
				return batch.Flush()
			})
		}
		return
	}
	r, err := protocol.ParseReliable(payload)
	if n.deaf {
		return
	}
	if err != nil {
		n.t.Error(err)
	} else if p == n.talking {
		n.end.Hear(&r, time.Now(), func(reliable.News) {}, func(data []byte) bool { hear(data, n.end.Say); return true })
	}
}

// forget has the world talk, and know nothing of what was said before.
func (n *node) forget() { n.set(func(n *node) { n.end = reliable.New() }) }

// words returns what the world has heard.
func (n *node) words() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.echoed)
}

func (n *node) Received(p *netcode.Peer, payload []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if protocol.KindOf(payload) != protocol.KindIntent {
		n.hear(p, payload)
		return
	}
	in, err := protocol.ParseIntent(payload)
	if err != nil {
		n.t.Error(err)
		return
	}
	n.heard = time.Now()
	n.got = append(n.got, gotIntent{time.Now(), in})
	if l := n.links[p]; l.applied == 0 || protocol.Newer(in.Seq, l.applied) {
		l.ack, l.applied = in.Ack, in.Seq
	}
}

func (n *node) Disconnected(p *netcode.Peer, _ error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.links, p)
}

// kick ends all connections.
func (n *node) kick() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for p := range n.links {
		p.Disconnect()
	}
}

// intents returns what has come since the last call.
func (n *node) intents() []gotIntent {
	n.mu.Lock()
	defer n.mu.Unlock()
	got := n.got
	n.got = nil
	return got
}

// snapshots returns what was sent since the last call.
func (n *node) snapshots() []sentSnapshot {
	n.mu.Lock()
	defer n.mu.Unlock()
	sent := n.sent
	n.sent = nil
	return sent
}

func (n *node) set(change func(*node)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change(n)
}

func (n *node) token() string {
	addresses := n.addresses
	if addresses == nil {
		addresses = []netip.AddrPort{nodeAddr}
	}
	b, err := netcode.NewConnectToken(netcode.TokenSpec{
		ProtocolID: protocol.ID, ClientID: nodePlayer, CreatedAt: time.Now(), ExpiresAt: time.Now().Add(nodeToken),
		Timeout: nodeTimeout, Addresses: addresses,
	}, &n.key, nil)
	if err != nil {
		n.t.Error(err)
	}
	return base64.StdEncoding.EncodeToString(b)
}

// CloseIdleConnections has the next request make a connection of its own.
func (n *node) CloseIdleConnections() { n.set(func(n *node) { n.dead = false }) }

// hangs reports whether the next request is not to be answered.
func (n *node) hangs() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.requests++
	hangs := n.dead || n.hang > 0
	if hangs {
		n.hung++
		n.dead, n.hang = true, max(n.hang-1, 0)
	}
	return hangs
}

func (n *node) standsStill() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.stopped
}

// RoundTrip is the node's HTTP side.
func (n *node) RoundTrip(r *http.Request) (*http.Response, error) {
	if n.hangs() {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	for n.standsStill() {
		select {
		case <-r.Context().Done():
			return nil, r.Context().Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.noAnswer {
		return nil, errors.New("connection refused")
	}
	answer := func(status int, body any) (*http.Response, error) {
		b, err := json.Marshal(body)
		return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(string(b)))}, err
	}
	granted := map[string]any{"expires_at": time.Now().Add(30 * time.Second), "connect_token": n.token()}
	switch r.URL.Path {
	case "/v1/login":
		granted["player_id"], granted["session_token"] = nodePlayer, "token-secret-1"
		return answer(200, granted)
	case "/v1/connect":
		if n.refuse != nil { // any client
			return answer(503, map[string]any{"reason": n.refuse.Reason, "retry_after_ms": n.refuse.RetryAfter.Milliseconds()})
		}
		ended := n.overToken != "" && r.Header.Get("Authorization") == "Bearer "+n.overToken
		if n.over || ended || n.mortal && time.Since(n.heard) >= sessionLife {
			return answer(401, map[string]any{"reason": "bad-credentials"})
		}
		n.heard = time.Now()
		n.renewals++
		return answer(200, granted)
	}
	if r.URL.Path == "/v1/resume" && n.elsewhere {
		return answer(409, map[string]any{"reason": "already-logged-in"})
	}
	if r.URL.Path == "/v1/resume" {
		granted["player_id"], granted["session_token"], granted["resume_token"] = nodePlayer, "token-secret-2", "rgr1.next"
		return answer(200, granted)
	}
	if r.URL.Path == "/v1/logout" {
		return answer(204, nil)
	}
	return answer(404, nil)
}

// login opens a session on the node.
func (n *node) login() *Session {
	n.t.Helper()
	c, err := New("http://node.test", Options{Transport: n, MaxRetries: -1, Rand: func() float64 { return 0.5 }})
	if err != nil {
		n.t.Fatal(err)
	}
	s, err := c.Login(n.t.Context(), "alice", "correct horse")
	if err != nil {
		n.t.Fatal(err)
	}
	return s
}

// dial makes sockets on the node's network, each at an address of its own.
func (n *node) dial(_ context.Context, server netip.AddrPort) (net.Conn, error) {
	n.mu.Lock()
	n.ports++
	from := netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), 50000+n.ports)
	n.mu.Unlock()
	return n.network.Dial(from, server)
}

// connect logs in and connects.
func (n *node) connect(opts RealtimeOptions) *Realtime {
	n.t.Helper()
	opts.Dial = n.dial
	rt, err := n.login().Connect(n.t.Context(), opts)
	if err != nil {
		n.t.Fatal(err)
	}
	return rt
}

// wantEvents compares the kinds of the events that are there.
func wantEvents(t *testing.T, rt *Realtime, want ...EventKind) (last Event) {
	t.Helper()
	var got []EventKind
	for {
		select {
		case e, ok := <-rt.Events():
			if ok {
				got, last = append(got, e.Kind), e
				continue
			}
		default:
		}
		if !slices.Equal(got, want) {
			t.Errorf("events %v, want %v", got, want)
		}
		return last
	}
}
