package account

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/linked"
	"github.com/rushgate/rushgate/internal/secondfactor"
)

const (
	// mergeTimeout bounds a merge, which waits for sessions to end, also those on other nodes.
	mergeTimeout = 8 * time.Second
	// mergePause is between two looks at whether they have.
	mergePause = 200 * time.Millisecond

	// mergeNode is what holds the lease of an account while a merge writes its character. Two merges into one account are
	// told apart by their attempts: were they two runs of a node, one would take the other for left over.
	mergeNode = "merge"

	// mergingReason and mergedReason are what is told who comes as a guest whose account becomes part of another, and by
	// what a merge that is repeated knows how far it had come.
	mergingReason = "It is being merged into another account, as you have asked for"
	mergedReason  = "It was merged into another account, as you have asked for"
)

var (
	// ErrNotGuest refuses to merge an account that something else opens than a guest's device, or that asks for codes
	// beside it: it is not only a guest's.
	ErrNotGuest = errors.New("not an account that a guest's device alone opens")
	// ErrOtherChoice refuses to keep one character where a merge of the same two goes on that keeps the other.
	ErrOtherChoice = errors.New("a merge of this guest goes on that keeps the other character")
	// ErrNoGuest refuses to keep the character of a guest where nobody has come in by the device.
	ErrNoGuest = errors.New("no guest has come in by the device")
)

// Merge has the account of a guest, a device of whom is shown by a credential, become part of another account, whose
// player has proved to own it: one of the two characters is kept, the guest's if keepGuest, and the guest's devices
// open the account from then on. The guest's account is deleted, with the other character. If the guest's is kept, the
// session that the account has ends: leave ends the one here, with a last save, and may be nil.
//
// The account has the guest's devices, and its character, from one write on. What dies before that leaves a guest's
// account that nobody comes in by; the same call once more goes on from there, and none for another account does, nor
// one that keeps the other character, until the merge was given up. A look that is planned before anything else goes on
// with it, too, or gives it up, see [Ledger.LookAt]. The error is [ErrNotGuest], [ErrNoGuest], [ErrOtherChoice],
// [ErrInside] for a session that did not end in time, a [*rushgate.Refusal] for a guest who is banned, [ErrLinked] for
// one who is being merged into another account, or one of [Ledger.Link]. With [ErrManyIdentities] and [ErrFull] there
// is no room for the devices. After the others of Link, the same call is worth repeating. A device without an account
// is linked alone, unless the guest's character is to be kept.
func (l *Ledger) Merge(
	ctx context.Context, proved *secondfactor.Proved, device rushgate.Credential, keepGuest bool,
	leave func(context.Context) error, from string,
) error {
	if device.Kind != linked.Guest {
		return ErrNotGuest
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), mergeTimeout)
	defer cancel()
	guest, err := l.ownerOf(ctx, device)
	switch {
	case err != nil:
		return err
	case guest.ID == proved.Account.ID:
		return nil
	case guest.ID == 0 && keepGuest:
		return ErrNoGuest
	case guest.ID == 0:
		return l.Link(ctx, proved, device, from)
	}
	if _, err := withDevices(proved, &guest); err != nil {
		return err
	}
	if err := l.planLook(ctx, doomedAs(&guest), time.Now().Add(mergeLook)); err != nil {
		return err
	}
	if err := l.takeBackDeletion(ctx, &guest, from); err != nil {
		return err
	}
	merged, err := l.closeGuest(ctx, &guest, &proved.Account, keepGuest)
	if err == nil && !merged {
		err = l.isOpen(ctx, &proved.Account, &guest)
	}
	if err == nil && keepGuest && !merged {
		err = l.giveCharacter(ctx, &guest, proved, leave, from)
	}
	if err == nil {
		err = l.giveDevices(ctx, &guest, proved, from)
	}
	if errors.Is(err, rushgate.ErrLeaseLost) { // to the same call, asked for twice, which goes on with the merge
		err = ErrBusy
	}
	if err != nil {
		return err
	}
	return untilOutside(ctx, func() error {
		if err := l.removeOne(ctx, guest.Username); !errors.Is(err, ErrUnknown) {
			return err
		}
		return nil // by an earlier try
	})
}

