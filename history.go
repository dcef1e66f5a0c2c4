package rushgate

import (
	"context"
	"time"
)

const (
	// MaxSignIns is how many events of an account's history are kept that are sign-ins: the newest.
	MaxSignIns = 20
	// MaxEvents is how many of its other events are kept. For want of room the oldest of the player's own goes, so that
	// no player pushes out what operators have done, or the oldest of theirs if those are more than MaxOperatorEvents.
	MaxEvents = 100
	// MaxOperatorEvents is how many of MaxEvents may have an operator, see [AccountEvent].By, once there are more events
	// than are kept: the rest is for the player's.
	MaxOperatorEvents = 80
	// MaxEventText is the greatest length of [Event].Text in bytes, MaxEventWord that of its other strings.
	MaxEventText = 1024
	MaxEventWord = 128
)

// AccountEvent is something that has happened to an account. Its strings are UTF-8 without control characters, but that
// Text may have line breaks ("\n").
type AccountEvent struct {
	// ID tells the event from the account's others, so that it is not noted twice: see [ValidAttempt].
	ID string
	// At is when it happened, to the millisecond, after 1970 and [Forever] at most.
	At time.Time
	// SignIn marks the player's having come in. Such events are many, and push out none of the others.
	SignIn bool
	// Kind says what has happened, such as "password-changed" or "banned"; never empty.
	Kind string
	// By is the operator who did it; empty for the player.
	By string
	// From is the address that it came from, or the device; it may be empty.
	From string
	// Text is what an operator wrote about it; it may be empty.
	Text string
}

// Noted is an event of an account. The name and the id must belong together.
type Noted struct {
	Player PlayerID
	Name   string
	AccountEvent
}

// LoadedHistory is one result of LoadHistories.
type LoadedHistory struct {
	// Events are those of the account, the oldest first, those of one time in the store's order; none if there is no
	// account, or if Err is set.
	Events []AccountEvent
	// Err is nil, or wraps [ErrDamagedRecord].
	Err error
}

// Histories is what a [Store] remembers of an account besides what it is now: a bounded list of events, which goes with
// the account when it is deleted. No login reads or writes it.
type Histories interface {
	// Note adds events to the histories of accounts. Each item's error is nil, [BadCredentials] (there is no account of
	// this name and id), or wraps [ErrDamagedRecord]. An event whose ID is there already is not added again, and no error.
	// What would be too much pushes out the oldest by At, which may be the event itself: a sign-in the oldest sign-in,
	// another event as MaxEvents says.
	Note(ctx context.Context, events []Noted) ([]error, error)
	// LoadHistories returns the history of the account of each canonical username.
	LoadHistories(ctx context.Context, usernames []string) ([]LoadedHistory, error)
}
