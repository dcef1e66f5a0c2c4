package account

import (
	"context"
	"fmt"

	"github.com/rushgate/rushgate"
)

// The kinds of events that a ledger notes. They are part of the API: a player sees them. Those of bans are [Banned] and
// [Unbanned].
const (
	eventPassword     = "password-changed"
	eventMoved        = "moved-to-opaque"
	eventDevice       = "device-forgotten"
	eventEverywhere   = "logged-out-everywhere"
	eventDeletion     = "deletion-planned"
	eventKept         = "deletion-taken-back"
	eventPasswordSet  = "password-set"
	eventSessionsEnds = "sessions-ended"
	eventEmailSet     = "email-set"
	eventEmailRemoved = "email-removed"
	eventRecovered    = "password-recovered"
	eventRenamed      = "renamed"
	eventFactorSet    = "second-factor-set"
	eventFactorGone   = "second-factor-removed"
	eventPasskey      = "passkey-added"
	eventPasskeyGone  = "passkey-removed"
	eventLinked       = "identity-linked"
	eventUnlinked     = "identity-unlinked"
)

// byOperator stands for an operator whose name the ledger is not told.
const byOperator = "operator"

// Noting returns the ledger with a diary, which it notes in what it does. One without writes that to the store itself.
func (l *Ledger) Noting(d *Diary) *Ledger { return &Ledger{store: l.store, diary: d} }

// There are two ways to note what was done. note is for what players do, and what operators do by a word: it may wait
// in the diary, off everybody's way, and is lost if the process is killed. remember is for what operators decide about
// a player, with their names and reasons: bans, names that were given, second factors that were taken away. The next
// operator judges by it, so it is written before the operator is told that it is done, and the operator is told if it
// could not be.

// note notes something that was done. That it cannot be noted undoes nothing.
func (l *Ledger) note(ctx context.Context, e rushgate.Noted) {
	if l.diary != nil {
		l.diary.Change(e)
		return
	}
	_, _ = l.store.Note(ctx, []rushgate.Noted{e}) // as said
}

// remember notes a change in the account's history. Without the note the change holds all the same.
func (l *Ledger) remember(ctx context.Context, c *Changed, kind, by, text string) error {
	e := event(Owner{c.Player, c.Name}, kind, "")
	e.By, e.Text = by, text
	errs, err := l.store.Note(ctx, []rushgate.Noted{e})
	if err := first(errs, err); err != nil {
		return fmt.Errorf("done, but not noted in the account's history: %w", known(err))
	}
	return nil
}
