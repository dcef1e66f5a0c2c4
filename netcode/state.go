package netcode

import (
	"container/heap"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/rushgate/rushgate/internal/packed"
)

// ErrMoved is what Handler.Disconnected is told of the clients of a Server that is stopped after its state was taken:
// their connections are those of another server by now, and they have not been told goodbye. Batch.Add returns it from
// Server.State to Server.Resume.
var ErrMoved = errors.New("netcode: the connection goes on in another server")

// ErrBadState is wrapped by the error of NewServer for a ServerConfig.State that it cannot use.
var ErrBadState = errors.New("netcode: not the state of a server that this one can go on from")

// errNotPaused is for a state that would be out of date at once.
var errNotPaused = errors.New("netcode: the state of a server can be taken only while it is paused")

// ServerState is what Server.State returns, see there. It holds the keys of every connection: a program that reads it
// can be any of the clients, so it is to go by ways as safe as those of a private key, and be forgotten.
//
// Every fmt verb, log/slog and encoding/json print a placeholder for it, as they do for a Key; to write one, convert it
// to []byte.
type ServerState []byte

// String returns a placeholder.
func (ServerState) String() string { return redacted }

// GoString returns a placeholder.
func (ServerState) GoString() string { return redacted }

// Format writes a placeholder whatever the verb is.
func (ServerState) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns a placeholder.
func (ServerState) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns a placeholder.
func (ServerState) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Mover is a Handler that is told apart which clients come from ServerConfig.State. A Handler that is none is told of
// them by Connected.
type Mover interface {
	Handler

	// Moved is called in place of Connected for each client that was connected to the server whose state this one goes
	// on from, before all other calls. The Peer has the client id, address, slot and user data that it had there; its
	// Data is nil.
	Moved(p *Peer)
}

// sequenceJump is by how much a server's numbers jump when its state is taken: further than another server that goes on
// from the state can come within the time in which it is not yet known which of the two goes on.
const sequenceJump = 1 << 32

// State returns all that another server needs to go on in place of this one, see ServerConfig.State: the connections
// with their keys and sequence numbers, the handshakes under way, and which connect tokens have been used. The server
// must be paused, or State returns an error. Until Resume is called, the connections are taken to be the other
// server's: Batch.Add returns ErrMoved, and Stop tells the clients nothing.
//
// What this server seals after a Resume it numbers from 2^32 further on, which no client minds. So this server and
// another one that was made of its state, but came to nothing, do not seal two packets under one nonce, as long as that
// one sealed fewer than 2^32 for each client. What clients sent to that one may be replayed to this one, since it has
// not seen it: once, and within the same connection.
//
// A state is good for one server. It takes about 500 bytes for each client, and 60 for each connect token that has not
// expired.
func (s *Server) State() (ServerState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.standing() {
		return nil, errNotPaused
	}
	s.moved.Store(true) // before the numbers jump, see Batch.Add
	st := s.save(time.Now())
	return packed.Append(make([]byte, 0, st.size()), st.describe), nil
}

// state is what is kept of a server.
type state struct {
	protocolID   uint64
	now, wall    time.Time // Server.Now, and the time of day, when it was taken
	challengeKey Key
	challengeSeq uint64
	globalSeq    uint64
	forgotten    uint64
	tokens       []tokenUse
	handshakes   []savedHandshake // not heard of for longest first
	peers        []savedPeer
}

type savedHandshake struct {
	addr      netip.AddrPort
	local     netip.Addr
	token     tokenID
	timeout   time.Duration
	challenge uint64
	left      time.Duration // until it is over, if there is a timeout
	keys      packetKeys
}

type savedPeer struct {
	clientID         uint64
	index            uint32
	addr             netip.AddrPort
	local            netip.Addr
	timeout          time.Duration
	sequence         uint64
	confirmed        bool
	kicked           bool
	received, silent time.Duration // ago: LastReceived, and the same by the server's clock
	keys             packetKeys
	replay           replayWindow
	userData         [UserDataSize]byte
}

// Of how many bytes each is at least, and how large addresses are at most.
const (
	leastToken     = tagSize + 4
	leastHandshake = 64 + tagSize + 6
	leastPeer      = 64 + UserDataSize + 10
	usualPeer      = 512
)

