package account

import (
	"context"
	"errors"

	"github.com/rushgate/rushgate/internal/access"
)

// remove deletes the accounts of names in canonical form, by a function that says what became of each of them, and
// takes the names off the lists by which nodes decide who may come in: whoever registered one next would be let in by
// it.
//
// A name goes off the lists first, so that a process which dies has not freed one that is on them. The one of a player
// who is inside, and whose account is not deleted therefore, stays on them; so does one that nobody has.
func (l *Ledger) remove(ctx context.Context, names []string, do func() []error) []error {
	inside, err := l.unlist(ctx, names)
	if err != nil {
		errs := make([]error, len(names))
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	errs := do()
	for i, name := range names {
		if errs[i] == nil && inside[name] { // who has left a moment ago
			errs[i] = access.Forget(ctx, l.store, []string{name})
		}
	}
	return errs
}

// unlist takes the names of accounts off all lists, and returns those whose players are inside, which it leaves there.
func (l *Ledger) unlist(ctx context.Context, names []string) (inside map[string]bool, err error) {
	mentioned, err := access.Mentioned(ctx, l.store, names)
	if err != nil || len(mentioned) == 0 {
		return nil, err
	}
	accounts, err := l.store.LoadAccounts(ctx, mentioned)
	if err != nil {
		return nil, err
	}
	where, err := l.store.Presence(ctx, mentioned)
	if err != nil {
		return nil, err
	}
	inside = make(map[string]bool)
	var gone []string
	for i, name := range mentioned {
		switch {
		case where[i].Inside():
			inside[name] = true
		case accounts[i].ID != 0, accounts[i].Err != nil:
			gone = append(gone, name)
		}
	}
	return inside, access.Forget(ctx, l.store, gone)
}

// removeOne is remove for one account. The error is also [ErrUnknown] or [ErrInside].
func (l *Ledger) removeOne(ctx context.Context, name string) error {
	return errors.Join(l.remove(ctx, []string{name}, func() []error {
		return []error{known(l.store.DeleteAccount(ctx, name))}
	})...)
}
