package netcode

import (
	"crypto/cipher"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"
)

// disconnectPackets is how often a goodbye is said, because no client confirms it and most of them may be lost.
const disconnectPackets = 10

// Peer is one connection of a client to a Server, from Handler.Connected to Handler.Disconnected. Its methods may be
// called from any goroutine and keep working after the connection has ended. A Peer is never used again for another
// connection, so one that is kept too long cannot be mistaken for its successor in the slot.
type Peer struct {
	// Data is for the Handler: set it in Connected. The server does not touch it.
	Data any

	server     *Server
	clientID   uint64
	index      uint32
	maxClients uint32
	addr       netip.AddrPort
	local      netip.Addr    // of this machine, where the client's request arrived
	timeout    time.Duration // 0: none
	keys       *packetKeys
	seal, open cipher.AEAD

	// Used by the goroutines that send.
	sequence  atomic.Uint64 // of the next packet
	confirmed atomic.Bool   // the client has shown that it knows it is connected
	gone      atomic.Bool
	sent      atomic.Bool // something was sent since the server's last pass
	kicked    atomic.Bool

	// Stands between what the senders and what the server's goroutine write for every packet, so that they do not
	// take each other's cache lines.
	userData [UserDataSize]byte

	received atomic.Int64  // LastReceived, nanoseconds since Server.epoch
	heard    time.Duration // the same by Server.clock; the server's goroutine only
	replay   replayWindow  // the server's goroutine only
}

// ClientID returns the client's id from its connect token. No other peer has it while this one is connected.
func (p *Peer) ClientID() uint64 { return p.clientID }

// UserData returns the user data from the client's connect token. It must not be changed.
func (p *Peer) UserData() *[UserDataSize]byte { return &p.userData }

// Addr returns the client's address. No other peer has it while this one is connected.
func (p *Peer) Addr() netip.AddrPort { return p.addr }

// Index returns the client's slot, 0 to ServerConfig.MaxClients-1. Once this peer is gone, another may have it. Slots
// that have been used are given away before new ones, so indices stay below the largest number of clients so far.
func (p *Peer) Index() int { return int(p.index) }

// LastReceived returns when the server last read a payload or keep-alive packet from the client, or when it connected.
// Forged and replayed packets do not count.
func (p *Peer) LastReceived() time.Time {
	return p.server.epoch.Add(time.Duration(p.received.Load()))
}

// Disconnect ends the connection. It does not wait: the server tells the client within 100 ms and then calls
// Handler.Disconnected with ErrKicked, unless the connection ends in another way before. Until then payloads of the
// client may still be handed to the Handler.
func (p *Peer) Disconnect() {
	if p.gone.Load() || p.kicked.Swap(true) {
		return
	}
	s := p.server
	s.mu.Lock()
	s.kicks = append(s.kicks, p)
	s.mu.Unlock()
}

// Format writes the client's id and address whatever the verb is.
func (p *Peer) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "netcode peer %d at %v", p.clientID, p.addr)
}

// path is how datagrams get to the client.
func (p *Peer) path() path { return path{p.addr, p.local} }

// nextSequence returns a sequence number that no other packet to the peer has.
func (p *Peer) nextSequence() uint64 { return p.sequence.Add(1) - 1 }

// hear notes that the client has sent a keep-alive or a payload. The standard has no other packet count: a response can
// be replayed, and a client that says goodbye is gone.
func (s *Server) hear(p *Peer) {
	p.heard = s.clock
	p.received.Store(int64(s.now.Sub(s.epoch)))
	if !p.confirmed.Load() {
		p.confirmed.Store(true)
	}
}

// onPeerPacket handles an encrypted packet from the address of a connected client.
func (s *Server) onPeerPacket(p *Peer, packet []byte) {
	t, _, data, err := openPacket(packet, &s.scratch, p.open, s.protocolID, &p.replay)
	if err != nil {
		s.stats.ignore(causeOf(err))
		return
	}
	switch t {
	case packetKeepAlive:
		s.hear(p)
	case packetPayload:
		s.hear(p)
		start := time.Now()
		s.handler.Received(p, data)
		s.handled(start)
	case packetDisconnect:
		s.stats.left.Add(1)
		s.drop(p, ErrLeft)
	default: // a response that was sent before our keep-alive arrived
		s.stats.ignore(causeAlreadyConnected)
	}
}

// connect gives the client of a handshake the slot that is free next. There must be one.
func (s *Server) connect(h *handshake, userData *[UserDataSize]byte) {
	last := len(s.free) - 1
	p := &Peer{
		server:     s,
		clientID:   h.clientID,
		index:      s.free[last],
		maxClients: uint32(s.maxClients),
		addr:       h.addr,
		local:      h.local,
		timeout:    h.timeout,
		keys:       h.keys,
		seal:       h.seal,
		open:       h.open,
		userData:   *userData,
		heard:      s.clock,
	}
	p.received.Store(int64(s.now.Sub(s.epoch)))
	s.free = s.free[:last]
	s.slots[p.index] = p
	s.byAddr[p.addr] = p
	s.byID[p.clientID] = p
	h.use.spent = true
	s.pending.remove(h)
	s.stats.connects.Add(1)
	s.stats.clients.Add(1)
	s.stats.pending.Store(int64(s.pending.len()))
	_ = s.out.keepAlive(p, p.nextSequence())
	start := time.Now()
	s.handler.Connected(p)
	s.handled(start)
}

// drop frees the slot of p. From here on no Batch takes p, and what is already in one arrives under p's own key, which
// no other connection has.
func (s *Server) drop(p *Peer, why error) {
	p.gone.Store(true)
	delete(s.byAddr, p.addr)
	delete(s.byID, p.clientID)
	s.slots[p.index] = nil
	s.free = append(s.free, p.index)
	s.stats.clients.Add(-1)
	start := time.Now()
	s.handler.Disconnected(p, why)
	s.handled(start)
}

// dropWithGoodbye tells the client before it drops it.
func (s *Server) dropWithGoodbye(p *Peer, why error) {
	for range disconnectPackets {
		_ = s.out.add(p.path(), p.seal, packetDisconnect, p.nextSequence(), nil)
	}
	s.drop(p, why)
}

// kick drops the peers that Peer.Disconnect was called for.
func (s *Server) kick() {
	s.mu.Lock()
	s.kicks, s.kicking = s.kicking[:0], s.kicks
	s.mu.Unlock()
	for i, p := range s.kicking {
		s.kicking[i] = nil
		if !p.gone.Load() {
			s.stats.kicked.Add(1)
			s.dropWithGoodbye(p, ErrKicked)
		}
	}
}

// dropAll is how a server ends.
func (s *Server) dropAll() {
	for _, p := range s.slots {
		switch {
		case p == nil:
		case s.moved.Load():
			s.drop(p, ErrMoved)
		default:
			s.dropWithGoodbye(p, ErrServerClosed)
		}
	}
	_ = s.out.flush()
}
