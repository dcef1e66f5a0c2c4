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
// Unix time, and the fence of the lease under which the character is written, 0 before that.
const Merging = "merging"

func markMerging(into *rushgate.Account, now time.Time, fence uint64) rushgate.Credential {
	return rushgate.Credential{
		Kind: Merging, Subject: strconv.FormatUint(uint64(into.ID), 10), Provider: into.Username,
		Secret: fmt.Sprint(now.UnixMilli(), " ", fence),
	}
}

// mergedInto returns the player whose account gets what a guest's has; 0 if none does.
func mergedInto(a *rushgate.Account) rushgate.PlayerID {
	mark, _ := find(a.Credentials, Merging)
	player, _ := strconv.ParseUint(mark.Subject, 10, 64) // 0 if it cannot be read
	return rushgate.PlayerID(player)
}

// mergeProgress returns when a merge was gone on with, and under which fence the character is written.
func mergeProgress(a *rushgate.Account) (at time.Time, fence uint64) {
	mark, _ := find(a.Credentials, Merging)
	var ms int64
	_, _ = fmt.Sscan(mark.Secret, &ms, &fence) // long ago, if it cannot be read
	return time.UnixMilli(ms), fence
}

func fenceOf(guest *rushgate.Account) uint64 {
	_, fence := mergeProgress(guest)
	return fence
}

// isMerging reports whether an account is shut because it becomes part of another.
func isMerging(a *rushgate.Account) bool {
	d := a.Disabled
	return mergedInto(a) != 0 && d.At(time.Now()) && (d.Reason == mergingReason || d.Reason == mergedReason)
}

// mergedAccount returns the account that a guest's becomes part of; the zero Account if it is gone. It is found by its
// name, since no store has to know the names of those that have a password alone; once it was renamed, it has more.
func (l *Ledger) mergedAccount(ctx context.Context, guest *rushgate.Account) (rushgate.Account, error) {
	into := mergedInto(guest)
	mark, _ := find(guest.Credentials, Merging)
	if mark.Provider != "" {
		a, err := l.owned(ctx, Owner{into, mark.Provider})
		if !errors.Is(err, ErrUnknown) {
			return a, err
		}
	}
	return l.ofPlayer(ctx, into)
}

// lookAtMerge ends a merge that has been broken off: it goes on where the other account has something of the guest
// already, or is about to have it, and is given up where it has not. One whose character may or may not have been
// written, and whose player has been here since, is left to the same request.
func (l *Ledger) lookAtMerge(ctx context.Context, guest *rushgate.Account) (Look, error) {
	at, fence := mergeProgress(guest)
	if now := time.Now(); now.Before(at.Add(mergeLook)) && at.Before(now.Add(mergeLook)) { // it is being gone on with
		return Waits, l.planLook(ctx, doomed{guest.ID, guest.Username}, at.Add(mergeLook))
	}
	a, err := l.mergedAccount(ctx, guest)
	switch {
	case errors.Is(err, ErrBusy): // which ends only if it is looked at before the hold has passed
		return Waits, l.planLook(ctx, doomed{guest.ID, guest.Username}, time.Now().Add(rushgate.IdentityHold/2))
	case err != nil:
		return Leaving, err
	}
	merged := guest.Disabled.Reason == mergedReason
	switch {
	case a.ID == 0 && merged:
		return Kept, nil
	case a.ID == 0, !merged && fence == 0 && !hasDeviceOf(&a, guest):
		return Kept, l.giveUpMerge(ctx, guest, mergedInto(guest))
	case !merged && fence != 0:
		if err := l.replaceCharacter(ctx, guest, &a, fence); errors.Is(err, rushgate.ErrLeaseLost) {
			return Kept, nil
		} else if err != nil {
			return Leaving, err
		}
	}
	err = l.giveDevices(ctx, guest, &secondfactor.Proved{Account: a}, "")
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

// hasDeviceOf reports whether a device of a guest opens an account.
func hasDeviceOf(a, guest *rushgate.Account) bool {
	return slices.ContainsFunc(a.Credentials, func(c rushgate.Credential) bool {
		return c.Kind == linked.Guest && slices.Contains(guest.Credentials, c)
	})
}
