package netcode

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/rushgate/rushgate/internal/memnet"
)

// road is what a client of a test has between itself and an address of its token.
type road struct {
	does  string        // what is at its end, see the cases of stub; "good" is a server
	delay time.Duration // of everything, each way
	at    int           // the server of which road it leads to: several addresses may be of one server
}

// roads is a client with a road to each address of its token.
type roads struct {
	t       *testing.T
	network *memnet.Network
	token   []byte
	all     []road
	servers map[netip.AddrPort]*fixture
	stubs   sync.WaitGroup
	conns   []Conn

	mu   sync.Mutex
	sent map[uint64]string // what was sealed, by sequence number
	open int               // sockets
}

func roadAddr(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 9, byte(n)}), 40000)
}

// build makes what is at the ends of some roads.
func build(t *testing.T, opts memnet.Options, all []road) *roads {
	t.Helper()
	r := &roads{
		t: t, network: memnet.New(opts), all: all, servers: map[netip.AddrPort]*fixture{}, sent: map[uint64]string{},
	}
	var addresses []netip.AddrPort
	for n := range all {
		addresses = append(addresses, roadAddr(n))
	}
	r.token = tokenFor(t, func(s *TokenSpec) { s.Addresses = addresses })
	for n, road := range all {
		if road.at != n || road.does == "dead" || road.does == "no socket" {
			continue
		}
		conn, err := memnet.Listen[Message](r.network, roadAddr(n))
		if err != nil {
			t.Fatal(err)
		}
		if road.does != "good" {
			r.conns = append(r.conns, conn)
			r.stubs.Go(func() { stub(scriptOn(t, conn, r.token), road.does) })
			continue
		}
		f := &fixture{t: t, events: newRecorder()}
		f.server, err = NewServer(ServerConfig{
			Conn: conn, ProtocolID: testProtocol, Keys: []Key{testKey}, Addresses: addresses, MaxClients: 4,
		})
		if err != nil {
			t.Fatal(err)
		}
		f.server.Start(f.events)
		r.servers[roadAddr(n)] = f
	}
	return r
}

// stub is a server that does one thing only, until its socket is closed.
func stub(s *script, does string) {
	ms := []Message{{Buf: make([]byte, 2048)}}
	for {
		if _, err := s.conn.ReadBatch(ms, time.Time{}); err != nil {
			return
		}
		s.client = ms[0].Addr
		switch t := packetType(ms[0].Buf[0] & 15); {
		case t == packetRequest && does == "full":
			s.deny()
		case t == packetRequest:
			s.challenge()
		case t == packetResponse && does == "full at the response":
			s.deny()
		}
	}
}

func (r *roads) stop() {
	for _, f := range r.servers {
		f.server.Stop()
	}
	for _, c := range r.conns {
		_ = c.Close()
	}
	r.stubs.Wait()
}

// dial is the ClientOptions.Dial of the client.
func (r *roads) dial(_ context.Context, server netip.AddrPort) (net.Conn, error) {
	n := 0
	for i := range r.all {
		if roadAddr(i) == server {
			n = i
		}
	}
	if r.all[n].does == "no socket" {
		return nil, errors.New("no route")
	}
	from := netip.AddrPortFrom(clientAddr(1).Addr(), uint16(50000+n))
	conn, err := r.network.Dial(from, roadAddr(r.all[n].at))
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open++
	return &walked{Conn: conn, roads: r, delay: r.all[n].delay}, nil
}

// walked is the client's socket of a road.
type walked struct {
	net.Conn
	roads *roads
	delay time.Duration
	once  sync.Once
	done  atomic.Bool
}

func (w *walked) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if w.done.Load() {
		return 0, net.ErrClosed
	}
	return n, err
}

func (w *walked) Write(b []byte) (int, error) {
	if _, seq, _, ok := packetHeader(b); ok {
		w.roads.mu.Lock()
		if before, used := w.roads.sent[seq]; used && before != string(b) {
			w.roads.t.Errorf("two packets with sequence number %d under one key", seq)
		}
		w.roads.sent[seq] = string(b)
		w.roads.mu.Unlock()
	}
	if w.delay == 0 {
		return w.Conn.Write(b)
	}
	b = slices.Clone(b)
	time.AfterFunc(2*w.delay, func() { _, _ = w.Conn.Write(b) }) // what comes back need not wait, too
	return len(b), nil
}

