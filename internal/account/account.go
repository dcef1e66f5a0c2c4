// Package account is the ledger: what happens to an account between two logins, and the one place that writes accounts
// apart from logins and imports. It has the store's verbs and no HTTP: the command line, the operator's listener
// and, for players inside, package api call it. The first two log who has asked.
package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/linked"
	"github.com/rushgate/rushgate/password"
)

// Errors of a [Ledger], besides [rushgate.ErrInvalidUsername], [rushgate.ErrDamagedRecord], and those of a store that
// fails.
var (
	// ErrUnknown says that there is no account of the name.
	ErrUnknown = errors.New("there is no account of this name")
	// ErrTaken refuses to create an account whose name belongs to another.
	ErrTaken = errors.New("there already is an account of this name")
	// ErrInside refuses to delete the account of a player who has a live session.
	ErrInside = errors.New("the player has a live session")
	// ErrBusy gives a change up that others were ahead of again and again.
	ErrBusy = errors.New("the account keeps being changed by others")
	// ErrInvalid is what the errors about a hash, an end or a reason are that no account can have.
	ErrInvalid = errors.New("no account can have that")
)

const (
	// deletesAtOnce is how many accounts DeleteAll has the store delete at the same time.
	deletesAtOnce = 32
)

// Store is the part of a [rushgate.Store] that a ledger needs.
type Store interface {
	rushgate.Accounts
	rushgate.Identities
	rushgate.Characters
	rushgate.Histories
	rushgate.Agenda
	rushgate.Fleet
	rushgate.Directory
	rushgate.Identities
	Presence(ctx context.Context, usernames []string) ([]rushgate.Presence, error)
	Admit(ctx context.Context, by rushgate.Instance, admissions []rushgate.Admission) ([]rushgate.Admitted, error)
	Save(ctx context.Context, saves []rushgate.Save) ([]error, error)
}

// Ledger changes accounts. Names are taken as an operator writes them. It is safe for concurrent use.
type Ledger struct {
	store Store
	diary *Diary // nil: what is done is noted in the store at once

	doubts linked.Doubts // of the names of players, see ofPlayer
}

// New returns the ledger of a store.
func New(store Store) *Ledger { return &Ledger{store: store} }

// Changed says which account was changed. Its names in JSON are part of the operator's listener.
type Changed struct {
	Player rushgate.PlayerID `json:"player_id"`
	Name   string            `json:"name"`
	// Leaving is the node that has the player, who is leaving because of the change; empty if the player was not inside,
	// or may stay.
	Leaving string `json:"leaving,omitempty"`
}

// Create makes an account with a hash of package password, and its character. No session is opened, so the player can
// log in at once; a process that dies on the way leaves nothing behind but an id that is never used.
func (l *Ledger) Create(ctx context.Context, name, hash string) (Changed, error) {
	canonical, err := rushgate.ParseUsername(name)
	if err != nil {
		return Changed{}, err
	}
	if err := checkHash(hash); err != nil {
		return Changed{}, err
	}
	if _, err := l.Find(ctx, canonical); !errors.Is(err, ErrUnknown) {
		return Changed{}, takenUnless(err) // before an id is spent
	}
	id, err := l.store.ReserveIDs(ctx, 1)
	if err != nil {
		return Changed{}, err
	}
	account := rushgate.Account{ID: id, Username: canonical, PasswordHash: hash, CreatedAt: time.Now()}
	errs, err := l.store.CreateAccounts(ctx, []rushgate.Account{account})
	if err := first(errs, err); err != nil {
		return Changed{}, known(err)
	}
	return Changed{Player: id, Name: canonical}, nil
}

// takenUnless is the outcome of having looked for an account that is to be made.
func takenUnless(err error) error {
	if err == nil {
		return ErrTaken
	}
	return err
}

// SetPassword gives an account another hash of package password, and ends its sessions.
func (l *Ledger) SetPassword(ctx context.Context, name, hash string) (Changed, error) {
	if err := checkHash(hash); err != nil {
		return Changed{}, err
	}
	return l.operate(ctx, name, rushgate.AccountChange{PasswordHash: hash, RaiseEpoch: true}, eventPasswordSet)
}

// invalidError is an [ErrInvalid] that says in its own words what is wrong.
type invalidError string

func invalidf(format string, args ...any) error { return invalidError(fmt.Sprintf(format, args...)) }

func (e invalidError) Error() string { return string(e) }

// Is reports whether that is what the error is.
func (e invalidError) Is(target error) bool { return target == ErrInvalid }

func checkHash(hash string) error {
	if _, _, err := password.Describe(hash); err != nil {
		return invalidf("that is no password hash of this version") // the cause may quote it
	}
	return nil
}

// EndSessions ends every session of an account, and makes every proof of it worthless that was given before. The player
// may log in again.
func (l *Ledger) EndSessions(ctx context.Context, name string) (Changed, error) {
	return l.operate(ctx, name, rushgate.AccountChange{RaiseEpoch: true}, eventSessionsEnds)
}

// operate makes a change that an operator wants to the account of a name as it is now, and notes it.
func (l *Ledger) operate(
	ctx context.Context, name string, c rushgate.AccountChange, kind string,
) (Changed, error) {
	changed, err := l.change(ctx, name, c)
	if err == nil {
		e := event(Owner{changed.Player, changed.Name}, kind, "")
		e.By = byOperator
		l.note(ctx, e)
	}
	return changed, err
}

// change makes a change to the account of a name as it is now. One that raises the epoch ends the player's session.
func (l *Ledger) change(ctx context.Context, name string, c rushgate.AccountChange) (Changed, error) {
	a, err := l.changeNamed(ctx, name, func(a *rushgate.Account) (rushgate.AccountChange, error) {
		made := c
		if c.PasswordHash != "" {
			dropRecord(&made, a)
		}
		return made, nil
	})
	if err != nil {
		return Changed{}, err
	}
	return l.changed(ctx, &a, &c), nil
}

// changed says what a change that was made has come to. That the store cannot tell where the player is does not undo
// it.
func (l *Ledger) changed(ctx context.Context, a *rushgate.Account, c *rushgate.AccountChange) Changed {
	out := Changed{Player: a.ID, Name: a.Username}
	if c.RaiseEpoch {
		if where, err := l.store.Presence(ctx, []string{a.Username}); err == nil {
			out.Leaving = where[0].Node
		}
	}
	return out
}

// Delete removes an account and its character for ever. The name goes off the lists of those who may come in.
func (l *Ledger) Delete(ctx context.Context, name string) error {
	first, other, err := rushgate.LoginNames(name)
	if err != nil {
		return err
	}
	err = l.removeOne(ctx, first)
	if other != "" && errors.Is(err, ErrUnknown) {
		err = l.removeOne(ctx, other)
	}
	return err
}

// Load returns the account of each name in canonical form, with its hash.
func (l *Ledger) Load(ctx context.Context, names []string) ([]rushgate.LoadedAccount, error) {
	if len(names) == 0 {
		return nil, nil
	}
	return l.store.LoadAccounts(ctx, names)
}

// IDs returns whose the accounts of names in canonical form are; 0 where there is none, or its record cannot be read.
func (l *Ledger) IDs(ctx context.Context, names []string) ([]rushgate.PlayerID, error) {
	accounts, err := l.Load(ctx, names)
	if err != nil {
		return nil, err
	}
	ids := make([]rushgate.PlayerID, len(accounts))
	for i := range accounts {
		ids[i] = accounts[i].ID
	}
	return ids, nil
}

// DeleteAll deletes the accounts of names in canonical form, several at a time, and returns what became of each: nil,
// [ErrUnknown], [ErrInside], or another error. One that fails keeps no other from being deleted; once ctx has ended,
// the rest is left alone.
func (l *Ledger) DeleteAll(ctx context.Context, names []string) []error {
	return l.remove(ctx, names, func(names []string) []error { return l.deleteAll(ctx, names) })
}

func (l *Ledger) deleteAll(ctx context.Context, names []string) []error {
	errs := make([]error, len(names))
	var group errgroup.Group
	group.SetLimit(deletesAtOnce)
	for i, name := range names {
		group.Go(func() error {
			if errs[i] = ctx.Err(); errs[i] == nil {
				errs[i] = known(l.store.DeleteAccount(ctx, name))
			}
			return nil
		})
	}
	_ = group.Wait() // the errors are in errs
	return errs
}

// Find returns the account that a player who logs in by a name has, with its hash.
func (l *Ledger) Find(ctx context.Context, name string) (rushgate.Account, error) {
	first, other, err := rushgate.LoginNames(name)
	if err != nil {
		return rushgate.Account{}, err
	}
	names := []string{first}
	if other != "" {
		names = append(names, other)
	}
	accounts, err := l.store.LoadAccounts(ctx, names)
	if err != nil {
		return rushgate.Account{}, err
	}
	for i := range accounts {
		if err := accounts[i].Err; err != nil {
			return rushgate.Account{}, err
		}
		if accounts[i].ID != 0 {
			return accounts[i].Account, nil
		}
	}
	return rushgate.Account{}, ErrUnknown
}

// first returns the error of a call about one item.
func first(errs []error, err error) error {
	if err != nil {
		return err
	}
	return errs[0]
}

// known turns the store's reasons, which are words for players, into this package's errors.
func known(err error) error {
	for reason, own := range map[rushgate.Reason]error{
		rushgate.BadCredentials: ErrUnknown, rushgate.UsernameTaken: ErrTaken, rushgate.AlreadyLoggedIn: ErrInside,
	} {
		if errors.Is(err, reason) {
			return own
		}
	}
	return err
}
