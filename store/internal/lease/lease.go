// Package lease tells who may claim a player, for stores that decide it in this process.
package lease

import (
	"time"

	"github.com/rushgate/rushgate"
)

// State is what a store knows of a player's session: that it is held, or parked. A nil State is neither. A lease
// outlives its expiry: until another session claims the player, its holder may revive it and save.
type State struct {
	// By holds the lease, or held it when it was parked.
	By rushgate.Instance
	// Attempt is that of the login which has opened the session.
	Attempt string
	// Session is the one that can be continued; empty if it cannot.
	Session string
	// Parked says that the lease was given up, but for the session.
	Parked bool
	// ExpiresAt is when the lease runs out unless it is refreshed, or until when a parked session can be continued, in
	// Unix milliseconds: it is over when the clock shows this or more.
	ExpiresAt int64
}

// Held reports that a node may save the player, also if the lease has run out.
func (s *State) Held() bool { return s != nil && !s.Parked }

// Live reports that the player is inside.
func (s *State) Live(now time.Time) bool { return s.Held() && now.UnixMilli() < s.ExpiresAt }

// Proves reports whether an admission names the session that it continues. One that continues none need not.
func (s *State) Proves(a *rushgate.Admission) bool {
	return !a.Continue || s != nil && a.Session != "" && s.Session == a.Session
}

// Claim returns the state after an admission that Proves what it has to, and whether the lease goes on under the same
// fence. The error is [rushgate.AlreadyLoggedIn], or [rushgate.BadCredentials] if the session that is continued is
// over.
func (s *State) Claim(
	by rushgate.Instance, a *rushgate.Admission, now time.Time, ttl time.Duration,
) (next State, resumed bool, err error) {
	next = State{By: by, Attempt: a.Attempt, Session: a.Session, ExpiresAt: now.Add(ttl).UnixMilli()}
	if a.Continue {
		next.Attempt = s.Attempt
		resumed, err = s.continues(by, a, now, ttl)
	} else {
		resumed, err = s.claims(by, a, now)
	}
	if resumed {
		next.Session = s.Session
	}
	return next, resumed, err
}

func (s *State) claims(by rushgate.Instance, a *rushgate.Admission, now time.Time) (resumed bool, err error) {
	if !s.Held() {
		return false, nil
	}
	resumed = s.By == by && s.Attempt == a.Attempt
	left := s.By.Node == by.Node && s.By.Run != by.Run // by a process of this node that is gone
	if s.Live(now) && !left && !resumed && s.By != a.Gone {
		return false, rushgate.AlreadyLoggedIn
	}
	return resumed, nil
}

func (s *State) continues(
	by rushgate.Instance, a *rushgate.Admission, now time.Time, ttl time.Duration,
) (resumed bool, err error) {
	until := s.ExpiresAt
	if !s.Parked {
		if s.By == by {
			return true, nil
		}
		if s.By.Node != by.Node && s.Live(now) && s.By != a.Gone {
			return false, rushgate.AlreadyLoggedIn
		}
		until += (rushgate.LeaseRefresh + a.Grace - ttl).Milliseconds()
	}
	if now.UnixMilli() >= until {
		return false, rushgate.BadCredentials
	}
	return false, nil
}