// ownerOf returns the account that an identity opens; the zero Account if there is none.
func (l *Ledger) ownerOf(ctx context.Context, c rushgate.Credential) (a rushgate.Account, err error) {
	key, _ := linked.Key(c)
	owners, err := l.store.IdentityOwners(ctx, []rushgate.IdentityKey{key})
	if err != nil || owners[0] == 0 {
		return a, err
	}
	if a, err = l.ofPlayer(ctx, owners[0]); err != nil || !slices.Contains(a.Credentials, c) {
		return rushgate.Account{}, err
	}
	return a, nil
}

// withDevices returns what credentials an account gets that a guest is merged into.
func withDevices(proved *secondfactor.Proved, guest *rushgate.Account) ([]rushgate.Credential, error) {
	after, identities := slices.Clone(proved.Left()), len(IdentitiesOf(&proved.Account))
	for _, c := range guest.Credentials {
		switch {
		case c.Kind != linked.Guest || slices.Contains(after, c):
		case identities >= MaxIdentities:
			return nil, ErrManyIdentities
		case len(after) >= rushgate.MaxCredentials:
			return nil, ErrFull
		default:
			after, identities = append(after, c), identities+1
		}
	}
	return after, nil
}

// giveDevices has the devices of a guest, by whom nobody comes in any more, open an account. That has them before they
// lead to it, and they lead to it before the guest is gone, so that at no time they are anybody's: a device that comes
// meanwhile finds the guest's account closed.
func (l *Ledger) giveDevices(
	ctx context.Context, guest *rushgate.Account, proved *secondfactor.Proved, from string,
) error {
	a := &proved.Account
	after, err := withDevices(proved, guest)
	if err != nil {
		return err
	}
	if len(after) > len(proved.Left()) { // else it has them with the character
		if err := l.changeProved(ctx, a, rushgate.AccountChange{Credentials: after}); err != nil {
			return err
		}
		l.note(ctx, event(Owner{a.ID, a.Username}, eventLinked, from))
	}
	if err := l.planEnd(ctx, guest); err != nil {
		return err
	}
	return l.claimAll(ctx, guest, a.ID)
}

// planEnd has the account of a guest that has been merged deleted, should the merge get no further than this.
func (l *Ledger) planEnd(ctx context.Context, guest *rushgate.Account) error {
	at := time.Now().Add(mergeLook)
	if err := l.planLook(ctx, doomedAs(guest), at); err != nil {
		return err
	}
	_, err := l.changeOwned(ctx, Owner{guest.ID, guest.Username},
		func(now *rushgate.Account) (c rushgate.AccountChange, err error) {
			if mergedInto(now) == 0 { // it was given up, and the guest may be inside
				return c, ErrBusy
			}
			c.Credentials = with(now.Credentials, markOf(Deleting, at))
			return c, nil
		})
	if errors.Is(err, ErrUnknown) { // by another call
		return nil
	}
	return err
}

// claimAll has the identities of an account that is being merged lead to a player.
func (l *Ledger) claimAll(ctx context.Context, from *rushgate.Account, to rushgate.PlayerID) error {
	for _, c := range from.Credentials {
		key, ok := linked.Key(c)
		if !ok {
			continue
		}
		owners, err := l.store.ClaimIdentities(ctx, []rushgate.IdentityClaim{
			{Key: key, Player: to, Replaces: from.ID},
			{Key: key, Replaces: from.ID}, {Key: key, Player: to}, // if it was claimed a moment ago
		})
		if err != nil {
			return err
		}
		if owners[2] != to {
			return ErrBusy
		}
	}
	return nil
}

