package rushgate

import "time"

const (
	// LeaseTTL is how long a session lease lasts without being refreshed.
	LeaseTTL = 60 * time.Second
	// LeaseRefresh is how often a node refreshes the leases of the players inside.
	LeaseRefresh = 30 * time.Second
	// MaxResumable is the longest time for which a session can be parked, and the greatest [Admission].Grace.
	MaxResumable = 24 * time.Hour
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
	// Devices replace the account's, unless they are nil, provided that these still have the revision that
	// Account.Devices has; to forget them all takes an empty slice. The record becomes one of [AccountVersion]. Of several
	// admissions under one revision, with devices that differ, one succeeds and the others are refused with
	// [ErrAccountChanged].
	Devices []Device
	// Credentials replace the account's, unless they are nil, provided that these still are Account.Credentials, or are
	// Credentials already: else the admission is refused with [ErrAccountChanged]. The record becomes one of
	// [AccountVersion]. Without Create.
	Credentials []Credential
	// Session is the SHA-256 of the session's token in unpadded base64url (43 characters), by which an admission with
	// Continue finds the session. It is kept with the lease that is claimed; an admission that is resumed keeps the one
	// there is. Empty is a session that cannot be continued.
	Session string
	// Continue lets the player in only to go on with the session that Session names, which keeps its name, and the attempt
	// that has opened it. Without Create and NewHash; Attempt says nothing. It succeeds if the session
	//
	//   - was parked (see [Save].Resumable) and its time is not up: the lease is claimed;
	//   - is held by this very instance: the admission is resumed, as one of the same attempt would be;
	//   - is held by another run of this node, or its lease has run out, or it is held by Gone, and it is no longer than
	//     [LeaseRefresh] and Grace since the lease was last refreshed: the lease is claimed.
	//
	// A session that another node holds is answered with [AlreadyLoggedIn]; Takeover then asks the holder to park it, see
	// [Wanted]. Any other is over, or never was: [BadCredentials].
	Continue bool
	// Grace is for how long after its lease has stopped being refreshed Continue lets a session go on: 0 to
	// [MaxResumable].
	Grace time.Duration
	// Gone is an instance that is known to be gone, though its leases have not run out yet: one that it holds is taken for
	// one that has. It is not the one that asks; the zero Instance is none.
	Gone Instance
}

// Admitted is the outcome of one [Admission].
type Admitted struct {
	// Err is nil, or one of these, of which the first that applies counts; each says that nothing was changed:
	//
	//   - [ErrDamagedRecord], wrapped: the player's record cannot be read, and the lease was not claimed;
	//   - [UsernameTaken] (also of a name that is held) or [ErrConcurrentAttempt], with Create;
	//   - [BadCredentials]: there is no account, or no longer one, of this name and id, or its epoch is another, or with
	//     Continue, its session is another, or was opened under another epoch;
	//   - a [*Refusal] with [AccountDisabled], until when, and why;
	//   - [ErrAccountChanged], with Devices: those of the account have another revision; with Credentials: its own are
	//     others;
	//   - [BadCredentials], with Continue: the session is over;
	//   - [AlreadyLoggedIn]: the lease is held by another attempt, or with Continue, by another node.
	Err error
	// Holder is, with [AlreadyLoggedIn], who holds the lease.
	Holder Instance
	// Character is the character as it was when the lease was claimed.
	Character Character
	// Lease is what saves and refreshes of this session must carry.
	Lease Lease
	// Previous is the fence of the player's claim before the one that made Lease, and 0 if this is the first. It is less
	// than Lease.Fence, by how much is the store's choice. Resuming is no claim: it shows the same Previous again. A node
	// that has held the player under Previous knows that no other has since.
	Previous uint64
	// Resumed reports that this same attempt, or with Continue this session, already held the lease here.
	Resumed bool
	// Attempt is that of the login which has opened the session.
	Attempt string
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

// Wanted is a lease that its holder is asked to give up.
type Wanted struct {
	Lease
	// Move says that it is the player's own session which comes from another node (an [Admission] with Continue and
	// Takeover): the holder parks it, see [Save].Resumable. Otherwise the session ends.
	Move bool
}

// Save is one character to write back.
type Save struct {
	// Character is written whole, but for Name and CreatedAt, which never change. Its ID and Name are those of the
	// session's [Lease].
	Character Character
	// Fence is that of the session's [Lease]; the save is refused with [ErrLeaseLost] if the store's is another.
	Fence uint64
	// Release ends the lease with this save: the player has left, and the session is over.
	Release bool
	// Resumable, with Release, parks the session instead: the lease is given up, so that the player is not inside and any
	// login may claim the player, but for so long, 0 to [MaxResumable], an [Admission] with Continue goes on with the
	// session, on any node. A session that cannot be continued is over all the same. A release without it, under the same
	// fence, ends a session that was parked.
	Resumable time.Duration
	// Credentials replace the account's with this save, unless they are nil, provided that these still are Replaces, or
	// are Credentials already, and that the account's epoch still is Epoch: else nothing is saved, and the lease is as it
	// was. To remove them all takes an empty slice. The record becomes one of [AccountVersion]. Replaces and Epoch say
	// nothing without them; nil and empty both stand for none.
	Credentials, Replaces []Credential
	// Epoch is the one under which the player has proved who it is, see [Admission].Account.
	Epoch uint64
}

// Lease returns the lease under which the character is saved.
func (s Save) Lease() Lease {
	return Lease{Player: s.Character.ID, Name: s.Character.Name, Fence: s.Fence}
}
