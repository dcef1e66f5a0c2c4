package account_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/store/memory"
)

// aroundSave is a store that does something before or after the first save that comes with credentials.
type aroundSave struct {
	rushgate.Store
	before, after func()
}

func (b *aroundSave) Save(ctx context.Context, s []rushgate.Save) ([]error, error) {
	if s[0].Credentials == nil {
		return b.Store.Save(ctx, s)
	}
	before, after := b.before, b.after
	b.before, b.after = nil, nil
	if before != nil {
		before()
	}
	errs, err := b.Store.Save(ctx, s)
	if after != nil {
		after()
	}
	return errs, err
}

func opens(t *testing.T, l *account.Ledger, name string, c rushgate.Credential) bool {
	t.Helper()
	a, err := l.Find(t.Context(), name)
	if errors.Is(err, account.ErrUnknown) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	return slices.Contains(a.Credentials, c)
}

// wantWhole checks that the merge is done with the guest's character, or that nothing has come of it.
func wantWhole(t *testing.T, s rushgate.Store, l *account.Ledger, what string) {
	t.Helper()
	guest, err := l.Find(t.Context(), "guest-x")
	alice, device := goldOf(t, s, "alice"), opens(t, l, "alice", guestDevice)
	switch {
	case errors.Is(err, account.ErrUnknown):
		if alice != 2 || !device {
			t.Errorf("%s: the guest is gone; alice has %d gold, device %v", what, alice, device)
		}
	case err != nil:
		t.Fatal(err)
	case guest.Disabled.At(time.Now()) || device || alice == 2 || goldOf(t, s, "guest-x") != 2:
		t.Errorf("%s: the guest has %d gold, %+v; alice has %d, device %v",
			what, goldOf(t, s, "guest-x"), guest.Disabled, alice, device)
	}
}

// keepOwn begins a merge into alice's account that keeps her character, and is broken off when the guest is closed, and
// before her account has the device or after.
func keepOwn(t *testing.T, s *breaking, l *account.Ledger, hasDevice bool) {
	t.Helper()
	s.in, s.after = 1, hasDevice
	if err := l.Merge(t.Context(), provedBy(t, l, "alice"), guestDevice, false, nil, ""); err == nil {
		t.Fatal("the merge was not broken off")
	}
	s.in = -1
	if got := opens(t, l, "alice", guestDevice); got != hasDevice {
		t.Fatalf("alice has the device: %v", got)
	}
}

// Who has asked to keep one character, and was not answered, is not taken for one who asked for the other: that would
// pass for done, and the character that is wanted by now would be lost. Once the first is given up the other is free.
func TestMergeKeepsWhatWasChosenFirst(t *testing.T) {
	for _, hasDevice := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s := &breaking{Store: memory.New(memory.Options{}), in: -1}
			l := newMerge(t, s)
			merge := func(keepGuest bool) error {
				return l.Merge(t.Context(), provedBy(t, l, "alice"), guestDevice, keepGuest, nil, "")
			}
			keepOwn(t, s, l, hasDevice)
			if err := merge(true); !errors.Is(err, account.ErrOtherChoice) {
				t.Fatalf("asking for the other: %v", err)
			}
			lookUntilDone(t, s, l)
			if hasDevice {
				wantMerged(t, s, l, 1)
				return
			}
			if err := merge(true); err != nil {
				t.Fatal(err)
			}
			wantMerged(t, s, l, 2)
		})
	}
	for write := closesGuest; write <= notesGiven; write++ {
		synctest.Test(t, func(t *testing.T) {
			s := &breaking{Store: memory.New(memory.Options{}), in: -1}
			l := newMerge(t, s)
			breakOff(t, s, l, write, true)
			err := l.Merge(t.Context(), provedBy(t, l, "alice"), guestDevice, false, nil, "")
			if !errors.Is(err, account.ErrOtherChoice) {
				t.Errorf("write %d: asking for the own: %v", write, err)
			}
			lookUntilDone(t, s, l)
			wantWhole(t, s, l, fmt.Sprintf("write %d", write))
		})
	}
}

