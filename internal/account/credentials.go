package account

import (
	"context"

	"github.com/rushgate/rushgate"
)

// ChangeCredentials gives an account other credentials beside its password, provided that those it has are the ones it
// was loaded with, and has it forget its devices if that is asked for. It ends no session. The error is [ErrBusy] if
// the account is not what it was any more.
func (l *Ledger) ChangeCredentials(
	ctx context.Context, a *rushgate.Account, credentials []rushgate.Credential, forgetDevices bool,
) error {
	c := rushgate.AccountChange{Credentials: credentials}
	if forgetDevices {
		c.Devices = []rushgate.Device{}
	}
	return l.changeProved(ctx, a, c)
}
