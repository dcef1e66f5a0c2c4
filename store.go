package rushgate

import (
	"context"
	"errors"
)

// Errors a [Store] answers with, besides the reasons [UsernameTaken], [AlreadyLoggedIn] and [BadCredentials].
var (
	// ErrLeaseLost refuses a save or a refresh because the player's session has since been claimed anew, here or on
	// another node, or released: the holder of the older fence must forget the player without saving. Nothing else is
	// proof of that.
	ErrLeaseLost = errors.New("session lease lost")
	// ErrConcurrentAttempt refuses a registration whose attempt has already created the account from another request
	// in flight: sent again, it will find the account and be let in by its password.
	ErrConcurrentAttempt = errors.New("the same attempt is being admitted by another request")
	// ErrUnavailable is wrapped by the errors of a store that cannot reach its server: the fault is not the request's,
	// and the same call may succeed later.
	ErrUnavailable = errors.New("store unavailable")
	// ErrDamagedRecord is wrapped by the result of an item whose record cannot be read or written to, because it was
	// changed by hand or by a newer program. The fault is neither the player's nor that of the batch, whose other items
	// are answered as ever; it lasts until an operator has put the record right.
	ErrDamagedRecord = errors.New("record is damaged")
	// ErrAccountChanged refuses an [AccountChange] because the account has another epoch than it was read with, this or an
	// [Admission] because its devices have another revision, and these or a [Save] because its credentials are others.
	ErrAccountChanged = errors.New("account has changed meanwhile")
	// ErrIDsInUse refuses an import whose ids the store has already begun to give to accounts of its own.
	ErrIDsInUse = errors.New("player ids are already in use")
	// ErrImported says of a [Record] that its account, by this name and id, is there already. Nothing was changed.
	ErrImported = errors.New("account has already been imported")
	// ErrIDTaken refuses a [Record] whose id belongs to an account of another name. A store that finds players by
	// name only may be unable to tell.
	ErrIDTaken = errors.New("player id belongs to another account")
)

// Record is one player brought in from elsewhere, see [Importer].
type Record struct {
	// Account is the account as it will be, whole; a Version of 0 stands for [AccountVersion]. Its Username need not be
	// one that [ParseUsername] would return today, but is UTF-8 of 1 to [MaxRecordNameLen] bytes.
	Account Account
	// Character belongs to Account: Character.ID is Account.ID and Character.Name is Account.Username.
	Character Character
}

// MaxRecordNameLen is the greatest length of the username of a [Record] in bytes.
const MaxRecordNameLen = 128

// MaxWanted is the greatest number of leases that one call of Wanted returns.
const MaxWanted = 1000

// Rank is one line of a leaderboard.
type Rank struct {
	// Rank counts from 1; equal scores share a rank and the next one is skipped (1, 2, 2, 4).
	Rank   int
	Player PlayerID
	Name   string
	Score  int64
}

// Store keeps accounts, characters and session leases, and what a fleet of nodes shares. It is the sum of the parts
// that the users of a store take.
//
// All methods may be called from many goroutines at once, take whole batches and cost one round trip each, whatever the
// batch's size. What a method has reported done survives the death of the process. Per-item results come in the order
// of the items: an item that is refused, or whose record is damaged, is answered alone, and costs the others of its
// batch nothing. An error as second result means that the batch as a whole has failed, with its outcome unknown; it
// wraps [ErrUnavailable] if the same call may succeed later.
//
// Every implementation passes the conformance suite in package storetest.
type Store interface {
	Accounts
	Identities
	Leases
	Characters
	Boards
	Importer
	Fleet
	Directory
	Holds
	Histories
	Agenda
	AuditLog
	// Ping returns nil if the store takes a write now: it writes something small that no other method shows, in the way of
	// all writes, so that a full disk or a server that only reads is an error. It is for probes, which ask once a second
	// at most.
	Ping(ctx context.Context) error
	// Close waits for what is under way and releases the store. It is idempotent; later calls of the other methods
	// fail.
	Close() error
}