func (w *walked) Close() error {
	w.once.Do(func() {
		w.roads.mu.Lock()
		defer w.roads.mu.Unlock()
		w.roads.open--
	})
	w.done.Store(true)
	if w.delay == 0 {
		return w.Conn.Close()
	}
	_ = w.SetReadDeadline(time.Unix(1, 0))
	time.AfterFunc(3*w.delay, func() { _ = w.Conn.Close() }) // what is under way arrives
	return nil
}

// check checks what has to be so after every Dial: one socket is open for a client that is connected and none
// otherwise, and no server but its own has it.
func (r *roads) check(c *Client) error {
	time.Sleep(5 * time.Second)
	r.mu.Lock()
	open := r.open
	r.mu.Unlock()
	connected, want := 0, 0
	for _, f := range r.servers {
		connected += f.events.connected()
	}
	if c != nil {
		want = 1
	}
	if open != want || connected != want {
		return fmt.Errorf("%d sockets, connected to %d servers, want %d", open, connected, want)
	}
	return nil
}

func TestDialTriesAddressesSideBySide(t *testing.T) {
	const ms = time.Millisecond
	good, dead, full := road{does: "good"}, road{does: "dead"}, road{does: "full"}
	slow := road{does: "good", delay: 300 * ms}
	for name, test := range map[string]struct {
		roads []road
		want  int           // the address of the connection
		after time.Duration // until it stands
	}{
		"one":                             {[]road{good}, 0, 0},
		"dead first":                      {[]road{dead, good}, 1, 250 * ms},
		"dead first two":                  {[]road{dead, dead, good}, 2, 500 * ms},
		"full first":                      {[]road{full, good}, 1, 0},
		"full first two":                  {[]road{full, full, good}, 2, 0},
		"full at the response":            {[]road{{does: "full at the response"}, good}, 1, 0},
		"silent after the challenge":      {[]road{{does: "mute"}, good}, 1, time.Second},
		"no socket":                       {[]road{{does: "no socket"}, good}, 1, 0},
		"dead, then none, then good":      {[]road{dead, {does: "no socket"}, good}, 2, 250 * ms},
		"slow first":                      {[]road{slow, good}, 1, 250 * ms},
		"slow but faster than a dead":     {[]road{slow, dead}, 0, 1200 * ms},
		"full, slowly, after a challenge": {[]road{{does: "full", delay: 200 * ms}, {does: "mute"}, good}, 2, 1250 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for n := range test.roads {
					test.roads[n].at = n
				}
				r := build(t, memnet.Options{}, test.roads)
				defer r.stop()
				a := knockWith(t.Context(), t, r.token, r.dial)
				c := a.connected()
				defer c.Close()
				const reading = 20 * time.Millisecond // a server reads every 2 ms, and a packet waits for the next one
				if a.took < test.after || a.took > test.after+reading {
					t.Errorf("connected after %v, want %v", a.took, test.after)
				}
				if got := c.conn.RemoteAddr().String(); got != roadAddr(test.want).String() {
					t.Errorf("connected to %s, want %v", got, roadAddr(test.want))
				}
				go readAll(c).wait()
				if err := r.check(c); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A challenge that comes while another server is answered waits for its turn, and its server is not answered before.
func TestLaterChallengeWaitsForItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := memnet.New(memnet.Options{})
		token, first, second := threeServers(t, network, func(s *TokenSpec) { s.Addresses = testAddrs[:2] })
		a := knock(t.Context(), t, network, token)
		second.expectAfter(packetRequest, dialStagger)
		second.challenge()
		second.expect(packetResponse)
		first.next(0)
		first.challenge() // the first answers after the second
		synctest.Wait()
		if got := first.collect(500 * time.Millisecond); slices.ContainsFunc(got, func(d datagram) bool {
			return d.t == packetResponse
		}) {
			t.Error("two servers are answered at a time")
		}
		second.deny()
		for p := (datagram{}); p.t != packetResponse; p = first.expect(packetResponse) {
		}
		first.keepAlive()
		a.connected().Close()
		a.passed(StateSendingRequest, StateSendingResponse, StateConnected, StateDisconnected)
	})
}

// expectAfter is expect after a time in which nothing is to come.
func (s *script) expectAfter(want packetType, d time.Duration) {
	s.t.Helper()
	if p, ok := s.next(d - time.Nanosecond); ok {
		s.t.Fatalf("packet of type %d before %v", p.t, d)
	}
	s.expect(want)
}

