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

// bannedLook is after how long a merge is looked at again that waits for somebody to act: it is of a guest who is
// banned, or of one whose devices find no room.
const bannedLook = time.Hour

// Merging is the kind of the credential that marks the account of a guest which becomes part of another: its Subject
// is the player of that, its Provider what that was called then. No other account gets anything of it, or its player
// could have the character twice. The Secret, which is none, is when it was begun or gone on with, in milliseconds of
// Unix time, the fence of the lease under which the character is written, 0 before that, which character is kept, and
// the epoch of the other account under which its player has asked for that.
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
	epoch uint64 // nothing without keep
}

func mergingOf(a *rushgate.Account) (m merging) {
	mark, _ := find(a.Credentials, Merging)
	player, _ := strconv.ParseUint(mark.Subject, 10, 64) // 0 if it cannot be read
	var ms int64
	_, _ = fmt.Sscan(mark.Secret, &ms, &m.fence, &m.keep, &m.epoch)
	m.into, m.name, m.at = rushgate.PlayerID(player), mark.Provider, time.UnixMilli(ms)
	return m
}

// mergedInto returns the player whose account gets what a guest's has; 0 if none does.
func mergedInto(a *rushgate.Account) rushgate.PlayerID { return mergingOf(a).into }

func (m merging) credential() rushgate.Credential {
	secret := fmt.Sprint(m.at.UnixMilli(), " ", m.fence)
	if m.keep != "" {
		secret += fmt.Sprint(" ", m.keep, " ", m.epoch)
	}
	return rushgate.Credential{
		Kind: Merging, Subject: strconv.FormatUint(uint64(m.into), 10), Provider: m.name, Secret: secret,
	}
}

// goesOn reports whether a merge may be going on, and has not been broken off.
func (m merging) goesOn(now time.Time) bool {
	return now.Before(m.at.Add(mergeLook)) && m.at.Before(now.Add(mergeLook))
}

// keeps returns which character a merge keeps that was begun; empty if nothing tells.
func (m merging) keeps(guest, into *rushgate.Account) string {
	switch {
	case m.keep != "":
		return m.keep
	case m.fence != 0 || guest.Disabled.Reason == mergedReason:
		return keepsGuest
	case hasDeviceOf(into, guest):
		return keepsOwn
	}
	return ""
}

