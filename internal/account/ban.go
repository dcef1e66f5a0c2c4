package account

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"
	"unicode"

	"github.com/rushgate/rushgate"
)

// MaxNote is the greatest length of [Ban].Note in bytes.
const MaxNote = 512

// Kinds of the events that a history has of bans.
const (
	Banned   = "banned"
	Unbanned = "unbanned"
)

// Ban keeps an account out.
type Ban struct {
	// Disabled says until when, [rushgate.Forever] for good, and what the player is told of it, which may be empty.
	rushgate.Disabled
	// By is the operator.
	By string
	// Note is why, for operators: players never see it. One line of at most [MaxNote] bytes, or empty.
	Note string
}

// Disable keeps an account from opening sessions, and ends those that it has. Operators find the ban in the account's
// history also when it is over. The error is [ErrMerging] for the account of a guest that becomes part of another.
func (l *Ledger) Disable(ctx context.Context, name string, b Ban) (Changed, error) {
	if err := b.check(); err != nil {
		return Changed{}, err
	}
	ban := rushgate.AccountChange{Disabled: &b.Disabled, RaiseEpoch: true}
	a, err := l.changeNamed(ctx, name, func(a *rushgate.Account) (c rushgate.AccountChange, err error) {
		if isMerging(a) {
			return c, ErrMerging
		}
		return ban, nil
	})
	if err != nil {
		return Changed{}, err
	}
	c := l.changed(ctx, &a, &ban)
	text := "for ever"
	if b.Until.Before(rushgate.Forever()) {
		text = "until " + b.Until.UTC().Format(time.RFC3339)
	}
	if why := cmp.Or(b.Note, b.Reason); why != "" {
		text += ": " + why
	}
	return c, l.remember(ctx, &c, Banned, b.By, text)
}

func (b *Ban) check() error {
	switch {
	case !b.At(time.Now()):
		return invalidf("the end, %s, is not in the future", b.Until.UTC().Format(time.RFC3339))
	case b.Until.After(rushgate.Forever()):
		return invalidf("the end is after the year 9999")
	case strings.ContainsFunc(b.Reason, unicode.IsControl):
		return invalidf("the reason has a line break or another control character")
	case len(b.Reason) > rushgate.MaxDisabledReason:
		return invalidf("the reason has %d bytes, more than %d", len(b.Reason), rushgate.MaxDisabledReason)
	case strings.ContainsFunc(b.Note, unicode.IsControl) || len(b.Note) > MaxNote:
		return invalidf("the note is not one line of at most %d bytes", MaxNote)
	}
	return nil
}

// ErrMerging refuses to ban a guest who is becoming part of another account: nobody comes in by the guest's until that
// is done or given up, which a ban that ends before would change.
var ErrMerging = errors.New("this guest is becoming part of another account, and is shut until that is done or given " +
	"up, within about a minute; ban the other account then, or the guest")

// ErrMerged refuses to open a guest's account that has become part of another.
var ErrMerged = errors.New("this guest has become part of another account, by which the devices come in")

// Enable lets an account open sessions again, and notes which operator did. It is no error if that was not disabled. A
// merge of a guest that was broken off is given up by it; if it had come so far that another account has the
// devices, the error is [ErrMerged].
func (l *Ledger) Enable(ctx context.Context, name, by string) (Changed, error) {
	before, err := l.Find(ctx, name)
	if err != nil {
		return Changed{}, err
	}
	a, err := l.changeNamed(ctx, name, func(a *rushgate.Account) (c rushgate.AccountChange, err error) {
		c.Disabled = &rushgate.Disabled{}
		if mergedInto(a) != 0 { // a merge that was broken off is given up
			if err := l.mayGiveUp(ctx, a); err != nil {
				return c, err
			}
			c.Credentials = without(a.Credentials, Merging)
		}
		return c, nil
	})
	c := Changed{Player: a.ID, Name: a.Username}
	if err != nil || before.Disabled == (rushgate.Disabled{}) {
		return c, err
	}
	return c, l.remember(ctx, &c, Unbanned, by, "")
}