func (st *state) size() int {
	return 256 + len(st.tokens)*64 + len(st.handshakes)*160 + len(st.peers)*usualPeer
}

// save copies what is kept of the server, and has its numbers jump.
func (s *Server) save(now time.Time) *state {
	st := &state{
		protocolID: s.protocolID, now: s.began.Add(now.Sub(s.epoch)), wall: now.Round(0),
		challengeKey: *s.challengeKey, challengeSeq: s.challengeSeq, globalSeq: s.globalSeq,
		forgotten: s.tokens.forgotten, tokens: make([]tokenUse, len(s.tokens.byExpiry)),
	}
	s.challengeSeq += sequenceJump
	s.globalSeq += sequenceJump
	for i, use := range s.tokens.byExpiry {
		st.tokens[i] = *use
	}
	for e := s.pending.order.Front(); e != nil; e = e.Next() {
		h := e.Value.(*handshake)
		if s.tokens.byID[h.use.id] == nil { // it has no timeout, and has outlasted its token
			continue
		}
		st.handshakes = append(st.handshakes, savedHandshake{
			addr: h.addr, local: h.local, token: h.use.id, timeout: h.timeout, challenge: h.challenge,
			left: h.ends - s.clock, keys: *h.keys,
		})
	}
	for _, p := range s.slots {
		if p == nil {
			continue
		}
		st.peers = append(st.peers, savedPeer{
			clientID: p.clientID, index: p.index, addr: p.addr, local: p.local, timeout: p.timeout,
			sequence: p.sequence.Add(sequenceJump) - sequenceJump, confirmed: p.confirmed.Load(), kicked: p.kicked.Load(),
			received: now.Sub(p.LastReceived()), silent: s.clock - p.heard, keys: *p.keys, replay: p.replay,
			userData: p.userData,
		})
	}
	return st
}

// describe has what is kept in the order in which it is written.
func (st *state) describe(c *packed.Codec) {
	c.Header("netcode server", 1, 1)
	c.Uint64(&st.protocolID)
	c.Time(&st.now)
	c.Time(&st.wall)
	c.Raw(st.challengeKey[:])
	c.Uint64(&st.challengeSeq)
	c.Uint64(&st.globalSeq)
	c.Uint64(&st.forgotten)
	packed.Slice(c, &st.tokens, math.MaxInt32, leastToken, func(u *tokenUse) {
		c.Raw(u.id[:])
		c.Uint64(&u.clientID)
		c.AddrPort(&u.addr)
		c.Uint64(&u.expire)
		c.Bool(&u.spent)
	})
	packed.Slice(c, &st.handshakes, math.MaxInt32, leastHandshake, func(h *savedHandshake) {
		c.AddrPort(&h.addr)
		c.Addr(&h.local)
		c.Raw(h.token[:])
		packed.Int(c, &h.timeout)
		c.Uint64(&h.challenge)
		packed.Int(c, &h.left)
		h.keys.describe(c)
	})
	packed.Slice(c, &st.peers, maxClients, leastPeer, func(p *savedPeer) { p.describe(c) })
}

func (k *packetKeys) describe(c *packed.Codec) {
	c.Raw(k.toClient[:])
	c.Raw(k.toServer[:])
}

func (p *savedPeer) describe(c *packed.Codec) {
	c.Uint64(&p.clientID)
	packed.Uint(c, &p.index)
	c.AddrPort(&p.addr)
	c.Addr(&p.local)
	packed.Int(c, &p.timeout)
	c.Uint64(&p.sequence)
	c.Bool(&p.confirmed)
	c.Bool(&p.kicked)
	packed.Int(c, &p.received)
	packed.Int(c, &p.silent)
	p.keys.describe(c)
	c.Uint64(&p.replay.last)
	for i := range p.replay.ring {
		c.Uint64(&p.replay.ring[i])
	}
	c.Raw(p.userData[:])
}