// An operator does not open a guest whose devices another account has, whichever character that keeps.
func TestMergedGuestIsNotOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &breaking{Store: memory.New(memory.Options{}), in: -1}
		l := newMerge(t, s)
		keepOwn(t, s, l, true)
		time.Sleep(20 * time.Second)
		if _, err := l.Enable(t.Context(), "guest-x", "anna"); !errors.Is(err, account.ErrMerged) {
			t.Errorf("opened: %v", err)
		}
		lookUntilDone(t, s, l)
		wantMerged(t, s, l, 1)
	})
}

// banAnyhow bans an account as a node of before does, which knows nothing of merges.
func banAnyhow(t *testing.T, s rushgate.Store, name string, d rushgate.Disabled) {
	t.Helper()
	loaded, err := s.LoadAccounts(t.Context(), []string{name})
	if err != nil || loaded[0].Err != nil {
		t.Fatal(err, loaded)
	}
	errs, err := s.UpdateAccounts(t.Context(), []rushgate.AccountChange{{
		Player: loaded[0].ID, Name: name, Epoch: loaded[0].Epoch, Disabled: &d, RaiseEpoch: true,
	}})
	if err := errors.Join(append(errs, err)...); err != nil {
		t.Fatal(err)
	}
}

// A guest who is becoming part of another account is not banned: the ban could be over before that is done.
func TestMergingGuestIsNotBanned(t *testing.T) {
	for write := notesFence; write <= notesGiven; write++ {
		synctest.Test(t, func(t *testing.T) {
			s := &breaking{Store: memory.New(memory.Options{}), in: -1}
			l := newMerge(t, s)
			breakOff(t, s, l, write, true)
			ban := account.Ban{Disabled: rushgate.Disabled{Until: time.Now().Add(time.Hour), Reason: "spam"}, By: "anna"}
			if _, err := l.Disable(t.Context(), "guest-x", ban); !errors.Is(err, account.ErrMerging) {
				t.Errorf("after write %d: %v", write, err)
			}
			lookUntilDone(t, s, l)
			wantMerged(t, s, l, 2)
		})
	}
}

// A guest whose deletion was planned is merged like any other, and what is broken off is ended: the deletion, which the
// player wanted before, shuts nobody out and takes no character along.
func TestMergeOfAGuestWhoWasToBeDeleted(t *testing.T) {
	for write := closesGuest; write <= notesGiven+1; write++ { // one more, by which the deletion is taken back
		synctest.Test(t, func(t *testing.T) {
			s := &breaking{Store: memory.New(memory.Options{}), in: -1}
			l := newMerge(t, s)
			if _, err := l.PlanDeletion(t.Context(), provedBy(t, l, "guest-x"), time.Hour, ""); err != nil {
				t.Fatal(err)
			}
			breakOff(t, s, l, write, true)
			lookUntilDone(t, s, l)
			time.Sleep(2 * time.Hour)
			lookUntilDone(t, s, l)
			guest, err := l.Find(t.Context(), "guest-x")
			switch merged := goldOf(t, s, "alice") == 2; {
			case merged && !errors.Is(err, account.ErrUnknown), !merged && (err != nil || guest.Disabled.At(time.Now())):
				t.Errorf("after write %d: merged %v, the guest %+v, %v", write, merged, guest.Disabled, err)
			}
		})
	}
}