// takeBackDeletion has a guest kept whose player had planned to delete it, and has another use for it now: the deletion
// would come in the way of whoever ends the merge.
func (l *Ledger) takeBackDeletion(ctx context.Context, guest *rushgate.Account, from string) error {
	if DeleteAt(guest).IsZero() || mergedInto(guest) != 0 || guest.Disabled.At(time.Now()) {
		return nil // or it will be refused
	}
	if err := l.mayClose(ctx, guest); err != nil {
		return err
	}
	return l.Keep(ctx, Owner{guest.ID, guest.Username}, from)
}

// closeGuest has nobody come in by a guest's account any more, which is to become part of another, and its sessions
// end. The guest is then as it has become. It reports whether the character has been given away by an earlier try.
func (l *Ledger) closeGuest(
	ctx context.Context, guest, into *rushgate.Account, keepGuest bool,
) (merged bool, err error) {
	return merged, l.mark(ctx, guest, func(now *rushgate.Account) (c rushgate.AccountChange, m merging, err error) {
		was, d := mergingOf(now), now.Disabled
		m = merging{into: into.ID, name: into.Username, at: time.Now(), keep: kept(keepGuest), epoch: into.Epoch}
		if !d.At(m.at) {
			if keepGuest && hasDeviceOf(into, now) { // else that would pass for what the merge has written
				return c, m, ErrLinked
			}
			c.Disabled, c.RaiseEpoch = &rushgate.Disabled{Until: rushgate.Forever(), Reason: mergingReason}, true
			return c, m, l.mayClose(ctx, now)
		}
		merged = d.Reason == mergedReason
		switch {
		case !merged && d.Reason != mergingReason:
			return c, m, d.Refusal()
		case was.into == into.ID && was.keeps(now, into) != m.keep && was.keeps(now, into) != "":
			return c, m, ErrOtherChoice
		case was.into == into.ID:
			merged = merged || was.isPart(now, into)
			if m.fence = was.fence; was.fence != 0 { // and what may have been written under it
				m.keep = was.keep
			}
		case merged || l.goesOn(ctx, now):
			return c, m, ErrLinked
		} // else it is in place of one whose account is gone
		if keepGuest && m.fence == 0 && hasDeviceOf(into, now) {
			return c, m, ErrLinked
		}
		return c, m, nil
	})
}

// mayClose returns why the account of a guest cannot become part of another.
func (l *Ledger) mayClose(ctx context.Context, guest *rushgate.Account) error {
	rest := slices.DeleteFunc(slices.Clone(guest.Credentials), func(c rushgate.Credential) bool {
		return c.Kind == linked.Guest
	})
	// Nor is one merged that asks for codes: whoever has the device alone does not come in by it.
	if opens(guest.PasswordHash, rest) || secondfactor.Of(rest).Active {
		return ErrNotGuest
	}
	return l.isSettled(ctx, guest, guest.Credentials)
}

// isSettled returns [ErrBusy] if an account has some identities from a guest who is being merged into it, and they do
// not lead to it yet: the character may be the guest's, which is opened again if the account is not found to have them.
func (l *Ledger) isSettled(ctx context.Context, a *rushgate.Account, some []rushgate.Credential) error {
	owners, err := l.store.IdentityOwners(ctx, linked.Keys(some))
	if err != nil {
		return err
	}
	for _, owner := range owners {
		if owner == 0 || owner == a.ID {
			continue
		}
		if other, err := l.ofPlayer(ctx, owner); err != nil {
			return err
		} else if mergedInto(&other) == a.ID {
			return ErrBusy
		}
	}
	return nil
}

// noteFence notes in a guest's account, which is closed, under which lease the character is about to be written. The
// error is [ErrBusy] if the account was opened meanwhile, or is not to become part of that one any more.
func (l *Ledger) noteFence(
	ctx context.Context, guest, into *rushgate.Account, fence uint64,
) (merged bool, err error) {
	epoch := guest.Epoch
	return merged, l.mark(ctx, guest, func(now *rushgate.Account) (c rushgate.AccountChange, m merging, err error) {
		m = mergingOf(now)
		if m.into != into.ID || !isMerging(now) || now.Epoch != epoch {
			return c, m, ErrBusy
		}
		if merged = now.Disabled.Reason == mergedReason; merged {
			return c, m, nil
		}
		if m.fence == 0 || m.keep != "" { // else a node of before may have written it without the devices
			m.keep = keepsGuest
		}
		m.at, m.fence, m.epoch = time.Now(), fence, into.Epoch
		return c, m, nil
	})
}

