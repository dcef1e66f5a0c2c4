package importer

import (
	"context"

	"github.com/rushgate/rushgate"
)

// Source is where players come from, such as the records that another game has left. An import reads it and never
// writes. It is used by one goroutine at a time.
type Source interface {
	// Scan visits every record once, or more often if Repeats says so, until visit returns an error, which it returns.
	// The contents of characters may be left out. What is visited is the visitor's for the time of the call.
	Scan(ctx context.Context, visit func(*Found) error) error
	// Fetch reads records that Scan has visited once more. It returns one for each reference, in the same order. They are
	// used while the next ones are fetched.
	Fetch(ctx context.Context, refs []Ref) ([]Record, error)
	// Key returns what the source calls a record, for the report.
	Key(Ref) string
	// Repeats reports that Scan may visit a record more than once.
	Repeats() bool
	// Close releases what the source holds.
	Close() error
}

// Kind is what a record tells of.
type Kind uint8

// The kinds of records. Others are counted and left alone.
const (
	OtherRecord Kind = iota
	AccountRecord
	CharacterRecord
)

// Ref is where a source finds a record again.
type Ref struct {
	Kind Kind
	Name string            // of an account, as the source has it
	ID   rushgate.PlayerID // of a character; 0 if it could not be read
	At   int64             // offset in a file; among records alike the first one counts
	Line int               // in a file, or the row of a table, from 1; 0 elsewhere
}

// Found is a record as the first pass sees it.
type Found struct {
	Ref
	// Key is what the source calls the record, empty if that could not be read.
	Key string
	// Account is the record's content if it is an account.
	Account Account
	// Rows tells that the source counts rows of a table in Line.
	Rows bool
	// Err says why the record is refused, if it is, and Cause is the word for that.
	Err   error
	Cause Cause
	// Done of Total is how far the scan has come, in units of the source's own; Total is 0 if it cannot tell.
	Done, Total int64
}

// Account is an account of a source.
type Account struct {
	// Version becomes that of the [rushgate.Account].
	Version int
	// Name is in the form that [rushgate.LoginName] looks up.
	Name string
	// Hash is one that package password can verify. It is empty if there is a Weak one.
	Hash string
	// Weak is another system's hash that is not to be stored as it is: [Options].Harden makes Hash of it.
	Weak *Weak
	// Kind is what kind of hash it is, for the report.
	Kind string
	// Mark tells a later import that an account without a character comes from this record. It is stored, and must tell
	// nothing about the password. If it is empty, Hash is what tells.
	Mark string
	// Disabled is for how long the account is kept out.
	Disabled rushgate.Disabled
	// Locked says why no password will open the account, if none will.
	Locked string
	// Character is the id of the account's character, 0 if it has none.
	Character rushgate.PlayerID
}

// Weak is what proves a password in another system, and takes next to nothing to try passwords against.
type Weak struct {
	// Recipe is how Digest is made of a password, as package password takes it; if it is empty, Digest is the password.
	Recipe string
	Digest []byte
}

// Record is a record as the second pass sees it: with its content, or with the reason why it is refused.
type Record struct {
	// Account is there for references to accounts, Character for those to characters, but without name and level.
	Account   Account
	Character rushgate.Character
	// Err says why the record is refused, if it is, and Cause is the word for that: [Gone] or [Malformed].
	Err   error
	Cause Cause
}
