package account

import (
	"context"
	"slices"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/linked"
)

// NoteKind is the kind of the events that are operators' notes, which no player sees.
const NoteKind = "note"

// History returns what is remembered of an owner's account, but for operators' notes, the newest event first.
func (l *Ledger) History(ctx context.Context, who Owner) ([]rushgate.AccountEvent, error) {
	if _, err := l.owned(ctx, who); err != nil {
		return nil, err
	}
	loaded, err := l.store.LoadHistories(ctx, []string{who.Name})
	if err != nil {
		return nil, err
	}
	events := make([]rushgate.AccountEvent, 0, len(loaded[0].Events))
	for i := len(loaded[0].Events) - 1; i >= 0; i-- {
		if e := loaded[0].Events[i]; e.Kind != NoteKind {
			events = append(events, e)
		}
	}
	return events, loaded[0].Err
}

// Notes reports whether credentials of a kind are what the ledger notes of an account, and no way to prove it.
func Notes(kind string) bool {
	switch kind {
	case Email, EmailPending, Recovery, Deleting, Renamed, Merging, linked.Visited:
		return true
	}
	return false
}

// PasswordSince returns since when an account has the password that it has, by its history: since it was made, if that
// does not know better.
func PasswordSince(a *rushgate.Account, events []rushgate.AccountEvent) time.Time {
	return lastOf(a, events, eventPassword, eventPasswordSet, eventRecovered)
}

// OpaqueSince is the same of a record of OPAQUE.
func OpaqueSince(a *rushgate.Account, events []rushgate.AccountEvent) time.Time {
	return lastOf(a, events, eventPassword, eventMoved, eventRecovered)
}

// lastOf returns when the last event of some kinds was, or when the account was made if there is none.
func lastOf(a *rushgate.Account, events []rushgate.AccountEvent, kinds ...string) time.Time {
	since := a.CreatedAt
	for _, e := range events {
		if slices.Contains(kinds, e.Kind) && e.At.After(since) {
			since = e.At
		}
	}
	return since
}
