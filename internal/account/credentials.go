package account

import (
	"context"
	"errors"

	"github.com/rushgate/rushgate"
)

// ChangeCredentials gives an account other credentials beside its password, provided that those it has are the ones it
// was loaded with, and has it forget its devices if that is asked for. It ends no session. The error is [ErrBusy] if
// the account is not what it was any more.
func (l *Ledger) ChangeCredentials(
	ctx context.Context, a *rushgate.Account, credentials []rushgate.Credential, forgetDevices bool,
) error {
	c := rushgate.AccountChange{
		Player: a.ID, Name: a.Username, Epoch: a.Epoch, Credentials: credentials, Replaces: a.Credentials,
	}
	if forgetDevices {
		c.Devices, c.DevicesRevision = []rushgate.Device{}, a.Devices.Revision
	}
	errs, err := l.store.UpdateAccounts(ctx, []rushgate.AccountChange{c})
	if err = first(errs, err); errors.Is(err, rushgate.ErrAccountChanged) {
		return ErrBusy
	}
	return known(err)
}