// goesOn reports whether the merge of a guest may go on: the account that it is for is there, and is not to become part
// of another itself.
func (l *Ledger) goesOn(ctx context.Context, guest *rushgate.Account) bool {
	a, err := l.mergedAccount(ctx, guest)
	return err != nil || a.ID != 0 && mergedInto(&a) == 0
}

// isOpen returns [ErrBusy] for an account that is to become part of another itself, and has its guest be as before: of
// two who merge each other, or of more in a ring, at least one would else be shut for good. A guest whose character is
// being written is left as it is: that goes on.
func (l *Ledger) isOpen(ctx context.Context, a, guest *rushgate.Account) error {
	now, err := l.owned(ctx, Owner{a.ID, a.Username})
	if err != nil || mergedInto(&now) == 0 {
		return err
	}
	if m := mergingOf(guest); m.fence == 0 {
		if err := l.giveUpMerge(ctx, guest, m); err != nil {
			return err
		}
	}
	return ErrBusy
}

// giveUpMerge opens a guest's account again that was to become part of another, and has not; a ban of it stays. The
// error is [ErrBusy] if it is not marked so any more: one that is gone on with has another mark.
func (l *Ledger) giveUpMerge(ctx context.Context, guest *rushgate.Account, m merging) error {
	_, err := l.changeOwned(ctx, Owner{guest.ID, guest.Username},
		func(now *rushgate.Account) (c rushgate.AccountChange, err error) {
			if m.into == 0 || mergingOf(now) != m || now.Disabled.Reason == mergedReason {
				return c, ErrBusy
			}
			if now.Disabled.Reason == mergingReason {
				c.Disabled = &rushgate.Disabled{}
			}
			c.Credentials = without(now.Credentials, Merging)
			return c, nil
		})
	return err
}

// giveCharacter has an account get the character of a guest in place of its own, with the devices, once neither is
// inside.
func (l *Ledger) giveCharacter(
	ctx context.Context, guest *rushgate.Account, proved *secondfactor.Proved, leave func(context.Context) error,
	from string,
) error {
	a := &proved.Account
	if fence := mergingOf(guest).fence; fence != 0 {
		if err := l.replaceCharacter(ctx, guest, proved, fence, from); !errors.Is(err, rushgate.ErrLeaseLost) {
			return err
		} // or the player may have been here since
	}
	if leave != nil {
		if err := leave(ctx); err != nil && !errors.Is(err, rushgate.BadCredentials) { // which is that there is none
			return err
		}
	}
	err := untilOutside(ctx, func() error { // its last save included
		where, err := l.store.Presence(ctx, []string{guest.Username})
		if err == nil && where[0].Inside() {
			err = ErrInside
		}
		return err
	})
	if err != nil {
		return err
	}
	in, err := l.hold(ctx, a)
	if err != nil {
		return err
	}
	// Whoever was ahead, by the same call, has ended before the lease was free, and the player may have played since.
	merged, err := l.noteFence(ctx, guest, a, in.Lease.Fence)
	if merged || errors.Is(err, ErrBusy) || errors.Is(err, ErrUnknown) { // the lease is nobody else's
		own := rushgate.Save{Character: in.Character, Fence: in.Lease.Fence, Release: true}
		return errors.Join(err, l.save(ctx, own))
	}
	if err != nil {
		return err
	}
	// The fence is noted from here on, and whoever finds it may write under it. So the lease is not given back with the
	// account's own character, whatever has failed: it ends by itself, and until then the same can be gone on with.
	if err = l.replaceCharacter(ctx, guest, proved, in.Lease.Fence, from); errors.Is(err, rushgate.ErrLeaseLost) {
		return ErrBusy
	}
	return err
}

