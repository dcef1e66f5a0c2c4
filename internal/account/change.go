package account

import (
	"context"
	"errors"

	"github.com/rushgate/rushgate"
)

// changeTries is how often a change is made to an account as it was read before it is given up.
const changeTries = 5

// changeOnce makes a change to an account if that still is what it was read as; else the error is
// [rushgate.ErrAccountChanged]. Which account it is, and what the change replaces, is filled in.
func (l *Ledger) changeOnce(ctx context.Context, a *rushgate.Account, c rushgate.AccountChange) error {
	c.Player, c.Name, c.Epoch = a.ID, a.Username, a.Epoch
	c.Replaces, c.DevicesRevision = a.Credentials, a.Devices.Revision
	errs, err := l.store.UpdateAccounts(ctx, []rushgate.AccountChange{c})
	return known(first(errs, err))
}

// changeProved makes a change that the player of an account has proved to be allowed, which is not repeated if the
// account is not what was proved any more: the error is [ErrBusy].
func (l *Ledger) changeProved(ctx context.Context, a *rushgate.Account, c rushgate.AccountChange) error {
	err := l.changeOnce(ctx, a, c)
	if errors.Is(err, rushgate.ErrAccountChanged) {
		return ErrBusy
	}
	return err
}

// changeFound makes the change that edit wants to the account that find returns, as it is now, until no other is ahead
// of it, and returns the account as it was before.
func (l *Ledger) changeFound(
	ctx context.Context, find func() (rushgate.Account, error),
	edit func(*rushgate.Account) (rushgate.AccountChange, error),
) (rushgate.Account, error) {
	for range changeTries {
		a, err := find()
		if err != nil {
			return rushgate.Account{}, err
		}
		c, err := edit(&a)
		if err != nil {
			return rushgate.Account{}, err
		}
		if err = l.changeOnce(ctx, &a, c); !errors.Is(err, rushgate.ErrAccountChanged) {
			return a, err
		}
	}
	return rushgate.Account{}, ErrBusy
}

// changeNamed is changeFound for the account of a name, as an operator writes it.
func (l *Ledger) changeNamed(
	ctx context.Context, name string, edit func(*rushgate.Account) (rushgate.AccountChange, error),
) (rushgate.Account, error) {
	return l.changeFound(ctx, func() (rushgate.Account, error) { return l.Find(ctx, name) }, edit)
}

// changeOwned is changeFound for the account of an owner.
func (l *Ledger) changeOwned(
	ctx context.Context, who Owner, edit func(*rushgate.Account) (rushgate.AccountChange, error),
) (rushgate.Account, error) {
	return l.changeFound(ctx, func() (rushgate.Account, error) { return l.owned(ctx, who) }, edit)
}

// recredit is changeFound for a change of the credentials alone.
func (l *Ledger) recredit(
	ctx context.Context,
	find func() (rushgate.Account, error), edit func(*rushgate.Account) ([]rushgate.Credential, error),
) (rushgate.Account, error) {
	return l.changeFound(ctx, find, func(a *rushgate.Account) (c rushgate.AccountChange, err error) {
		c.Credentials, err = edit(a)
		return c, err
	})
}