// A guest is banned for an hour between the write and that it is noted, by a node that dies.
func TestMergedGuestWhoIsBannedDoesNotComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &breaking{Store: memory.New(memory.Options{}), in: -1}
		l := newMerge(t, s)
		breakOff(t, s, l, writesCharacter, true)
		ban := account.Ban{Disabled: rushgate.Disabled{Until: time.Now().Add(time.Hour), Reason: "spam"}, By: "anna"}
		banAnyhow(t, s, "guest-x", ban.Disabled)
		lookUntilDone(t, s, l)
		time.Sleep(2 * time.Hour)
		if in, _ := login(t, s, "guest-x"); in.Err == nil {
			t.Errorf("the guest comes in with %d gold, alice has %d", in.Character.Numbers["gold"], goldOf(t, s, "alice"))
		}
	})
}

// The same, and the operator lifts the ban.
func TestMergedGuestWhoIsBannedIsNotOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &breaking{Store: memory.New(memory.Options{}), in: -1}
		l := newMerge(t, s)
		breakOff(t, s, l, writesCharacter, true)
		ban := account.Ban{Disabled: rushgate.Disabled{Until: rushgate.Forever(), Reason: "spam"}, By: "anna"}
		banAnyhow(t, s, "guest-x", ban.Disabled)
		if _, err := l.Enable(t.Context(), "guest-x", "anna"); err == nil {
			t.Errorf("the guest is opened with %d gold, alice has %d", goldOf(t, s, "guest-x"), goldOf(t, s, "alice"))
		}
	})
}

// A guest is not renamed by an operator while it is being merged: it would not be found any more, and be shut for good.
func TestMergingGuestIsNotRenamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &aroundSave{Store: memory.New(memory.Options{})}
		l := newMerge(t, s)
		s.after = func() {
			if _, err := l.RenameFor(t.Context(), "guest-x", "nicer", 0, "anna"); !errors.Is(err, account.ErrDoomed) {
				t.Errorf("renamed: %v", err)
			}
		}
		if err := l.Merge(t.Context(), provedBy(t, l, "alice"), guestDevice, true, nil, ""); err != nil {
			t.Fatal(err)
		}
		wantMerged(t, s, l, 2)
	})
}

// A guest who has got another name all the same is found by the player.
func TestMergeOfAGuestUnderAnotherName(t *testing.T) {
	for write := closesGuest; write <= notesGiven; write++ {
		synctest.Test(t, func(t *testing.T) {
			s := &breaking{Store: memory.New(memory.Options{}), in: -1}
			l := newMerge(t, s)
			breakOff(t, s, l, write, true)
			guest, err := l.Find(t.Context(), "guest-x")
			if err != nil {
				t.Fatal(err)
			}
			r := rushgate.Rename{Player: guest.ID, Name: "guest-x", NewName: "nicer", Epoch: guest.Epoch}
			if err := s.RenameAccount(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			lookUntilDone(t, s, l)
			guest, err = l.Find(t.Context(), "nicer")
			if write >= writesCharacter || write == notesFence {
				wantMerged(t, s, l, 2)
			} else if err != nil || guest.Disabled.At(time.Now()) {
				t.Errorf("write %d: the guest is shut: %+v, %v", write, guest.Disabled, err)
			}
		})
	}
}

// All sessions of the account are ended, and all that was proved before made worthless, before the write.
func TestMergeEndsWithItsProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &aroundSave{Store: memory.New(memory.Options{})}
		l := newMerge(t, s)
		s.before = func() {
			alice := provedBy(t, l, "alice").Account
			if err := l.LogOutEverywhere(t.Context(), account.Owner{Player: alice.ID, Name: "alice"}, ""); err != nil {
				t.Fatal(err)
			}
		}
		err := l.Merge(t.Context(), provedBy(t, l, "alice"), guestDevice, true, nil, "")
		lookUntilDone(t, s, l) // which does not go on with it either
		if !errors.Is(err, account.ErrBusy) || !guestIsBack(t, s, l) || opens(t, l, "alice", guestDevice) {
			t.Errorf("%v; the device opens alice's account: %v", err, opens(t, l, "alice", guestDevice))
		}
		wantWhole(t, s, l, "after a log out everywhere")
	})
}

