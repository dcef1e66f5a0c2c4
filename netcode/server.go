package netcode

import (
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// How a server reads.
//
// While nothing comes, it waits for the network. After a read that found fewer than readBatch datagrams it pauses for
// pollInterval before it reads again, as network cards do that coalesce interrupts: with many clients there is always
// one more datagram about to come, and being woken for each costs more than handling it, while a pause collects dozens
// for one system call. A pause ends by a timer, and that has a second merit. The Go scheduler looks at its timers
// whenever a goroutine yields, but at the network only when a processor has nothing else to do, or every 10 ms. A
// reader that waits in the network is therefore late behind computations that keep all processors busy, even if they
// yield often; one that waits for a timer is not. The price is up to pollInterval of added latency.
//
// A read that was full means that more is waiting, so the next one follows at once.
const (
	readBatch    = 64
	pollInterval = 2 * time.Millisecond
)

// passInterval is the time between two passes over all slots, which send keep-alives and find silent clients.
const passInterval = 100 * time.Millisecond

// maxClients bounds ServerConfig.MaxClients.
const maxClients = 1 << 20

// Why a connection ended, as Handler.Disconnected is told.
var (
	ErrTimedOut     = errors.New("netcode: nothing came from the client for too long")
	ErrLeft         = errors.New("netcode: the client left")
	ErrKicked       = errors.New("netcode: disconnected by the server")
	ErrReplaced     = errors.New("netcode: the client has connected anew")
	ErrServerClosed = errors.New("netcode: server closed")
)

// Handler is told what happens to the clients of a Server. All calls come one after the other from the one goroutine
// that also reads the network and keeps the time. A call that blocks therefore stops the reading, which is what an
// overloaded receiver should do: datagrams wait in the socket and, when that is full, are dropped by the system before
// they have cost anything. The time that calls take does not count as silence of the clients, however long or many
// they are; while the server does little else, clients that have gone are therefore noticed late. Of a time in which
// the whole process stood still, at most 200 ms count. The clients, though, hear nothing from the server meanwhile but
// what other goroutines send with a Batch, and give up after their timeout.
//
// The calls may use Peer.Disconnect and batches, but must not call Server.Stop, which waits for them.
type Handler interface {
	// Connected is called when a client got a slot, before anything else is called for it.
	Connected(p *Peer)

	// Received is called for each payload, 1 to MaxPayload bytes. The slice is valid during the call only. Payloads
	// arrive at most once, but some are lost and others come out of order.
	Received(p *Peer, payload []byte)

	// Disconnected is called once for each call of Connected, when the slot is free again, and is the last call for
	// the peer. The reason is ErrTimedOut, ErrLeft, ErrKicked, ErrServerClosed, ErrMoved or, where ServerConfig.Replace
	// allows it, ErrReplaced: the very next call is then that of Connected for the new connection of the same client.
	Disconnected(p *Peer, why error)
}

// ServerConfig says what a Server serves. There are no defaults except for Rand.
type ServerConfig struct {
	// Conn is the network. The server owns it from NewServer on and closes it when it stops.
	Conn Conn

	// ProtocolID identifies the game and its version. Requests with another one are ignored.
	ProtocolID uint64

	// Keys are the private keys shared with the issuers of connect tokens, at least one. A token sealed with any of
	// them is accepted, so that keys can be replaced while old tokens are still about. Each additional key costs a
	// few microseconds per forged request; put the one used most first. A key of all zeros is an error.
	Keys []Key

	// Addresses are the addresses under which clients know this server, at least one. A token must name one of them.
	Addresses []netip.AddrPort

	// MaxClients is the number of slots, 1 to 1,048,576.
	MaxClients int

	// Rand is where the key of the challenge tokens is read from. Nil means crypto/rand.Reader.
	Rand io.Reader

	// Replace, if not nil, lets a client connect anew while its connection stands, as one whose network has changed has
	// to: without it, and by the standard, a client id that has a slot gets no second one, and such a client waits until
	// the server has noticed its silence. The new connection needs a token of its own, which like all others is good for
	// one. When its handshake is complete the old one ends with ErrReplaced, and the new one stands from the same moment
	// on. On a full server it takes the slot of the old one. MaxTokensPerClient bounds how often that can happen.
	//
	// Replace is asked whether the peer old may be replaced by a connection with a token of this user data: at each
	// request and once more when the handshake is complete. If not, the client is ignored, as without Replace. It is
	// called on the goroutine that also calls the Handler, between its calls, must not block, and must not keep userData.
	Replace func(old *Peer, userData *[UserDataSize]byte) bool `json:"-"`

	// Other, if not nil, is given the datagrams whose first byte no netcode packet has, so that a protocol of the
	// application's own can share the port. These first bytes are all but 0x00 and 0xST with S, the size of the
	// sequence number, from 1 to 8 and T, the type, from 1 to 6. A protocol does best to begin with 0xFF, which is the
	// furthest from what a later version of the standard may come to use. A datagram of more than 1225 bytes is
	// ignored.
	//
	// What Other appends to dst, which is empty and has room for as many bytes as the datagram has, is sent back from
	// where the datagram arrived, together with the other answers to what was read at once. An answer that is longer
	// than the datagram is not sent: addresses can be forged, and the port is not to amplify what is sent in the name
	// of another machine. Other is called on the goroutine that also calls the Handler, before, between and after its
	// calls, for addresses of connected clients too. It must not block, nor keep dst or datagram. What it does not
	// answer is for itself to count; without Other these datagrams count as IgnoredStats.Malformed.
	Other func(dst []byte, from netip.AddrPort, datagram []byte) []byte `json:"-"`

	// State, if not nil, is what Server.State has returned for a server that this one goes on in place of: on the same
	// address as the clients see it, with the same ProtocolID, and with MaxClients for all slots that are in use there.
	// The Handler is told of the clients by Mover.Moved. How long they have been silent goes on from where it was when the
	// state was taken, and so does the time that connect tokens are judged by, with what the time of day says has passed
	// since.
	State ServerState

	// began is the time of day at which the server begins; the zero time means now. Tests set it.
	began time.Time
}

func (cfg *ServerConfig) check() error {
	switch {
	case cfg.Conn == nil:
		return errors.New("netcode: server without a Conn")
	case cfg.MaxClients < 1 || cfg.MaxClients > maxClients:
		return fmt.Errorf("netcode: server for %d clients, want 1 to %d", cfg.MaxClients, maxClients)
	}
	return errors.Join(checkKeys(cfg.Keys), checkAddresses(cfg.Addresses))
}

// Server is the server side of netcode 1.02 (STANDARD.md, "Server-Side Connection Process") for thousands of clients.
// One goroutine owns all of it; the work for a packet does not depend on the number of slots. What outsiders can make
// it remember is bounded: see pendingTable and tokenHistory.
//
// Beyond the standard, a connect token is good for one connection: once it has led to a slot, requests with it are
// ignored, also from the same address. Both sides count sequence numbers from zero in each connection, so a second one
// under the same keys would use every nonce again, and packets recorded from the first one could be replayed into it.
// The server forgets which tokens were used when it is restarted, and does not know what another server accepted; keep
// the lifetime of tokens short, and name one server in each. Nor does one client id get anywhere with more than 8
// tokens at a time, counted from their first use until they expire.
type Server struct {
	conn       Conn
	protocolID uint64
	keys       atomic.Pointer[[]*Key] // pointers, because fmt follows one level of them where it does not find Format
	addresses  atomic.Pointer[map[netip.AddrPort]struct{}]
	maxClients int
	replace    func(old *Peer, userData *[UserDataSize]byte) bool            // ServerConfig.Replace
	other      func(dst []byte, from netip.AddrPort, datagram []byte) []byte // ServerConfig.Other
	epoch      time.Time                                                     // what Peer.received counts from
	began      time.Time                                                     // the same by the time of day

	stats counters

	mu      sync.Mutex // guards the following
	started bool
	stopped bool
	kicks   []*Peer // asked to be disconnected by Peer.Disconnect

	pausing atomic.Pointer[pausing] // changed under mu; nil: none
	moved   atomic.Bool             // changed under mu: State was called, and not Resume after it

	stop chan struct{} // closed by Stop
	done chan struct{} // closed when the goroutine has ended

	// The rest belongs to the goroutine.
	handler  Handler
	in       []Message
	out      *outbox
	scratch  scratch
	now      time.Time     // when the packets at hand were read
	clock    time.Duration // what timeouts are measured by, see tell
	handling time.Duration // time spent in calls of the Handler since now
	nextPass time.Time
	kicking  []*Peer

	byAddr map[netip.AddrPort]*Peer
	byID   map[uint64]*Peer
	slots  []*Peer
	free   []uint32 // indices of empty slots, the next one to be used last

	pending  *pendingTable
	tokens   *tokenHistory
	restored []*Peer // those of ServerConfig.State, of whom the Handler has yet to be told

	challengeKey  *Key // a pointer as in keys
	challengeAEAD cipher.AEAD
	challengeSeq  uint64
	globalSeq     uint64 // of packets to clients without a slot

	local     netip.Addr      // where the packet at hand arrived
	token     *privateToken   // the one at hand; a pointer as in keys
	challenge challenge       // the one at hand
	response  challengePacket // the one at hand
	room      [challengePacketSize]byte
}

// NewServer returns a server that does not run yet. It fails if the configuration is out of range or random bytes
// cannot be read; the Conn then still belongs to the caller.
func NewServer(cfg ServerConfig) (*Server, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	challengeKey, err := NewKey(cfg.Rand)
	if err != nil {
		return nil, err
	}
	s := &Server{
		conn:          cfg.Conn,
		protocolID:    cfg.ProtocolID,
		token:         new(privateToken),
		maxClients:    cfg.MaxClients,
		replace:       cfg.Replace,
		other:         cfg.Other,
		epoch:         time.Now(),
		began:         cfg.began,
		stop:          make(chan struct{}),
		done:          make(chan struct{}),
		in:            make([]Message, readBatch),
		byAddr:        make(map[netip.AddrPort]*Peer),
		byID:          make(map[uint64]*Peer),
		slots:         make([]*Peer, cfg.MaxClients),
		free:          make([]uint32, cfg.MaxClients),
		pending:       newPendingTable(max(minPending, pendingPerSlot*cfg.MaxClients)),
		tokens:        newTokenHistory(max(minTokenHistory, tokenHistoryPerSlot*cfg.MaxClients)),
		challengeKey:  &challengeKey,
		challengeAEAD: newAEAD(&challengeKey),
		globalSeq:     firstGlobalSequence,
	}
	if s.began.IsZero() {
		s.began = s.epoch.Round(0)
	}
	s.storeKeys(cfg.Keys)
	s.storeAddresses(cfg.Addresses)
	s.out = newOutbox(s.conn, &s.stats, s.protocolID)
	for i := range s.in {
		s.in[i].Buf = make([]byte, maxPacket)
	}
	for i := range s.free {
		s.free[i] = uint32(cfg.MaxClients - 1 - i)
	}
	if cfg.State != nil {
		if err := s.restore(cfg.State); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBadState, err)
		}
	}
	return s, nil
}

