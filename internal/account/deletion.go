package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/secondfactor"
)

const (
	// Deleting is the kind of the credential that marks an account which is to be deleted: its Subject is when, in
	// milliseconds of Unix time. The account alone says whether it is; a task only has a node look.
	Deleting = "deleting"
	// DeletionTask is the kind of the tasks that say which account a node has to look at, and when. Their ID is the
	// player's.
	DeletionTask = "delete"
	// MaxDeletions is how many accounts may wait for it; the agenda has room for other tasks in any case.
	MaxDeletions = 100_000

	// lookAgain is how long after a look the next one is taken, if the account has to wait for longer than its task.
	lookAgain = time.Minute
)

// doomed is what a task of a deletion says.
type doomed struct {
	Player rushgate.PlayerID `json:"player"`
	Name   string            `json:"name"`
	// Doubted is since when this account, or the one that it is merged into, is not found by the name that its player is
	// said to have, in milliseconds of Unix time; 0 if it is found. The nodes take looks in turns, and none sees all of
	// them.
	Doubted int64 `json:"doubted,omitempty"`
}

func doomedAs(a *rushgate.Account) doomed { return doomed{Player: a.ID, Name: a.Username} }

// instant is the time that the mark of a kind holds; the zero time if there is no such mark, or none that can be read.
func instant(a *rushgate.Account, kind string) time.Time {
	mark, found := find(a.Credentials, kind)
	ms, err := strconv.ParseInt(mark.Subject, 10, 64)
	if !found || err != nil || ms <= 0 || ms > rushgate.Forever().UnixMilli() {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// markOf is a credential of a kind that holds a time.
func markOf(kind string, at time.Time) rushgate.Credential {
	return rushgate.Credential{Kind: kind, Subject: strconv.FormatInt(at.UnixMilli(), 10)}
}

// DeleteAt returns when an account is to be deleted; the zero time if it is not.
func DeleteAt(a *rushgate.Account) time.Time { return instant(a, Deleting) }

// PlanDeletion has an account, as it was when its player proved to own it, deleted after a while, and returns when that
// is: one that is to be deleted already keeps its time. Its sessions end, and its devices are forgotten. Errors are
// [ErrBusy] if the account is not what was proved any more, and [rushgate.ErrAgendaFull].
func (l *Ledger) PlanDeletion(
	ctx context.Context, proved *secondfactor.Proved, after time.Duration, from string,
) (at time.Time, err error) {
	a := &proved.Account
	if at = DeleteAt(a); at.IsZero() {
		at = time.Now().Add(after).Truncate(time.Millisecond)
		if err := l.roomForDeletion(ctx); err != nil {
			return at, err
		}
	}
	// The task comes first: one without a mark does nothing, and a mark without a task would never be looked at.
	if err := l.planLook(ctx, doomedAs(a), at); err != nil {
		return at, err
	}
	err = l.changeProved(ctx, a, rushgate.AccountChange{
		RaiseEpoch: true, Credentials: with(proved.Left(), markOf(Deleting, at)),
	})
	if err == nil {
		l.note(ctx, event(Owner{a.ID, a.Username}, eventDeletion, from))
	}
	return at, err
}

func (l *Ledger) roomForDeletion(ctx context.Context) error {
	n, err := l.store.CountTasks(ctx, DeletionTask)
	if err == nil && n >= MaxDeletions {
		err = rushgate.ErrAgendaFull
	}
	return err
}

// planLook has a node look at an account at a time, in place of the look that was planned for it before.
func (l *Ledger) planLook(ctx context.Context, d doomed, at time.Time) error {
	task, err := d.look(at)
	if err != nil {
		return err
	}
	errs, err := l.store.PlanTasks(ctx, []rushgate.Task{task})
	return first(errs, err)
}

func (d doomed) look(at time.Time) (rushgate.Task, error) {
	data, err := json.Marshal(d)
	if err != nil {
		return rushgate.Task{}, fmt.Errorf("account: %w", err)
	}
	id := strconv.FormatUint(uint64(d.Player), 10)
	return rushgate.Task{Kind: DeletionTask, ID: id, Due: at, Data: data}, nil
}

// PlannedFor returns what a store has to have planned for an account besides the account itself: the look at one that
// is to be deleted, or becomes part of another. It is for a store that the account is brought to; an account as it is
// made has nothing planned.
func PlannedFor(a *rushgate.Account) ([]rushgate.Task, error) {
	at := DeleteAt(a)
	switch {
	case at.IsZero() && mergedInto(a) != 0:
		at = mergingOf(a).at.Add(mergeLook)
	case at.IsZero():
		return nil, nil
	}
	task, err := doomedAs(a).look(at)
	return []rushgate.Task{task}, err
}

// errUnmarked says that an account is not to be deleted.
var errUnmarked = errors.New("the account is not to be deleted")

// Keep takes back that an owner's account is to be deleted. It is no error if it is not; [ErrUnknown] says that it is
// too late. The task finds no mark, and is dropped.
func (l *Ledger) Keep(ctx context.Context, who Owner, from string) error {
	_, err := l.changeOwned(ctx, who, func(a *rushgate.Account) (c rushgate.AccountChange, err error) {
		if isShut(a) {
			return c, ErrUnknown
		}
		if _, marked := find(a.Credentials, Deleting); !marked {
			return c, errUnmarked
		}
		return rushgate.AccountChange{Credentials: without(a.Credentials, Deleting)}, nil
	})
	switch {
	case errors.Is(err, errUnmarked):
		return nil
	case err == nil:
		l.note(ctx, event(who, eventKept, from))
	}
	return err
}

// Look is what has come of a look at an account that was to be deleted.
type Look int

// What can come of a look.
const (
	// Deleted: the account is gone.
	Deleted Look = iota
	// Kept: there is nothing to be deleted, or not any more.
	Kept
	// Waits: it is to be deleted later, and another look is planned.
	Waits
	// Leaving: its player has to leave first. The same look is to be taken again.
	Leaving
)

// LookAt looks at the account of a task of kind [DeletionTask] that is due, and deletes it if that still is to be. From
// then on nobody comes in by it, so that no session is in the way for long. The player's changing the mind is either
// before or too late: the account is closed only if the mark still is what it was.
//
// A merge of a guest that has not come to its end goes on if the other account has something of the guest already, or
// is given up.
func (l *Ledger) LookAt(ctx context.Context, t rushgate.Task) (Look, error) {
	var d doomed
	if json.Unmarshal(t.Data, &d) != nil {
		return Kept, nil
	}
	a, err := l.owned(ctx, Owner{d.Player, d.Name})
	if errors.Is(err, ErrUnknown) { // or it has another name by now
		a, err = l.namedNow(ctx, d.Player)
		if errors.Is(err, ErrBusy) && !d.isStale(time.Now()) {
			return l.later(ctx, d, time.Now().Add(mergeLook))
		}
		if errors.Is(err, ErrBusy) || err == nil && a.ID == 0 {
			return Kept, nil
		}
	}
	if err != nil {
		return Waits, err
	}
	d.Name = a.Username
	at, now := DeleteAt(&a), time.Now()
	switch {
	case at.IsZero() && mergedInto(&a) != 0:
		return l.lookAtMerge(ctx, &a, d.Doubted)
	case at.IsZero():
		return Kept, nil
	case now.Before(at):
		if soonest := now.Add(lookAgain); at.Before(soonest) {
			at = soonest
		}
		return Waits, l.planLook(ctx, d, at)
	}
	if err := l.shut(ctx, &a); errors.Is(err, rushgate.ErrAccountChanged) || errors.Is(err, ErrUnknown) {
		return Leaving, nil // somebody was ahead, and the next look tells with what
	} else if err != nil {
		return Leaving, err
	}
	if into := mergedInto(&a); into != 0 {
		if err := l.claimAll(ctx, &a, into); err != nil && !errors.Is(err, ErrBusy) { // which is another's by now
			return Leaving, err
		}
	}
	err = l.removeOne(ctx, a.Username)
	switch {
	case errors.Is(err, ErrInside):
		return Leaving, nil
	case err == nil, errors.Is(err, ErrUnknown):
		return Deleted, nil
	}
	return Leaving, err
}

// shutReason is what is told who logs in by an account that is being deleted.
const shutReason = "It is being deleted, as you have asked for."

func isShut(a *rushgate.Account) bool {
	return a.Disabled.Reason == shutReason && a.Disabled.At(time.Now()) && !DeleteAt(a).IsZero()
}

// shut closes an account for good whose time has come, and ends its sessions.
func (l *Ledger) shut(ctx context.Context, a *rushgate.Account) error {
	if isShut(a) { // by an earlier look
		return nil
	}
	return l.changeOnce(ctx, a, rushgate.AccountChange{
		RaiseEpoch:  true,
		Disabled:    &rushgate.Disabled{Until: rushgate.Forever(), Reason: shutReason},
		Credentials: without(a.Credentials),
	})
}
