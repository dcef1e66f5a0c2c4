package netcode

import (
	"container/list"
	"crypto/cipher"
	"net/netip"
	"time"
)

// How many handshakes a server remembers.
const (
	minPending     = 1024
	pendingPerSlot = 4
)

// handshake is what a server knows of a client between a valid request and the response: the standard's encryption
// mapping.
type handshake struct {
	addr       netip.AddrPort
	local      netip.Addr // where the request arrived
	use        *tokenUse
	clientID   uint64
	timeout    time.Duration // 0: none
	challenge  uint64        // number of the challenge token sent
	keys       *packetKeys
	seal, open cipher.AEAD

	ends    time.Duration // by Server.clock; counts only if there is a timeout
	element *list.Element // of pendingTable.order
}

func (h *handshake) over(clock time.Duration) bool { return h.timeout > 0 && h.ends <= clock }

// pendingTable holds the handshakes under way, one for an address. No client gets in without a valid connect token, and
// each token is bound to the first address that presents it; when the table is full all the same, the handshake that
// has not been heard of for longest makes room.
type pendingTable struct {
	limit  int
	byAddr map[netip.AddrPort]*handshake
	order  list.List // of *handshake, the one heard of last at the back
}

func newPendingTable(limit int) *pendingTable {
	return &pendingTable{limit: limit, byAddr: make(map[netip.AddrPort]*handshake)}
}

func (t *pendingTable) len() int { return len(t.byAddr) }

// find returns the handshake with addr unless there is none or it is over.
func (t *pendingTable) find(addr netip.AddrPort, clock time.Duration) *handshake {
	h := t.byAddr[addr]
	if h == nil || h.over(clock) {
		return nil
	}
	return h
}

// put adds h, in place of any other handshake with its address, or gives it its full time once more.
func (t *pendingTable) put(h *handshake, clock time.Duration) {
	h.ends = clock + h.timeout
	if old := t.byAddr[h.addr]; old == h {
		t.order.MoveToBack(h.element)
		return
	} else if old != nil {
		t.remove(old)
	}
	if len(t.byAddr) >= t.limit {
		t.remove(t.oldest())
	}
	t.byAddr[h.addr] = h
	h.element = t.order.PushBack(h)
}

func (t *pendingTable) remove(h *handshake) {
	delete(t.byAddr, h.addr)
	t.order.Remove(h.element)
}

// oldest returns the handshake not heard of for longest, nil if there is none.
func (t *pendingTable) oldest() *handshake {
	if front := t.order.Front(); front != nil {
		return front.Value.(*handshake)
	}
	return nil
}

// expire forgets handshakes that are over. It looks from the oldest to the first that is not over yet: behind one with
// a long timeout others may stay, which find does not return and put evicts.
func (t *pendingTable) expire(clock time.Duration) {
	for h := t.oldest(); h != nil && h.over(clock); h = t.oldest() {
		t.remove(h)
	}
}
