package account

import (
	"context"

	"github.com/rushgate/rushgate"
)

// AddedPasskey gives an account credentials with a passkey more, as [Ledger.ChangeCredentials] does, and notes that.
// From is as [From] has it.
func (l *Ledger) AddedPasskey(
	ctx context.Context, a *rushgate.Account, credentials []rushgate.Credential, from string,
) error {
	return l.changePasskeys(ctx, a, rushgate.AccountChange{Credentials: credentials}, eventPasskey, from)
}

// RemovedPasskey is AddedPasskey for credentials with a passkey less, and ends all sessions and devices of the account:
// whoever had the passkey may have opened them.
func (l *Ledger) RemovedPasskey(
	ctx context.Context, a *rushgate.Account, credentials []rushgate.Credential, from string,
) error {
	c := rushgate.AccountChange{Credentials: credentials, RaiseEpoch: true}
	return l.changePasskeys(ctx, a, c, eventPasskeyGone, from)
}

func (l *Ledger) changePasskeys(
	ctx context.Context, a *rushgate.Account, c rushgate.AccountChange, kind, from string,
) error {
	err := l.changeProved(ctx, a, c)
	if err == nil {
		l.note(ctx, event(Owner{a.ID, a.Username}, kind, from))
	}
	return err
}
