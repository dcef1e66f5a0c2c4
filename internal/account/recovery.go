package account

import (
	"context"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/token"
)

// Letter is what is to be told to the reader of an address.
type Letter struct {
	To       string
	Username string
	Code     token.Code
	// Valid is for how long the code is good.
	Valid time.Duration
}

// CanRecover reports whether the account of a name has an address that a code can be sent to.
func (l *Ledger) CanRecover(ctx context.Context, name string) (bool, error) {
	a, err := l.Find(ctx, name)
	if err != nil {
		return false, err
	}
	_, found := find(a.Credentials, Email)
	return found, nil
}

// Recover makes a code with which the player of a name may choose another password, in place of the one before, for
// [CodeTTL]. It is to be sent to the player's address at once. Again says that this is another try to send what was
// counted before. Errors are [ErrUnknown], [ErrNoAddress] and [ErrTooMany], besides those of the store.
func (l *Ledger) Recover(ctx context.Context, name string, again bool) (Letter, error) {
	letter := Letter{Valid: CodeTTL}
	a, err := l.rechallenge(ctx, name, func(a *rushgate.Account, c *challenge) (err error) {
		address, found := find(a.Credentials, Email)
		if !found {
			return ErrNoAddress
		}
		letter.To = address.Subject
		letter.Code, err = c.renew(a, Recovery, CodeTTL, !again)
		return err
	})
	letter.Username = a.Username
	return letter, err
}

// RecoveryCode makes such a code for an operator to hand out, who has made sure who asks. It is good for [HandedTTL],
// and takes no address.
func (l *Ledger) RecoveryCode(ctx context.Context, name string) (code string, expires time.Time, err error) {
	var made token.Code
	_, err = l.rechallenge(ctx, name, func(a *rushgate.Account, c *challenge) (err error) {
		made, err = c.renew(a, Recovery, HandedTTL, false)
		expires = time.UnixMilli(c.Until)
		return err
	})
	if err != nil {
		return "", time.Time{}, err
	}
	return made.Text(), expires, nil
}

// rechallenge has an account keep what renew makes of its challenge.
func (l *Ledger) rechallenge(
	ctx context.Context, name string, renew func(*rushgate.Account, *challenge) error,
) (rushgate.Account, error) {
	return l.recredit(ctx, func() (rushgate.Account, error) { return l.Find(ctx, name) },
		func(a *rushgate.Account) ([]rushgate.Credential, error) {
			credential, _ := find(a.Credentials, Recovery)
			c := readChallenge(credential)
			if err := renew(a, &c); err != nil {
				return nil, err
			}
			credential.Secret = c.text()
			return with(a.Credentials, credential), nil
		})
}

// Redeem returns the change that a code for a lost password, and the hash of another one, make to an account, and
// whether the code is right. If it is not, the change uses up a try, and is to be made before that is told. It does the
// same work for an account that was sent none, and for the zero account, which is nobody's.
func Redeem(a *rushgate.Account, code token.Code, hash string) (change rushgate.AccountChange, right bool) {
	credential, found := find(a.Credentials, Recovery)
	c := readChallenge(credential)
	right = c.try(a, Recovery, code)
	change = rushgate.AccountChange{Player: a.ID, Name: a.Username, Epoch: a.Epoch, Replaces: a.Credentials}
	switch {
	case right:
		change.Credentials, change.PasswordHash, change.RaiseEpoch = without(a.Credentials, Recovery), hash, true
		change.Devices, change.DevicesRevision = []rushgate.Device{}, a.Devices.Revision
	case found:
		credential.Secret = c.text()
		change.Credentials = with(a.Credentials, credential)
	}
	return change, right
}
