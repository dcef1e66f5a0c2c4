package rushgate

import "time"

// Account is what a player proves to own with a password, or another [Credential].
type Account struct {
	// ID is the player this account belongs to; zero stands for "no such account".
	ID PlayerID
	// Username is canonical, as returned by [ParseUsername].
	Username string
	// PasswordHash is a self-describing string of package password. It is a secret: never logged, never shown.
	PasswordHash string
	// Credentials are the other ways to prove the account, at most [MaxCredentials] of [MaxCredentialLen] bytes each.
	Credentials []Credential
	// Devices are the devices that the account is remembered on. LoadAccounts fills them in; an account that is to be made
	// has none, and an [Admission] goes by their revision only.
	Devices Devices
	// Attempt is the attempt_id of the registration that created the account, at most [MaxAttemptLen] bytes. It lets
	// a registration whose answer was lost be recognised when it is sent again.
	Attempt string
	// CreatedAt is when the account was registered, to the millisecond.
	CreatedAt time.Time
	// Version is that of the record, 1 to [AccountVersion]. Records of versions 1 and 2 come from the game that Rushgate
	// replaces and may hold a hash in an older form. Records before version 4 have no epoch, no other credentials and
	// were never disabled, which reads as the zero of each, and those before version 5 have no devices. A record becomes
	// current with the first change to it, such as a login that replaces its hash or remembers a device.
	Version int
	// Epoch is raised to end every session and every proof of the account at once: an [Admission] that was prepared under
	// another epoch is refused. At most [MaxEpoch].
	Epoch uint64
	// Disabled says until when no session may be opened, and why.
	Disabled Disabled
	// Zone is the zone that the account's character was last saved in, empty until it has entered the world once. It
	// is filled in by LoadAccounts and means nothing elsewhere.
	Zone string
}

// AccountVersion is the version of account records that are written now.
const AccountVersion = 5

const (
	// MaxAttemptLen is the greatest length of an attempt_id in bytes.
	MaxAttemptLen = 64
	// MaxEpoch is the greatest epoch of an account.
	MaxEpoch = 1<<53 - 1
	// MaxCredentials is how many credentials an account may have beside its password.
	MaxCredentials = 16
	// MaxCredentialLen is the greatest length of all parts of one [Credential] together, in bytes.
	MaxCredentialLen = 1024
	// MaxDisabledReason is the greatest length of [Disabled].Reason in bytes.
	MaxDisabledReason = 256
)

// Credential is a way to prove an account other than its password. A store keeps it as it is; all parts are UTF-8.
type Credential struct {
	// Kind says how it is proved, such as "federated"; never empty.
	Kind string `json:"kind"`
	// Provider and Subject name who vouches for the player, and as what. Either may be empty.
	Provider string `json:"provider,omitempty"`
	Subject  string `json:"subject,omitempty"`
	// Secret is what a proof is checked against; it is never logged, never shown. It may be empty.
	Secret string `json:"secret,omitempty"`
}

// Disabled is a time in which an account opens no session. The zero Disabled is an account that is not disabled.
type Disabled struct {
	// Until is when the account is enabled again by itself, to the millisecond, [Forever] at most; zero if it is not
	// disabled.
	Until time.Time
	// Reason is what the player is told, UTF-8 of at most [MaxDisabledReason] bytes.
	Reason string
}

// Forever returns the time that stands for no end, in the year 9999.
func Forever() time.Time { return time.Date(9999, time.December, 31, 0, 0, 0, 0, time.UTC) }

// At reports whether an account is disabled at a time.
func (d Disabled) At(now time.Time) bool { return now.Before(d.Until) }

// Refusal returns what a player with the right proof is answered.
func (d Disabled) Refusal() *Refusal {
	return &Refusal{Reason: AccountDisabled, Until: d.Until, Text: d.Reason}
}

// LoadedAccount is one result of LoadAccounts.
type LoadedAccount struct {
	// Account is the zero Account if there is none, or if Err is set.
	Account
	// Err is nil, or wraps [ErrDamagedRecord].
	Err error
}

// LoadedCharacter is one result of LoadCharacters.
type LoadedCharacter struct {
	// Character is the zero Character if there is none, or if Err is set.
	Character
	// Err is nil, or wraps [ErrDamagedRecord].
	Err error
}

// AccountChange is a change to one account, carried out whole if the account still is what it was read as.
type AccountChange struct {
	// Player and Name name the account, and must belong together.
	Player PlayerID
	Name   string
	// Epoch is the account's, as it was read.
	Epoch uint64
	// PasswordHash replaces the account's, unless it is empty.
	PasswordHash string
	// Credentials replace the account's, unless they are nil, provided that these still are Replaces, or are Credentials
	// already; else the change is refused as a whole with [ErrAccountChanged]. To remove them all takes an empty slice.
	// Replaces says nothing without them; nil and empty both stand for none.
	Credentials, Replaces []Credential
	// Disabled replaces the account's, unless it is nil. The zero Disabled enables the account.
	Disabled *Disabled
	// RaiseEpoch adds one to the epoch.
	RaiseEpoch bool
	// Devices replace the account's, unless they are nil, provided that these still have DevicesRevision; to forget them
	// all takes an empty slice. If they have another the change is refused as a whole, unless this same change was carried
	// out before: then the revision is one more, and the devices are equal.
	Devices         []Device
	DevicesRevision uint64
	// EndAttempt, if not empty, ends the session that the login of this attempt has opened, wherever it is now: the holder
	// of its lease is asked to let the player go, as Want does, and no [Admission] can continue it. A session of another
	// attempt is left alone.
	EndAttempt string
}

// Rename is another name for an account and its character. It makes the record one of [AccountVersion].
type Rename struct {
	// Player and Name name the account, and must belong together.
	Player PlayerID
	Name   string
	// Epoch is the account's, as it was read. A rename raises it.
	Epoch uint64
	// NewName is canonical, as returned by [NewUsername], and another than Name.
	NewName string
	// Hold is until when no other player may take the old name, nor what can be taken for it, to the millisecond,
	// [Forever] at most, by the store's clock. One that has passed, such as the zero time, frees it.
	Hold time.Time
}

// EndsSession reports whether a player inside has to leave because of the change, at the time that it is made.
func (c *AccountChange) EndsSession(now time.Time) bool {
	return c.RaiseEpoch || c.Disabled != nil && c.Disabled.At(now)
}

// Presence says where a player has a session.
type Presence struct {
	// Node has the player's live lease; empty if there is none, and if there is no such player.
	Node string
	// Until is when the lease runs out unless it is refreshed, by the store's clock and to the millisecond.
	Until time.Time
	// Err is nil, or wraps [ErrDamagedRecord].
	Err error
}

// Inside reports whether there is a session.
func (p Presence) Inside() bool { return p.Node != "" }
