package account_test

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/access"
	"github.com/rushgate/rushgate/internal/account"
)

// The name of an account that is deleted, in whichever way, is staff no more, nor excepted from a ban: else whoever
// registers it next would be. One that is not deleted stays on the lists, and so does a name that nobody has yet.
func TestDeletedIsOffTheLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := newLedger(t)
		ctx, k := t.Context(), access.New(access.Config{Store: s})
		all := []string{"alice", "bob", "carol", "dave", "erin", "nobody"}
		var doomed account.Owner
		for _, name := range all[:5] {
			doomed = owner(t, l, name) // erin's is the last
		}
		if _, err := k.Edit(ctx, access.Staff, all, nil); err != nil {
			t.Fatal(err)
		}
		except := access.Ban{Range: netip.MustParsePrefix("203.0.113.0/24"), Except: all, Until: rushgate.Forever()}
		if _, err := k.Ban(ctx, except); err != nil {
			t.Fatal(err)
		}
		listed := func(when string, want ...string) {
			t.Helper()
			fresh := access.New(access.Config{Store: s})
			fresh.Begin(ctx)
			staff, bans := fresh.Rules().Names(access.Staff), fresh.Rules().Bans()
			if !slices.Equal(staff, want) || !slices.Equal(bans[0].Except, want) {
				t.Errorf("%s: staff is %q, excepted are %q, want %q", when, staff, bans[0].Except, want)
			}
		}
		if in, _ := login(t, s, "dave"); in.Err != nil {
			t.Fatal(in.Err)
		}
		if err := l.Delete(ctx, "nobody"); !errors.Is(err, account.ErrUnknown) {
			t.Errorf("Delete of nobody: %v", err)
		}
		if err := l.Delete(ctx, "dave"); !errors.Is(err, account.ErrInside) {
			t.Errorf("Delete of who is inside: %v", err)
		}
		listed("before anybody is deleted", all...)
		if err := l.Delete(ctx, "Alice"); err != nil {
			t.Fatal(err)
		}
		listed("by an operator", "bob", "carol", "dave", "erin", "nobody")
		errs := l.DeleteAll(ctx, []string{"bob", "nobody", "dave", "carol"})
		kept := errors.Is(errs[1], account.ErrUnknown) && errors.Is(errs[2], account.ErrInside)
		if errs[0] != nil || !kept || errs[3] != nil {
			t.Errorf("DeleteAll: %v", errs)
		}
		listed("several at once", "dave", "erin", "nobody")
		at := doom(t, l, doomed)
		time.Sleep(time.Until(at) + time.Second)
		tasks, err := s.TakeTasks(ctx, account.DeletionTask, 1, time.Minute)
		if err != nil || len(tasks) != 1 {
			t.Fatal(tasks, err)
		}
		if look, err := l.LookAt(ctx, tasks[0]); look != account.Deleted || err != nil {
			t.Errorf("LookAt: %v, %v", look, err)
		}
		listed("as a player has asked for", "dave", "nobody")
		owner(t, l, "alice") // is somebody else
		listed("after the name was registered again", "dave", "nobody")
	})
}

// Nobody comes in by an account whose name has gone off the lists: who did would keep the account, and be on no list.
func TestNobodyComesInWhileDeleted(t *testing.T) {
	l, s := newLedger(t)
	ctx, k := t.Context(), access.New(access.Config{Store: s})
	owner(t, l, "alice")
	banned := rushgate.Disabled{Until: time.Now().Add(-time.Hour).Truncate(time.Millisecond), Reason: "of before"}
	a, err := l.Find(ctx, "alice")
	if err != nil {
		t.Fatal(err)
	}
	change := rushgate.AccountChange{Player: a.ID, Name: "alice", Epoch: a.Epoch, Disabled: &banned}
	if errs, err := s.UpdateAccounts(ctx, []rushgate.AccountChange{change}); errors.Join(append(errs, err)...) != nil {
		t.Fatal(errs, err)
	}
	if _, err := k.Edit(ctx, access.Staff, []string{"alice"}, nil); err != nil {
		t.Fatal(err)
	}
	staff := func() []string {
		t.Helper()
		fresh := access.New(access.Config{Store: s})
		fresh.Begin(ctx)
		return fresh.Rules().Names(access.Staff)
	}
	s.afterPresence = func() {
		s.afterPresence = nil
		if in, _ := login(t, s, "alice"); in.Err != nil {
			t.Fatal(in.Err)
		}
	}
	if err := l.Delete(ctx, "alice"); !errors.Is(err, account.ErrInside) {
		t.Errorf("who has come in at once: %v", err)
	}
	in, a := login(t, s, "alice")
	asBefore := a.Disabled.Reason == banned.Reason && a.Disabled.Until.Equal(banned.Until)
	if in.Err != nil || !asBefore || !slices.Equal(staff(), []string{"alice"}) {
		t.Errorf("kept %+v, %v, staff is %q", a.Disabled, in.Err, staff())
	}
	last := rushgate.Save{Character: in.Character, Fence: in.Lease.Fence, Release: true}
	if errs, err := s.Save(ctx, []rushgate.Save{last}); errors.Join(append(errs, err)...) != nil {
		t.Fatal(errs, err)
	}
	s.beforeDelete = func() {
		if in, _ := login(t, s, "alice"); !errors.Is(in.Err, rushgate.AccountDisabled) {
			t.Errorf("came in while the account was deleted: %v", in.Err)
		}
	}
	if err := l.Delete(ctx, "alice"); err != nil || len(staff()) != 0 {
		t.Errorf("deleted: %v, staff is %q", err, staff())
	}
}

// What a process has left behind that died on the way is deleted by the next one, and nobody comes in meanwhile.
func TestDeletionGoesOn(t *testing.T) {
	l, s := newLedger(t)
	ctx, k := t.Context(), access.New(access.Config{Store: s})
	owner(t, l, "alice")
	if _, err := k.Edit(ctx, access.Staff, []string{"alice"}, nil); err != nil {
		t.Fatal(err)
	}
	s.beforeDelete = func() { panic("killed") }
	func() {
		defer func() { _ = recover() }()
		_ = l.Delete(ctx, "alice")
	}()
	s.beforeDelete = nil
	if in, _ := login(t, s, "alice"); !errors.Is(in.Err, rushgate.AccountDisabled) {
		t.Errorf("the account is open: %v", in.Err)
	}
	if err := l.Delete(ctx, "alice"); err != nil {
		t.Error(err)
	}
}