// restore has a server that is new go on from a state.
func (s *Server) restore(b ServerState) error {
	var st state
	if err := packed.Parse(b, st.describe); err != nil {
		return err
	}
	switch {
	case st.protocolID != s.protocolID:
		return errors.New("it has another protocol id")
	case st.globalSeq < firstGlobalSequence || st.challengeKey == Key{}:
		return errors.New("it was never a server's")
	}
	// The time that tokens are judged by never goes back: those forgotten meanwhile could be used again.
	s.began = st.now.Add(max(0, s.began.Sub(st.wall)))
	s.challengeKey, s.challengeAEAD = &st.challengeKey, newAEAD(&st.challengeKey)
	s.challengeSeq, s.globalSeq = st.challengeSeq, st.globalSeq
	s.tokens.forgotten = st.forgotten
	for i := range st.tokens {
		if !s.tokens.restore(st.tokens[i]) {
			return errors.New("it remembers a connect token twice, or more of them than this server can")
		}
	}
	for i := range st.peers {
		if err := s.restorePeer(&st.peers[i]); err != nil {
			return err
		}
	}
	s.free = slices.DeleteFunc(s.free, func(i uint32) bool { return s.slots[i] != nil })
	for i := range st.handshakes {
		if err := s.restoreHandshake(&st.handshakes[i]); err != nil {
			return err
		}
	}
	s.stats.clients.Store(int64(len(st.peers)))
	s.stats.pending.Store(int64(s.pending.len()))
	return nil
}

// restore remembers a token as it was remembered, and reports whether it can be.
func (h *tokenHistory) restore(u tokenUse) bool {
	if h.byID[u.id] != nil || len(h.byID) >= h.limit || h.perClient[u.clientID] >= MaxTokensPerClient {
		return false
	}
	h.byID[u.id] = &u
	h.perClient[u.clientID]++
	heap.Push(&h.byExpiry, &u)
	return true
}

func (s *Server) restorePeer(st *savedPeer) error {
	switch {
	case int64(st.index) >= int64(s.maxClients):
		return fmt.Errorf("it has a client in slot %d of %d", st.index, s.maxClients)
	case s.slots[st.index] != nil || s.byID[st.clientID] != nil || s.byAddr[st.addr] != nil || !st.addr.IsValid() ||
		st.sequence >= firstGlobalSequence || st.timeout < 0 || st.received < 0 || st.silent < 0:
		return fmt.Errorf("it has a client %d that cannot be", st.clientID)
	}
	keys := st.keys
	p := &Peer{
		server: s, clientID: st.clientID, index: st.index, maxClients: uint32(s.maxClients), addr: st.addr,
		local: st.local, timeout: st.timeout, keys: &keys, seal: newAEAD(&keys.toClient), open: newAEAD(&keys.toServer),
		userData: st.userData, heard: s.clock - st.silent, replay: st.replay,
	}
	p.sequence.Store(st.sequence)
	p.confirmed.Store(st.confirmed)
	p.received.Store(-int64(st.received))
	p.kicked.Store(st.kicked)
	s.slots[p.index], s.byAddr[p.addr], s.byID[p.clientID] = p, p, p
	s.restored = append(s.restored, p)
	return nil
}

func (s *Server) restoreHandshake(st *savedHandshake) error {
	use := s.tokens.byID[st.token]
	if use == nil || use.spent || use.addr != st.addr || st.timeout < 0 || st.left > st.timeout ||
		s.pending.byAddr[st.addr] != nil || st.challenge >= s.challengeSeq {
		return fmt.Errorf("it has a handshake with %v that cannot be", st.addr)
	}
	keys := st.keys
	h := &handshake{
		addr: st.addr, local: st.local, use: use, clientID: use.clientID, timeout: st.timeout, challenge: st.challenge,
		keys: &keys, seal: newAEAD(&keys.toClient), open: newAEAD(&keys.toServer),
	}
	s.pending.put(h, s.clock)
	h.ends = s.clock + st.left
	return nil
}

// tellOfMoved tells the Handler of the clients that the server has from another one.
func (s *Server) tellOfMoved() {
	start := time.Now()
	mover, isMover := s.handler.(Mover)
	for _, p := range s.restored {
		if isMover {
			mover.Moved(p)
		} else {
			s.handler.Connected(p)
		}
		if p.kicked.Swap(false) { // it was to be disconnected before
			p.Disconnect()
		}
	}
	s.restored = nil
	s.handled(start)
}
