package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/linked"
	"github.com/rushgate/rushgate/password"
)

const (
	// GuestTask is the kind of the one task that has a node look through the guests.
	GuestTask = "guests"
	guestID   = "all"

	// GuestMark is the part of the time for which guests are kept by which what an account says of the last visit may be
	// late, and the part of it after which they are looked through again: one in so many. Those who have been inside for
	// twice as long are noted by the look. Together that is less than guestLate.
	GuestMark = 8
	guestLate = 2 // one in so many
	// markMost is by how much it may be late at most, however long guests are kept: they may be kept for less one day.
	markMost = 24 * time.Hour
	// shortLook and longLook bound the time between two looks at all guests.
	shortLook = 5 * time.Minute
	longLook  = 6 * time.Hour

	// guestPage is how many guests are looked at in one call of the store, which on one core holds up the tick, and
	// guestPages how many such calls a node makes before it lets others work.
	guestPage  = 64
	guestPages = 4
)

// MarkGuests returns by how much what an account says of a guest's last visit may be late where guests are kept for a
// time; 0 where none are.
func MarkGuests(keep time.Duration) time.Duration { return min(keep/GuestMark, markMost) }

// GuestLook is how far a look through the guests has come.
type GuestLook struct {
	// Cursor is where it goes on; empty to begin.
	Cursor string `json:"cursor,omitempty"`
}

// GuestsSeen is what has come of a part of a look.
type GuestsSeen struct {
	Deleted int
	Cursor  string // of the next part; empty at the end
}

// planGuests has the guests looked through, unless that is planned.
func (l *Ledger) planGuests(ctx context.Context) error {
	n, err := l.store.CountTasks(ctx, GuestTask)
	if err != nil || n > 0 {
		return err
	}
	errs, err := l.store.PlanTasks(ctx, []rushgate.Task{guestTask(GuestLook{}, time.Now())})
	return first(errs, err)
}

// guestTask is the task of a look at a time.
func guestTask(look GuestLook, due time.Time) rushgate.Task {
	data, _ := json.Marshal(look) // a string can be marshalled
	return rushgate.Task{Kind: GuestTask, ID: guestID, Due: due.Truncate(time.Millisecond), Data: data}
}

// goOnWithGuests has the look that a task stands for go on, or begin anew after a while, in place of that task.
func (l *Ledger) goOnWithGuests(ctx context.Context, t rushgate.Task, next GuestLook, wait time.Duration) error {
	task := guestTask(next, time.Now().Add(wait))
	task.Held = t.Held
	errs, err := l.store.PlanTasks(ctx, []rushgate.Task{task})
	if err = first(errs, err); errors.Is(err, rushgate.ErrTaskChanged) {
		return nil // another node has it
	}
	return err
}

// LookAtGuests looks at some guests, those after a cursor, and deletes those that were not here for as long as they are
// kept: their accounts have names that guests are given, and nothing but a device opens them.
func (l *Ledger) LookAtGuests(ctx context.Context, look GuestLook, keep time.Duration) (seen GuestsSeen, err error) {
	seen.Cursor = look.Cursor
	for range guestPages {
		names, next, err := l.store.Usernames(ctx, linked.GuestPrefix, seen.Cursor, guestPage)
		if err != nil {
			return seen, fmt.Errorf("the names of guests: %w", err)
		}
		for some := range slices.Chunk(names, guestPage) { // a page may be longer than was asked for
			n, err := l.lookAtGuests(ctx, some, keep)
			seen.Deleted += n
			if err != nil {
				return seen, err
			}
		}
		if seen.Cursor = next; next == "" {
			break
		}
	}
	return seen, nil
}

func (l *Ledger) lookAtGuests(ctx context.Context, names []string, keep time.Duration) (deleted int, err error) {
	names = slices.DeleteFunc(names, func(name string) bool { return !linked.IsGuestName(name) })
	loaded, err := l.store.LoadAccounts(ctx, names)
	if err != nil {
		return 0, fmt.Errorf("guests: %w", err)
	}
	now := time.Now()
	var accounts []*rushgate.Account
	var open []string
	for i := range loaded {
		a := &loaded[i].Account
		if loaded[i].Err == nil && a.ID != 0 && now.Sub(lastVisit(a)) > 2*keep/GuestMark && (isGuest(a) || isLeft(a)) {
			accounts, open = append(accounts, a), append(open, a.Username)
		}
	}
	if len(open) == 0 {
		return 0, nil
	}
	where, err := l.store.Presence(ctx, open)
	if err != nil {
		return 0, fmt.Errorf("where guests are: %w", err)
	}
	for i, a := range accounts {
		switch {
		case where[i].Err != nil:
		case where[i].Inside():
			err = errors.Join(err, l.noteGuest(ctx, a, now))
		case isLeft(a) || now.Sub(lastVisit(a)) > keep+keep/guestLate:
			gone, failed := l.deleteGuest(ctx, a)
			if err = errors.Join(err, failed); gone {
				deleted++
			}
		}
	}
	return deleted, err
}

// isGuest reports whether an account is one that is deleted when it is not used. One that is disabled is kept: else the
// same device had another one at once.
func isGuest(a *rushgate.Account) bool {
	return linked.IsGuestName(a.Username) && password.IsLocked(a.PasswordHash) && linked.Abandonable(a.Credentials) &&
		!a.Disabled.At(time.Now())
}

// lastVisit is when a guest was here for the last time, as far as the account says.
func lastVisit(a *rushgate.Account) time.Time {
	last := a.CreatedAt
	if at := linked.VisitedAt(a.Credentials); at.After(last) {
		last = at
	}
	for _, d := range a.Devices.List {
		if d.UsedAt.After(last) {
			last = d.UsedAt
		}
	}
	return last
}

// noteGuest notes that a guest is inside, whose visit began long ago.
func (l *Ledger) noteGuest(ctx context.Context, a *rushgate.Account, now time.Time) error {
	err := l.changeOnce(ctx, a, rushgate.AccountChange{Credentials: linked.Visit(a.Credentials, now)})
	if errors.Is(err, rushgate.ErrAccountChanged) || errors.Is(err, ErrUnknown) {
		return nil
	}
	return err
}

// leftReason is what is told who comes as a guest whose account is being deleted, for a moment.
const leftReason = "It is being deleted, because it was not used."

// isLeft reports whether an account was closed by deleteGuest, and is still there.
func isLeft(a *rushgate.Account) bool {
	return a.Disabled.Reason == leftReason && a.Disabled.At(time.Now()) && linked.IsGuestName(a.Username)
}

// deleteGuest deletes the account of a guest. It is closed first, if it still is as it was loaded: a guest who comes
// back meanwhile has changed it, and keeps it. gone is false for such a one.
func (l *Ledger) deleteGuest(ctx context.Context, a *rushgate.Account) (gone bool, err error) {
	if !isLeft(a) { // by an earlier look
		err := l.changeOnce(ctx, a, rushgate.AccountChange{
			RaiseEpoch: true, Disabled: &rushgate.Disabled{Until: rushgate.Forever(), Reason: leftReason},
			Credentials: a.Credentials, Devices: []rushgate.Device{},
		})
		if errors.Is(err, rushgate.ErrAccountChanged) || errors.Is(err, ErrUnknown) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("close the account of guest %d: %w", a.ID, err)
		}
	}
	switch err := l.removeOne(ctx, a.Username); {
	case err == nil:
		return true, nil
	case errors.Is(err, ErrInside), errors.Is(err, ErrUnknown):
		return false, nil
	default:
		return false, fmt.Errorf("delete guest %d: %w", a.ID, err)
	}
}