// Format writes the server's address whatever the verb is.
func (s *Server) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "netcode server at %v", s.conn.LocalAddr())
}

// Start begins to serve, in a goroutine of its own that lasts until Stop. Further calls, and a call after Stop, do
// nothing.
func (s *Server) Start(h Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started || s.stopped {
		return
	}
	s.started = true
	s.handler = h
	go s.run()
}

// Stop tells all clients goodbye, calls Handler.Disconnected for each with ErrServerClosed, closes the Conn, and
// returns when nothing is left running; that takes up to 100 ms, and as long as a call of the Handler blocks. After
// State, unless Resume was called, it tells the clients nothing, and the reason is ErrMoved. It may be called several
// times and from several goroutines; all calls wait for the end.
func (s *Server) Stop() {
	s.mu.Lock()
	if !s.stopped {
		s.stopped = true
		close(s.stop)
		if !s.started {
			s.end()
		}
	}
	s.mu.Unlock()
	<-s.done
}

// end closes what the server owns.
func (s *Server) end() {
	_ = s.conn.Close() // there is no caller left to be told
	close(s.done)
}

// run is the server's goroutine.
func (s *Server) run() {
	defer s.end()
	s.now = time.Now()
	s.nextPass = s.now.Add(passInterval)
	pause := time.NewTimer(math.MaxInt64)
	defer pause.Stop()
	if s.goesOn() {
		s.tellOfMoved()
	}
	for s.goesOn() {
		n, err := s.conn.ReadBatch(s.in, s.nextPass)
		if errors.Is(err, net.ErrClosed) {
			break
		}
		idle := errors.Is(err, os.ErrDeadlineExceeded)
		if err != nil && !idle {
			s.stats.readErrors.Add(1)
		}
		s.tell(time.Now())
		s.receive(s.in[:n])
		s.kick()
		if !s.now.Before(s.nextPass) {
			s.pass()
		}
		_ = s.out.flush() // a Conn that has failed altogether fails the next read too
		switch {
		case n == len(s.in):
			// More is waiting. Under a flood that is so every time, and a goroutine that never waits is stopped by the
			// scheduler only after 10 ms, for which all others on its processor would have to wait.
			runtime.Gosched()
		case !idle:
			s.wait(pause)
		}
	}
	s.dropAll()
}

