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

	// mergingReason and mergedReason are what is told who comes as a guest whose account becomes part of another, and by
	// what a merge that is repeated knows how far it had come.
	mergingReason = "It is being merged into another account, as you have asked for."
	mergedReason  = "It was merged into another account, as you have asked for."
)

// ErrNotGuest refuses to merge an account that something else opens than a guest's device: it is not only a guest's.
var ErrNotGuest = errors.New("not an account that a guest's device alone opens")

// Merge has the account of a guest, whose device is shown by a credential, become part of another account, whose player
// has proved to own it: one of the two characters is kept, the guest's if keepGuest, and the device opens the account
// from then on. The guest's account is deleted, with the other character. If the guest's is kept, the session that the
// account has ends: leave ends the one here, with a last save, and may be nil.
//
// What dies on the way leaves a guest's account that nobody comes in by, and a character that is either of the two,
// whole; the same call once more goes on from there. The error is [ErrNotGuest], [ErrInside] for a session that did not
// end in time, a [*rushgate.Refusal] for a guest who is banned, or one of [Ledger.Link], after which the same call is
// worth repeating. A device without an account is linked alone.
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
	case guest.ID != 0:
		if err := l.takeIn(ctx, &guest, &proved.Account, keepGuest, leave); err != nil {
			return err
		}
		key, _ := linked.Key(device) // which may have been claimed a moment ago, and is nobody's now
		if _, err := l.store.ClaimIdentities(ctx, []rushgate.IdentityClaim{{Key: key, Replaces: guest.ID}}); err != nil {
			return err
		}
	}
	return l.Link(ctx, proved, device, from)
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

// takeIn deletes the account of a guest, after its character has taken the place of the other's if it is to be kept.
func (l *Ledger) takeIn(
	ctx context.Context, guest, a *rushgate.Account, keepGuest bool, leave func(context.Context) error,
) error {
	merged, err := l.closeGuest(ctx, guest)
	if err != nil {
		return err
	}
	if keepGuest && !merged {
		if err := l.giveCharacter(ctx, guest, a, leave); err != nil {
			return err
		}
		err := l.disable(ctx, guest, rushgate.Disabled{Until: rushgate.Forever(), Reason: mergedReason})
		if err != nil && !errors.Is(err, ErrUnknown) {
			return err
		}
	}
	return untilOutside(ctx, func() error {
		if err := l.removeOne(ctx, guest.Username); !errors.Is(err, ErrUnknown) {
			return err
		}
		return nil // by an earlier try
	})
}

// closeGuest has nobody come in by a guest's account any more, and its sessions end. It reports whether its character
// has been given away by an earlier try.
func (l *Ledger) closeGuest(ctx context.Context, guest *rushgate.Account) (merged bool, err error) {
	_, err = l.changeOwned(ctx, Owner{guest.ID, guest.Username},
		func(now *rushgate.Account) (c rushgate.AccountChange, err error) {
			*guest = *now
			if d := now.Disabled; d.At(time.Now()) {
				if merged = d.Reason == mergedReason; merged || d.Reason == mergingReason {
					return c, nil
				}
				return c, d.Refusal()
			}
			rest := slices.DeleteFunc(slices.Clone(now.Credentials), func(c rushgate.Credential) bool {
				return c.Kind == linked.Guest
			})
			if opens(now.PasswordHash, rest) {
				return c, ErrNotGuest
			}
			c.Disabled = &rushgate.Disabled{Until: rushgate.Forever(), Reason: mergingReason}
			c.RaiseEpoch = true
			return c, nil
		})
	return merged, err
}

// giveCharacter has an account get the character of a guest in place of its own, once neither is inside.
func (l *Ledger) giveCharacter(
	ctx context.Context, guest, a *rushgate.Account, leave func(context.Context) error,
) error {
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
	loaded, err := l.store.LoadCharacters(ctx, []string{guest.Username})
	if err == nil {
		err = loaded[0].Err
	}
	if err != nil {
		return err
	}
	character := loaded[0].Character
	if character.ID != guest.ID {
		return ErrUnknown
	}
	character.ID, character.Name = a.ID, a.Username
	return l.replaceCharacter(ctx, a, character)
}

// replaceCharacter claims the lease of an account, as a login would, to write its character, and gives it back.
func (l *Ledger) replaceCharacter(ctx context.Context, a *rushgate.Account, character rushgate.Character) error {
	by := rushgate.Instance{Node: "merge", Run: rand.Text()}
	admission := rushgate.Admission{Account: *a, Attempt: rand.Text(), Takeover: true}
	var in rushgate.Admitted
	err := untilOutside(ctx, func() error {
		admitted, err := l.store.Admit(ctx, by, []rushgate.Admission{admission})
		if err != nil {
			return err
		}
		in = admitted[0]
		return known(in.Err)
	})
	if err != nil {
		return err
	}
	errs, err := l.store.Save(ctx, []rushgate.Save{{Character: character, Fence: in.Lease.Fence, Release: true}})
	return first(errs, err)
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