// A token is bound to the source address that presents it first, so of two roads to one server one is of no use, which
// is not the one that works.
func TestAddressesOfOneServer(t *testing.T) {
	for name, all := range map[string][]road{
		"both work":              {{does: "good"}, {does: "good"}},
		"the first is slow":      {{does: "good", delay: 200 * time.Millisecond}, {does: "good"}},
		"the first is very slow": {{does: "good", delay: 700 * time.Millisecond}, {does: "good"}},
		"the second is slow":     {{does: "good"}, {does: "good", delay: 200 * time.Millisecond}},
		"the first is dead":      {{does: "good", at: 5}, {does: "good"}, {does: "good"}},
	} {
		for network, opts := range map[string]memnet.Options{
			"": {}, ", duplicates": {Duplicate: 0.9, Seed: 1}, ", reorders": {Reorder: 0.5, Seed: 2},
			", loses": {Loss: 0.3, Seed: 3},
		} {
			t.Run(name+network, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					all := slices.Clone(all)
					if all[0].at == 5 { // where there is nothing
						all[0].at, all[1].at, all[2].at = 5, 1, 1
					}
					r := build(t, opts, all)
					defer r.stop()
					c := knockWith(t.Context(), t, r.token, r.dial).connected()
					defer c.Close()
					go readAll(c).wait()
					if err := r.check(c); err != nil {
						t.Error(err)
					}
				})
			})
		}
	}
}

// Whatever is at the ends of up to five roads: the client connects if one of them leads to a server with room, soon,
// and fails otherwise, as at least one of them did. No server is left with a connection that is none, no socket stays
// open, and no number is used twice.
func TestDialModel(t *testing.T) {
	kinds := []string{"dead", "good", "full", "full at the response", "mute", "no socket"}
	rapid.Check(t, func(rt *rapid.T) {
		all := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) road {
			return road{
				does:  rapid.SampledFrom(kinds).Draw(t, "does"),
				delay: time.Duration(rapid.IntRange(0, 4).Draw(t, "delay")) * 70 * time.Millisecond,
			}
		}), 1, 5).Draw(rt, "roads")
		for n := range all {
			all[n].at = n
		}
		opts := memnet.Options{Seed: rapid.Uint64().Draw(rt, "seed")}
		if rapid.Bool().Draw(rt, "bad network") {
			opts.Duplicate, opts.Reorder = 0.3, 0.3
		}
		var fault error
		synctest.Test(t, func(t *testing.T) { fault = walk(t, opts, all) })
		if fault != nil {
			rt.Fatal(fault)
		}
	})
}

func walk(t *testing.T, opts memnet.Options, all []road) error {
	r := build(t, opts, all)
	defer r.stop()
	a := knockWith(t.Context(), t, r.token, r.dial)
	<-a.done
	count := map[string]int{}
	for _, road := range all {
		count[road.does]++
	}
	if a.client != nil {
		defer a.client.Close()
		go readAll(a.client).wait()
	}
	state, _ := errors.AsType[StateError](a.err)
	most := time.Duration(len(all))*(dialStagger+time.Second) + time.Duration(count["mute"])*responsePatience +
		4*memnet.MaxHoldBack
	switch {
	case count["good"] > 0 && (a.err != nil || a.took > most):
		return fmt.Errorf("%w after %v", a.err, a.took)
	case count["good"] > 0:
	case a.err == nil:
		return errors.New("connected to nothing")
	case state.State == StateDenied && count["full"]+count["full at the response"] == 0,
		state.State == StateResponseTimedOut && count["mute"] == 0,
		state.State == StateRequestTimedOut && count["dead"] == 0:
		return fmt.Errorf("%w at none of them", state)
	case state.State == StateRequestTimedOut && count["dead"]+count["no socket"] < len(all):
		return fmt.Errorf("%w, which says less than others", state)
	case len(a.states) > 0 && a.states[len(a.states)-1] != state.State:
		return fmt.Errorf("the last of states %v is not that of the error %w", a.states, state)
	}
	return r.check(a.client)
}

// A process that stood still finds what was said meanwhile, before it believes in the silence.
func TestDialSurvivesAStandstill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := memnet.New(memnet.Options{})
		token := tokenFor(t, nil)
		s := newScript(t, network, testServer, token)
		done := make(chan *Client)
		go func() {
			c, err := Dial(t.Context(), token, ClientOptions{Dial: dialOn(network), OnState: func(st State) {
				if st == StateSendingResponse {
					time.Sleep(10 * time.Second)
				}
			}})
			if err != nil {
				t.Error(err)
			}
			done <- c
		}()
		s.expect(packetRequest)
		s.challenge()
		if _, ok := s.next(time.Minute); !ok {
			t.Fatal("no response")
		}
		s.keepAlive()
		if c := <-done; c != nil {
			c.Close()
		}
	})
}
