package netcode

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/rushgate/rushgate/internal/memnet"
	"github.com/rushgate/rushgate/internal/packed"
)

// passedOn is a Conn that several servers have, one after the other, as processes have a socket. It notes what was
// sealed with which number.
type passedOn struct {
	Conn
	mu     sync.Mutex
	sealed map[sealedAs][]byte
	again  []sealedAs // those that were used for something else
}

// sealedAs stands for a nonce: tests give each client one address and one token.
type sealedAs struct {
	to  netip.AddrPort
	seq uint64
}

func (c *passedOn) Close() error { return nil }

func (c *passedOn) WriteBatch(ms []Message) (int, error) {
	c.mu.Lock()
	for _, m := range ms {
		_, seq, _, _ := packetHeader(m.Buf[:m.N])
		as := sealedAs{m.Addr, seq}
		if _, used := c.sealed[as]; used {
			c.again = append(c.again, as)
		}
		c.sealed[as] = bytes.Clone(m.Buf[:m.N])
	}
	c.mu.Unlock()
	return c.Conn.WriteBatch(ms)
}

func (c *passedOn) check(t interface{ Errorf(string, ...any) }) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, as := range c.again {
		t.Errorf("two packets to %v were sealed with number %d", as.to, as.seq)
	}
}

// moverRecorder is a recorder that notes apart who was moved.
type moverRecorder struct {
	*recorder
	moved []*Peer
}

func (r *moverRecorder) Moved(p *Peer) {
	r.moved = append(r.moved, p)
	r.Connected(p)
}

// serveOn is serve on a Conn that can be passed on.
func serveOn(t testing.TB, slots int) (*fixture, *passedOn) {
	conn := &passedOn{sealed: map[sealedAs][]byte{}}
	f := serve(t, memnet.Options{}, slots, func(cfg *ServerConfig) {
		conn.Conn = cfg.Conn
		cfg.Conn = conn
	})
	return f, conn
}

// state pauses the server and returns its state.
func (f *fixture) state() ServerState {
	f.t.Helper()
	f.server.Pause()
	state, err := f.server.State()
	if err != nil {
		f.t.Fatal(err)
	}
	return state
}

// next returns a server of a state on the same network, which has yet to be started.
func (f *fixture) next(conn Conn, state ServerState, change func(*ServerConfig)) (*fixture, *moverRecorder) {
	f.t.Helper()
	cfg := ServerConfig{
		Conn: conn, ProtocolID: testProtocol, Keys: []Key{testKey}, Addresses: []netip.AddrPort{testServer},
		MaxClients: f.server.maxClients, State: state,
	}
	if change != nil {
		change(&cfg)
	}
	server, err := NewServer(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	events := &moverRecorder{recorder: newRecorder()}
	return &fixture{t: f.t, network: f.network, server: server, events: events.recorder, tokens: f.tokens}, events
}

func TestMovedServerGoesOnWithItsClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, conn := serveOn(t, 4)
		c, other := old.connected(1), old.connected(2)
		pending := old.dial(clientAddr(3), old.token(spec(3)))
		pending.request()
		if !pending.await(packetChallenge, time.Second) {
			t.Fatal("no challenge")
		}
		c.payload("before")
		eventually(t, "the payload has arrived", func() bool { return old.events.got(1, "before") == 1 })
		before, heard := old.events.peer(1), old.events.peer(1).LastReceived()
		time.Sleep(time.Second)

		state := old.state()
		c.payload("in between")
		f, events := old.next(conn, state, nil)
		old.server.Stop()
		f.server.Start(events)
		defer f.server.Stop()

		eventually(t, "the payload on the way has arrived", func() bool { return f.events.got(1, "in between") == 1 })
		if len(events.moved) != 2 || f.server.Stats().Clients != 2 || f.server.Stats().Pending != 1 {
			t.Errorf("%d were moved, %+v", len(events.moved), f.server.Stats())
		}
		if !old.events.ended(1, ErrMoved) || !old.events.ended(2, ErrMoved) {
			t.Errorf("the old handler heard %v", old.events.ends)
		}
		after := events.moved[0]
		if after.ClientID() != 1 || after.Addr() != before.Addr() || after.Index() != before.Index() ||
			*after.UserData() != *before.UserData() || after.Data != nil || time.Until(heard) > -time.Second {
			t.Errorf("before %v %v %d, after %v %v %d", before, before.UserData(), before.Index(), after, after.UserData(),
				after.Index())
		}
		b := f.server.NewBatch()
		if err := errors.Join(b.Add(after, []byte("after")), b.Flush()); err != nil {
			t.Fatal(err)
		}
		if !c.await(packetPayload, time.Second) {
			t.Error("the client hears nothing from the new server")
		}
		if !pending.repeat(pending.respond, packetKeepAlive, time.Second) {
			t.Error("the handshake under way came to nothing")
		}
		if n := other.drain(time.Second); n[packetDisconnect] > 0 || n[packetKeepAlive] == 0 {
			t.Errorf("a client that says nothing was sent %v", n)
		}
		conn.check(t)
	})
}

func TestMovedServerRemembersWhatWasUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, conn := serveOn(t, 4)
		c := old.connected(1)
		c.payload("once")
		left := old.connected(2)
		left.leave()
		eventually(t, "the client has left", func() bool { return old.events.ended(2, ErrLeft) })
		recorded := slices.Clone(c.sent)
		left.conn.Close()

		f, events := old.next(conn, old.state(), nil)
		old.server.Stop()
		f.server.Start(events)
		defer f.server.Stop()
		for _, p := range recorded {
			if _, err := c.conn.Write(p); err != nil {
				t.Fatal(err)
			}
		}
		again := f.dial(clientAddr(2), left.token)
		if again.connect(time.Second) {
			t.Error("a token that was used with the old server is good for the new one")
		}
		stats := f.server.Stats()
		if f.events.got(1, "once") != 0 || stats.Ignored.Replayed != 2 || stats.Ignored.ReusedToken == 0 ||
			stats.Connects != 0 {
			t.Errorf("payloads of the old connection arrived %d times, %+v", f.events.got(1, "once"), stats)
		}
		for n := range uint64(MaxTokensPerClient) {
			token := spec(2)
			token.UserData[9] = byte(n)
			f.dial(clientAddr(int(20+n)), f.token(token)).request()
		}
		eventually(t, "tokens of client 2 are too many", func() bool {
			return f.server.Stats().Ignored.TooManyTokens == 1
		})
	})
}

// Silence goes on from where it was, and the time of the move does not count.
func TestSilenceGoesOnInTheNewServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, conn := serveOn(t, 4)
		old.connected(1)
		time.Sleep(3 * time.Second) // of the five that the token grants
		state := old.state()
		time.Sleep(time.Hour)
		f, events := old.next(conn, state, nil)
		old.server.Stop()
		f.server.Start(events)
		defer f.server.Stop()
		time.Sleep(1700 * time.Millisecond)
		if f.events.peer(1) == nil {
			t.Fatal("the client is gone before its time")
		}
		time.Sleep(500 * time.Millisecond)
		if !f.events.ended(1, ErrTimedOut) {
			t.Error("the client is still there")
		}
	})
}

// The clock that tokens are judged by goes on too, also where the time of day was set meanwhile.
func TestTimeGoesOnInTheNewServer(t *testing.T) {
	for name, v := range map[string]struct{ set, want time.Duration }{
		"as it passed":              {0, 7 * time.Second},
		"the time of day was set":   {time.Hour, time.Hour + 7*time.Second},
		"and so that it would stop": {-time.Hour, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				old, conn := serveOn(t, 4)
				state := old.state()
				before := old.server.Now()
				time.Sleep(7 * time.Second)
				f, _ := old.next(conn, state, func(cfg *ServerConfig) { cfg.began = time.Now().Round(0).Add(v.set) })
				defer f.server.Stop()
				old.server.Stop()
				if got := f.server.Now().Sub(before); got != v.want {
					t.Errorf("%v have passed, want %v", got, v.want)
				}
			})
		})
	}
}

