package account

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/linked"
	"github.com/rushgate/rushgate/internal/opaquerecord"
	"github.com/rushgate/rushgate/internal/passkey"
	"github.com/rushgate/rushgate/internal/secondfactor"
	"github.com/rushgate/rushgate/password"
)

// MaxIdentities is how many identities an account may be linked to, so that its other credentials find room.
const MaxIdentities = 6

var (
	// ErrLinked refuses an identity that opens another account.
	ErrLinked = errors.New("the identity opens another account")
	// ErrManyIdentities refuses one more identity than an account may have.
	ErrManyIdentities = errors.New("the account has too many identities")
	// ErrNotLinked says that an account has no such identity.
	ErrNotLinked = errors.New("the account has no such identity")
	// ErrLastWay refuses to take away what alone opens an account.
	ErrLastWay = errors.New("nothing else opens the account")
)

// Identity is one that an account is linked to.
type Identity struct {
	// Handle names it among those of the account: 12 characters of base64url.
	Handle string
	// Guest says that it is a device that plays as a guest. Otherwise Provider and Subject say who vouches for the player,
	// and as what.
	Guest             bool
	Provider, Subject string
}

// IdentitiesOf returns the identities of an account, in the order in which they were linked.
func IdentitiesOf(a *rushgate.Account) []Identity {
	var all []Identity
	for _, c := range a.Credentials {
		if key, ok := linked.Key(c); ok {
			all = append(all, Identity{
				Handle: handleOf(key), Guest: c.Kind == linked.Guest, Provider: c.Provider, Subject: c.Subject,
			})
		}
	}
	return all
}

// handleOf returns 72 bits of a key, which tell the few identities of an account apart.
func handleOf(key rushgate.IdentityKey) string { return base64.RawURLEncoding.EncodeToString(key[:9]) }

// Link gives an account whose player has proved to own it an identity, which has been proved as well. One that it has
// is no error. The error is [ErrLinked], [ErrManyIdentities], [ErrFull], or [ErrBusy]: the account is not what it was
// any more, or the identity was claimed for another a moment ago.
//
// The identity is claimed before the account has it. What dies in between has claimed what the account lacks, and the
// next who wants it replaces the claim. It is claimed once more when the account has it: the same player may have
// unlinked it a moment before, and that may have freed what was claimed here.
func (l *Ledger) Link(ctx context.Context, proved *secondfactor.Proved, c rushgate.Credential, from string) error {
	a := &proved.Account
	key, ok := linked.Key(c)
	if !ok {
		return ErrNotLinked
	}
	has := slices.Contains(a.Credentials, c)
	switch {
	case !has && len(IdentitiesOf(a)) >= MaxIdentities:
		return ErrManyIdentities
	case !has && len(proved.Left()) >= rushgate.MaxCredentials:
		return ErrFull
	}
	if err := l.claim(ctx, a.ID, key, c); err != nil || has {
		return err
	}
	after := append(slices.Clone(proved.Left()), c)
	if err := l.changeProved(ctx, a, rushgate.AccountChange{Credentials: after}); err != nil {
		return err
	}
	owners, err := l.store.ClaimIdentities(ctx, []rushgate.IdentityClaim{{Key: key, Player: a.ID}})
	if err == nil && owners[0] != a.ID {
		err = errors.Join(ErrBusy, l.yield(ctx, a, c))
	}
	if err == nil {
		l.note(ctx, event(Owner{a.ID, a.Username}, eventLinked, from))
	}
	return err
}

// yield takes an identity from an account that another has claimed before it had it.
func (l *Ledger) yield(ctx context.Context, a *rushgate.Account, c rushgate.Credential) error {
	_, err := l.recredit(ctx, func() (rushgate.Account, error) { return l.owned(ctx, Owner{a.ID, a.Username}) },
		func(now *rushgate.Account) ([]rushgate.Credential, error) {
			return slices.DeleteFunc(slices.Clone(now.Credentials), func(has rushgate.Credential) bool { return has == c }), nil
		})
	return err
}