func (s *Server) stopping() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// wait pauses for pollInterval or until Stop.
func (s *Server) wait(t *time.Timer) {
	t.Reset(pollInterval)
	select {
	case <-t.C:
	case <-s.stop:
	}
}

// tell sets the time for what follows. The clock that timeouts are measured by leaves out the time in which no client
// could be heard: that of the Handler, and what a turn of the loop otherwise takes beyond twice passInterval, which is
// so only if the whole process stood still. Else a Handler that blocked for ten seconds would have all clients timed
// out as soon as it returns, while their packets wait to be read; and one that is slow again and again, those whose
// packets the full socket dropped.
func (s *Server) tell(now time.Time) {
	s.clock += min(max(0, now.Sub(s.now)-s.handling), 2*passInterval)
	s.now, s.handling = now, 0
}

// handled notes that a call of the Handler began at start and has just ended.
func (s *Server) handled(start time.Time) { s.handling += time.Since(start) }

// receive handles what one read returned.
func (s *Server) receive(ms []Message) {
	if len(ms) == 0 {
		return
	}
	bytes := 0
	for i := range ms {
		m := &ms[i]
		bytes += min(m.N, len(m.Buf))
		if m.N < 1 || m.N > len(m.Buf) {
			s.stats.ignore(causeMalformed)
			continue
		}
		s.local = m.Local
		s.packet(m.Buf[:m.N], m.Addr)
	}
	s.stats.packetsReceived.Add(uint64(len(ms)))
	s.stats.bytesReceived.Add(uint64(bytes))
}

