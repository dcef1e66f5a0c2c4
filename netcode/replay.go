package netcode

// replayWindowSize is the number of most recent sequence numbers remembered, the standard's recommendation.
const replayWindowSize = 256

// replayWindow remembers which of the last 256 sequence numbers were received. The zero value has received nothing.
// Bit seq%256 of the ring speaks of seq as long as seq lies in (last-256, last].
type replayWindow struct {
	last uint64
	ring [replayWindowSize / 64]uint64
}

// seen reports whether seq was received before, or is so old that the window cannot tell. All comparisons subtract:
// an addition would wrap for the last 256 sequence numbers below 1<<64 and refuse every one of them.
func (w *replayWindow) seen(seq uint64) bool {
	if seq > w.last {
		return false
	}
	if w.last-seq >= replayWindowSize {
		return true
	}
	return w.ring[seq/64%uint64(len(w.ring))]&(1<<(seq%64)) != 0
}

// advance records seq as received. To be called only once the packet has been authenticated; otherwise anyone could
// push the window forward and shut out the real sender.
func (w *replayWindow) advance(seq uint64) {
	switch {
	case seq <= w.last:
		if w.last-seq >= replayWindowSize {
			return
		}
	case seq-w.last >= replayWindowSize:
		w.ring = [len(w.ring)]uint64{}
		w.last = seq
	default:
		// The numbers skipped take over the bits of others that have just left the window.
		for s := w.last + 1; s != seq; s++ {
			w.ring[s/64%uint64(len(w.ring))] &^= 1 << (s % 64)
		}
		w.last = seq
	}
	w.ring[seq/64%uint64(len(w.ring))] |= 1 << (seq % 64)
}
