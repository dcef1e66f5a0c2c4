package account

import (
	"context"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/secondfactor"
	"github.com/rushgate/rushgate/internal/token"
)

// Addresses are those of an account; each may be empty.
type Addresses struct {
	Proved, Pending string
}

// Addresses returns those of an owner's account.
func (l *Ledger) Addresses(ctx context.Context, who Owner) (Addresses, error) {
	a, err := l.owned(ctx, who)
	if err != nil {
		return Addresses{}, err
	}
	return AddressesOf(&a), nil
}

// AddressesOf returns those of an account.
func AddressesOf(a *rushgate.Account) Addresses {
	proved, _ := find(a.Credentials, Email)
	pending, _ := find(a.Credentials, EmailPending)
	return Addresses{proved.Subject, pending.Subject}
}

// SetEmail notes an address that the player of an account, who has proved to own it, wants to have:
// [Ledger.ChallengeEmail] makes the code that proves it. Until then the one before stays. The error is [ErrBusy] if the
// account is not what was proved any more.
func (l *Ledger) SetEmail(ctx context.Context, proved *secondfactor.Proved, address string) error {
	pending, _ := find(proved.Left(), EmailPending)
	c := readChallenge(pending)
	c.Hash, c.Until, c.Tries, c.Last = "", 0, 0, ""
	pending.Subject, pending.Secret = address, c.text()
	return l.changeProved(ctx, &proved.Account, rushgate.AccountChange{Credentials: with(proved.Left(), pending)})
}

// ChallengeEmail makes the code that proves the address which an owner wants to have, in place of the one before. It
// is to be sent there at once. Again and the errors are as with [Ledger.Recover].
func (l *Ledger) ChallengeEmail(ctx context.Context, who Owner, again bool) (Letter, error) {
	letter := Letter{Username: who.Name, Valid: CodeTTL}
	_, err := l.ofOwner(ctx, who, func(a *rushgate.Account) (_ []rushgate.Credential, err error) {
		pending, found := find(a.Credentials, EmailPending)
		if !found || pending.Subject == "" {
			return nil, ErrNoAddress
		}
		c := readChallenge(pending)
		if letter.Code, err = c.renew(a, EmailPending, CodeTTL, !again); err != nil {
			return nil, err
		}
		letter.To, pending.Secret = pending.Subject, c.text()
		return with(a.Credentials, pending), nil
	})
	return letter, err
}

// VerifyEmail makes the address that an owner wants to have the account's, and returns the one before, whose reader is
// to be told; empty if there was none, or the same. A code that was sent there to recover the account is good no more.
// The error is [ErrWrongCode] for what is not the code, which uses up one of its tries.
func (l *Ledger) VerifyEmail(ctx context.Context, who Owner, code token.Code) (before string, err error) {
	var right bool
	_, err = l.ofOwner(ctx, who, func(a *rushgate.Account) ([]rushgate.Credential, error) {
		pending, found := find(a.Credentials, EmailPending)
		if !found || pending.Subject == "" {
			return nil, ErrWrongCode
		}
		c := readChallenge(pending)
		if right = c.try(a, EmailPending, code); !right {
			pending.Secret = c.text()
			return with(a.Credentials, pending), nil
		}
		if before = AddressesOf(a).Proved; before == pending.Subject {
			before = ""
		}
		left := withoutCodes(a.Credentials)
		return with(left, rushgate.Credential{Kind: Email, Subject: pending.Subject}), nil
	})
	if err == nil && !right {
		err = ErrWrongCode
	}
	if err != nil {
		return "", err
	}
	l.note(ctx, event(who, eventEmailSet, ""))
	return before, nil
}

// RemoveEmail takes the addresses of an account away whose player has proved to own it, with the codes that were sent
// there, and returns the one that was proved, whose reader is to be told; empty if there was none. The error is
// [ErrBusy] if the account is not what was proved any more.
func (l *Ledger) RemoveEmail(ctx context.Context, proved *secondfactor.Proved) (before string, err error) {
	a := &proved.Account
	err = l.changeProved(ctx, a, rushgate.AccountChange{
		Credentials: withoutCodes(without(proved.Left(), Email)),
	})
	if err != nil {
		return "", err
	}
	if before = AddressesOf(a).Proved; before != "" {
		l.note(ctx, event(Owner{a.ID, a.Username}, eventEmailRemoved, ""))
	}
	return before, nil
}

func (l *Ledger) ofOwner(
	ctx context.Context, who Owner, edit func(*rushgate.Account) ([]rushgate.Credential, error),
) (rushgate.Account, error) {
	return l.recredit(ctx, func() (rushgate.Account, error) { return l.owned(ctx, who) }, edit)
}
