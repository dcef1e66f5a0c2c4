package account_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/access"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/secondfactor"
)

var names = account.RenameRules{After: 30 * 24 * time.Hour, Hold: 90 * 24 * time.Hour}

// rename has the player of an account, who has proved to own it, take another name.
func rename(t *testing.T, l *account.Ledger, from, to string) error {
	t.Helper()
	a, err := l.Find(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	after, err := l.Rename(t.Context(), &secondfactor.Proved{Account: a}, to, names, nil, "192.0.2.1")
	if err != nil {
		return err
	}
	if after.ID != a.ID || after.Username != to || after.Epoch != a.Epoch+2 {
		t.Errorf("%s became %+v", from, after)
	}
	if now, err := l.Find(t.Context(), to); err != nil || now.ID != a.ID || now.Epoch != after.Epoch {
		t.Errorf("stored: %+v, %v", now, err)
	}
	return nil
}

func wantRename(t *testing.T, l *account.Ledger, from, to string, want error) {
	t.Helper()
	if err := rename(t, l, from, to); !errors.Is(err, want) {
		t.Errorf("%s to %s: %v, want %v", from, to, err, want)
	}
}

// The first rename is free, the next one has to wait, and the name that was given up is held for its player.
func TestRename(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := newLedger(t)
		who := owner(t, l, "alice")
		owner(t, l, "bob")
		wantRename(t, l, "alice", "alice", account.ErrSameName)
		wantRename(t, l, "alice", "bob", account.ErrTaken)
		wantRename(t, l, "alice", "alina", nil)
		var soon *account.TooSoonError
		if err := rename(t, l, "alina", "alicia"); !errors.As(err, &soon) || !errors.Is(err, account.ErrTooSoon) ||
			time.Until(soon.When).Round(time.Minute) != names.After {
			t.Errorf("at once again: %v", err)
		}
		wantRename(t, l, "bob", "alice", account.ErrHeld)
		if got, err := l.Find(t.Context(), "bob"); err != nil || !account.RenamedAt(&got).IsZero() {
			t.Errorf("bob, who was refused a name, has had it since %v: %v", account.RenamedAt(&got), err)
		}
		time.Sleep(names.After)
		wantRename(t, l, "alina", "alice", nil) // which is held for the same player
		wantRename(t, l, "bob", "alina", account.ErrHeld)
		time.Sleep(names.Hold)
		wantRename(t, l, "bob", "alina", nil)
		events, err := l.History(t.Context(), account.Owner{Player: who.Player, Name: "alice"})
		if err != nil || len(events) != 2 || events[0].Kind != "renamed" || events[0].From != "192.0.2.1" {
			t.Errorf("the history is %+v, %v", events, err)
		}
	})
}

