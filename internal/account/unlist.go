package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/access"
)

// closedReason is what is told who logs in by an account that an operator deletes.
const closedReason = "It is being deleted."

// remove deletes the accounts of names in canonical form, by a function that says what became of each of those that it
// is given, and takes the names off the lists by which nodes decide who may come in: whoever registered one next would
// be let in by it.
//
// A name goes off the lists first, so that a process which dies has not freed one that is on them; and before that its
// account is closed, so that nobody comes in by it who would then keep the account, and be on no list. Should the
// process die, or the store, the account stays closed until it is deleted again, or enabled. The name of a player who
// is inside, and whose account is not deleted therefore, stays on the lists; so does one that nobody has.
func (l *Ledger) remove(ctx context.Context, names []string, do func(names []string) []error) []error {
	errs := make([]error, len(names))
	kept, err := l.unlist(ctx, names)
	var open []string
	var at []int
	for i, name := range names {
		if errs[i] = err; err == nil {
			errs[i] = kept[name]
		}
		if errs[i] == nil {
			open, at = append(open, name), append(at, i)
		}
	}
	if len(open) == 0 {
		return errs
	}
	for k, err := range l.freeing(ctx, open, do) {
		errs[at[k]] = err
	}
	return errs
}

// unlist takes the names of accounts off all lists that are to be deleted. It returns those whose accounts are not,
// with why, which it leaves there.
func (l *Ledger) unlist(ctx context.Context, names []string) (kept map[string]error, err error) {
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
	kept = make(map[string]error)
	var gone []string
	for i, name := range mentioned {
		a := &accounts[i]
		switch {
		case where[i].Inside():
			kept[name] = ErrInside
		case a.Err != nil: // nobody comes in by it
			gone = append(gone, name)
		case a.ID == 0:
		default:
			if kept[name] = l.closeOut(ctx, &a.Account); kept[name] == nil {
				gone = append(gone, name)
			}
		}
	}
	if len(gone) == 0 {
		return kept, nil
	}
	if err := access.Forget(ctx, l.store, gone); err != nil {
		return nil, fmt.Errorf("an account may be closed that was not deleted; delete it again, or enable it: %w", err)
	}
	return kept, nil
}

// closeOut closes an account whose player is not inside, so that nobody comes in any more. Whoever has come in
// meanwhile keeps it, open as it was, though the session ends: the error is [ErrInside] then.
func (l *Ledger) closeOut(ctx context.Context, a *rushgate.Account) error {
	before := a.Disabled
	if before.At(time.Now()) && !before.Until.Before(rushgate.Forever()) { // by an earlier try, or banned
		return nil
	}
	closed := rushgate.Disabled{Until: rushgate.Forever(), Reason: closedReason}
	if err := l.disable(ctx, a, closed); err != nil {
		return err
	}
	where, err := l.store.Presence(ctx, []string{a.Username})
	switch {
	case err != nil:
		err = fmt.Errorf("the account is closed, and was not deleted: %w", err)
	case where[0].Inside():
		err = ErrInside
	default:
		return nil
	}
	return errors.Join(err, l.disable(ctx, a, before))
}

// disable replaces what keeps an account from opening sessions, whatever else of it has changed since it was loaded.
func (l *Ledger) disable(ctx context.Context, a *rushgate.Account, d rushgate.Disabled) error {
	_, err := l.changeOwned(ctx, Owner{a.ID, a.Username}, func(*rushgate.Account) (rushgate.AccountChange, error) {
		return rushgate.AccountChange{Disabled: &d}, nil
	})
	return err
}

// removeOne is remove for one account. The error is also [ErrUnknown] or [ErrInside].
func (l *Ledger) removeOne(ctx context.Context, name string) error {
	return errors.Join(l.remove(ctx, []string{name}, func(names []string) []error {
		return []error{known(l.store.DeleteAccount(ctx, names[0]))}
	})...)
}
