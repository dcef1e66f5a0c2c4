package auth

import (
	"sync"

	"github.com/rushgate/rushgate/internal/token"
)

// maxUnsettled is how many sessions of an unknown fate are remembered, at the least half of them: as many logins are
// under way in a store that fails.
const maxUnsettled = 8192

// unsettled has the tokens of sessions of which it is not known whether the store has opened them: its answer was lost.
// If it has, a repeat of the login resumes the lease, with which the store keeps the hash of the first token; another
// token would be worth nothing once the node is gone. No client was told of these tokens. A store resumes for the
// process alone that has made the admission, so that no other has to know them.
type unsettled struct {
	mu             sync.Mutex
	recent, before map[unsettledKey]token.Session
}

type unsettledKey struct{ name, attempt string }

// sessionFor returns the token of a session that a job opens for the account of a name: the one of an earlier try of
// the same attempt, or another.
func (u *unsettled) sessionFor(name string, j *job) token.Session {
	u.mu.Lock()
	defer u.mu.Unlock()
	key := unsettledKey{name, j.attempt}
	for _, known := range []map[unsettledKey]token.Session{u.recent, u.before} {
		if s, ok := known[key]; ok {
			return s
		}
	}
	return token.NewSession(name)
}

// note remembers the tokens of jobs whose admissions are of an unknown fate. What the client has not named as an
// attempt of its own cannot be repeated.
func (u *unsettled) note(jobs []*job) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, j := range jobs {
		if j.Kind == Continue || j.Attempt == "" {
			continue
		}
		if u.recent == nil || len(u.recent) >= maxUnsettled/2 {
			u.recent, u.before = make(map[unsettledKey]token.Session), u.recent
		}
		u.recent[unsettledKey{j.session.Name(), j.attempt}] = j.session
	}
}

// settle forgets the token of a job that the store has answered.
func (u *unsettled) settle(j *job) {
	u.mu.Lock()
	defer u.mu.Unlock()
	key := unsettledKey{j.session.Name(), j.attempt}
	delete(u.recent, key)
	delete(u.before, key)
}
