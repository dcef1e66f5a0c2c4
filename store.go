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
	// ErrUnavailable is wrapped by the errors of a store that cannot reach its server: the fault is not the request's,
	// and the same call may succeed later.
	ErrUnavailable = errors.New("store unavailable")
	// ErrIDsInUse refuses an import whose ids the store has already begun to give to accounts of its own.
	ErrIDsInUse = errors.New("player ids are already in use")
	// ErrImported says of a [Record] that its account, by this name and id, is there already. Nothing was changed.
	ErrImported = errors.New("account has already been imported")
	// ErrIDTaken refuses a [Record] whose id belongs to an account of another name. A store that finds players by
	// name only may be unable to tell.
	ErrIDTaken = errors.New("player id belongs to another account")
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
	// Name is the canonical username; a store may find the player by it, by the id, or by both. A name and an id
	// that do not belong together have no lease.
	Name  string
	Fence uint64
}

// Admission asks a [Store] to let one player in. Repeating an admission whose outcome is unknown is safe: the repeat
// has the same result.
type Admission struct {
	// Account names the player by Account.ID and Account.Username, which must belong together. With Create set it is
	// the account to make, whole; a Version of 0 stands for [AccountVersion].
	Account Account
	// Create makes the account, and a character with Account's id, name and creation time at level 1, before
	// claiming the lease: both or neither.
	Create bool
	// NewHash, if not empty, replaces the account's hash provided it still is Account.PasswordHash, and makes the
	// record one of [AccountVersion]. Without Create.
	NewHash string
	// Attempt tells this login apart from all others of the player; never empty, at most [MaxAttemptLen] bytes.
	Attempt string
	// Takeover asks whoever else holds the lease to let the player go. The answer is [AlreadyLoggedIn] all the same,
	// until the holder, which learns of it from [Store].Wanted, has released the lease.
	Takeover bool
}

// Admitted is the outcome of one [Admission].
type Admitted struct {
	// Err is nil, or [UsernameTaken], [ErrConcurrentAttempt] (with Create), [BadCredentials] (there is no
	// account, or no longer one, of this name and id), or [AlreadyLoggedIn] (the lease is held by another attempt).
	Err error
	// Character is the character as it was when the lease was claimed.
	Character Character
	// Lease is what saves and refreshes of this session must carry.
	Lease Lease
	// Previous is the fence of the player's claim before the one that made Lease, and 0 if this is the first. It is less
	// than Lease.Fence, by how much is the store's choice. Resuming is no claim: it shows the same Previous again. A node
	// that has held the player under Previous knows that nobody else has since.
	Previous uint64
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

// Record is one player brought in from elsewhere, see [Store].Import.
type Record struct {
	// Account is the account as it will be, whole; a Version of 0 stands for [AccountVersion]. Its Username need not be
	// one that [ParseUsername] would return today, but is UTF-8 of 1 to [MaxRecordNameLen] bytes.
	Account Account
	// Character belongs to Account: Character.ID is Account.ID and Character.Name is Account.Username.
	Character Character
}

// MaxRecordNameLen is the greatest length of the username of a [Record] in bytes.
const MaxRecordNameLen = 128

// MaxWanted is the greatest number of leases that one call of [Store].Wanted returns.
const MaxWanted = 1000

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
	// Wanted returns the leases of the node, whichever of its runs claimed them, that an [Admission] with Takeover has
	// asked for since the last call: each once, at most [MaxWanted] a call. The node answers by ending those sessions
	// with a last save; a lease that is over by then is told from a later one by its fence. A call that fails may lose
	// what it would have returned, until the player asks again. The call is cheap; a node makes it once a second.
	Wanted(ctx context.Context, by Instance) ([]Lease, error)
	// LoadCharacters returns the character of each canonical username, and the zero Character where there is none.
	LoadCharacters(ctx context.Context, usernames []string) ([]Character, error)
	// SetPasswordHash replaces the hash of the account of a canonical username, whatever it was, and makes the record
	// one of [AccountVersion]. The error is [BadCredentials] if there is no such account.
	SetPasswordHash(ctx context.Context, username, hash string) error
	// DeleteAccount removes the account of a canonical username with its character and lease; ReserveIDs does not
	// return its id again. The error is [BadCredentials] if there is no such account and [AlreadyLoggedIn] while a
	// lease is live.
	DeleteAccount(ctx context.Context, username string) error
	// BeginImport sets the ids 1 to highest aside for Import, so that ReserveIDs gives out greater ones only. It is
	// idempotent, and a later import may reach further as long as ReserveIDs has not been called in between; else the
	// error is [ErrIDsInUse].
	BeginImport(ctx context.Context, highest PlayerID) error
	// Import creates accounts with their characters, each pair at once or not at all, without a lease. Each item's
	// error is nil, [ErrImported], [UsernameTaken] (the name belongs to another id) or [ErrIDTaken]; nothing that is
	// there is changed. An id that BeginImport has not set aside fails the batch as a whole.
	Import(ctx context.Context, records []Record) ([]error, error)
	// Online counts the players with a live lease, on all nodes.
	Online(ctx context.Context) (int, error)
	// Ping returns nil if the store takes a write now: it writes something small that no other method shows, in the way of
	// all writes, so that a full disk or a server that only reads is an error. It is for probes, which ask once a second
	// at most.
	Ping(ctx context.Context) error
	// Close waits for what is under way and releases the store. It is idempotent; later calls of the other methods
	// fail.
	Close() error
}
