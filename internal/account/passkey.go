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
	return l.changePasskeys(ctx, a, credentials, eventPasskey, from)
}

// RemovedPasskey is AddedPasskey for credentials with a passkey less.
func (l *Ledger) RemovedPasskey(
	ctx context.Context, a *rushgate.Account, credentials []rushgate.Credential, from string,
) error {
	return l.changePasskeys(ctx, a, credentials, eventPasskeyGone, from)
}

func (l *Ledger) changePasskeys(
	ctx context.Context, a *rushgate.Account, credentials []rushgate.Credential, kind, from string,
) error {
	err := l.ChangeCredentials(ctx, a, credentials, false)
	if err == nil {
		l.note(ctx, event(Owner{a.ID, a.Username}, kind, from))
	}
	return err
}
