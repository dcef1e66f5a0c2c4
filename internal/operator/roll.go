package operator

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"sync"
)

// Present is an operator who has shown a token.
type Present struct {
	Operator
	// Over ends when the operator is removed, or has another role or token: what was begun until then ends with it.
	Over context.Context
}

// Roll is what a node knows of the operators, so that a request costs no call of the store. It is safe for concurrent
// use.
type Roll struct {
	store Store

	mu      sync.Mutex
	value   []byte // as it was last read
	known   bool   // it could be read, at some time
	present []entry
}

type entry struct {
	Present
	end context.CancelFunc
}

// NewRoll returns a roll that knows nothing before the first Refresh.
func NewRoll(store Store) *Roll { return &Roll{store: store} }

// Refresh reads the operators again. While that fails, those that were known stay. It is cheap; a node calls it once a
// second.
func (r *Roll) Refresh(ctx context.Context) error {
	value, err := r.store.Shared(ctx, SharedName)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known && bytes.Equal(value, r.value) {
		return nil
	}
	all, err := parse(value)
	if err != nil {
		return err
	}
	r.value, r.known = bytes.Clone(value), true
	r.replace(all)
	return nil
}

// replace has others be present. Those who are as before go on. The caller has the lock.
func (r *Roll) replace(all []Operator) {
	before := r.present
	r.present = make([]entry, len(all))
	for i, o := range all {
		for k := range before {
			if before[k].Operator == o {
				r.present[i], before[k].end = before[k], nil
			}
		}
		if r.present[i].end == nil {
			ctx, end := context.WithCancel(context.Background())
			r.present[i] = entry{Present{o, ctx}, end}
		}
	}
	for _, gone := range before {
		if gone.end != nil {
			gone.end()
		}
	}
}

// Empty reports whether it is known that there are no operators. A roll that could never be read is not empty.
func (r *Roll) Empty() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.known && len(r.present) == 0
}

// Find returns who has a token, in a time that tells nothing of it.
func (r *Roll) Find(token string) (found Present, ok bool) {
	sum := sha256.Sum256([]byte(token))
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.present {
		if subtle.ConstantTimeCompare(sum[:], r.present[i].token[:]) == 1 {
			found, ok = r.present[i].Present, true
		}
	}
	return found, ok
}
