package account_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/linked"
	"github.com/rushgate/rushgate/internal/redistest"
	"github.com/rushgate/rushgate/store/memory"
	"github.com/rushgate/rushgate/store/redis"
	"github.com/rushgate/rushgate/store/sqlite"
)

// leaves has a player inside whose node lets go after a while.
func leaves(t *testing.T, s rushgate.Store, holder *sync.WaitGroup, in *rushgate.Admitted, after time.Duration) {
	t.Helper()
	holder.Go(func() {
		time.Sleep(after)
		save := rushgate.Save{Character: in.Character, Fence: in.Lease.Fence, Release: true}
		if errs, err := s.Save(t.Context(), []rushgate.Save{save}); err != nil || errs[0] != nil {
			t.Error(errs, err)
		}
	})
}

// What a guest has goes to one account, also if its player asks for two at once.
func TestMergeIntoTwoAccountsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &meddler{Store: memory.New(memory.Options{})}
		l := newMerge(t, s)
		owner(t, l, "bob")
		gold(t, s, "bob", 1)
		s.beforeDelete = func() { time.Sleep(time.Second) }
		in, _ := login(t, s, "guest-x")
		var both sync.WaitGroup
		leaves(t, s, &both, &in, time.Second)
		errs := make([]error, 2)
		for i, name := range []string{"alice", "bob"} {
			into := provedBy(t, l, name)
			both.Go(func() { errs[i] = l.Merge(t.Context(), into, guestDevice, true, nil, "") })
		}
		both.Wait()
		if got := goldOf(t, s, "alice") + goldOf(t, s, "bob"); got != 3 {
			t.Errorf("both have %d gold together, want 3 (%v)", got, errs)
		}
		if done := (errs[0] == nil) != (errs[1] == nil); !done || !errors.Is(errors.Join(errs...), account.ErrLinked) {
			t.Errorf("the merges ended with %v", errs)
		}
	})
}

// A merge that was begun is for the account that it was begun for, or its player could have the character twice.
func TestMergeIsForOneAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &breaking{Store: memory.New(memory.Options{}), in: -1}
		l := newMerge(t, s)
		owner(t, l, "bob")
		s.in = 3 // after alice has the character, before the guest's account says so
		if err := l.Merge(t.Context(), provedBy(t, l, "alice"), guestDevice, true, nil, ""); err == nil {
			t.Fatal("nothing failed")
		}
		time.Sleep(rushgate.LeaseTTL)
		for _, keepGuest := range []bool{true, false} {
			err := l.Merge(t.Context(), provedBy(t, l, "bob"), guestDevice, keepGuest, nil, "")
			if !errors.Is(err, account.ErrLinked) {
				t.Errorf("into another account: %v", err)
			}
		}
		if err := l.Merge(t.Context(), provedBy(t, l, "alice"), guestDevice, true, nil, ""); err != nil {
			t.Fatal(err)
		}
		wantMerged(t, s, l, 2)
	})
}

// Who asks for the same merge twice, and plays as soon as the character is there, keeps what was played.
func TestMergeTwiceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &meddler{Store: memory.New(memory.Options{})}
		l := newMerge(t, s)
		s.beforeDelete = func() { time.Sleep(3 * time.Second) }
		var all sync.WaitGroup
		first, second := provedBy(t, l, "alice"), provedBy(t, l, "alice")
		late := func(context.Context) error { time.Sleep(time.Second); return nil }
		both := make([]error, 2)
		all.Go(func() { both[0] = l.Merge(t.Context(), first, guestDevice, true, nil, "") })
		all.Go(func() { both[1] = l.Merge(t.Context(), second, guestDevice, true, late, "") })
		time.Sleep(500 * time.Millisecond)
		in, _ := login(t, s, "alice")
		if in.Err != nil || in.Character.Numbers["gold"] != 2 {
			t.Fatalf("alice plays %+v", in)
		}
		in.Character.Numbers = rushgate.Numbers{"gold": 9}
		leaves(t, s, &all, &in, time.Second)
		all.Wait()
		for i, err := range both { // whichever is ahead, the account may not be what was proved to the other any more
			if err != nil && (both[1-i] != nil || !errors.Is(err, account.ErrBusy)) {
				t.Errorf("the merges ended with %v", both)
			}
		}
		wantMerged(t, s, l, 9)
	})
}

