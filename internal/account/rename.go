package account

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/access"
	"github.com/rushgate/rushgate/internal/secondfactor"
)

// Renamed is the kind of the credential that marks when an account was given its name: its Subject is the time, in
// milliseconds of Unix time, a blank and the name. It is written before the account has the name, and says nothing of
// an account that has another one; until then its Provider, of the same form, is what marks the name before.
const Renamed = "renamed"

const (
	// renameTimeout bounds a rename from when the player's session ends on, and renamePause is how often it is looked
	// whether a session elsewhere has ended.
	renameTimeout = 10 * time.Second
	renamePause   = 100 * time.Millisecond
)

// Errors of a rename, besides [ErrTaken], [ErrInside] and [ErrBusy].
var (
	// ErrSameName says that the account has this name already.
	ErrSameName = errors.New("the account has this name")
	// ErrHeld says that the name was another player's not long ago.
	ErrHeld = errors.New("the name is held for the player who had it")
	// ErrDoomed says that the account is to be deleted.
	ErrDoomed = errors.New("the account is to be deleted")
	// ErrTooSoon is wrapped by a [TooSoonError].
	ErrTooSoon = errors.New("the account was renamed not long ago")
	// ErrListed refuses to give a name up by which nodes decide who may come in: another player may have it one day.
	ErrListed = errors.New("the name is on a list, or excepted from a ban; take it off there first")
	// ErrAwaited refuses to give a name by which nodes decide who may come in: the account would be let in by it.
	ErrAwaited = errors.New("the new name is on a list, or excepted from a ban, and whoever has it is let in by that; " +
		"take it off there first, and put it on again when the account has it")
	// ErrFull says that the account has no room for another credential.
	ErrFull = errors.New("the account has too many credentials")
)

// TooSoonError says from when on an account may be renamed again. It is an [ErrTooSoon].
type TooSoonError struct{ When time.Time }

// Error says when.
func (e *TooSoonError) Error() string {
	return fmt.Sprintf("%v: again from %s on", ErrTooSoon, e.When.UTC().Format(time.RFC3339))
}

// Unwrap returns [ErrTooSoon].
func (e *TooSoonError) Unwrap() error { return ErrTooSoon }

// RenameRules are what an operator has decided about names that players give up for others.
type RenameRules struct {
	// After is how long after a rename the next one may be; 0: at once.
	After time.Duration
	// Hold is for how long nobody else may take the name that was given up; 0: it is free at once.
	Hold time.Duration
}

// RenamedAt returns when an account was given its name; the zero time if it was registered under it.
func RenamedAt(a *rushgate.Account) time.Time {
	at, _ := namedAt(a)
	return at
}

// namedAt returns what marks when an account was given its name, and when that was; empty if nothing does.
func namedAt(a *rushgate.Account) (at time.Time, mark string) {
	renamed, _ := find(a.Credentials, Renamed)
	for _, mark := range []string{renamed.Subject, renamed.Provider} {
		text, name, _ := strings.Cut(mark, " ")
		ms, err := strconv.ParseInt(text, 10, 64)
		if err == nil && name == a.Username && ms > 0 && ms <= rushgate.Forever().UnixMilli() {
			return time.UnixMilli(ms), mark
		}
	}
	return time.Time{}, ""
}

// renameMark is what marks that an account is given a name. Should it not get it, the mark of before holds.
func renameMark(a *rushgate.Account, name string, at time.Time) rushgate.Credential {
	_, before := namedAt(a)
	return rushgate.Credential{
		Kind: Renamed, Subject: strconv.FormatInt(at.UnixMilli(), 10) + " " + name, Provider: before,
	}
}

// MayRename returns why an account cannot be given a name, as far as the account itself says so, before that costs
// anything: [ErrSameName], [ErrDoomed], also for a guest who is being merged, or a [TooSoonError]. The name is
// canonical, as [rushgate.NewUsername] returns it.
func MayRename(a *rushgate.Account, name string, after time.Duration) error {
	switch at := RenamedAt(a); {
	case name == a.Username:
		return ErrSameName
	case !DeleteAt(a).IsZero(), mergedInto(a) != 0: // that is found by its name, and gone or open again soon
		return ErrDoomed
	case !at.IsZero() && time.Now().Before(at.Add(after)):
		return &TooSoonError{at.Add(after)}
	}
	return nil
}

// Rename gives the account of a player, who has proved to own it, another name, which [rushgate.NewUsername] has
// returned. Its sessions and devices end; leave ends the one that the player has here, with a last save, and may be
// nil. It returns the account as it is then, but for its devices. Errors are those of [MayRename], [ErrTaken],
// [ErrFull], [ErrListed], [ErrAwaited], [ErrHeld], [ErrInside] for a session that did not end in time, and [ErrBusy]:
// after each of the last five the sessions may have ended all the same. From is as [From] has it.
func (l *Ledger) Rename(
	ctx context.Context, proved *secondfactor.Proved, name string, rules RenameRules,
	leave func(context.Context) error, from string,
) (rushgate.Account, error) {
	a := &proved.Account
	if err := MayRename(a, name, rules.After); err != nil {
		return *a, err
	}
	if err := l.mayMove(ctx, a, name); err != nil {
		return *a, err
	}
	now := time.Now()
	next := with(proved.Left(), renameMark(a, name, now))
	if len(next) > rushgate.MaxCredentials {
		return *a, ErrFull
	}
	// That the sessions end comes first, and with it the code is used up: who has it cannot use it for anything else.
	if err := l.changeProved(ctx, a, rushgate.AccountChange{RaiseEpoch: true, Credentials: next}); err != nil {
		return *a, err
	}
	renamed, err := l.rename(ctx, a, name, now.Add(rules.Hold), leave)
	if err == nil {
		l.moved(a.ID, name)
		e := event(Owner{a.ID, name}, eventRenamed, from)
		e.Text = a.Username + " → " + name
		l.note(context.WithoutCancel(ctx), e)
	}
	renamed.Credentials = next
	return renamed, err
}