// packet handles one datagram.
func (s *Server) packet(p []byte, from netip.AddrPort) {
	if packetType(p[0]) == packetRequest {
		s.onRequest(p, from)
		return
	}
	if s.other != nil && !isPrefix(p[0]) {
		_ = s.out.answer(path{from, s.local}, p, s.other)
		return
	}
	t, _, _, ok := packetHeader(p)
	if !ok || t < packetResponse {
		s.stats.ignore(causeMalformed)
		return
	}
	if peer := s.byAddr[from]; peer != nil && (t != packetResponse || !s.returns(peer)) {
		s.onPeerPacket(peer, p)
		return
	}
	s.onPendingPacket(p, from)
}

// pass is what is done every passInterval: timeouts, keep-alives, forgetting what is over.
func (s *Server) pass() {
	s.nextPass = s.nextPass.Add(passInterval)
	if !s.nextPass.After(s.now) { // late by a whole interval: do not make up for it
		s.nextPass = s.now.Add(passInterval)
	}
	for _, p := range s.slots {
		if p == nil {
			continue
		}
		if p.timeout > 0 && s.clock-p.heard >= p.timeout {
			s.stats.timeouts.Add(1)
			s.drop(p, ErrTimedOut)
			continue
		}
		// A peer that got something since the last pass needs no keep-alive now. So a silence lasts at most two
		// intervals, and an idle connection carries one packet in each.
		if p.sent.Load() {
			p.sent.Store(false)
			continue
		}
		_ = s.out.keepAlive(p, p.nextSequence())
	}
	s.pending.expire(s.clock)
	s.stats.pending.Store(int64(s.pending.len()))
	s.tokens.expire(s.unixSeconds())
}

// Now returns the time by which the server judges connect tokens: the time of day when the server was made and what has
// passed since. Where the time of day is set while the server runs, it does not follow, so that no token is refused for
// being too old, and none that was used can be used again. An issuer in the same process is to make tokens by it;
// others have clocks of their own, which should agree with it to a few seconds of a token's life.
func (s *Server) Now() time.Time { return s.began.Add(time.Since(s.epoch)) }

// unixSeconds is that time for the packets at hand, as connect tokens write it.
func (s *Server) unixSeconds() uint64 { return uint64(max(0, s.began.Add(s.now.Sub(s.epoch)).Unix())) }