// isPart reports whether a guest has become part of an account: that has the devices, and with them, in one write, the
// character, if it is the guest's that is kept.
func (m merging) isPart(guest, into *rushgate.Account) bool {
	return hasDeviceOf(into, guest) && (m.fence != 0 || m.keep != keepsGuest)
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

// mergedAccount returns the account that a guest's becomes part of; the zero Account if it is gone for certain, and
// [ErrBusy] while that is in doubt. It is found by its name, since no store has to know the names of those that have a
// password alone; once it was renamed, it has more.
func (l *Ledger) mergedAccount(ctx context.Context, guest *rushgate.Account) (rushgate.Account, error) {
	m := mergingOf(guest)
	if m.name != "" {
		a, err := l.owned(ctx, Owner{m.into, m.name})
		if !errors.Is(err, ErrUnknown) {
			return a, err
		}
	}
	return l.namedNow(ctx, m.into)
}

// lookAtMerge ends a merge that has been broken off: it goes on where the other account has something of the guest
// already, or can have it under the lease that was noted, and is given up where it has not, and nothing that is late
// can give it any more. Doubted is as doomed has it.
func (l *Ledger) lookAtMerge(ctx context.Context, guest *rushgate.Account, doubted int64) (Look, error) {
	m, d := mergingOf(guest), doomedAs(guest)
	if m.goesOn(time.Now()) {
		return l.later(ctx, d, m.at.Add(mergeLook))
	}
	a, err := l.mergedAccount(ctx, guest)
	switch {
	case errors.Is(err, ErrBusy):
		d.Doubted = doubted
		// However long it is in doubt, an account that may have the character does not prove to be gone by that.
		if !d.isStale(time.Now()) || m.fence != 0 && guest.Disabled.Reason != mergedReason {
			return l.later(ctx, d, time.Now().Add(mergeLook))
		} // else its player's name has stayed behind
	case err != nil:
		return Leaving, err
	case doubted != 0: // the next doubt is another
		if err := l.planLook(ctx, d, time.Now().Add(mergeLook)); err != nil {
			return Leaving, err
		}
	}
	return l.endMerge(ctx, guest, &a)
}

// isStale notes that an account is in doubt, and reports whether it has been for so long that nothing is under way any
// more.
func (d *doomed) isStale(now time.Time) bool {
	if d.Doubted == 0 {
		d.Doubted = now.UnixMilli()
	}
	return now.Sub(time.UnixMilli(d.Doubted)) >= rushgate.IdentityHold
}

// later plans the next look at an account.
func (l *Ledger) later(ctx context.Context, d doomed, at time.Time) (Look, error) {
	return Waits, l.planLook(ctx, d, at)
}

// endMerge ends a merge that has been broken off, into an account that is zero if it is gone.
func (l *Ledger) endMerge(ctx context.Context, guest, a *rushgate.Account) (Look, error) {
	m, d, now := mergingOf(guest), guest.Disabled, time.Now()
	switch {
	case d.Reason == mergedReason && a.ID == 0:
		return Waits, l.planEnd(ctx, guest)
	case d.Reason == mergedReason, m.isPart(guest, a):
		return l.lookToEnd(ctx, guest, a)
	case a.ID == 0 && m.fence != 0 && m.keep == "": // nothing tells
		return Kept, nil
	case a.ID == 0, m.fence == 0, m.keep != "" && m.epoch != a.Epoch, !d.At(now): // a ban is over by then
		return l.lookToGiveUp(ctx, guest)
	case d.Reason != mergingReason: // it was banned since
		return l.later(ctx, doomedAs(guest), earlier(d.Until, now.Add(bannedLook)))
	case mergedInto(a) != 0: // it is gone soon, or open again
		return l.later(ctx, doomedAs(guest), now.Add(mergeLook))
	}
	return l.writeOrGiveUp(ctx, guest, a)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// lookToEnd has an account get what is left of a guest that is to become part of it.
func (l *Ledger) lookToEnd(ctx context.Context, guest, a *rushgate.Account) (Look, error) {
	err := l.giveDevices(ctx, guest, &secondfactor.Proved{Account: *a}, "")
	switch {
	case errors.Is(err, ErrManyIdentities), errors.Is(err, ErrFull): // by what the player has linked since
		return l.later(ctx, doomedAs(guest), time.Now().Add(bannedLook))
	case errors.Is(err, ErrBusy):
		return Leaving, nil
	case err != nil:
		return Leaving, err
	}
	return Waits, nil // for the look that deletes the guest
}

// lookToGiveUp gives the merge of a guest up, unless others were ahead: then it is looked at again.
func (l *Ledger) lookToGiveUp(ctx context.Context, guest *rushgate.Account) (Look, error) {
	err := l.giveUpMerge(ctx, guest, mergingOf(guest))
	switch {
	case errors.Is(err, ErrBusy), errors.Is(err, ErrUnknown):
		return l.later(ctx, doomedAs(guest), time.Now().Add(mergeLook))
	case err != nil:
		return Leaving, err
	}
	return Kept, nil
}

// mayGiveUp returns why an operator cannot have the merge of a guest given up: [ErrMerged] if the guest has become part
// of the other account, and [ErrBusy] while that may still happen.
func (l *Ledger) mayGiveUp(ctx context.Context, guest *rushgate.Account) error {
	m := mergingOf(guest)
	if guest.Disabled.Reason == mergedReason {
		return ErrMerged
	}
	if m.goesOn(time.Now()) {
		return ErrBusy
	}
	a, err := l.mergedAccount(ctx, guest)
	if err == nil && m.isPart(guest, &a) {
		return ErrMerged
	}
	if errors.Is(err, ErrBusy) && l.doubts.Stale(rushgate.IdentityKey{}, m.into, time.Now()) {
		return nil // by the operator, who asks again and again
	}
	return err
}

// writeOrGiveUp has an account get the character of a guest under the lease that was noted for that. Once somebody has
// claimed the player since, nothing is written under that lease any more: a guest of whom the account has nothing then
// is opened again. Where a node of before may have written the character, which nothing tells, the guest is left to the
// same request.
func (l *Ledger) writeOrGiveUp(ctx context.Context, guest, a *rushgate.Account) (Look, error) {
	ctx, cancel := context.WithTimeout(ctx, mergeTimeout)
	defer cancel()
	err := l.takeUp(ctx, guest)
	if err == nil {
		err = l.replaceCharacter(ctx, guest, &secondfactor.Proved{Account: *a}, mergingOf(guest).fence, "")
	}
	refused := errors.Is(err, ErrManyIdentities) || errors.Is(err, ErrFull) // by what the player has linked since
	switch lost := errors.Is(err, rushgate.ErrLeaseLost); {
	case errors.Is(err, ErrBusy), errors.Is(err, ErrUnknown):
		return l.later(ctx, doomedAs(guest), time.Now().Add(mergeLook))
	case err != nil && !lost && !refused:
		return Leaving, err
	case err != nil && mergingOf(guest).keep == "":
		return Kept, nil
	}
	now, err := l.mergedAccount(ctx, guest)
	switch {
	case errors.Is(err, ErrBusy):
		return l.later(ctx, doomedAs(guest), time.Now().Add(mergeLook))
	case err != nil:
		return Leaving, err
	case hasDeviceOf(&now, guest):
		return l.lookToEnd(ctx, guest, &now)
	}
	return l.lookToGiveUp(ctx, guest)
}

// takeUp marks that the merge of a guest is gone on with now, so that nobody gives it up meanwhile. The error is
// [ErrBusy] if others have.
func (l *Ledger) takeUp(ctx context.Context, guest *rushgate.Account) error {
	seen := mergingOf(guest)
	return l.mark(ctx, guest, func(now *rushgate.Account) (c rushgate.AccountChange, m merging, err error) {
		if m = mergingOf(now); m != seen || now.Disabled.Reason != mergingReason || !isMerging(now) {
			return c, m, ErrBusy
		}
		m.at = time.Now()
		return c, m, nil
	})
}

// hasDeviceOf reports whether a device of a guest opens an account.
func hasDeviceOf(a, guest *rushgate.Account) bool {
	return slices.ContainsFunc(a.Credentials, func(c rushgate.Credential) bool {
		return c.Kind == linked.Guest && slices.Contains(guest.Credentials, c)
	})
}
