package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/linked"
	"github.com/rushgate/rushgate/internal/secondfactor"
)

// mergeLook is after how long a merge is looked at that has not come to its end: none goes on for so long. The lease
// under which a character was written is still the merge's then, see [rushgate.LeaseTTL].
const mergeLook = 2 * mergeTimeout

// Merging is the kind of the credential that marks the account of a guest which becomes part of another: its Subject
// is the player of that, its Provider what that was called then. No other account gets anything of it, or its player
// could have the character twice. The Secret, which is none, is when it was begun or gone on with, in milliseconds of
// Unix time, the fence of the lease under which the character is written, 0 before that, and which character is kept.
const Merging = "merging"

// What a mark says of the character that is kept. One without any of these was made by a node of before, which writes
// the character before the account has the devices.
const (
	keepsOwn   = "own"
	keepsGuest = "guest"
)

func kept(keepGuest bool) string {
	if keepGuest {
		return keepsGuest
	}
	return keepsOwn
}

// merging is what such a mark says, the zero value if there is none.
type merging struct {
	into  rushgate.PlayerID
	name  string
	at    time.Time // long ago, if it cannot be read
	fence uint64
	keep  string
}

func mergingOf(a *rushgate.Account) (m merging) {
	mark, _ := find(a.Credentials, Merging)
	player, _ := strconv.ParseUint(mark.Subject, 10, 64) // 0 if it cannot be read
	var ms int64
	_, _ = fmt.Sscan(mark.Secret, &ms, &m.fence, &m.keep)
	m.into, m.name, m.at = rushgate.PlayerID(player), mark.Provider, time.UnixMilli(ms)
	return m
}

// mergedInto returns the player whose account gets what a guest's has; 0 if none does.
func mergedInto(a *rushgate.Account) rushgate.PlayerID { return mergingOf(a).into }

func (m merging) credential() rushgate.Credential {
	secret := fmt.Sprint(m.at.UnixMilli(), " ", m.fence)
	if m.keep != "" {
		secret += " " + m.keep
	}
	return rushgate.Credential{
		Kind: Merging, Subject: strconv.FormatUint(uint64(m.into), 10), Provider: m.name, Secret: secret,
	}
}

// goesOn reports whether a merge may be going on, and has not been broken off.
func (m merging) goesOn(now time.Time) bool {
	return now.Before(m.at.Add(mergeLook)) && m.at.Before(now.Add(mergeLook))
}

// isGiven reports whether an account has got the character of a guest: with the devices, in one write.
func (m merging) isGiven(guest, into *rushgate.Account) bool {
	return m.keep == keepsGuest && m.fence != 0 && hasDeviceOf(into, guest)
}

// mark has an account be marked as edit wants, with the change that belongs to it, and be as it is then.
func (l *Ledger) mark(
	ctx context.Context, guest *rushgate.Account,
	edit func(*rushgate.Account) (rushgate.AccountChange, merging, error),
) error {
	_, err := l.changeOwned(ctx, Owner{guest.ID, guest.Username},
		func(now *rushgate.Account) (rushgate.AccountChange, error) {
			c, m, err := edit(now)
			if err != nil {
				return c, err
			}
			c.Credentials = with(now.Credentials, m.credential())
			*guest = *now
			guest.Credentials = c.Credentials
			if c.RaiseEpoch {
				guest.Epoch++
			}
			if c.Disabled != nil {
				guest.Disabled = *c.Disabled
			}
			return c, nil
		})
	return err
}

// isMerging reports whether an account is shut because it becomes part of another.
func isMerging(a *rushgate.Account) bool {
	d := a.Disabled
	return mergedInto(a) != 0 && d.At(time.Now()) && (d.Reason == mergingReason || d.Reason == mergedReason)
}

// mergedAccount returns the account that a guest's becomes part of; the zero Account if it is gone. It is found by its
// name, since no store has to know the names of those that have a password alone; once it was renamed, it has more.
func (l *Ledger) mergedAccount(ctx context.Context, guest *rushgate.Account) (rushgate.Account, error) {
	m := mergingOf(guest)
	if m.name != "" {
		a, err := l.owned(ctx, Owner{m.into, m.name})
		if !errors.Is(err, ErrUnknown) {
			return a, err
		}
	}
	return l.ofPlayer(ctx, m.into)
}

