package account

import (
	"context"
	"errors"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/passkey"
	"github.com/rushgate/rushgate/internal/secondfactor"
)

var (
	// ErrNoFactor says that an account asks for nothing beside the password.
	ErrNoFactor = errors.New("the account has no second factor")
	// ErrNoPasskey says that an account has no passkey.
	ErrNoPasskey = errors.New("the account has no passkey")
)

// RemoveFactor takes away what an account asks for beside the password, for a player who has lost all that it could be
// proved with, and notes which operator did. Sessions end and devices are forgotten, as with [Ledger.RemovePasskeys].
// To is the player's e-mail address, whose reader is to be told; empty if there is none. The error is [ErrNoFactor] if
// there is nothing to take away.
func (l *Ledger) RemoveFactor(ctx context.Context, name, by string) (c Changed, to string, err error) {
	change := rushgate.AccountChange{RaiseEpoch: true}
	a, err := l.changeNamed(ctx, name, func(a *rushgate.Account) (rushgate.AccountChange, error) {
		if !secondfactor.Of(a.Credentials).Active {
			return rushgate.AccountChange{}, ErrNoFactor
		}
		change.Credentials = secondfactor.Remove(a.Credentials)
		return change, nil
	})
	if err != nil {
		return c, "", err
	}
	c = l.changed(ctx, &a, &change)
	return c, AddressesOf(&a).Proved, l.remember(ctx, &c, eventFactorGone, by, "")
}

// Passkeys returns how many passkeys an account has.
func Passkeys(a *rushgate.Account) int {
	return len(a.Credentials) - len(without(a.Credentials, passkey.Kind))
}

// RemovePasskeys takes all passkeys of an account away, for a player who has lost what they were on, and notes which
// operator did. Sessions end and devices are forgotten: whoever has found it may have opened them. The error is
// [ErrNoPasskey] if there is nothing to take away.
func (l *Ledger) RemovePasskeys(ctx context.Context, name, by string) (Changed, error) {
	change := rushgate.AccountChange{RaiseEpoch: true}
	a, err := l.changeNamed(ctx, name, func(a *rushgate.Account) (rushgate.AccountChange, error) {
		if Passkeys(a) == 0 {
			return rushgate.AccountChange{}, ErrNoPasskey
		}
		change.Credentials = without(a.Credentials, passkey.Kind)
		return change, nil
	})
	if err != nil {
		return Changed{}, err
	}
	c := l.changed(ctx, &a, &change)
	return c, l.remember(ctx, &c, eventPasskeyGone, by, "")
}

// FactorChanged notes that an owner has set a second factor up, or removed it. From is as [From] has it.
func (l *Ledger) FactorChanged(ctx context.Context, who Owner, set bool, from string) {
	kind := eventFactorGone
	if set {
		kind = eventFactorSet
	}
	l.note(ctx, event(who, kind, from))
}
