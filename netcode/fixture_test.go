package netcode

import (
	"bytes"
	"crypto/cipher"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/memnet"
)

const testProtocol = 0x1122334455667788

var (
	testKey    = Key{1, 2, 3}
	testServer = netip.MustParseAddrPort("10.0.0.1:40000")
)

// testRand returns random bytes that are the same in every run.
func testRand(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

// clientAddr returns the address of the nth client.
func clientAddr(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(n >> 8), byte(n)}), 50000)
}

// fixture is a running server on a network in memory and what its Handler was told.
type fixture struct {
	t       testing.TB
	network *memnet.Network
	server  *Server
	events  *recorder
	tokens  *rand.ChaCha8
}

// serve starts a server; change may alter its configuration. Every test that uses it runs in a synctest bubble and must
// stop the server, which is left to the caller because a Cleanup would run outside the bubble.
func serve(t testing.TB, opts memnet.Options, slots int, change func(*ServerConfig)) *fixture {
	t.Helper()
	f := &fixture{t: t, network: memnet.New(opts), events: newRecorder(), tokens: testRand(1)}
	conn, err := memnet.Listen[Message](f.network, testServer)
	if err != nil {
		t.Fatal(err)
	}
	cfg := ServerConfig{
		Conn: conn, ProtocolID: testProtocol, Keys: []Key{testKey}, Addresses: []netip.AddrPort{testServer},
		MaxClients: slots, Rand: testRand(2),
	}
	if change != nil {
		change(&cfg)
	}
	if f.server, err = NewServer(cfg); err != nil {
		t.Fatal(err)
	}
	f.server.Start(f.events)
	return f
}

// spec describes a token for client id: valid for 30 s, with a timeout of 5 s.
func spec(id uint64) TokenSpec {
	return TokenSpec{
		ProtocolID: testProtocol, ClientID: id, CreatedAt: time.Now(), ExpiresAt: time.Now().Add(30 * time.Second),
		Timeout: 5 * time.Second, Addresses: []netip.AddrPort{testServer}, UserData: [UserDataSize]byte{byte(id), 7},
	}
}

// token returns the token that spec describes, sealed with testKey.
func (f *fixture) token(spec TokenSpec) *ConnectToken { return issue(f.t, spec, &testKey, f.tokens) }

func issue(t testing.TB, spec TokenSpec, key *Key, random *rand.ChaCha8) *ConnectToken {
	t.Helper()
	b, err := NewConnectToken(spec, key, random)
	if err != nil {
		t.Fatal(err)
	}
	token, err := ParseConnectToken(b)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// dial returns a client with its own socket that has not sent anything yet.
func (f *fixture) dial(from netip.AddrPort, token *ConnectToken) *wireClient {
	f.t.Helper()
	conn, err := f.network.Dial(from, testServer)
	if err != nil {
		f.t.Fatal(err)
	}
	return newWireClient(f.t, conn, token)
}

// connected returns a client, id n at address n, that has a slot and has confirmed it.
func (f *fixture) connected(n int) *wireClient {
	f.t.Helper()
	c := f.dial(clientAddr(n), f.token(spec(uint64(n))))
	if !c.connect(5 * time.Second) {
		f.t.Fatalf("client %d could not connect", n)
	}
	c.keepAlive()
	return c
}

// eventually waits, in the time of the bubble, until what holds; it fails after a minute.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never came true: %s", what)
		}
	}
}

// recorder is a Handler that notes what it is told.
type recorder struct {
	mu         sync.Mutex
	peers      map[uint64]*Peer // connected ones, by client id
	payloads   map[uint64][][]byte
	ends       map[uint64][]error
	onReceived func(*Peer, []byte) // called before the payload is noted
}

func newRecorder() *recorder {
	return &recorder{peers: map[uint64]*Peer{}, payloads: map[uint64][][]byte{}, ends: map[uint64][]error{}}
}

func (r *recorder) Connected(p *Peer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.peers[p.ClientID()] = p
}

func (r *recorder) Received(p *Peer, payload []byte) {
	if r.onReceived != nil {
		r.onReceived(p, payload)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.payloads[p.ClientID()] = append(r.payloads[p.ClientID()], bytes.Clone(payload))
}

func (r *recorder) Disconnected(p *Peer, why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.peers, p.ClientID())
	r.ends[p.ClientID()] = append(r.ends[p.ClientID()], why)
}

func (r *recorder) peer(id uint64) *Peer {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.peers[id]
}

func (r *recorder) connected() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.peers)
}