// A server whose state came to nothing goes on, whatever the other one has sealed.
func TestServerGoesOnAfterAMoveThatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, conn := serveOn(t, 4)
		client, err := old.join(1, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		received := make(chan string, 100)
		go func() {
			buf := make([]byte, MaxPayload)
			for {
				n, err := client.Read(buf)
				if err != nil {
					close(received)
					return
				}
				received <- string(buf[:n])
			}
		}()
		say := func(f *fixture, text string) error {
			b := f.server.NewBatch()
			return errors.Join(b.Add(f.events.peer(1), []byte(text)), b.Flush())
		}
		expect := func(text string) {
			t.Helper()
			synctest.Wait()
			select {
			case got := <-received:
				if got != text {
					t.Fatalf("received %q, want %q", got, text)
				}
			default:
				t.Fatalf("%q was not received", text)
			}
		}
		time.Sleep(time.Second)
		for n := range 3 {
			state := old.state()
			if err := say(old, "lost"); !errors.Is(err, ErrMoved) {
				t.Errorf("a batch of the server that was moved: %v", err)
			}
			f, events := old.next(conn, state, nil)
			f.server.Start(events)
			time.Sleep(time.Second) // in which it sends keep-alives
			if err := say(f, fmt.Sprint("from the new one ", n)); err != nil {
				t.Fatal(err)
			}
			expect(fmt.Sprint("from the new one ", n))
			_ = f.state() // or it would say goodbye
			f.server.Stop()

			old.server.Resume()
			if err := say(old, fmt.Sprint("from the old one ", n)); err != nil {
				t.Fatal(err)
			}
			expect(fmt.Sprint("from the old one ", n))
			if err := client.Write([]byte(fmt.Sprint("to the old one ", n))); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the old server hears the client", func() bool {
				return old.events.got(1, fmt.Sprint("to the old one ", n)) == 1
			})
		}
		old.server.Stop()
		conn.check(t)
	})
}

func TestPausedServerStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, memnet.Options{}, 4, nil)
		defer f.server.Stop()
		c := f.connected(1)
		if _, err := f.server.State(); err == nil {
			t.Error("the state of a server that runs")
		}
		f.server.Pause()
		f.server.Pause()
		c.drain(0)
		c.payload("late")
		if n := c.drain(time.Hour); n != [packetTypes]int{} || f.events.got(1, "late") != 0 {
			t.Errorf("a server that is paused has sent %v, and taken %d", n, f.events.got(1, "late"))
		}
		f.server.Resume()
		f.server.Resume()
		eventually(t, "what came meanwhile is taken", func() bool { return f.events.got(1, "late") == 1 })
		if !c.await(packetKeepAlive, time.Second) {
			t.Error("no keep-alive afterwards")
		}
		f.server.Pause()
		f.server.Stop()
		if !f.events.ended(1, ErrServerClosed) || c.drain(time.Second)[packetDisconnect] != disconnectPackets {
			t.Error("a server that is stopped while it is paused does not say goodbye")
		}
		f.server.Pause()
		f.server.Resume()
		if _, err := f.server.State(); err == nil {
			t.Error("the state of a server that has been stopped")
		}
	})
}

// A server may be paused before it is started, and its state taken as if it had run.
func TestServerThatIsPausedBeforeItsStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, conn := serveOn(t, 4)
		c := old.connected(1)
		old.events.peer(1).Disconnect() // not done yet, and so the next one's to do
		first := old.state()
		old.server.Stop()
		_ = c

		f, _ := old.next(conn, first, nil)
		second := f.state()
		f.server.Stop()
		f, events := f.next(conn, second, nil)
		f.server.Pause()
		f.server.Start(events)
		time.Sleep(time.Second)
		third, err := f.server.State()
		if err != nil || len(third) == 0 {
			t.Error(err)
		}
		f.server.Stop()
		conn.check(t)
	})
}

// Disconnect is heeded also if the server stands still before it comes to it.
func TestDisconnectIsNotForgottenInAMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, conn := serveOn(t, 4)
		c := old.connected(1)
		old.server.Pause()
		old.events.peer(1).Disconnect()
		f, events := old.next(conn, old.state(), nil)
		old.server.Stop()
		f.server.Start(events)
		defer f.server.Stop()
		eventually(t, "the client is gone", func() bool { return f.events.ended(1, ErrKicked) })
		if len(events.moved) != 1 || !c.await(packetDisconnect, time.Second) {
			t.Errorf("the handler heard of %v", events.moved)
		}
	})
}

// A Handler that knows nothing of moves is told of clients as of any.
func TestPlainHandlerIsToldByConnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, conn := serveOn(t, 4)
		old.connected(1)
		f, events := old.next(conn, old.state(), nil)
		old.server.Stop()
		f.server.Start(events.recorder)
		defer f.server.Stop()
		eventually(t, "the client is there", func() bool { return f.events.peer(1) != nil })
	})
}

func TestStateThatDoesNotFitIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, conn := serveOn(t, 4)
		defer old.server.Stop()
		old.connected(1)
		old.connected(2)
		old.dial(clientAddr(3), old.token(spec(3))).request()
		synctest.Wait()
		time.Sleep(10 * time.Millisecond)
		good := old.state()
		change := func(how func(*state)) ServerState {
			var st state
			if err := packed.Parse(good, st.describe); err != nil {
				t.Fatal(err)
			}
			how(&st)
			return packed.Append(nil, st.describe)
		}
		for name, v := range map[string]struct {
			state  ServerState
			change func(*ServerConfig)
		}{
			"nothing":                 {state: ServerState{}},
			"cut off":                 {state: good[:len(good)-1]},
			"a byte more":             {state: append(slices.Clone(good), 0)},
			"another protocol":        {state: good, change: func(cfg *ServerConfig) { cfg.ProtocolID++ }},
			"too few slots":           {state: good, change: func(cfg *ServerConfig) { cfg.MaxClients = 1 }},
			"a key of zeros":          {state: change(func(st *state) { st.challengeKey = Key{} })},
			"numbers of another kind": {state: change(func(st *state) { st.globalSeq = 5 })},
			"a token twice":           {state: change(func(st *state) { st.tokens[1] = st.tokens[0] })},
			"a slot twice":            {state: change(func(st *state) { st.peers[1].index = 0 })},
			"a client twice":          {state: change(func(st *state) { st.peers[1].clientID = 1 })},
			"an address twice":        {state: change(func(st *state) { st.peers[1].addr = st.peers[0].addr })},
			"no address":              {state: change(func(st *state) { st.peers[1].addr = netip.AddrPort{} })},
			"a number too large":      {state: change(func(st *state) { st.peers[1].sequence = 1 << 63 })},
			"a timeout below zero":    {state: change(func(st *state) { st.peers[1].timeout = -1 })},
			"an unknown token":        {state: change(func(st *state) { st.handshakes[0].token[0]++ })},
			"a token that was spent": {state: change(func(st *state) {
				for i := range st.tokens {
					st.tokens[i].spent = true
				}
			})},
			"another's token":          {state: change(func(st *state) { st.handshakes[0].addr = clientAddr(9) })},
			"a challenge of to-morrow": {state: change(func(st *state) { st.handshakes[0].challenge = st.challengeSeq })},
		} {
			cfg := ServerConfig{
				Conn: conn, ProtocolID: testProtocol, Keys: []Key{testKey}, Addresses: []netip.AddrPort{testServer},
				MaxClients: 4, State: v.state,
			}
			if v.change != nil {
				v.change(&cfg)
			}
			if _, err := NewServer(cfg); !errors.Is(err, ErrBadState) {
				t.Errorf("%s: %v", name, err)
			}
		}
		old.next(conn, good, nil)
	})
}

// noDeadline is a test that may be asked for all but its deadline, which no bubble knows.
type noDeadline struct{ rapid.TB }

// Moves, failed and not, in any order: each payload arrives, no number is used twice, and no client is lost.
func TestMovesInAnyOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(noDeadline{t}, func(rt *rapid.T) {
			f, conn := serveOn(t, 3)
			clients := []*wireClient{f.connected(0), f.connected(1), f.connected(2)}
			windows := make([]replayWindow, len(clients)) // as real clients have them
			said := 0
			for range rapid.IntRange(1, 12).Draw(rt, "calls") {
				n := rapid.IntRange(0, 2).Draw(rt, "client")
				c := clients[n]
				said++
				text := fmt.Sprint(said)
				switch rapid.IntRange(0, 3).Draw(rt, "what") {
				case 0:
					c.payload(text)
					eventually(t, "it arrives", func() bool { return f.events.got(uint64(n), text) == 1 })
				case 1:
					b := f.server.NewBatch()
					if err := errors.Join(b.Add(f.events.peer(uint64(n)), []byte(text)), b.Flush()); err != nil {
						rt.Fatal(err)
					}
					c.received = nil
					if !c.await(packetPayload, time.Second) || string(c.received[len(c.received)-1].data) != text {
						rt.Fatalf("client %d did not hear %s", n, text)
					}
					for _, p := range c.received {
						if p.t >= packetKeepAlive && windows[n].seen(p.seq) {
							rt.Fatalf("client %d takes number %d for an old one", n, p.seq)
						}
						windows[n].advance(p.seq)
					}
				case 2: // a move
					next, events := f.next(conn, f.state(), nil)
					f.server.Stop()
					next.server.Start(events)
					synctest.Wait()
					f = next
				case 3: // one that fails
					next, events := f.next(conn, f.state(), nil)
					next.server.Start(events)
					time.Sleep(time.Duration(rapid.IntRange(0, 500).Draw(rt, "ms")) * time.Millisecond)
					_ = next.state()
					next.server.Stop()
					f.server.Resume()
				}
				for _, c := range clients {
					c.keepAlive()
				}
				time.Sleep(10 * time.Millisecond)
			}
			if f.events.connected() != len(clients) {
				rt.Fatalf("%d clients are left", f.events.connected())
			}
			f.server.Stop()
			for _, c := range clients {
				c.conn.Close()
			}
			_ = conn.Conn.Close()
			conn.check(rt)
		})
	})
}

