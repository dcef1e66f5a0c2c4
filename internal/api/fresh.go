package api

import (
	"crypto/sha256"
	"sync"
	"time"
)

const (
	// freshLife is for how long after a login with a password its session may have the account move over to OPAQUE without
	// the password being shown once more.
	freshLife = 5 * time.Minute
	// maxFresh is how many such logins are remembered, at the least half of them.
	maxFresh = 1 << 16
)

// freshLogins are the sessions that were opened with a password a short while ago, by a hash of their tokens. What they
// are good for takes the token itself.
type freshLogins struct {
	mu             sync.Mutex
	turned         time.Time
	recent, before map[[sha256.Size]byte]time.Time
}

// note remembers a session that was opened now.
func (f *freshLogins) note(session string, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.recent == nil || len(f.recent) >= maxFresh/2 || now.Sub(f.turned) >= freshLife {
		f.recent, f.before, f.turned = make(map[[sha256.Size]byte]time.Time), f.recent, now
	}
	f.recent[sha256.Sum256([]byte(session))] = now
}

// is reports whether a session was opened with a password a short while ago.
func (f *freshLogins) is(session string, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := sha256.Sum256([]byte(session))
	for _, known := range []map[[sha256.Size]byte]time.Time{f.recent, f.before} {
		if at, ok := known[key]; ok && now.Sub(at) < freshLife {
			return true
		}
	}
	return false
}