// RenameFor is Rename for an operator, who does not have to wait until the last one is long enough ago. The player has
// to: for [RenameRules].After from then on the account keeps the name. A session ends with a last save, at the node
// that has it. It notes which operator it was.
func (l *Ledger) RenameFor(
	ctx context.Context, name, next string, hold time.Duration, by string,
) (Changed, error) {
	next, err := rushgate.NewUsername(next)
	if err != nil {
		return Changed{}, err
	}
	now := time.Now()
	a, err := l.changeNamed(ctx, name, func(a *rushgate.Account) (c rushgate.AccountChange, err error) {
		if err := MayRename(a, next, 0); err != nil {
			return c, err
		}
		if err := l.mayMove(ctx, a, next); err != nil {
			return c, err
		}
		c.RaiseEpoch, c.Credentials = true, with(a.Credentials, renameMark(a, next, now))
		if len(c.Credentials) > rushgate.MaxCredentials {
			return c, ErrFull
		}
		return c, nil
	})
	if err != nil {
		return Changed{}, err
	}
	if _, err := l.rename(ctx, &a, next, now.Add(hold), nil); err != nil {
		return Changed{}, err
	}
	l.moved(a.ID, next)
	c := Changed{Player: a.ID, Name: next}
	return c, l.remember(ctx, &c, eventRenamed, by, a.Username+" → "+next)
}

// mayMove returns why an account cannot be given a name, as far as the store says so before that is done. It looks at
// all of it in any case: by the time that a refusal takes a player must not learn which names are on a list.
func (l *Ledger) mayMove(ctx context.Context, a *rushgate.Account, name string) error {
	listed := l.unlisted(ctx, a.Username, name)
	if listed != nil && !errors.Is(listed, ErrAwaited) {
		return listed
	}
	taken := l.looksFree(ctx, a, name)
	return cmp.Or(listed, taken)
}

// unlisted returns [ErrListed] or [ErrAwaited] if nodes decide by a name that is given up, or by the one that is given
// for it, who may come in: as the store has it now, for what a node goes by is older.
func (l *Ledger) unlisted(ctx context.Context, name, next string) error {
	mentioned, err := access.Mentioned(ctx, l.store, []string{name, next})
	switch {
	case err != nil:
		return err
	case slices.Contains(mentioned, name):
		return ErrListed
	case slices.Contains(mentioned, next):
		return ErrAwaited
	}
	return nil
}

// looksFree returns [ErrTaken] for a name that another account has, or that can be taken for another's. That a name is
// held shows only when it is to be given.
func (l *Ledger) looksFree(ctx context.Context, a *rushgate.Account, name string) error {
	loaded, err := l.store.LoadAccounts(ctx, []string{name})
	if err != nil {
		return err
	}
	alike, err := l.store.Lookalikes(ctx, []string{name})
	if err != nil {
		return err
	}
	if loaded[0].Err != nil || loaded[0].ID != 0 || alike[0] != "" && alike[0] != a.Username {
		return ErrTaken
	}
	return nil
}

// rename gives an account its name whose sessions are told to end: once they have, wherever they are. A player whose
// client is gone by then is renamed all the same.
func (l *Ledger) rename(
	ctx context.Context, a *rushgate.Account, name string, hold time.Time, leave func(context.Context) error,
) (rushgate.Account, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renameTimeout)
	defer cancel()
	last := time.Now().Add(renameTimeout / 2) // so that it is the store's answer that is told, and not that time is up
	if leave != nil {
		if err := leave(ctx); err != nil && !errors.Is(err, rushgate.BadCredentials) { // which is that there is none
			return *a, err
		}
	}
	r := rushgate.Rename{
		Player: a.ID, Name: a.Username, Epoch: a.Epoch + 1, NewName: name, Hold: hold.Truncate(time.Millisecond),
	}
	for repeated := false; ; {
		if !repeated { // it may have been listed while the sessions ended
			if err := l.unlisted(ctx, a.Username, name); err != nil {
				return *a, err
			}
		}
		err := l.store.RenameAccount(ctx, r)
		repeated = errors.Is(err, rushgate.ErrUnavailable) // it may have been carried out
		again := errors.Is(err, rushgate.AlreadyLoggedIn) || repeated
		if again && time.Now().Before(last) && pause(ctx, renamePause) {
			continue // with the same: one that was carried out is no error
		}
		switch {
		case err == nil:
			out := *a
			out.Username, out.Epoch, out.Devices = name, r.Epoch+1, rushgate.Devices{}
			return out, nil
		case errors.Is(err, rushgate.UsernameTaken):
			return *a, l.whyTaken(ctx, a, name)
		case errors.Is(err, rushgate.ErrAccountChanged):
			return *a, ErrBusy
		}
		return *a, known(err)
	}
}

// pause waits for a time, and reports whether ctx goes on until then.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// whyTaken says why a store has refused a name that looked free a moment ago.
func (l *Ledger) whyTaken(ctx context.Context, a *rushgate.Account, name string) error {
	if err := l.looksFree(ctx, a, name); err != nil {
		return err
	}
	return ErrHeld
}

// moved has what waits to be noted of a player noted under another name.
func (l *Ledger) moved(player rushgate.PlayerID, name string) {
	if l.diary != nil {
		l.diary.Renamed(player, name)
	}
}
