package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/opaquerecord"
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

// Redemption is a code with which a player wants to choose another password.
type Redemption struct {
	Account rushgate.Account // the zero Account if there is none of the name
	Code    token.Code
	Hash    string             // of package password, of the password that is chosen, or of none with a Record
	Record  opaquerecord.Proof // that takes the place of a password; the zero Proof for none
	From    string             // where the player is, see [From]
}

// Redeem gives accounts other hashes whose players have the right codes, and ends their sessions and devices, and the
// codes. Each item's error is nil, [rushgate.BadCredentials] for whatever is wrong with a code, which uses up one of
// its tries, or [rushgate.ErrAccountChanged] if others were ahead again and again.
func (l *Ledger) Redeem(ctx context.Context, redemptions []Redemption) ([]error, error) {
	errs := make([]error, len(redemptions))
	var open []int
	for i := range redemptions {
		if err := checkHash(redemptions[i].Hash); err != nil {
			return nil, err
		}
		open = append(open, i)
	}
	accounts := make([]rushgate.Account, len(redemptions))
	for i := range redemptions {
		accounts[i] = redemptions[i].Account
	}
	for range changeTries {
		var err error
		if open, err = l.redeemOnce(ctx, redemptions, accounts, open, errs); err != nil || len(open) == 0 {
			return errs, err
		}
		if err := l.reload(ctx, accounts, open); err != nil {
			return nil, err
		}
	}
	return errs, nil
}

// redeemOnce is one round for some redemptions and their accounts as they were read last, and returns those whose
// account others have changed meanwhile.
func (l *Ledger) redeemOnce(
	ctx context.Context, redemptions []Redemption, accounts []rushgate.Account, open []int, errs []error,
) (again []int, err error) {
	var changes []rushgate.AccountChange
	var changed []int
	for _, i := range open {
		change, right := redeem(&accounts[i], &redemptions[i])
		if errs[i] = nil; !right {
			errs[i] = rushgate.BadCredentials
		}
		if change.Credentials != nil {
			changes, changed = append(changes, change), append(changed, i)
		}
	}
	if len(changes) == 0 {
		return nil, nil
	}
	results, err := l.store.UpdateAccounts(ctx, changes)
	if err == nil && len(results) != len(changes) {
		err = fmt.Errorf("account: %d results for %d changes", len(results), len(changes))
	}
	if err != nil {
		return nil, err
	}
	for k, i := range changed {
		switch {
		case errors.Is(results[k], rushgate.ErrAccountChanged):
			errs[i], again = results[k], append(again, i)
		case results[k] != nil: // the account is gone, or its record is damaged
			errs[i] = results[k]
		case errs[i] == nil:
			l.note(ctx, event(Owner{accounts[i].ID, accounts[i].Username}, eventRecovered, redemptions[i].From))
		}
	}
	return again, nil
}

// reload reads some accounts again. One that is another's by now is nobody's.
func (l *Ledger) reload(ctx context.Context, accounts []rushgate.Account, which []int) error {
	names := make([]string, len(which))
	for k, i := range which {
		names[k] = accounts[i].Username
	}
	loaded, err := l.store.LoadAccounts(ctx, names)
	if err == nil && len(loaded) != len(names) {
		err = fmt.Errorf("account: %d accounts for %d names", len(loaded), len(names))
	}
	if err != nil {
		return err
	}
	for k, i := range which {
		if before := accounts[i].ID; loaded[k].ID == before {
			accounts[i] = loaded[k].Account
		} else {
			accounts[i] = rushgate.Account{}
		}
	}
	return nil
}

// redeem returns the change that a redemption makes to an account, as it is now, and whether the code is right. If it
// is not, the change uses up a try, and is to be made before that is told; there is none for an account that was sent
// no code, nor for the zero account, which is nobody's.
func redeem(a *rushgate.Account, r *Redemption) (change rushgate.AccountChange, right bool) {
	credential, found := find(a.Credentials, Recovery)
	if !found {
		return change, false
	}
	c := readChallenge(credential)
	right = c.try(a, Recovery, r.Code)
	change = rushgate.AccountChange{Player: a.ID, Name: a.Username, Epoch: a.Epoch, Replaces: a.Credentials}
	if !right {
		credential.Secret = c.text()
		change.Credentials = with(a.Credentials, credential)
		return change, false
	}
	change.Credentials = opaquerecord.Without(without(a.Credentials, Recovery))
	if r.Record != (opaquerecord.Proof{}) {
		change.Credentials = opaquerecord.With(change.Credentials, r.Record)
	}
	change.PasswordHash, change.RaiseEpoch = r.Hash, true
	change.Devices, change.DevicesRevision = []rushgate.Device{}, a.Devices.Revision
	return change, true
}