func fenceNoted(t *testing.T, l *account.Ledger) (fence uint64) {
	t.Helper()
	guest, err := l.Find(t.Context(), "guest-x")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range guest.Credentials {
		if c.Kind == account.Merging {
			parts := strings.Fields(c.Secret)
			fmt.Sscan(parts[1], &fence)
		}
	}
	return fence
}

// The account has another credential by the time of the write. Its lease is not given back with its own character, as
// the fence is noted by which others may write the guest's: whoever asks again goes on.
func TestMergeGoesOnUnderTheFenceThatIsNoted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &aroundSave{Store: memory.New(memory.Options{})}
		l := newMerge(t, s)
		s.before = func() {
			a := provedBy(t, l, "alice").Account
			if err := l.ChangeCredentials(t.Context(), &a, []rushgate.Credential{{Kind: "other"}}, false); err != nil {
				t.Fatal(err)
			}
		}
		merge := func() error { return l.Merge(t.Context(), provedBy(t, l, "alice"), guestDevice, true, nil, "") }
		err := merge()
		where, _ := s.Presence(t.Context(), []string{"alice"})
		if !errors.Is(err, account.ErrBusy) || fenceNoted(t, l) == 0 || !where[0].Inside() {
			t.Errorf("%v; fence %d is noted, and the lease is %+v", err, fenceNoted(t, l), where[0])
		}
		if err := merge(); err != nil {
			t.Fatal(err)
		}
		wantMerged(t, s, l, 2)
	})
}

// An operator does not open the guest of a merge that was broken off while a look writes the character.
func TestMergeIsNotGivenUpUnderALook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &breaking{Store: memory.New(memory.Options{}), in: -1}
		l := newMerge(t, s)
		breakOff(t, s, l, notesFence, true)
		time.Sleep(time.Minute)
		tasks := dueTasks(t, s)
		looker := account.New(s)
		operator := account.New(&beforeChange{Store: s, do: func() {
			s.in, s.after = 2, false // it has marked the guest, and saved, and is about to note it
			_, _ = looker.LookAt(t.Context(), tasks[0])
			s.in = -1
		}})
		if _, err := operator.Enable(t.Context(), "guest-x", "anna"); !errors.Is(err, account.ErrBusy) {
			t.Errorf("opened: %v", err)
		}
		lookUntilDone(t, s, l)
		wantMerged(t, s, l, 2)
	})
}

// Two guests into one account at once: each waits for the other's lease, and neither is lost.
func TestMergeOfTwoIntoOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &aroundSave{Store: memory.New(memory.Options{})}
		l := newMerge(t, s)
		tablet := addGuest(t, s, "guest-y", 1001)
		stale := provedBy(t, l, "alice")
		var second error
		var both sync.WaitGroup
		s.before = func() {
			both.Go(func() { second = l.Merge(t.Context(), stale, tablet, true, nil, "") })
			time.Sleep(time.Second)
		}
		if err := l.Merge(t.Context(), provedBy(t, l, "alice"), guestDevice, true, nil, ""); err != nil {
			t.Errorf("the first: %v", err)
		}
		both.Wait()
		if !errors.Is(second, account.ErrBusy) { // the account is not what was proved
			t.Errorf("the second: %v", second)
		}
		lookUntilDone(t, s, l)
		left := chainLeft(t, s, l, map[string]rushgate.Credential{"guest-x": guestDevice, "guest-y": tablet})
		if left != "alice 4" { // the guest's who was the last
			t.Errorf("left is %s", left)
		}
	})
}

