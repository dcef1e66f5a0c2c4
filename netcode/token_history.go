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

// tokenID tells connect tokens apart: the authentication tag of the private part.
type tokenID [tagSize]byte

func tokenIDOf(r *request) tokenID { return tokenID(r.sealed[len(r.sealed)-tagSize:]) }

// tokenUse remembers who presented a token.
type tokenUse struct {
	id     tokenID
	addr   netip.AddrPort // the first to present it, and the only one that may
	expire uint64         // Unix time in seconds
	spent  bool           // it has led to a connection
}

// tokenHistory remembers the tokens presented to a server until they expire, after which the request is refused for
// its age. Only valid tokens get in. A history that is full of tokens still valid refuses further ones: forgetting one
// instead would let whoever overheard it connect in its owner's place. With the default sizes that takes an issuer
// that hands out, within the lifetime of a token, more than 8 tokens for each slot and more than 16,384 in all.
type tokenHistory struct {
	limit    int
	byID     map[tokenID]*tokenUse
	byExpiry expiryHeap
}

func newTokenHistory(limit int) *tokenHistory {
	return &tokenHistory{limit: limit, byID: make(map[tokenID]*tokenUse)}
}

// use records that from has presented a token. If it may not, ok is false and why says the reason.
func (h *tokenHistory) use(id tokenID, from netip.AddrPort, expire, now uint64) (use *tokenUse, why cause, ok bool) {
	if u := h.byID[id]; u != nil {
		return u, causeReusedToken, u.addr == from && !u.spent
	}
	if len(h.byID) >= h.limit {
		h.expire(now)
	}
	if len(h.byID) >= h.limit {
		return nil, causeHistoryFull, false
	}
	u := &tokenUse{id: id, addr: from, expire: expire}
	h.byID[id] = u
	heap.Push(&h.byExpiry, u)
	return u, 0, true
}

// expire forgets the tokens that have expired, now in Unix seconds.
func (h *tokenHistory) expire(now uint64) {
	for len(h.byExpiry) > 0 && h.byExpiry[0].expire <= now {
		delete(h.byID, heap.Pop(&h.byExpiry).(*tokenUse).id)
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
