package identity

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"
)

// Once reports whether something is seen for the first time, and remembers it until it would be refused for its age
// alone. It may be called by many goroutines; of several that ask for one thing, one is the first. An error is that
// nobody can say; it is no yes. [Seen.Once] is one for a single node. That of a fleet asks what its nodes share.
type Once func(ctx context.Context, what string, until time.Time) (bool, error)

// Seen remembers what was there, on one node. It is safe for concurrent use.
type Seen struct {
	now  func() time.Time
	most int

	mu      sync.Mutex
	until   map[[sha256.Size]byte]time.Time // of a hash: what is remembered may be good elsewhere
	sweepAt int
}

// sweepLeast is with how many things it begins to pay to look for those that can be forgotten.
const sweepLeast = 1024

// NewSeen returns what remembers so many things at most, some 64 bytes each.
func NewSeen(most int, now func() time.Time) *Seen {
	return &Seen{now: now, most: most, until: make(map[[sha256.Size]byte]time.Time), sweepAt: min(most, sweepLeast)}
}

// Once is an [Once]. Its error is [ErrFull]: nothing is forgotten before its time.
func (s *Seen) Once(_ context.Context, what string, until time.Time) (bool, error) {
	key, now := sha256.Sum256([]byte(what)), s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if end, ok := s.until[key]; ok && now.Before(end) {
		return false, nil
	}
	if len(s.until) >= s.sweepAt {
		for k, end := range s.until {
			if !now.Before(end) {
				delete(s.until, k)
			}
		}
		s.sweepAt = min(s.most, max(sweepLeast, 2*len(s.until)))
		if len(s.until) >= s.most {
			return false, ErrFull
		}
	}
	s.until[key] = until
	return true, nil
}
