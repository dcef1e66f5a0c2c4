package netcode

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/memnet"
)

// script is a server that does only what a test tells it to.
type script struct {
	t       testing.TB
	conn    Conn
	token   *ConnectToken
	client  netip.AddrPort // of the last datagram
	scratch scratch
	seq     uint64 // of the next packet of a connection
	global  uint64 // of the next packet before that
}

func newScript(t testing.TB, network *memnet.Network, addr netip.AddrPort, token []byte) *script {
	t.Helper()
	conn, err := memnet.Listen[Message](network, addr)
	if err != nil {
		t.Fatal(err)
	}
	return scriptOn(t, conn, token)
}

func scriptOn(t testing.TB, conn Conn, token []byte) *script {
	t.Helper()
	parsed, err := ParseConnectToken(token)
	if err != nil {
		t.Fatal(err)
	}
	return &script{t: t, conn: conn, token: parsed, global: firstGlobalSequence}
}

// datagram is a packet from the client, opened.
type datagram struct {
	t    packetType
	seq  uint64
	data []byte
}

// next returns the next packet from the client; ok is false if none came before d has passed.
func (s *script) next(d time.Duration) (p datagram, ok bool) {
	s.t.Helper()
	ms := []Message{{Buf: make([]byte, 2048)}}
	if _, err := s.conn.ReadBatch(ms, time.Now().Add(d)); err != nil {
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			s.t.Fatal(err)
		}
		return datagram{}, false
	}
	raw := ms[0].Buf[:ms[0].N]
	s.client = ms[0].Addr
	if packetType(raw[0]) == packetRequest {
		r, err := parseRequest(raw, s.token.ProtocolID)
		if want := s.token.request(); err != nil || r.expire != want.expire || r.nonce != want.nonce ||
			!bytes.Equal(r.sealed, want.sealed) {
			s.t.Fatalf("the request is not the token's: %v", err)
		}
		return datagram{}, true
	}
	t, seq, data, err := openPacket(raw, &s.scratch, newAEAD(&s.token.ClientToServer), s.token.ProtocolID, nil)
	if err != nil {
		s.t.Fatalf("the client sent what does not open: %v", err)
	}
	return datagram{t, seq, data}, true
}

// expect returns the next packet, which must be of type want and come within 150 ms.
func (s *script) expect(want packetType) datagram {
	s.t.Helper()
	p, ok := s.next(sendInterval + sendInterval/2)
	if !ok || p.t != want {
		s.t.Fatalf("packet of type %d (any: %v), want type %d", p.t, ok, want)
	}
	return p
}

// collect returns all packets of the next d.
func (s *script) collect(d time.Duration) (all []datagram) {
	s.t.Helper()
	for end := time.Now().Add(d); ; {
		p, ok := s.next(time.Until(end))
		if !ok {
			return all
		}
		all = append(all, p)
	}
}

// seal returns a packet from the server under the next sequence number of its kind.
func (s *script) seal(t packetType, data []byte) []byte {
	next := &s.seq
	if t < packetKeepAlive {
		next = &s.global
	}
	p := sealPacket(nil, &s.scratch, newAEAD(&s.token.ServerToClient), s.token.ProtocolID, t, *next, data)
	*next++
	return p
}

// write sends raw bytes to the client.
func (s *script) write(p []byte) {
	if _, err := s.conn.WriteBatch([]Message{{Buf: p, N: len(p), Addr: s.client}}); err != nil {
		s.t.Error(err)
	}
}

// challengeData is what scripts challenge clients with.
var challengeData = bytes.Repeat([]byte{0xC4}, challengePacketSize)

func (s *script) challenge() { s.write(s.seal(packetChallenge, challengeData)) }
func (s *script) deny()      { s.write(s.seal(packetDenied, nil)) }
func (s *script) keepAlive() {
	s.write(s.seal(packetKeepAlive, appendKeepAlive(nil, keepAlive{index: 3, maxClients: 7})))
}
func (s *script) payload(text string) { s.write(s.seal(packetPayload, []byte(text))) }
func (s *script) disconnect()         { s.write(s.seal(packetDisconnect, nil)) }

// accept lets a client in that is about to send its request.
func (s *script) accept() {
	s.t.Helper()
	s.expect(packetRequest)
	s.challenge()
	s.expect(packetResponse)
	s.keepAlive()
	s.expect(packetKeepAlive)
}

// attempt is a Dial on its way in a goroutine of its own.
type attempt struct {
	t      testing.TB
	start  time.Time
	states []State
	client *Client
	err    error
	took   time.Duration
	done   chan struct{}
}

// testAddrs are three server addresses.
var testAddrs = []netip.AddrPort{
	testServer, netip.MustParseAddrPort("10.0.0.2:40000"), netip.MustParseAddrPort("[fd00::3]:40000"),
}

// tokenFor seals what spec says, after change, into a token.
func tokenFor(t testing.TB, change func(*TokenSpec)) []byte {
	t.Helper()
	s := spec(1)
	if change != nil {
		change(&s)
	}
	token, err := NewConnectToken(s, &testKey, testRand(3))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// dialOn returns a ClientOptions.Dial for the network. The client is at clientAddr(1), with a port for each server.
func dialOn(network *memnet.Network) func(context.Context, netip.AddrPort) (net.Conn, error) {
	return func(_ context.Context, server netip.AddrPort) (net.Conn, error) {
		return network.Dial(localFor(server), server)
	}
}

// localFor returns the address from which dialOn dials a server.
func localFor(server netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(clientAddr(1).Addr(), clientAddr(1).Port()+uint16(max(0, slices.Index(testAddrs, server))))
}

// knock starts to dial.
func knock(ctx context.Context, t testing.TB, network *memnet.Network, token []byte) *attempt {
	return knockWith(ctx, t, token, dialOn(network))
}

func knockWith(ctx context.Context, t testing.TB, token []byte,
	dial func(context.Context, netip.AddrPort) (net.Conn, error)) *attempt {
	a := &attempt{t: t, start: time.Now(), done: make(chan struct{})}
	go func() {
		defer close(a.done)
		a.client, a.err = Dial(ctx, token, ClientOptions{
			Dial:    dial,
			OnState: func(s State) { a.states = append(a.states, s) },
		})
		a.took = time.Since(a.start)
	}()
	return a
}

// connected returns the client of an attempt that must succeed.
func (a *attempt) connected() *Client {
	a.t.Helper()
	<-a.done
	if a.err != nil {
		a.t.Fatal(a.err)
	}
	return a.client
}

// fails checks that the attempt ends in a state, after exactly this time and with exactly these states on the way.
func (a *attempt) fails(want State, after time.Duration, way ...State) {
	a.t.Helper()
	<-a.done
	if a.client != nil || !errors.Is(a.err, StateError{want}) {
		a.t.Errorf("Dial = %v, %v, want nil and state %v", a.client, a.err, want)
	}
	if a.took != after {
		a.t.Errorf("Dial took %v, want %v", a.took, after)
	}
	a.passed(way...)
}

// passed checks the states so far.
func (a *attempt) passed(way ...State) {
	a.t.Helper()
	if !slices.Equal(a.states, way) {
		a.t.Errorf("states %v, want %v", a.states, way)
	}
}

// connect returns a client connected to a script on a network without faults, and that script.
func connect(t testing.TB, change func(*TokenSpec)) (*Client, *script, *attempt) {
	t.Helper()
	network := memnet.New(memnet.Options{})
	token := tokenFor(t, change)
	s := newScript(t, network, testServer, token)
	a := knock(t.Context(), t, network, token)
	s.accept()
	return a.connected(), s, a
}