// All devices of a guest come along, and if there is no room for them nothing is changed.
func TestMergeOfSeveralDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(memory.Options{})
		l := newMerge(t, s)
		tablet := linked.OfGuest([32]byte{8})
		link(t, l, "guest-x", tablet, nil)
		for i := range account.MaxIdentities - 1 {
			link(t, l, "alice", linked.OfProvider("https://id.guild.example", fmt.Sprint(i)), nil)
		}
		merge := func() error {
			return l.Merge(t.Context(), provedBy(t, l, "alice"), guestDevice, true, nil, "")
		}
		if err := merge(); !errors.Is(err, account.ErrManyIdentities) {
			t.Errorf("without room: %v", err)
		}
		if in, _ := login(t, s, "guest-x"); in.Err != nil || goldOf(t, s, "alice") != 1 {
			t.Fatalf("a merge without room has changed something: %v", in.Err)
		} else if errs, err := s.Save(t.Context(), []rushgate.Save{
			{Character: in.Character, Fence: in.Lease.Fence, Release: true},
		}); err != nil || errs[0] != nil {
			t.Fatal(errs, err)
		}
		handle := account.IdentitiesOf(&provedBy(t, l, "alice").Account)[0].Handle
		if err := l.Unlink(t.Context(), provedBy(t, l, "alice"), handle, ""); err != nil {
			t.Fatal(err)
		}
		if err := merge(); err != nil {
			t.Fatal(err)
		}
		alice := provedBy(t, l, "alice").Account
		for _, device := range []rushgate.Credential{guestDevice, tablet} {
			key, _ := linked.Key(device)
			owners, err := s.IdentityOwners(t.Context(), []rushgate.IdentityKey{key})
			if err != nil || owners[0] != alice.ID {
				t.Errorf("a device leads to %v, %v, want %d", owners, err, alice.ID)
			}
		}
		if has := account.IdentitiesOf(&alice); len(has) != account.MaxIdentities || goldOf(t, s, "alice") != 2 {
			t.Errorf("alice has %d identities and %d gold", len(has), goldOf(t, s, "alice"))
		}
	})
}

// dueTasks returns the accounts that are to be looked at.
func dueTasks(t *testing.T, s rushgate.Agenda) []rushgate.Task {
	t.Helper()
	tasks, err := s.TakeTasks(t.Context(), account.DeletionTask, 10, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return tasks
}

// On the other stores, too, a merge goes on where a write has failed. One that fails with the lease held is left to the
// memory's clock: the lease has to end first.
func TestMergeOnEveryStore(t *testing.T) {
	for name, open := range map[string]func(*testing.T) func(n int) (rushgate.Store, error){
		"sqlite": func(t *testing.T) func(int) (rushgate.Store, error) {
			dir := t.TempDir()
			return func(n int) (rushgate.Store, error) {
				return sqlite.Open(t.Context(), filepath.Join(dir, fmt.Sprint(n)), sqlite.Options{})
			}
		},
		"redis": func(t *testing.T) func(int) (rushgate.Store, error) {
			url := redistest.Start(t).URL()
			return func(n int) (rushgate.Store, error) {
				return redis.Open(t.Context(), redis.Options{URLs: []string{url}, Prefix: fmt.Sprint(n, ":")})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			openNth := open(t)
			for n, more := 0, true; more && !t.Failed(); n++ {
				s, err := openNth(n)
				if err != nil {
					t.Fatal(err)
				}
				more = mergeBroken(t, &breaking{Store: s, in: -1, after: n%2 == 0}, n)
				_ = s.Close()
			}
		})
	}
}

// mergeBroken has a merge go on whose nth write has failed, and reports whether there is one.
func mergeBroken(t *testing.T, s *breaking, n int) bool {
	t.Helper()
	l := newMerge(t, s)
	merge := func() error { return l.Merge(t.Context(), provedBy(t, l, "alice"), guestDevice, true, nil, "") }
	s.in = n
	err := merge()
	failed := err != nil
	switch {
	case failed && s.heldThen:
		return true
	case failed:
		err = merge()
	}
	if err != nil {
		t.Fatalf("write %d: %v", n, err)
	}
	s.in = -1
	if guest, err := l.Find(t.Context(), "guest-x"); err == nil && !account.DeleteAt(&guest).IsZero() {
		if err := l.Delete(t.Context(), "guest-x"); err != nil { // as its task does a little later
			t.Fatal(err)
		}
	}
	wantMerged(t, s, l, 2)
	return failed
}
