package netcode

import (
	"container/heap"
	"net/netip"
)

// How many connect tokens a server remembers.
const (
	minTokenHistory     = 16384
	tokenHistoryPerSlot = 8
)

// MaxTokensPerClient is how many connect tokens of one client id a [Server] remembers at a time: those that were
// presented to it and have not expired. It ignores further ones. A client needs a token for each attempt to connect, so
// an issuer should hand out fewer within the lifetime of one. Without this bound one player who collects tokens could
// fill the history and keep all others out.
const MaxTokensPerClient = 8

// tokenID tells connect tokens apart: the authentication tag of the private part.
type tokenID [tagSize]byte

func tokenIDOf(r *request) tokenID { return tokenID(r.sealed[len(r.sealed)-tagSize:]) }

// tokenUse remembers who presented a token.
type tokenUse struct {
	id       tokenID
	clientID uint64
	addr     netip.AddrPort // the first to present it, and the only one that may
	expire   uint64         // Unix time in seconds
	spent    bool           // it has led to a connection
}

// tokenHistory remembers the tokens presented to a server until they expire, after which the request is refused for
// its age. Only valid tokens get in. A history that is full of tokens still valid refuses further ones: forgetting one
// instead would let an eavesdropper connect in its owner's place. With the default sizes that takes an issuer
// that hands out, within the lifetime of a token, more than 8 tokens for each slot and more than 16,384 in all.
type tokenHistory struct {
	limit     int
	byID      map[tokenID]*tokenUse
	perClient map[uint64]int // tokens remembered for each client id, none of them zero
	byExpiry  expiryHeap
	forgotten uint64 // latest expiry of a token forgotten, Unix time in seconds
}

func newTokenHistory(limit int) *tokenHistory {
	return &tokenHistory{limit: limit, byID: make(map[tokenID]*tokenUse), perClient: make(map[uint64]int)}
}

// use records that from has presented a token of a client, valid until expire. If it may not, ok is false and why says
// the reason.
//
// A token that the history does not know is refused if it expires no later than one already forgotten: it may have been
// forgotten with it. Its time has passed then, so the request gets this far only when the wall clock has been set back.
// The expiry of a token, unlike a reading of that clock, is no more wrong than the clock of the issuer, so that a clock
// which was a year ahead for a moment does not shut everybody out for a year.
func (h *tokenHistory) use(id tokenID, clientID uint64, from netip.AddrPort, expire uint64) (use *tokenUse, why cause,
	ok bool) {
	u := h.byID[id]
	switch {
	case u != nil:
		return u, causeReusedToken, u.addr == from && !u.spent
	case expire <= h.forgotten:
		return nil, causeExpired, false
	case h.perClient[clientID] >= MaxTokensPerClient:
		return nil, causeTooManyTokens, false
	case len(h.byID) >= h.limit:
		return nil, causeHistoryFull, false
	}
	u = &tokenUse{id: id, clientID: clientID, addr: from, expire: expire}
	h.byID[id] = u
	h.perClient[clientID]++
	heap.Push(&h.byExpiry, u)
	return u, 0, true
}

// expire forgets the tokens that have expired, now in Unix seconds.
func (h *tokenHistory) expire(now uint64) {
	for len(h.byExpiry) > 0 && h.byExpiry[0].expire <= now {
		u := heap.Pop(&h.byExpiry).(*tokenUse)
		delete(h.byID, u.id)
		if h.perClient[u.clientID]--; h.perClient[u.clientID] == 0 {
			delete(h.perClient, u.clientID)
		}
		h.forgotten = max(h.forgotten, u.expire)
	}
}

// expiryHeap is a container/heap of tokens, the one that expires first on top.
type expiryHeap []*tokenUse

func (h expiryHeap) Len() int           { return len(h) }
func (h expiryHeap) Less(i, j int) bool { return h[i].expire < h[j].expire }
func (h expiryHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *expiryHeap) Push(x any)        { *h = append(*h, x.(*tokenUse)) }
func (h *expiryHeap) Pop() any {
	last := len(*h) - 1
	u := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return u
}
