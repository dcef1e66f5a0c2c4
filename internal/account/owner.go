package account

import (
	"context"

	"github.com/rushgate/rushgate"
)

// Owner names the account of a player who has proved to own it. An account that was deleted and made anew under the
// same name is another's.
type Owner struct {
	Player rushgate.PlayerID
	Name   string
}

// owned returns the account of an owner.
func (l *Ledger) owned(ctx context.Context, who Owner) (rushgate.Account, error) {
	loaded, err := l.store.LoadAccounts(ctx, []string{who.Name})
	switch {
	case err != nil:
		return rushgate.Account{}, err
	case loaded[0].Err != nil:
		return rushgate.Account{}, loaded[0].Err
	case loaded[0].ID != who.Player || who.Player == 0:
		return rushgate.Account{}, ErrUnknown
	}
	return loaded[0].Account, nil
}

// Account returns the account of an owner, with its hash.
func (l *Ledger) Account(ctx context.Context, who Owner) (rushgate.Account, error) {
	return l.owned(ctx, who)
}

// LogOutEverywhere ends every session of an owner's account, and makes every proof of it worthless that was given
// before: no device is remembered any more. From is as [From] has it.
func (l *Ledger) LogOutEverywhere(ctx context.Context, who Owner, from string) error {
	_, err := l.changeOwned(ctx, who, func(*rushgate.Account) (rushgate.AccountChange, error) {
		return rushgate.AccountChange{RaiseEpoch: true}, nil
	})
	if err == nil {
		l.note(ctx, event(who, eventEverywhere, from))
	}
	return err
}