// claim has an identity lead to a player, unless it opens another's account.
func (l *Ledger) claim(
	ctx context.Context, player rushgate.PlayerID, key rushgate.IdentityKey, c rushgate.Credential,
) error {
	owners, err := l.store.ClaimIdentities(ctx, []rushgate.IdentityClaim{{Key: key, Player: player}})
	if err != nil || owners[0] == player {
		return err
	}
	other := owners[0]
	if has, err := l.hasIdentity(ctx, other, c); err != nil {
		return err
	} else if has {
		return ErrLinked
	}
	owners, err = l.store.ClaimIdentities(ctx, []rushgate.IdentityClaim{{Key: key, Player: player, Replaces: other}})
	if err == nil && owners[0] != player {
		err = ErrBusy
	}
	return err
}

// hasIdentity reports whether the account of a player has an identity.
func (l *Ledger) hasIdentity(ctx context.Context, player rushgate.PlayerID, c rushgate.Credential) (bool, error) {
	a, err := l.ofPlayer(ctx, player)
	return slices.Contains(a.Credentials, c), err
}

// ofPlayer returns the account of a player whose account has credentials; the zero Account if there is none. A name
// that is another's, or nobody's, proves nothing, see namedNow, until it has been so for [rushgate.IdentityHold] and
// nothing can be under way any more.
func (l *Ledger) ofPlayer(ctx context.Context, player rushgate.PlayerID) (rushgate.Account, error) {
	a, err := l.namedNow(ctx, player)
	if errors.Is(err, ErrBusy) && l.doubts.Stale(rushgate.IdentityKey{}, player, time.Now()) {
		return rushgate.Account{}, nil
	}
	return a, err
}

// namedNow returns the account that has the name by which a player is found; the zero Account if there is none. A name
// that is another's, or nobody's, is looked at twice: the player may be renamed at this moment. One that still is
// leaves it in doubt whether there is an account: the error is [ErrBusy].
func (l *Ledger) namedNow(ctx context.Context, player rushgate.PlayerID) (a rushgate.Account, err error) {
	for again := false; ; again = true {
		names, err := l.store.PlayerNames(ctx, []rushgate.PlayerID{player})
		if err != nil || names[0] == "" {
			return a, err
		}
		loaded, err := l.store.LoadAccounts(ctx, names)
		switch {
		case err != nil:
			return a, err
		case loaded[0].Err != nil:
			return a, loaded[0].Err
		case loaded[0].ID == player:
			return loaded[0].Account, nil
		case again:
			return a, ErrBusy
		case !pause(ctx, renamePause):
			return a, ctx.Err()
		}
	}
}

// Unlink takes an identity away from an account whose player has proved to own it. All sessions and devices end, for
// whoever had the identity may have opened them. The error is [ErrNotLinked], [ErrLastWay] or [ErrBusy].
//
// The claim is freed then, or devices that are linked and unlinked would fill the store. That may fail: what is left
// leads to an account that lacks the identity, which says as much as none.
func (l *Ledger) Unlink(ctx context.Context, proved *secondfactor.Proved, handle, from string) error {
	a, left := &proved.Account, proved.Left()
	i := slices.IndexFunc(left, func(c rushgate.Credential) bool {
		key, ok := linked.Key(c)
		return ok && handleOf(key) == handle
	})
	if i < 0 {
		return ErrNotLinked
	}
	after := slices.Delete(slices.Clone(left), i, i+1)
	if !opens(a.PasswordHash, after) {
		return ErrLastWay
	}
	if err := l.isSettled(ctx, a, left[i:i+1]); err != nil {
		return err
	}
	err := l.changeProved(ctx, a, rushgate.AccountChange{Credentials: after, RaiseEpoch: true})
	if err == nil {
		key, _ := linked.Key(left[i])
		_, _ = l.store.ClaimIdentities(ctx, []rushgate.IdentityClaim{{Key: key, Replaces: a.ID}})
		l.note(ctx, event(Owner{a.ID, a.Username}, eventUnlinked, from))
	}
	return err
}

// opens reports whether an account with a hash and credentials can be opened by its player at all.
func opens(hash string, credentials []rushgate.Credential) bool {
	return hash != "" && !password.IsLocked(hash) || opaquerecord.Has(credentials) ||
		len(passkey.List(credentials)) > 0 || len(linked.Keys(credentials)) > 0
}
