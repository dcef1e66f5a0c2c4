package importer

import (
	"fmt"
	"time"

	"github.com/rushgate/rushgate"
)

// Cause says in one word why a record was refused.
type Cause string

// The causes of a refusal.
const (
	// Unreadable: the line is not one of a JSONL file, or the key holds no string.
	Unreadable Cause = "unreadable"
	// Malformed: the value is not what the other game wrote, or the key has no name or id.
	Malformed Cause = "malformed"
	// DuplicateKey: an earlier record has the same key.
	DuplicateKey Cause = "duplicate-key"
	// DuplicateName: another account's name now counts as the same, and goes before.
	DuplicateName Cause = "duplicate-name"
	// SharedCharacter: several accounts have this character; whose it is cannot be told, so none of them gets it.
	SharedCharacter Cause = "shared-character"
	// NoCharacter: the account's character is not there.
	NoCharacter Cause = "no-character"
	// BadCharacter: the account's character was refused.
	BadCharacter Cause = "bad-character"
	// NoAccount: no account that could be read has this character.
	NoAccount Cause = "no-account"
	// NameTaken: the store has an account of this name that does not come from here.
	NameTaken Cause = "name-taken"
	// IDTaken: the store has an account of this id that does not come from here.
	IDTaken Cause = "id-taken"
	// UnknownSystem: the record is of a system that is not known, and does not tell by itself what it is.
	UnknownSystem Cause = "unknown-system"
	// UnknownForm: what proves the password is not in a form that the system is known to write.
	UnknownForm Cause = "unknown-form"
	// Gone: the record was there at first, and no longer when its turn came.
	Gone Cause = "gone"
)

// MaxRefusals is the greatest number of refusals that a [Report] lists; it counts all.
const MaxRefusals = 1000

// maxShownKey is how much of a key is shown.
const maxShownKey = 160

// Refusal is a record that was not imported.
type Refusal struct {
	// Key is the record's key, shortened if it is very long, and empty if it could not be read.
	Key string `json:"key"`
	// Line is the line of a JSONL file, counted from 1; 0 for other sources.
	Line int `json:"line,omitempty"`
	// Cause is for programs, Detail for people. Detail holds no secrets.
	Cause  Cause  `json:"cause"`
	Detail string `json:"detail"`
	// Row is the row of a table, counted from 1 in the order in which it was read; 0 for other sources.
	Row int `json:"row,omitempty"`
}

// String returns the refusal in one line, safe for a terminal.
func (r Refusal) String() string {
	s := fmt.Sprintf("%s: %s", r.Cause, r.Detail)
	if r.Key != "" {
		s = fmt.Sprintf("%+q: %s", r.Key, s)
	}
	if r.Row > 0 {
		s = fmt.Sprintf("row %d: %s", r.Row, s)
	}
	if r.Line > 0 {
		s = fmt.Sprintf("line %d: %s", r.Line, s)
	}
	return s
}

// Report says what has become of an import. Accounts = Imported + Present + the accounts among the refused, unless the
// import was interrupted.
type Report struct {
	// DryRun: nothing was written; Imported is what would have been.
	DryRun bool `json:"dry_run"`
	// Accounts and Characters are the records found, whether they could be read or not.
	Accounts   int `json:"accounts"`
	Characters int `json:"characters"`
	// Ignored are the records whose keys are of neither kind.
	Ignored int `json:"ignored"`
	// Imported are the accounts that now are in the store and were not before, Present those that an earlier run had
	// imported.
	Imported int `json:"imported"`
	Present  int `json:"present"`
	// WithoutCharacter are those of Imported that had no character yet: they got one as a new player gets it.
	WithoutCharacter int `json:"without_character"`
	// Kinds counts the accounts found that could be read by the kind of their hash, if the source tells it.
	Kinds map[string]int `json:"kinds,omitempty"`
	// Hardened are those of Imported whose hash was too weak to be stored as it was, and Hardening is how long that took.
	Hardened  int           `json:"hardened"`
	Hardening time.Duration `json:"hardening_ns"`
	// Banned are those of Imported that were kept out where they come from, and are here.
	Banned int `json:"banned"`
	// Locked are those of Imported that no password opens, LockedAccounts the first [MaxRefusals] of them.
	Locked         int      `json:"locked"`
	LockedAccounts []string `json:"locked_accounts,omitempty"`
	// Alike are the accounts whose names look like that of another account of the source, see [rushgate.Skeleton], which
	// is no reason to refuse them. AlikeAccounts says which, of the first [MaxRefusals] of them.
	Alike         int      `json:"alike"`
	AlikeAccounts []string `json:"alike_accounts,omitempty"`
	// HighestID is the greatest id that the old game had given out. New players have greater ones.
	HighestID rushgate.PlayerID `json:"highest_id"`
	// Refused counts the records that were refused, RefusedBy by cause. Refusals lists the first [MaxRefusals].
	Refused   int           `json:"refused"`
	RefusedBy map[Cause]int `json:"refused_by,omitempty"`
	Refusals  []Refusal     `json:"refusals,omitempty"`
	// Reading is how long the first pass took, Writing the second.
	Reading time.Duration `json:"reading_ns"`
	Writing time.Duration `json:"writing_ns"`

	rows bool // the source counts rows of a table, not lines
}

// where says where a record is.
func (r *Report) where(line int32) string {
	if r.rows {
		return fmt.Sprintf("row %d", line)
	}
	return fmt.Sprintf("line %d", line)
}

// Rate is the number of accounts per second that went into the store, those already there included.
func (r *Report) Rate() float64 {
	if r.Writing <= 0 {
		return 0
	}
	return float64(r.Imported+r.Present) / r.Writing.Seconds()
}

func (r *Report) count(kind string) {
	if kind == "" {
		return
	}
	if r.Kinds == nil {
		r.Kinds = make(map[string]int)
	}
	r.Kinds[kind]++
}

func (r *Report) lock(key, why string) {
	if r.Locked++; r.Locked <= MaxRefusals {
		r.LockedAccounts = append(r.LockedAccounts, fmt.Sprintf("%+q: %s", shorten(key), why))
	}
}

func (r *Report) alike(key, other string) {
	if r.Alike++; r.Alike <= MaxRefusals {
		r.AlikeAccounts = append(r.AlikeAccounts, fmt.Sprintf("%+q looks like %+q", shorten(key), shorten(other)))
	}
}

func shorten(key string) string {
	if len(key) > maxShownKey {
		return key[:maxShownKey] + "…"
	}
	return key
}

func (r *Report) refuse(key string, line int, cause Cause, format string, args ...any) {
	r.Refused++
	if r.RefusedBy == nil {
		r.RefusedBy = make(map[Cause]int)
	}
	r.RefusedBy[cause]++
	if len(r.Refusals) == MaxRefusals {
		return
	}
	detail := fmt.Sprintf(format, args...)
	refusal := Refusal{Key: shorten(key), Line: line, Cause: cause, Detail: detail}
	if r.rows {
		refusal.Line, refusal.Row = 0, line
	}
	r.Refusals = append(r.Refusals, refusal)
}