// Accounts is what a [Store] knows of accounts, but for the sessions that are opened under them.
type Accounts interface {
	// LoadAccounts returns the account of each canonical username.
	LoadAccounts(ctx context.Context, usernames []string) ([]LoadedAccount, error)
	// PlayerNames returns the username of each player whose account has a [Credential], and nothing where there is no such
	// account. A store may know the names of others, too. A name may be out of date for the moment of a rename: the
	// account that LoadAccounts returns for it then has another id, or is none.
	PlayerNames(ctx context.Context, players []PlayerID) ([]string, error)
	// Lookalikes returns for each canonical username the name of an account, other than the one of this name, that can be
	// taken for it, because both have the same [Skeleton], or nothing if there is none.
	Lookalikes(ctx context.Context, usernames []string) ([]string, error)
	// CreateAccounts makes accounts, each with a character of its id, name and creation time, both or neither,
	// and without a lease. Ids come from ReserveIDs; a Version of 0 stands for [AccountVersion]. Each item's error is nil,
	// [UsernameTaken] (also of a name that is held) or [ErrIDTaken]; what a name looks like is no reason to refuse it. An
	// account that is there already with this id and hash is no error, so that the call can be repeated when its outcome
	// is unknown.
	CreateAccounts(ctx context.Context, accounts []Account) ([]error, error)
	// UpdateAccounts changes accounts and makes their records ones of [AccountVersion]. Each item's error is nil,
	// [BadCredentials] (there is no account of this name and id) or [ErrAccountChanged], or wraps [ErrDamagedRecord]. A
	// change after which the player must not be inside (see [AccountChange].EndsSession) also asks the holder of a live
	// lease to let the player go, as Want does, and no [Admission] can continue the session any more, whether it is held
	// or parked.
	//
	// A change that raises the epoch is refused when it is repeated, also if it was carried out the first time; the
	// account that is then loaded tells.
	UpdateAccounts(ctx context.Context, changes []AccountChange) ([]error, error)
	// DeleteAccount removes the account of a canonical username with its character and history, and its lease or parked
	// session; ReserveIDs does not return its id again. The error is [BadCredentials] if there is no such account and
	// [AlreadyLoggedIn] while a lease is live.
	DeleteAccount(ctx context.Context, username string) error
	// RenameAccount gives an account and its character another name, with all that hangs on the old one: devices,
	// credentials, history, leaderboards. The error is nil, or the first that applies of [BadCredentials] (there is no
	// account of this name and id), [ErrAccountChanged] (it has another epoch), [AlreadyLoggedIn] while a lease is
	// live, [UsernameTaken] (the new name is another account's, is held for another player, or has the [Skeleton] of
	// such a name), or wraps [ErrDamagedRecord]. The lease and a parked session are over. A rename that was carried out
	// and is repeated is no error: the player has the new name, and a greater epoch.
	//
	// From then on the old name is nobody's. Until Hold only the same player can be renamed to it, and no account can be
	// created or imported under it, also once the player's is deleted: the answer is [UsernameTaken]. So is that of a
	// registration, and of another player's rename, to what has the same [Skeleton]; Lookalikes tells of accounts alone.
	// A player may have several names held.
	RenameAccount(ctx context.Context, rename Rename) error
	// ReserveIDs sets n consecutive player ids (1 or more) aside for the caller and returns the first. No id is
	// ever given out twice, also across restarts; ids that are not used are lost.
	ReserveIDs(ctx context.Context, n int) (PlayerID, error)
}

// Leases is what a [Store] knows of sessions: who has which player, and what the holder writes back.
type Leases interface {
	// Admit carries out admissions in order: of several that create the same name, or names with the same [Skeleton],
	// exactly one succeeds, and nothing of the others remains. Nor is an account created whose name has the skeleton of
	// another's, however that was made: the error is [UsernameTaken] too. Each is checked and
	// carried out in one atomic step, also against UpdateAccounts.
	Admit(ctx context.Context, by Instance, admissions []Admission) ([]Admitted, error)
	// Save writes characters back, each with the account's credentials if it has some, or neither. Each item's error is
	// nil, [ErrLeaseLost], [ErrAccountChanged] (with Credentials: those of the account are others, or its epoch is), or
	// wraps [ErrDamagedRecord]; with the latter two the lease is as it was, and the save may be repeated.
	Save(ctx context.Context, saves []Save) ([]error, error)
	// Refresh extends leases to [LeaseTTL] from now, reviving one that has run out but that no other has claimed. Each
	// item's error is nil, [ErrLeaseLost], or wraps [ErrDamagedRecord].
	Refresh(ctx context.Context, by Instance, leases []Lease) ([]error, error)
	// Wanted returns the leases of the node, whichever of its runs claimed them, that an [Admission] with Takeover, Want
	// or UpdateAccounts has asked for since the last call: each once, at most [MaxWanted] a call. The node answers by
	// ending those sessions, or parking those that move, with a last save; of a lease that is wanted for both reasons the
	// session ends. A lease that is over by then is told from a later one by its fence. A call that fails may lose what it
	// would have returned. A store may return a lease again that was claimed under an older epoch of the account, or is
	// held while the account is disabled. The call is cheap; a node makes it twice a second.
	Wanted(ctx context.Context, by Instance) ([]Wanted, error)
	// Presence says where the player of each canonical username is inside.
	Presence(ctx context.Context, usernames []string) ([]Presence, error)
	// Want says the same, and asks the holders to let the players go.
	Want(ctx context.Context, usernames []string) ([]Presence, error)
}

// Characters is the way to read characters without a lease.
type Characters interface {
	// LoadCharacters returns the character of each canonical username as it was last saved.
	LoadCharacters(ctx context.Context, usernames []string) ([]LoadedCharacter, error)
}

// Boards is what a [Store] tells everyone.
type Boards interface {
	// Top returns the first limit (1 or more) lines of a leaderboard, best score first, equal scores by player id. The
	// store was given the boards that there are when it was opened; another one is an error.
	Top(ctx context.Context, board Board, limit int) ([]Rank, error)
}

// Importer takes in players from elsewhere, with ids that they have had there.
type Importer interface {
	// BeginImport sets the ids 1 to highest aside for Import, so that ReserveIDs gives out greater ones only. It is
	// idempotent, and a later import may reach further as long as ReserveIDs has not been called in between; else the
	// error is [ErrIDsInUse].
	BeginImport(ctx context.Context, highest PlayerID) error
	// Import creates accounts with their characters, each pair at once or not at all, without a lease. Each item's
	// error is nil, [ErrImported], [UsernameTaken] (the name itself belongs to another id, or is held) or [ErrIDTaken], or
	// wraps [ErrDamagedRecord]; nothing that is there is changed. An id that BeginImport has not set aside fails the batch
	// as a whole.
	Import(ctx context.Context, records []Record) ([]error, error)
}
