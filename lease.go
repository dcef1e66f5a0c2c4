package rushgate

import "time"

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
// Fence is the fencing token: the store raises it each time the lease is claimed, and refuses a node that comes with an
// older one, so that a node which was cut off cannot overwrite a player who has since logged in elsewhere.
type Lease struct {
	Player PlayerID
	// Name is the canonical username; a store may find the player by it, by the id, or by both. A name and an id
	// that do not belong together have no lease.
	Name  string
	Fence uint64
}

// Admission asks a [Store] to let one player in. Repeating an admission whose outcome is unknown is safe: the repeat
// has the same result.
type Admission struct {
	// Account names the player by Account.ID and Account.Username, which must belong together. Account.Epoch is the one
	// under which the player has proved who it is: that of the account as it was loaded. With Create set Account is the
	// account to make, whole; a Version of 0 stands for [AccountVersion].
	Account Account
	// Create makes the account, and a character with Account's id, name and creation time at level 1, before
	// claiming the lease: both or neither.
	Create bool
	// NewHash, if not empty, replaces the account's hash provided it still is Account.PasswordHash, and makes the
	// record one of [AccountVersion]. Without Create.
	NewHash string
	// Attempt tells this login apart from all others of the player; never empty, at most [MaxAttemptLen] bytes.
	Attempt string
	// Takeover asks another holder of the lease to let the player go. The answer is [AlreadyLoggedIn] all the same,
	// until the holder, which learns of it from Wanted, has released the lease.
	Takeover bool
}

// Admitted is the outcome of one [Admission].
type Admitted struct {
	// Err is nil, or one of these, of which the first that applies counts; each says that nothing was changed:
	//
	//   - [ErrDamagedRecord], wrapped: the player's record cannot be read, and the lease was not claimed;
	//   - [UsernameTaken] or [ErrConcurrentAttempt], with Create;
	//   - [BadCredentials]: there is no account, or no longer one, of this name and id, or its epoch is another;
	//   - a [*Refusal] with [AccountDisabled], until when, and why;
	//   - [AlreadyLoggedIn]: the lease is held by another attempt.
	Err error
	// Character is the character as it was when the lease was claimed.
	Character Character
	// Lease is what saves and refreshes of this session must carry.
	Lease Lease
	// Previous is the fence of the player's claim before the one that made Lease, and 0 if this is the first. It is less
	// than Lease.Fence, by how much is the store's choice. Resuming is no claim: it shows the same Previous again. A node
	// that has held the player under Previous knows that no other has since.
	Previous uint64
	// Resumed reports that this same attempt already held the lease here.
	Resumed bool
	// HashReplaced reports that NewHash is now the account's hash.
	HashReplaced bool
}

// Arrival is a player that the store has admitted, on the way into the world.
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
	// Character is written whole, but for Name and CreatedAt, which never change. Its ID and Name are those of the
	// session's [Lease].
	Character Character
	// Fence is that of the session's [Lease]; the save is refused with [ErrLeaseLost] if the store's is another.
	Fence uint64
	// Release ends the lease with this save: the player has left.
	Release bool
}

// Lease returns the lease under which the character is saved.
func (s Save) Lease() Lease {
	return Lease{Player: s.Character.ID, Name: s.Character.Name, Fence: s.Fence}
}
