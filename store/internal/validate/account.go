package validate

import (
	"errors"
	"fmt"
	"math"
	"time"
	"unicode/utf8"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/device"
)

// Accounts reports the first account of a batch that cannot be made.
func Accounts(accounts []rushgate.Account) error {
	for i := range accounts {
		if err := account(&accounts[i]); err != nil {
			return fmt.Errorf("account %d of %d: %w", i+1, len(accounts), err)
		}
	}
	return nil
}

// account checks an account that is to be made under an id of the store's own.
func account(a *rushgate.Account) error {
	switch {
	case a.ID == 0 || a.ID > math.MaxInt64:
		return fmt.Errorf("account id %d is outside 1..%d", a.ID, int64(math.MaxInt64))
	case a.Username == "":
		return errors.New("account has no username")
	}
	return accountParts(a)
}

// accountParts checks all of an account but what names it.
func accountParts(a *rushgate.Account) error {
	switch {
	case a.PasswordHash == "": // would make every registration of the name a repetition of this one
		return errors.New("account has no password hash")
	case a.Version < 0 || a.Version > rushgate.AccountVersion: // 0 stands for the current one
		return fmt.Errorf("account version %d is outside 1..%d", a.Version, rushgate.AccountVersion)
	case a.Epoch > rushgate.MaxEpoch:
		return fmt.Errorf("account epoch %d is greater than %d", a.Epoch, uint64(rushgate.MaxEpoch))
	}
	if a.Attempt != "" {
		if err := attempt("account attempt", a.Attempt); err != nil {
			return err
		}
	}
	if err := disabled(a.Disabled); err != nil {
		return err
	}
	if a.Devices.Revision != 0 || len(a.Devices.List) != 0 {
		return errors.New("account that is to be made has devices")
	}
	return credentials(a.Credentials)
}

// Changes reports the first change of a batch that cannot be made.
func Changes(changes []rushgate.AccountChange) error {
	for i := range changes {
		if err := change(&changes[i]); err != nil {
			return fmt.Errorf("account change %d of %d: %w", i+1, len(changes), err)
		}
	}
	return nil
}

func change(c *rushgate.AccountChange) error {
	if c.RaiseEpoch && c.Epoch >= rushgate.MaxEpoch {
		return fmt.Errorf("account epoch %d cannot be raised", c.Epoch)
	}
	if c.Disabled != nil {
		if err := disabled(*c.Disabled); err != nil {
			return err
		}
	}
	if err := devices(c.Devices, c.DevicesRevision); err != nil {
		return err
	}
	if c.EndAttempt != "" {
		if err := attempt("attempt to end", c.EndAttempt); err != nil {
			return err
		}
	}
	return exchange(c.Credentials, c.Replaces)
}

// exchange checks credentials that replace others, if there are any.
func exchange(after, replaces []rushgate.Credential) error {
	if after == nil {
		return nil
	}
	if err := credentials(replaces); err != nil {
		return fmt.Errorf("replaced: %w", err)
	}
	return credentials(after)
}

// devices checks those that replace the ones of a revision, if there are any.
func devices(devices []rushgate.Device, revision uint64) error {
	if devices != nil && revision >= math.MaxInt64 {
		return fmt.Errorf("revision %d of devices has no next one", revision)
	}
	return device.Check(devices)
}

func disabled(d rushgate.Disabled) error {
	switch {
	case d.Until.IsZero() && d.Reason != "":
		return errors.New("account is not disabled, but there is a reason why")
	case !d.Until.IsZero() && (!d.Until.After(time.UnixMilli(0)) || d.Until.After(rushgate.Forever())):
		return fmt.Errorf("account cannot be disabled until %v", d.Until)
	case len(d.Reason) > rushgate.MaxDisabledReason:
		return fmt.Errorf("reason why the account is disabled has %d bytes, more than %d",
			len(d.Reason), rushgate.MaxDisabledReason)
	case !utf8.ValidString(d.Reason):
		return errors.New("reason why the account is disabled is not UTF-8")
	}
	return nil
}

// credentials never repeats a part of one, which may be a secret.
func credentials(credentials []rushgate.Credential) error {
	if len(credentials) > rushgate.MaxCredentials {
		return fmt.Errorf("account has %d credentials, more than %d", len(credentials), rushgate.MaxCredentials)
	}
	for i, c := range credentials {
		parts := c.Kind + c.Provider + c.Subject + c.Secret
		switch {
		case c.Kind == "":
			return fmt.Errorf("credential %d has no kind", i+1)
		case len(parts) > rushgate.MaxCredentialLen:
			return fmt.Errorf("credential %d has %d bytes, more than %d", i+1, len(parts), rushgate.MaxCredentialLen)
		case !utf8.ValidString(parts):
			return fmt.Errorf("credential %d is not UTF-8", i+1)
		}
	}
	return nil
}