func TestStateIsNotPrinted(t *testing.T) {
	state := ServerState(bytes.Repeat([]byte{0xab}, 40))
	b, err := json.Marshal(map[string]any{"state": state})
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{string(b), state.LogValue().String(), fmt.Sprint(ServerConfig{State: state})}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%p"} {
		texts = append(texts, fmt.Sprintf(verb, state), fmt.Sprintf(verb, &ServerConfig{State: state}))
	}
	for _, text := range texts {
		if strings.Contains(text, "171") || strings.Contains(strings.ToLower(text), "abab") || strings.Contains(text, "q6") {
			t.Errorf("%s", text)
		}
	}
}

// FuzzServerState has whatever can be restored be saved again, and served.
func FuzzServerState(f *testing.F) {
	f.Add([]byte(crowdedServer(f, 2).mustState(f)))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := NewServer(ServerConfig{
			Conn: nowhere{}, ProtocolID: testProtocol, Keys: []Key{testKey}, Addresses: []netip.AddrPort{testServer},
			MaxClients: 4, State: b,
		})
		if err != nil {
			return
		}
		s.handler = silentHandler{}
		s.tellOfMoved()
		s.pass()
		s.Pause()
		again, err := s.State()
		if err != nil {
			t.Fatal(err)
		}
		s.dropAll()
		if _, err := NewServer(ServerConfig{
			Conn: nowhere{}, ProtocolID: testProtocol, Keys: []Key{testKey}, Addresses: []netip.AddrPort{testServer},
			MaxClients: 4, State: again,
		}); err != nil {
			t.Fatalf("what was restored and saved is refused: %v", err)
		}
	})
}

// crowdedServer returns a server that does not run, with so many clients, and as many handshakes.
func crowdedServer(t testing.TB, clients int) *Server {
	t.Helper()
	s, err := NewServer(ServerConfig{
		Conn: nowhere{}, ProtocolID: testProtocol, Keys: []Key{testKey}, Addresses: []netip.AddrPort{testServer},
		MaxClients: max(clients, 4),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.handler = silentHandler{}
	expire := uint64(time.Now().Unix() + 30)
	for n := range 2 * clients {
		s.token.clientID, s.token.clientToServer[0] = uint64(n+1), byte(n)
		use, _, ok := s.tokens.use(tokenID{byte(n), byte(n >> 8)}, s.token.clientID, clientAddr(n), expire)
		if !ok {
			t.Fatal("a token is refused")
		}
		h := s.newHandshake(clientAddr(n), use)
		s.pending.put(h, s.clock)
		if n < clients {
			s.connect(h, &s.token.userData)
		}
	}
	return s
}

func (s *Server) mustState(t testing.TB) ServerState {
	t.Helper()
	s.Pause()
	state, err := s.State()
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func BenchmarkState(b *testing.B) {
	s := crowdedServer(b, 1000)
	var state ServerState
	b.Run("take", func(b *testing.B) {
		for b.Loop() {
			state = s.mustState(b)
		}
		b.ReportMetric(float64(len(state)), "bytes")
	})
	b.Run("restore", func(b *testing.B) {
		for b.Loop() {
			if _, err := NewServer(ServerConfig{
				Conn: nowhere{}, ProtocolID: testProtocol, Keys: []Key{testKey}, Addresses: []netip.AddrPort{testServer},
				MaxClients: 1000, State: state,
			}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