// An account that is to be deleted keeps its name, and a rename that others are ahead of changes nothing.
func TestRenameOfAnAccountThatChanges(t *testing.T) {
	l, s := newLedger(t)
	who := owner(t, l, "alice")
	doom(t, l, who)
	wantRename(t, l, "alice", "alina", account.ErrDoomed)
	if _, err := l.RenameFor(t.Context(), "alice", "alina", 0, "anna"); !errors.Is(err, account.ErrDoomed) {
		t.Errorf("by an operator: %v", err)
	}
	if err := l.Keep(t.Context(), who, ""); err != nil {
		t.Fatal(err)
	}
	a, err := l.Account(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	must(t)(l.EndSessions(t.Context(), "alice"))
	_, err = l.Rename(t.Context(), &secondfactor.Proved{Account: a}, "alina", names, nil, "")
	if !errors.Is(err, account.ErrBusy) {
		t.Errorf("what was proved of another time: %v", err)
	}
	wantRename(t, l, "alice", "alina", nil)
	loaded, err := s.LoadAccounts(t.Context(), []string{"alice"})
	if err != nil || loaded[0].ID != 0 {
		t.Errorf("there still is %+v, %v", loaded[0], err)
	}
}

// A name by which nodes decide who may come in is not given up, also if it was listed a moment ago.
func TestRenameOfAListedName(t *testing.T) {
	l, s := newLedger(t)
	ctx, k := t.Context(), access.New(access.Config{Store: s})
	owner(t, l, "alice")
	list := func() {
		t.Helper()
		if _, err := k.Edit(ctx, access.Staff, []string{"alice"}, nil); err != nil {
			t.Fatal(err)
		}
	}
	a, err := l.Find(ctx, "alice")
	if err != nil {
		t.Fatal(err)
	}
	leave := func(context.Context) error { list(); return nil } // while the session ends
	_, err = l.Rename(ctx, &secondfactor.Proved{Account: a}, "alina", account.RenameRules{}, leave, "")
	if !errors.Is(err, account.ErrListed) {
		t.Errorf("listed meanwhile: %v", err)
	}
	before, err := l.Find(ctx, "alice")
	if err != nil || before.ID != a.ID {
		t.Fatal(before, err)
	}
	wantRename(t, l, "alice", "alina", account.ErrListed)
	if _, err := l.RenameFor(ctx, "alice", "alina", 0, "anna"); !errors.Is(err, account.ErrListed) {
		t.Errorf("by an operator: %v", err)
	}
	if now, err := l.Find(ctx, "alice"); err != nil || now.Epoch != before.Epoch {
		t.Errorf("a rename that was refused at once has ended the sessions: %+v, %v", now, err)
	}
	if _, err := k.Edit(ctx, access.Staff, nil, []string{"alice"}); err != nil {
		t.Fatal(err)
	}
	s.beforeUpdate = func() { s.beforeUpdate = nil; list() }
	if _, err := l.RenameFor(ctx, "alice", "alina", 0, "anna"); !errors.Is(err, account.ErrListed) {
		t.Errorf("by an operator, listed meanwhile: %v", err)
	}
	if _, err := k.Edit(ctx, access.Staff, nil, []string{"alice"}); err != nil {
		t.Fatal(err)
	}
	wantRename(t, l, "alice", "alina", nil)
}

// The session ends before the account has the name: the one here by leave, others by themselves, or it is given up.
func TestRenameWaitsForTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := newLedger(t)
		owner(t, l, "alice")
		in, a := login(t, s, "alice")
		left := false
		leave := func(ctx context.Context) error {
			left = true
			last := rushgate.Save{Character: in.Character, Fence: in.Lease.Fence, Release: true}
			errs, err := s.Save(ctx, []rushgate.Save{last})
			return errors.Join(append(errs, err)...)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancelled := func(c context.Context) error { cancel(); return leave(c) } // the client goes away
		if _, err := l.Rename(ctx, &secondfactor.Proved{Account: a}, "alina", names, cancelled, ""); err != nil || !left {
			t.Errorf("with a session here: %v, it has ended: %v", err, left)
		}
		login(t, s, "alina")
		began := time.Now()
		_, err := l.RenameFor(t.Context(), "alina", "Alicia", time.Hour, "anna")
		if took := time.Since(began); !errors.Is(err, account.ErrInside) || took > 11*time.Second {
			t.Errorf("with a session that does not end: %v after %v", err, took)
		}
		time.Sleep(rushgate.LeaseTTL)
		c, err := l.RenameFor(t.Context(), "alina", "Alicia", time.Hour, "anna")
		if err != nil || c.Name != "alicia" || c.Player != a.ID {
			t.Errorf("once it is over: %+v, %v", c, err)
		}
		wantRename(t, l, "alicia", "alice", account.ErrTooSoon)
		if _, err := l.RenameFor(t.Context(), "alicia", "a b", 0, "anna"); !errors.Is(err, rushgate.ErrInvalidUsername) {
			t.Errorf("to what is no name: %v", err)
		}
		loaded, err := s.LoadHistories(t.Context(), []string{"alicia"})
		if err != nil || len(loaded[0].Events) != 2 || loaded[0].Events[1].By != "anna" {
			t.Errorf("the history is %+v, %v", loaded, err)
		}
	})
}

// A rename that fails leaves the time as it was from which on the player may take another name.
func TestFailedRenameKeepsTheTimeOfTheLastOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := newLedger(t)
		owner(t, l, "alice")
		owner(t, l, "bob")
		wantRename(t, l, "bob", "robert", nil) // bob is held
		wantRename(t, l, "alice", "alina", nil)
		time.Sleep(time.Hour)
		at := func() time.Time {
			t.Helper()
			a, err := l.Find(t.Context(), "alina")
			if err != nil {
				t.Fatal(err)
			}
			return account.RenamedAt(&a)
		}
		before := at()
		for range 2 {
			if _, err := l.RenameFor(t.Context(), "alina", "bob", 0, "anna"); !errors.Is(err, account.ErrHeld) {
				t.Errorf("to a name that is held: %v", err)
			}
			login(t, s, "alina")
			if _, err := l.RenameFor(t.Context(), "alina", "free", 0, "anna"); !errors.Is(err, account.ErrInside) {
				t.Errorf("with a session that does not end: %v", err)
			}
			if now := at(); now.IsZero() || !now.Equal(before) {
				t.Errorf("renamed at %v, and not at %v any more", before, now)
			}
			time.Sleep(rushgate.LeaseTTL)
		}
		wantRename(t, l, "alina", "alice", account.ErrTooSoon)
		if c, err := l.RenameFor(t.Context(), "alina", "free", 0, "anna"); err != nil || c.Name != "free" {
			t.Errorf("%+v, %v", c, err)
		}
		wantRename(t, l, "free", "alice", account.ErrTooSoon)
	})
}

// What waits in the diary when an account is renamed is noted of the same player.
func TestDiaryFollowsARename(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plain, s := newLedger(t)
		d := account.NewDiary(s, func() bool { return false }, slog.New(slog.DiscardHandler))
		l := plain.Noting(d)
		who := owner(t, l, "alice")
		d.SignIn(who, "login", "192.0.2.1")
		if err := l.LogOutEverywhere(t.Context(), who, ""); err != nil {
			t.Fatal(err)
		}
		wantRename(t, l, "alice", "alina", nil)
		d.Start()
		d.Stop()
		events, err := l.History(t.Context(), account.Owner{Player: who.Player, Name: "alina"})
		if err != nil || len(events) != 3 {
			t.Errorf("the history is %+v, %v", events, err)
		}
	})
}
