package account

import (
	"context"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/opaquerecord"
	"github.com/rushgate/rushgate/internal/secondfactor"
	"github.com/rushgate/rushgate/password"
)

// Registration is a record of OPAQUE that takes the place of an account's password, or of its record before.
type Registration struct {
	secondfactor.Proved // its account, by the password or by OPAQUE
	Record              opaquerecord.Proof
	// Replaces says that the player has chosen another password: it ends all sessions and devices. Otherwise the account
	// moves over from a hash of the same password, and nothing else changes.
	Replaces bool
	From     string // where the player is, see [From]
}

// SetRecord gives an account a record of OPAQUE, and takes the hash of its password away. The error is [ErrBusy] if the
// account is not what was proved any more.
func (l *Ledger) SetRecord(ctx context.Context, r Registration) error {
	a := &r.Account
	err := l.changeProved(ctx, a, rushgate.AccountChange{
		PasswordHash: password.Locked(), RaiseEpoch: r.Replaces,
		Credentials: opaquerecord.With(r.Left(), r.Record),
	})
	if err != nil {
		return err
	}
	kind := eventMoved
	if r.Replaces {
		kind = eventPassword
	}
	l.note(ctx, event(Owner{a.ID, a.Username}, kind, r.From))
	return nil
}

// dropRecord has a change that gives an account the hash of a password take away its record of OPAQUE, if it has one:
// two passwords would open it.
func dropRecord(c *rushgate.AccountChange, a *rushgate.Account) {
	if !opaquerecord.Has(a.Credentials) {
		return
	}
	left := c.Credentials // with a code that is used up
	if left == nil {
		left = a.Credentials
	}
	c.Credentials, c.Replaces = opaquerecord.Without(left), a.Credentials
}
