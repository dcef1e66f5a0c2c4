package account

import (
	"context"

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
)

// byOperator stands for an operator whose name the ledger is not told.
const byOperator = "operator"

// Noting returns the ledger with a diary, which it notes in what it does. One without writes that to the store itself.
func (l *Ledger) Noting(d *Diary) *Ledger { return &Ledger{store: l.store, diary: d} }

// note notes something that was done. That it cannot be noted undoes nothing.
func (l *Ledger) note(ctx context.Context, e rushgate.Noted) {
	if l.diary != nil {
		l.diary.Change(e)
		return
	}
	_, _ = l.store.Note(ctx, []rushgate.Noted{e}) // as said
}
