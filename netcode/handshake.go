package netcode

import (
	"errors"
	"net/netip"
	"time"
)

// firstGlobalSequence is the sequence number of the first packet a server sends to a client without a slot. Such
// packets are sealed with the same key as those of the later connection, which count from zero; the two halves of the
// number space keep the nonces apart.
//
// That holds within the life of one server. Another server that accepts the same token, or this one after a restart,
// begins at the same number, which the standard fixes: see "Nonces" in the package documentation.
const firstGlobalSequence = 1 << 63

// onRequest makes the checks of the standard ("Processing Connection Requests") in its order and answers.
func (s *Server) onRequest(packet []byte, from netip.AddrPort) {
	r, err := parseRequest(packet, s.protocolID)
	if err != nil {
		s.stats.ignore(causeOf(err))
		return
	}
	if r.expire <= s.unixSeconds() {
		s.stats.ignore(causeExpired)
		return
	}
	if err := s.openToken(&r); err != nil {
		s.stats.ignore(causeOf(err))
		return
	}
	if !s.isNamed() {
		s.stats.ignore(causeWrongAddress)
		return
	}
	old := s.byID[s.token.clientID]
	if held := s.byAddr[from]; held != nil && held != old || old != nil && !s.replaceable(old, &s.token.userData) {
		s.stats.ignore(causeAlreadyConnected)
		return
	}
	use, why, ok := s.tokens.use(tokenIDOf(&r), s.token.clientID, from, r.expire)
	if !ok {
		s.stats.ignore(why)
		return
	}
	s.answerRequest(from, use)
}

// answerRequest answers a valid request, with much less than it received.
func (s *Server) answerRequest(from netip.AddrPort, use *tokenUse) {
	if len(s.free) == 0 && s.byID[s.token.clientID] == nil {
		seal := newAEAD(&s.token.serverToClient)
		s.stats.denied.Add(1)
		_ = s.out.add(path{from, s.local}, seal, packetDenied, s.nextGlobalSequence(), nil)
		return
	}
	h := s.pending.find(from, s.clock)
	if h == nil || h.use != use {
		h = s.newHandshake(from, use)
	}
	s.pending.put(h, s.clock)
	s.stats.pending.Store(int64(s.pending.len()))
	s.stats.handshakes.Add(1)
	s.sendChallenge(h)
}

// newHandshake makes a handshake from the token at hand.
//
// It numbers the challenge token once, not once for each packet that carries it. A response is then tied to the request
// from its own address: it must bring back this number. With just any challenge token of this server, a client that
// once obtained one at its own address could answer for an address it cannot read from.
func (s *Server) newHandshake(from netip.AddrPort, use *tokenUse) *handshake {
	keys := &packetKeys{toClient: s.token.serverToClient, toServer: s.token.clientToServer}
	h := &handshake{
		addr:      from,
		local:     s.local,
		use:       use,
		clientID:  s.token.clientID,
		timeout:   time.Duration(max(0, s.token.timeout)) * time.Second,
		challenge: s.challengeSeq,
		keys:      keys,
		seal:      newAEAD(&keys.toClient),
		open:      newAEAD(&keys.toServer),
	}
	s.challengeSeq++
	return h
}

// sendChallenge sends the challenge of h. The token at hand must be that of h: the same number then always seals the
// same content, which gives the same bytes and nothing away.
func (s *Server) sendChallenge(h *handshake) {
	s.challenge.clientID = s.token.clientID
	s.challenge.userData = s.token.userData
	s.response.seq = h.challenge
	sealChallenge(s.response.token[:0], s.challengeAEAD, h.challenge, &s.challenge)
	data := appendChallengePacket(s.room[:0], &s.response)
	_ = s.out.add(path{h.addr, h.local}, h.seal, packetChallenge, s.nextGlobalSequence(), data)
}

// onPendingPacket handles an encrypted packet from an address without a slot. Only a connection response means
// anything there. The checks are those of the standard ("Processing Connection Response Packets") in its order.
func (s *Server) onPendingPacket(packet []byte, from netip.AddrPort) {
	h := s.pending.find(from, s.clock)
	if h == nil {
		s.stats.ignore(causeUnknownSender)
		return
	}
	if t, _, _, _ := packetHeader(packet); t != packetResponse {
		s.stats.ignore(causeNotConnected)
		return
	}
	_, _, data, err := openPacket(packet, &s.scratch, h.open, s.protocolID, nil)
	if err != nil {
		s.stats.ignore(causeOf(err))
		return
	}
	parseChallengePacket(&s.response, data)
	if s.response.seq != h.challenge ||
		openChallenge(&s.challenge, s.response.token[:], s.challengeAEAD, s.response.seq) != nil {
		s.stats.ignore(causeUndecryptable)
		return
	}
	switch old := s.byID[h.clientID]; {
	case old != nil && !s.replaceable(old, &s.challenge.userData):
		s.stats.ignore(causeAlreadyConnected)
		return
	case old != nil:
		s.stats.replaced.Add(1)
		s.dropWithGoodbye(old, ErrReplaced)
	case len(s.free) == 0:
		s.stats.denied.Add(1)
		_ = s.out.add(path{from, s.local}, h.seal, packetDenied, s.nextGlobalSequence(), nil)
		return
	}
	s.connect(h, &s.challenge.userData)
}

// replaceable reports whether the client of a peer may connect anew in its place, with a token of this user data.
func (s *Server) replaceable(old *Peer, userData *[UserDataSize]byte) bool {
	return s.replace != nil && s.replace(old, userData)
}

// returns reports whether the client of a peer is about to connect anew from the peer's own address, so that responses
// from there belong to the handshake. What else comes from the address is the peer's until then.
func (s *Server) returns(p *Peer) bool {
	if s.replace == nil {
		return false
	}
	h := s.pending.find(p.addr, s.clock)
	return h != nil && h.clientID == p.clientID
}

// openToken tries the private keys in turn and reads the private part of the request's token into s.token.
func (s *Server) openToken(r *request) error {
	err := errNotAuthentic
	for _, key := range *s.keys.Load() {
		err = openPrivateToken(s.token, r.sealed, key, s.protocolID, r.expire, &r.nonce)
		if !errors.Is(err, errNotAuthentic) {
			break
		}
	}
	return err
}

// isNamed reports whether the token at hand is for this server.
func (s *Server) isNamed() bool {
	addresses := *s.addresses.Load()
	for _, a := range s.token.addresses {
		if _, ok := addresses[a]; ok {
			return true
		}
	}
	return false
}

func (s *Server) nextGlobalSequence() uint64 {
	seq := s.globalSeq
	s.globalSeq++
	return seq
}
