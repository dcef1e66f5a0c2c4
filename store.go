package rushgate

import (
	"context"
	"errors"
	"time"
)

// Errors a [Store] answers with, besides the reasons [UsernameTaken], [AlreadyLoggedIn] and [BadCredentials].
var (
	// ErrLeaseLost refuses a save or a refresh because the player's session has since been claimed anew, here or on
	// another node: whoever holds the older fence must forget the player without saving.
	ErrLeaseLost = errors.New("session lease lost")
	// ErrConcurrentAttempt refuses a registration whose attempt has already created the account from another request
	// in flight: sent again, it will find the account and be let in by its password.
	ErrConcurrentAttempt = errors.New("the same attempt is being admitted by another request")
)

const (
	// LeaseTTL is how long a session lease lasts without being refreshed.
	LeaseTTL = 60 * time.Second
	// LeaseRefresh is how often a node refreshes the leases of the players inside.
	LeaseRefresh = 30 * time.Second
)

// Instance is one run of one node.
type Instance struct {
	// Node is the node's id; it survives restarts.
	Node string
	// Run is unique to one start of the node. A lease of the same node but another run belongs to a process that is
	// gone, and is taken over at once.
	Run string
}

// Lease is the right to change one player's character, held by the node on which the player has a session.
//
// Fence is the fencing token: the store raises it each time the lease is claimed, and refuses whoever comes with an
// older one, so that a node which was cut off cannot overwrite a player who has since logged in elsewhere.
type Lease struct {
	Player PlayerID
	Fence  uint64
}

// Admission asks a [Store] to let one player in. Repeating an admission whose outcome is unknown is safe: the repeat
// has the same result.
type Admission struct {
	// Account names the player by Account.ID. With Create set it is the account to make, whole; a Version of 0 stands
	// for [AccountVersion].
	Account Account
	// Create makes the account, and a character with Account's id, name and creation time at level 1, before
	// claiming the lease: both or neither.
	Create bool
	// NewHash, if not empty, replaces the account's hash provided it still is Account.PasswordHash, and makes the
	// record one of [AccountVersion]. Without Create.
	NewHash string
	// Attempt tells this login apart from all others of the player; never empty, at most [MaxAttemptLen] bytes.
	Attempt string
}

// Admitted is the outcome of one [Admission].
type Admitted struct {
	// Err is nil, or [UsernameTaken], [ErrConcurrentAttempt] (with Create), [BadCredentials] (the account no longer
	// exists), or [AlreadyLoggedIn] (the lease is held by another attempt).
	Err error
	// Character is the character as it was when the lease was claimed.
	Character Character
	// Lease is what saves and refreshes of this session must carry.
	Lease Lease
	// Resumed reports that this same attempt already held the lease here.
	Resumed bool
	// HashReplaced reports that NewHash is now the account's hash.
	HashReplaced bool
}

// Arrival is a player whom the store has admitted, on the way into the world.
type Arrival struct {
	// Admitted is the store's answer: the character, the lease, and whether the attempt had been admitted before.
	Admitted
	// Token is a fresh session token, used unless the lease already has a session.
	Token string
	// Reply is called exactly once, never blocks, and tells the waiting player: a session, or why there is none.
	Reply func(Session, error)
}

// Session is a player's presence in the world and the proof of it.
type Session struct {
	Player PlayerID
	// Ticket is part of the session's connect tokens, and a new one makes those before it worthless. It is a number that
	// no other session of the node has had.
	Ticket uint64
	// Token proves the session in later calls. It is a secret.
	Token string
	// ExpiresAt is when the session ends unless an authenticated call comes before.
	ExpiresAt time.Time
}

// Save is one character to write back.
type Save struct {
	// Character is written whole, but for Name and CreatedAt, which never change.
	Character Character
	// Fence is that of the session's [Lease]; the save is refused with [ErrLeaseLost] if the store's is another.
	Fence uint64
	// Release ends the lease with this save: the player has left.
	Release bool
}

// Lease returns the lease under which the character is saved.
func (s Save) Lease() Lease { return Lease{Player: s.Character.ID, Fence: s.Fence} }

// Board names a leaderboard.
type Board string

// The leaderboards: one for each number that players compare.
const (
	BoardXP     Board = "xp"
	BoardLevel  Board = "level"
	BoardDeaths Board = "deaths"
)

// Rank is one line of a leaderboard.
type Rank struct {
	// Rank counts from 1; equal scores share a rank and the next one is skipped (1, 2, 2, 4).
	Rank   int
	Player PlayerID
	Name   string
	Score  int64
}

// Store keeps accounts, characters and session leases. All methods may be called from many goroutines at once, take
// whole batches and cost one round trip each, whatever the batch's size. What a method has reported done survives
// the death of the process. An error as second result means that the batch as a whole has failed, with its outcome
// unknown; per-item results come in the order of the items.
//
// Every implementation passes the conformance suite in package storetest.
type Store interface {
	// LoadAccounts returns the account of each canonical username, and the zero Account where there is none.
	LoadAccounts(ctx context.Context, usernames []string) ([]Account, error)
	// Admit carries out admissions in order: of several that create the same name exactly one succeeds, and
	// nothing of the others remains.
	Admit(ctx context.Context, by Instance, admissions []Admission) ([]Admitted, error)
	// Save writes characters back. Each item's error is nil or [ErrLeaseLost].
	Save(ctx context.Context, saves []Save) ([]error, error)
	// Refresh extends leases to [LeaseTTL] from now, reviving one that has run out but that nobody else has
	// claimed. Each item's error is nil or [ErrLeaseLost].
	Refresh(ctx context.Context, by Instance, leases []Lease) ([]error, error)
	// ReserveIDs sets n consecutive player ids (1 or more) aside for the caller and returns the first. No id is
	// ever given out twice, also across restarts; ids that are not used are lost.
	ReserveIDs(ctx context.Context, n int) (PlayerID, error)
	// Top returns the first limit (1 or more) lines of a leaderboard, best score first, equal scores by player id.
	Top(ctx context.Context, board Board, limit int) ([]Rank, error)
	// LoadCharacters returns the character of each player, and the zero Character where there is none.
	LoadCharacters(ctx context.Context, players []PlayerID) ([]Character, error)
	// SetPasswordHash replaces a player's hash, whatever it was, and makes the record one of [AccountVersion]. The error
	// is [BadCredentials] if there is no such account.
	SetPasswordHash(ctx context.Context, player PlayerID, hash string) error
	// DeleteAccount removes a player's account, character and lease; the id is not used again. The error is
	// [BadCredentials] if there is no such account and [AlreadyLoggedIn] while a lease is live.
	DeleteAccount(ctx context.Context, player PlayerID) error
	// Online counts the players with a live lease, on all nodes.
	Online(ctx context.Context) (int, error)
	// Close waits for what is under way and releases the store. It is idempotent; later calls of the other methods
	// fail.
	Close() error
}
