// Package identity has the nouns of what other people's servers say of a player: who it is, what may be wrong with such
// a proof and whose fault that is, and what keeps a proof from being good twice. Packages oidc and steam make and check
// the proofs; who calls them has to know no more than what is here.
package identity

import (
	"errors"
	"fmt"
	"time"
)

// Identity is who a player is to a provider. Issuer and Subject together name the player for good; neither alone does,
// and nothing else does.
type Identity struct {
	// Issuer is the provider, as it calls itself: an URL, as https://accounts.google.com.
	Issuer string
	// Subject is the player's, of at most 255 printable ASCII characters.
	Subject string
	// Name is what the provider calls the player, for a proposal of a username: at most [MaxName] characters, without
	// control characters, perhaps empty. It proves nothing, is not unique, and may be no username.
	Name string
	// Email is the player's address if the provider says that it has been verified, and empty otherwise. It proves no more
	// than that the provider says so, and is not the player's name: addresses change hands.
	Email string
}

// MaxName is how many characters the name of an [Identity] has at most.
const MaxName = 64

// Whose says who can do something about an error.
type Whose int

// Whose it is.
const (
	// Player: the proof is not good; another one may be.
	Player Whose = iota
	// Provider: it is away, or answers what it should not. Its players are told when to come back.
	Provider
	// Node: what the operator has configured is not what the provider has.
	Node
)

// String returns the name, for logs.
func (w Whose) String() string { return [...]string{"player", "provider", "node"}[w] }

// What an [*Error] wraps. The first are the player's, the next the provider's, the last is the node's.
var (
	// ErrDenied: the player, or the provider, has said no.
	ErrDenied = errors.New("the player was not let in by the provider")
	// ErrForm: it is nothing that could be a proof.
	ErrForm = errors.New("not the form of a proof")
	// ErrState: it answers no question that this browser was sent away with.
	ErrState = errors.New("the answer to another question")
	// ErrExpired: it is too old, or of a time that has not come.
	ErrExpired = errors.New("not a proof of now")
	// ErrUsed: it was good once.
	ErrUsed = errors.New("the proof has been used")
	// ErrRefused: the provider does not know it, or it is not signed by the provider's keys.
	ErrRefused = errors.New("the proof is not good")
	// ErrAudience: it was made for another game.
	ErrAudience = errors.New("the proof was made for others")
	// ErrMixedUp: another provider than the one that was asked has answered.
	ErrMixedUp = errors.New("another provider has answered")

	// ErrAway: the provider does not answer, or not in time, or has failed so often that it is left alone for a while.
	ErrAway = errors.New("the provider is away")
	// ErrGarbage: the provider answers what it should not.
	ErrGarbage = errors.New("the provider's answer is not as it should be")
	// ErrFull: as many proofs as the node remembers are on their way.
	ErrFull = errors.New("too many proofs are remembered")

	// ErrConfig: the provider does not take what the operator has configured.
	ErrConfig = errors.New("what is configured is not what the provider has")
)

// Error says what is wrong with a proof. Its text is for the log: it names the provider, and has no code, token, key,
// name or address in it.
type Error struct {
	Provider string // the name that the operator has given it
	Whose    Whose
	Err      error         // wraps one of the errors above
	After    time.Duration // for [Provider], when to come back: a second or more
}

// Error returns the text.
func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.Provider, e.Err) }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }
