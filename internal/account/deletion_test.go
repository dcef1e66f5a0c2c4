package account_test

import (
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/secondfactor"
)

const grace = 7 * 24 * time.Hour

// doom has an owner's account deleted after the grace.
func doom(t *testing.T, l *account.Ledger, who account.Owner) time.Time {
	t.Helper()
	a, err := l.Account(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	at, err := l.PlanDeletion(t.Context(), &secondfactor.Proved{Account: a}, grace, "")
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// gone reports whether an owner's account is.
func gone(t *testing.T, l *account.Ledger, who account.Owner) bool {
	t.Helper()
	_, err := l.Account(t.Context(), who)
	if err != nil && !errors.Is(err, account.ErrUnknown) {
		t.Fatal(err)
	}
	return err != nil
}

// deleting runs a deleter in a bubble.
func deleting(t *testing.T, do func(t *testing.T, l *account.Ledger, s *meddler)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l, s := newLedger(t)
		d := account.NewDeleter(l, nil, slog.New(slog.DiscardHandler))
		d.Start()
		d.Start()
		defer d.Stop()
		do(t, l, s)
	})
}

func waiting(t *testing.T, s *meddler) int {
	t.Helper()
	n, err := s.CountTasks(t.Context(), account.DeletionTask)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// An account is deleted when the grace is over, and not before.
func TestAccountIsDeletedAfterTheGrace(t *testing.T) {
	deleting(t, func(t *testing.T, l *account.Ledger, s *meddler) {
		who, other := owner(t, l, "alice"), owner(t, l, "bob")
		at := doom(t, l, who)
		if want := time.Now().Add(grace); !at.Equal(want) {
			t.Errorf("it is deleted at %v, not at %v", at, want)
		}
		time.Sleep(grace - time.Second)
		if a, err := l.Account(t.Context(), who); err != nil || !account.DeleteAt(&a).Equal(at) || a.Epoch != 1 {
			t.Fatalf("a second before: %+v, %v", a, err)
		}
		if again := doom(t, l, who); !again.Equal(at) {
			t.Errorf("asked once more it is deleted at %v, not at %v", again, at)
		}
		time.Sleep(30 * time.Second)
		if !gone(t, l, who) || gone(t, l, other) || waiting(t, s) != 0 {
			t.Errorf("after the grace: gone %v, the other %v, %d wait", gone(t, l, who), gone(t, l, other), waiting(t, s))
		}
	})
}

// A player who changes the mind keeps the account; one who changes it again loses it by the new time.
func TestAccountIsKept(t *testing.T) {
	deleting(t, func(t *testing.T, l *account.Ledger, s *meddler) {
		who := owner(t, l, "alice")
		if err := l.Keep(t.Context(), who, ""); err != nil {
			t.Errorf("keep what is not to be deleted: %v", err)
		}
		doom(t, l, who)
		time.Sleep(grace / 2)
		if err := l.Keep(t.Context(), who, ""); err != nil {
			t.Fatal(err)
		}
		if a, err := l.Account(t.Context(), who); err != nil || !account.DeleteAt(&a).IsZero() {
			t.Errorf("kept: %+v, %v", a, err)
		}
		doom(t, l, who)
		time.Sleep(grace - time.Minute)
		if gone(t, l, who) {
			t.Error("it was deleted by the time that was taken back")
		}
		if err := l.Keep(t.Context(), who, ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if gone(t, l, who) || waiting(t, s) != 0 {
			t.Errorf("gone %v, %d wait", gone(t, l, who), waiting(t, s))
		}
		if got, _ := login(t, s, "alice"); got.Err != nil {
			t.Errorf("a login to the account that was kept: %v", got.Err)
		}
	})
}

// The look at an account that was kept does away with its own task, and not with the one of a player who has asked
// again meanwhile: that account would never be deleted.
func TestAskedAgainDuringTheLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := newLedger(t)
		who := owner(t, l, "alice")
		doom(t, l, who)
		if err := l.Keep(t.Context(), who, ""); err != nil {
			t.Fatal(err)
		}
		var asked atomic.Bool
		s.beforeDrop = func() {
			if !asked.Swap(true) {
				doom(t, l, who)
			}
		}
		d := account.NewDeleter(l, nil, slog.New(slog.DiscardHandler))
		d.Start()
		defer d.Stop()
		time.Sleep(grace + time.Minute)
		if !asked.Load() || waiting(t, s) != 1 {
			t.Errorf("after the look %d wait, want 1", waiting(t, s))
		}
		time.Sleep(grace)
		if !gone(t, l, who) || waiting(t, s) != 0 {
			t.Errorf("gone %v, %d wait", gone(t, l, who), waiting(t, s))
		}
	})
}

// A mark whose task was planned for another time counts, and a task without an account or a mark does nothing.
func TestTheMarkCounts(t *testing.T) {
	deleting(t, func(t *testing.T, l *account.Ledger, s *meddler) {
		who := owner(t, l, "alice")
		a, err := l.Account(t.Context(), who)
		if err != nil {
			t.Fatal(err)
		}
		s.beforeUpdate = func() { s.beforeUpdate = nil; must(t)(l.EndSessions(t.Context(), "alice")) }
		_, err = l.PlanDeletion(t.Context(), &secondfactor.Proved{Account: a}, time.Second, "")
		if !errors.Is(err, account.ErrBusy) {
			t.Errorf("of an account that has changed: %v", err)
		}
		time.Sleep(time.Minute)
		if gone(t, l, who) {
			t.Error("it was deleted without a mark")
		}
		at := doom(t, l, who)
		early := rushgate.Task{
			Kind: account.DeletionTask, ID: "1", Due: time.Now(), Data: []byte(`{"player":1,"name":"alice"}`),
		}
		if errs, err := s.PlanTasks(t.Context(), []rushgate.Task{early}); err != nil || errs[0] != nil {
			t.Fatal(err, errs)
		}
		time.Sleep(time.Until(at) - time.Second)
		if gone(t, l, who) {
			t.Error("it was deleted before its time")
		}
		time.Sleep(2 * time.Minute)
		if !gone(t, l, who) {
			t.Error("it was not deleted")
		}
		for _, data := range []string{``, `{`, `{"player":99,"name":"bob"}`} {
			stray := rushgate.Task{Kind: account.DeletionTask, ID: "9", Due: time.Now(), Data: []byte(data)}
			if look, err := l.LookAt(t.Context(), stray); look != account.Kept || err != nil {
				t.Errorf("a task of %q: %v, %v", data, look, err)
			}
		}
	})
}

// A player who is inside when the time has come is asked to leave, cannot come in again, and is gone a minute later.
func TestPlayerInsideIsDeletedALittleLater(t *testing.T) {
	deleting(t, func(t *testing.T, l *account.Ledger, s *meddler) {
		who := owner(t, l, "alice")
		doom(t, l, who)
		time.Sleep(grace - time.Second)
		in, a := login(t, s, "alice")
		if in.Err != nil {
			t.Fatal(in.Err)
		}
		time.Sleep(20 * time.Second)
		wanted, err := s.Wanted(t.Context(), node)
		if err != nil || len(wanted) != 1 {
			t.Errorf("asked to leave: %v, %v", wanted, err)
		}
		if err := l.Keep(t.Context(), who, ""); !errors.Is(err, account.ErrUnknown) {
			t.Errorf("taken back too late: %v", err)
		}
		if again := loginAs(t, s, a); again.Err == nil {
			t.Error("came in again")
		}
		if gone(t, l, who) {
			t.Error("it was deleted with the player inside")
		}
		time.Sleep(rushgate.LeaseTTL + 2*time.Minute) // the node that had the player has died, say
		if !gone(t, l, who) || waiting(t, s) != 0 {
			t.Errorf("gone %v, %d wait", gone(t, l, who), waiting(t, s))
		}
	})
}

// While the clock is not to be trusted nothing is deleted; a deletion is then late, and taken back as before.
func TestNothingIsDeletedByADoubtfulClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := newLedger(t)
		var doubtful atomic.Bool
		d := account.NewDeleter(l, func() bool { return !doubtful.Load() }, slog.New(slog.DiscardHandler))
		d.Start()
		defer d.Stop()
		who, other := owner(t, l, "alice"), owner(t, l, "bob")
		doom(t, l, who)
		doom(t, l, other)
		time.Sleep(time.Hour)
		doubtful.Store(true)
		time.Sleep(365 * 24 * time.Hour) // for the store and the accounts, a clock that was set
		if gone(t, l, who) || gone(t, l, other) {
			t.Fatal("an account was deleted")
		}
		if err := l.Keep(t.Context(), other, ""); err != nil {
			t.Fatal(err)
		}
		doubtful.Store(false)
		time.Sleep(time.Minute)
		if !gone(t, l, who) || gone(t, l, other) || waiting(t, s) != 0 {
			t.Errorf("gone: %v and %v, %d wait", gone(t, l, who), gone(t, l, other), waiting(t, s))
		}
	})
}
