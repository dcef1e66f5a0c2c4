package opaque

import (
	"sync"
	"time"
)

// Used remembers which states have been used until they have expired, so that none is used twice. What it remembers is
// bounded; when there is no room, states are refused. It may be used by many goroutines.
//
// It is of one process. Nodes that share keys take each other's states, so that one could be used once at each of them,
// and once more after a restart. A caller that has to rule this out keeps [Pending].ID in a store that all nodes have,
// as those that open sessions do (package opaquerecord).
type Used struct {
	life time.Duration
	room int

	mu          sync.Mutex
	turned      time.Time            // when before became now
	now, before map[StateID]struct{} // each for a life: what was put into before has expired when it is dropped
}

// NewUsed returns a Used for states that live at most life from when they were made, with room for so many, each of
// which takes some 50 bytes: with n logins a second, 2 n for each second of the life are needed at most.
func NewUsed(life time.Duration, room int) *Used {
	return &Used{life: life, room: room, now: make(map[StateID]struct{}), before: make(map[StateID]struct{})}
}

// Take remembers a state. The error is [ErrUsed] if it was taken before, or [ErrFull].
func (u *Used) Take(id StateID, now time.Time) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.turn(now)
	_, again := u.now[id]
	_, earlier := u.before[id]
	switch {
	case again || earlier:
		return ErrUsed
	case len(u.now)+len(u.before) >= u.room:
		return ErrFull
	}
	u.now[id] = struct{}{}
	return nil
}

// turn drops what has expired.
func (u *Used) turn(now time.Time) {
	switch passed := now.Sub(u.turned); {
	case passed < u.life:
		return
	case passed < 2*u.life:
		u.before = u.now
	default:
		u.before = make(map[StateID]struct{})
	}
	u.now, u.turned = make(map[StateID]struct{}), now
}

// Len returns how many states are remembered; some of them may have expired.
func (u *Used) Len() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.now) + len(u.before)
}