// An account that may have the character is not taken for gone, however long it is not found by the name of its player.
func TestMergeWaitsForAnAccountInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names := &misled{Store: memory.New(memory.Options{}), says: "nobody"}
		s := &breaking{Store: names, in: -1}
		l := newMerge(t, s)
		breakOff(t, s, l, writesCharacter, true)
		alice, err := l.Find(t.Context(), "alice")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(rushgate.LeaseTTL)
		if _, err := l.RenameFor(t.Context(), "alice", "alicia", 0, "anna"); err != nil {
			t.Fatal(err)
		}
		names.player = alice.ID // is being renamed for a while
		for range 8 {
			time.Sleep(10 * time.Second)
			for _, task := range dueTasks(t, s) {
				if _, err := l.LookAt(t.Context(), task); err != nil {
					t.Fatal(err)
				}
			}
		}
		names.player = 0
		guest, err := l.Find(t.Context(), "guest-x")
		if err == nil && !guest.Disabled.At(time.Now()) {
			t.Errorf("the guest is open with %d gold, and alicia has %d", goldOf(t, s, "guest-x"), goldOf(t, s, "alicia"))
		}
	})
}

// contended is a store in which others change accounts ahead of the next so many changes.
type contended struct {
	rushgate.Store
	lost int
}

func (c *contended) UpdateAccounts(ctx context.Context, changes []rushgate.AccountChange) ([]error, error) {
	if c.lost > 0 {
		c.lost--
		return []error{rushgate.ErrAccountChanged}, nil
	}
	return c.Store.UpdateAccounts(ctx, changes)
}

// The note is given up after the write, as others keep changing the guest's account.
func TestMergeIsEndedByALookAfterTheWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &contended{Store: memory.New(memory.Options{})}
		s := &aroundSave{Store: c, after: func() { c.lost = 5 }}
		l := newMerge(t, s)
		err := l.Merge(t.Context(), provedBy(t, l, "alice"), guestDevice, true, nil, "")
		lookUntilDone(t, s, l)
		if !errors.Is(err, account.ErrBusy) {
			t.Errorf("answered %v", err)
		}
		wantMerged(t, s, l, 2)
	})
}

// A look that finds that others are ahead, and gives nothing up, leaves the guest to another look.
func TestMergeIsLookedAtAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &breaking{Store: memory.New(memory.Options{}), in: -1}
		l := newMerge(t, s)
		breakOff(t, s, l, closesGuest, true)
		time.Sleep(time.Minute) // as for a node whose clock is ahead of that of the merge
		tasks := dueTasks(t, s)
		around := &aroundLoad{Store: s}
		around.do = func() { remark(t, s, l, 7) } // notes its fence, and is killed
		look, err := account.New(around).LookAt(t.Context(), tasks[0])
		if guest, _ := l.Find(t.Context(), "guest-x"); look == account.Kept && guest.Disabled.At(time.Now()) {
			t.Errorf("the look says %v, %v: the task is dropped, and the guest is shut", look, err)
		}
	})
}

// aroundLoad is a store that does something after the second load of accounts.
type aroundLoad struct {
	rushgate.Store
	n  int
	do func()
}

func (a *aroundLoad) LoadAccounts(ctx context.Context, names []string) ([]rushgate.LoadedAccount, error) {
	loaded, err := a.Store.LoadAccounts(ctx, names)
	if a.n++; a.n == 2 {
		a.do()
	}
	return loaded, err
}

// remark notes a fence, as a merge does that goes on.
func remark(t *testing.T, s rushgate.Store, l *account.Ledger, fence uint64) {
	t.Helper()
	guest, err := l.Find(t.Context(), "guest-x")
	if err != nil {
		t.Fatal(err)
	}
	after := slices.Clone(guest.Credentials)
	for i := range after {
		if after[i].Kind == account.Merging {
			after[i].Secret = fmt.Sprint(time.Now().UnixMilli(), " ", fence, " guest")
		}
	}
	errs, err := s.UpdateAccounts(t.Context(), []rushgate.AccountChange{{
		Player: guest.ID, Name: guest.Username, Epoch: guest.Epoch, Credentials: after, Replaces: guest.Credentials,
	}})
	if err != nil || errs[0] != nil {
		t.Fatal(errs, err)
	}
}