// characterOf returns the character of an account whose player is not inside.
func (l *Ledger) characterOf(ctx context.Context, a *rushgate.Account) (rushgate.Character, error) {
	loaded, err := l.store.LoadCharacters(ctx, []string{a.Username})
	switch {
	case err != nil:
		return rushgate.Character{}, err
	case loaded[0].Err != nil:
		return rushgate.Character{}, loaded[0].Err
	case loaded[0].ID != a.ID:
		return rushgate.Character{}, ErrUnknown
	}
	return loaded[0].Character, nil
}

// hold claims the lease of an account, as a login would, once the player is outside.
func (l *Ledger) hold(ctx context.Context, a *rushgate.Account) (in rushgate.Admitted, err error) {
	by := rushgate.Instance{Node: mergeNode, Run: mergeNode}
	admission := rushgate.Admission{Account: *a, Attempt: rand.Text(), Takeover: true}
	err = untilOutside(ctx, func() error {
		admitted, err := l.store.Admit(ctx, by, []rushgate.Admission{admission})
		if err != nil {
			return err
		}
		in = admitted[0]
		return known(in.Err)
	})
	return in, err
}

// replaceCharacter writes the character of a guest in place of an account's, with the guest's devices, has the guest's
// account say so, and gives the lease back under which it was written. From the first of these writes on the account
// has what the guest had. If it fails on the way the lease ends by itself, and as long as nobody has claimed it since,
// the same can be done again. The error is [rushgate.ErrLeaseLost] once somebody has: nothing has been written then.
// With [ErrBusy] either that is so, as the account is not what was proved any more, or others keep changing the
// guest's.
func (l *Ledger) replaceCharacter(
	ctx context.Context, guest *rushgate.Account, proved *secondfactor.Proved, fence uint64, from string,
) error {
	a := &proved.Account
	after, err := withDevices(proved, guest)
	if err != nil {
		return err
	}
	character, err := l.characterOf(ctx, guest)
	if err != nil {
		return err
	}
	character.ID, character.Name = a.ID, a.Username
	s := rushgate.Save{Character: character, Fence: fence, Credentials: after, Replaces: a.Credentials, Epoch: a.Epoch}
	switch err := l.save(ctx, s); {
	case errors.Is(err, rushgate.ErrAccountChanged):
		return ErrBusy
	case err != nil:
		return err
	}
	a.Credentials, proved.Credentials = after, nil
	l.note(ctx, event(Owner{a.ID, a.Username}, eventLinked, from))
	if err := l.noteGiven(ctx, guest, a.ID); err != nil {
		return err
	}
	err = l.save(ctx, rushgate.Save{Character: character, Fence: fence, Release: true})
	if errors.Is(err, rushgate.ErrLeaseLost) { // it has ended by itself, and the player is inside
		return nil
	}
	return err
}

// noteGiven notes that the account of a player has got the character of a guest. The error is [ErrBusy] if the guest's
// account is not to become part of that one any more.
func (l *Ledger) noteGiven(ctx context.Context, guest *rushgate.Account, into rushgate.PlayerID) error {
	_, err := l.changeOwned(ctx, Owner{guest.ID, guest.Username},
		func(now *rushgate.Account) (c rushgate.AccountChange, err error) {
			if mergedInto(now) != into {
				return c, ErrBusy
			}
			c.Disabled = &rushgate.Disabled{Until: rushgate.Forever(), Reason: mergedReason}
			return c, nil
		})
	if errors.Is(err, ErrUnknown) { // it is done, by another call
		return nil
	}
	return err
}

func (l *Ledger) save(ctx context.Context, s rushgate.Save) error {
	return first(l.store.Save(ctx, []rushgate.Save{s}))
}

// untilOutside tries something again that a session is in the way of, until ctx ends.
func untilOutside(ctx context.Context, try func() error) error {
	for {
		err := try()
		if !errors.Is(err, ErrInside) || !pause(ctx, mergePause) {
			return err
		}
	}
}
