package wschannel

import "sync"

// slot holds the newest snapshot until it can be sent. No sender waits for it: a snapshot that is still there when the
// next one comes is replaced.
type slot struct {
	ready chan struct{} // holds one, while there may be a snapshot, or something in the queue

	mu       sync.Mutex
	snapshot []byte
	full     bool
}

func newSlot() slot { return slot{ready: make(chan struct{}, 1)} }

// put copies a snapshot into the slot. It reports whether that has replaced one.
func (s *slot) put(snapshot []byte) (replaced bool) {
	s.mu.Lock()
	replaced = s.full
	s.snapshot, s.full = append(s.snapshot[:0], snapshot...), true
	s.mu.Unlock()
	s.nudge()
	return replaced
}

// nudge has the writer look whether there is something to send.
func (s *slot) nudge() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// take exchanges the snapshot for buf, whose contents do not matter; false means that there is none.
func (s *slot) take(buf []byte) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.full {
		return buf, false
	}
	s.full = false
	snapshot := s.snapshot
	s.snapshot = buf
	return snapshot, true
}
