package account

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/secondfactor"
)

// ErrNoDevice says that an account is not remembered on a device.
var ErrNoDevice = errors.New("the account is not remembered on this device")

// PasswordChange is a hash that the account gets whose player has proved to own it.
type PasswordChange struct {
	secondfactor.Proved
	Hash string // of package password
	From string // where the player is, see [From]
}

// ChangePasswords gives accounts other hashes, in one call of the store, and ends their sessions and devices. Each
// item's error is nil, [rushgate.ErrAccountChanged] if the account is not what was proved any more, or another one. If
// the store's answer is lost, the accounts tell what has become of the changes.
func (l *Ledger) ChangePasswords(ctx context.Context, changes []PasswordChange) ([]error, error) {
	batch := make([]rushgate.AccountChange, len(changes))
	for i, c := range changes {
		if err := checkHash(c.Hash); err != nil {
			return nil, err
		}
		batch[i] = rushgate.AccountChange{
			Player: c.Account.ID, Name: c.Account.Username, Epoch: c.Account.Epoch, PasswordHash: c.Hash, RaiseEpoch: true,
			Credentials: c.Credentials, Replaces: c.Account.Credentials,
		}
		dropRecord(&batch[i], &changes[i].Account)
	}
	errs, err := l.store.UpdateAccounts(ctx, batch)
	if err == nil && len(errs) != len(batch) {
		return nil, fmt.Errorf("account: %d results for %d changes", len(errs), len(batch))
	}
	if err != nil {
		if errs, err = l.becameOf(ctx, changes, err); err != nil {
			return nil, err
		}
	}
	for i, c := range changes {
		if errs[i] == nil {
			l.note(ctx, event(Owner{c.Account.ID, c.Account.Username}, eventPassword, c.From))
		}
	}
	return errs, nil
}

// becameOf returns what has become of changes whose answer was lost: an account that has the hash was changed.
func (l *Ledger) becameOf(ctx context.Context, changes []PasswordChange, lost error) ([]error, error) {
	names := make([]string, len(changes))
	for i := range changes {
		names[i] = changes[i].Account.Username
	}
	accounts, err := l.store.LoadAccounts(ctx, names)
	if err != nil || len(accounts) != len(names) {
		return nil, lost
	}
	errs := make([]error, len(changes))
	for i := range accounts {
		if accounts[i].PasswordHash != changes[i].Hash {
			errs[i] = rushgate.ErrAccountChanged
		}
	}
	return errs, nil
}

// Handle is how a player names a device in public: it tells it from the account's others, and nothing of its token.
func Handle(d *rushgate.Device) string {
	sum := sha256.Sum256([]byte("rushgate device\x00" + d.ID))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// Remembered returns the devices that an account is remembered on now.
func Remembered(a *rushgate.Account, now time.Time) []rushgate.Device {
	var devices []rushgate.Device
	for _, d := range a.Devices.List {
		if d.Epoch == a.Epoch && now.Before(d.ExpiresAt) {
			devices = append(devices, d)
		}
	}
	return devices
}

// ForgetDevice has an owner's account forget the device of a [Handle], and ends the session that the device has opened.
// The error is [ErrNoDevice] if there is none. From is as [From] has it.
func (l *Ledger) ForgetDevice(ctx context.Context, who Owner, handle, from string) error {
	_, err := l.changeOwned(ctx, who, func(a *rushgate.Account) (rushgate.AccountChange, error) {
		c := rushgate.AccountChange{Devices: []rushgate.Device{}}
		found := false
		for _, d := range Remembered(a, time.Now()) {
			if Handle(&d) == handle {
				c.EndAttempt, found = d.Attempt, true
			} else {
				c.Devices = append(c.Devices, d)
			}
		}
		if !found {
			return c, ErrNoDevice
		}
		return c, nil
	})
	if err == nil {
		l.note(ctx, event(who, eventDevice, from))
	}
	return err
}