// ended reports whether client id has been disconnected once, for this reason.
func (r *recorder) ended(id uint64, why error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.ends[id]) == 1 && errors.Is(r.ends[id][0], why)
}

// got counts how often a payload came from client id.
func (r *recorder) got(id uint64, payload string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, p := range r.payloads[id] {
		if string(p) == payload {
			n++
		}
	}
	return n
}

// nonce is what must never occur twice: a key and a sequence number sealed under it.
type nonce struct {
	key Key
	seq uint64
}

// packet is one packet from the server as a client opened it.
type packet struct {
	t    packetType
	seq  uint64
	data []byte
	size int // of the datagram
}

// wireClient is a client that does only what a test tells it to.
type wireClient struct {
	t          testing.TB
	conn       net.Conn
	token      *ConnectToken
	seal, open cipher.AEAD
	sc         scratch
	seq        uint64
	challenge  []byte   // data of the last challenge packet
	sent       [][]byte // every datagram sent
	received   []packet // every packet received that opened
	slot       keepAlive
}

func newWireClient(t testing.TB, conn net.Conn, token *ConnectToken) *wireClient {
	return &wireClient{
		t: t, conn: conn, token: token, seal: newAEAD(&token.ClientToServer), open: newAEAD(&token.ServerToClient),
	}
}

func (c *wireClient) write(p []byte) {
	c.sent = append(c.sent, bytes.Clone(p))
	if _, err := c.conn.Write(p); err != nil {
		c.t.Error(err)
	}
}

func (c *wireClient) packet(t packetType, data []byte) []byte {
	p := sealPacket(nil, &c.sc, c.seal, c.token.ProtocolID, t, c.seq, data)
	c.seq++
	return p
}

func (c *wireClient) requestPacket() []byte {
	r := c.token.request()
	return appendRequest(nil, c.token.ProtocolID, &r)
}

func (c *wireClient) request()         { c.write(c.requestPacket()) }
func (c *wireClient) respond()         { c.write(c.packet(packetResponse, c.challenge)) }
func (c *wireClient) keepAlive()       { c.write(c.packet(packetKeepAlive, make([]byte, keepAliveSize))) }
func (c *wireClient) payload(s string) { c.write(c.packet(packetPayload, []byte(s))) }
func (c *wireClient) leave()           { c.write(c.packet(packetDisconnect, nil)) }

// read returns the next packet from the server that comes within d.
func (c *wireClient) read(d time.Duration) (packet, bool) {
	b := make([]byte, 2048)
	_ = c.conn.SetReadDeadline(time.Now().Add(d))
	for {
		n, err := c.conn.Read(b)
		if err != nil {
			return packet{}, false
		}
		t, seq, data, err := openPacket(b[:n], &c.sc, c.open, c.token.ProtocolID, nil)
		if err != nil {
			continue
		}
		p := packet{t, seq, bytes.Clone(data), n}
		c.received = append(c.received, p)
		switch t {
		case packetChallenge:
			c.challenge = p.data
		case packetKeepAlive:
			c.slot = parseKeepAlive(p.data)
		}
		return p, true
	}
}

// await reads until a packet of type t comes, at most for d.
func (c *wireClient) await(t packetType, d time.Duration) bool {
	for end := time.Now().Add(d); ; {
		p, ok := c.read(time.Until(end))
		if !ok || p.t == t {
			return ok
		}
	}
}

// drain reads what comes within d and returns how many packets of each type that were.
func (c *wireClient) drain(d time.Duration) (count [packetTypes]int) {
	for end := time.Now().Add(d); ; {
		p, ok := c.read(time.Until(end))
		if !ok {
			return count
		}
		count[p.t]++
	}
}

// connect goes through the handshake, sending ten times a second, until a keep-alive comes or d is over.
func (c *wireClient) connect(d time.Duration) bool {
	return c.repeat(c.request, packetChallenge, d) && c.repeat(c.respond, packetKeepAlive, d)
}

func (c *wireClient) repeat(send func(), t packetType, d time.Duration) bool {
	for end := time.Now().Add(d); time.Now().Before(end); {
		send()
		if c.await(t, 100*time.Millisecond) {
			return true
		}
	}
	return false
}

// stay sends keep-alives and reads until stop is closed or the server says goodbye, which it reports.
func (c *wireClient) stay(stop <-chan struct{}) (goodbye bool) {
	for {
		c.keepAlive()
		if c.await(packetDisconnect, 100*time.Millisecond) {
			return true
		}
		select {
		case <-stop:
			return false
		default:
		}
	}
}