// lookAtMerge ends a merge that has been broken off: it goes on where the other account has something of the guest
// already, or can have it under the lease that was noted, and is given up where it has not, and nothing that is late
// can give it any more. Doubted is as doomed has it.
func (l *Ledger) lookAtMerge(ctx context.Context, guest *rushgate.Account, doubted int64) (Look, error) {
	m, d := mergingOf(guest), doomedAs(guest)
	if m.goesOn(time.Now()) {
		return Waits, l.planLook(ctx, d, m.at.Add(mergeLook))
	}
	a, err := l.mergedAccount(ctx, guest)
	switch {
	case errors.Is(err, ErrBusy) && doubted == 0:
		d.Doubted = time.Now().UnixMilli()
		return Waits, l.planLook(ctx, d, time.Now().Add(rushgate.IdentityHold))
	case errors.Is(err, ErrBusy) && time.Since(time.UnixMilli(doubted)) < rushgate.IdentityHold:
		return Leaving, nil
	case err != nil && !errors.Is(err, ErrBusy): // else the account is gone, and its player's name has stayed behind
		return Leaving, err
	}
	proved := secondfactor.Proved{Account: a}
	switch {
	case guest.Disabled.Reason == mergedReason && a.ID == 0:
		return Waits, l.planEnd(ctx, guest)
	case guest.Disabled.Reason == mergedReason, m.isGiven(guest, &a):
		return l.lookToEnd(ctx, guest, &proved)
	case m.fence == 0 && m.keep != keepsGuest && hasDeviceOf(&a, guest):
		return l.lookToEnd(ctx, guest, &proved)
	case !isMerging(guest), a.ID == 0 && m.fence != 0 && m.keep == "": // it was banned since, or nothing tells
		return Kept, nil
	case a.ID == 0, m.fence == 0:
		return Kept, l.giveUpMerge(ctx, guest, m)
	case mergedInto(&a) != 0: // it is gone soon, or open again
		return Waits, l.planLook(ctx, d, time.Now().Add(mergeLook))
	}
	if given, err := l.writeOrGiveUp(ctx, guest, &proved); errors.Is(err, ErrBusy) {
		return Leaving, nil
	} else if err != nil || !given {
		return Kept, err
	}
	return l.lookToEnd(ctx, guest, &proved)
}

// lookToEnd has an account get what is left of a guest that is to become part of it.
func (l *Ledger) lookToEnd(ctx context.Context, guest *rushgate.Account, proved *secondfactor.Proved) (Look, error) {
	err := l.giveDevices(ctx, guest, proved, "")
	switch {
	case errors.Is(err, ErrManyIdentities), errors.Is(err, ErrFull): // by what the player has linked since
		return Kept, nil
	case errors.Is(err, ErrBusy):
		return Leaving, nil
	case err != nil:
		return Leaving, err
	}
	return Waits, nil // for the look that deletes the guest
}

// mayGiveUp returns why an operator cannot have the merge of a guest given up: [ErrMerged] if the character is the
// other account's, and [ErrBusy] while it may still become that.
func (l *Ledger) mayGiveUp(ctx context.Context, guest *rushgate.Account) error {
	m := mergingOf(guest)
	if guest.Disabled.Reason == mergedReason {
		return ErrMerged
	}
	if m.goesOn(time.Now()) {
		return ErrBusy
	}
	a, err := l.mergedAccount(ctx, guest)
	if err == nil && m.isGiven(guest, &a) {
		err = ErrMerged
	}
	return err
}

// writeOrGiveUp has an account get the character of a guest under the lease that was noted for that, and reports
// whether it has it. Once somebody has claimed the player since, nothing is written under that lease any more: a guest
// of whom the account has nothing then is opened again. Where a node of before may have written the character, which
// nothing tells, the guest is left to the same request.
func (l *Ledger) writeOrGiveUp(
	ctx context.Context, guest *rushgate.Account, proved *secondfactor.Proved,
) (given bool, err error) {
	m := mergingOf(guest)
	err = l.replaceCharacter(ctx, guest, proved, m.fence, "")
	refused := errors.Is(err, ErrManyIdentities) || errors.Is(err, ErrFull) // by what the player has linked since
	switch lost := errors.Is(err, rushgate.ErrLeaseLost); {
	case !lost && !refused:
		return err == nil, err
	case m.keep == "":
		return false, nil
	}
	now, err := l.mergedAccount(ctx, guest)
	if err != nil {
		return false, err
	}
	if proved.Account = now; hasDeviceOf(&now, guest) {
		return true, nil
	}
	return false, l.giveUpMerge(ctx, guest, m)
}

// hasDeviceOf reports whether a device of a guest opens an account.
func hasDeviceOf(a, guest *rushgate.Account) bool {
	return slices.ContainsFunc(a.Credentials, func(c rushgate.Credential) bool {
		return c.Kind == linked.Guest && slices.Contains(guest.Credentials, c)
	})
}
