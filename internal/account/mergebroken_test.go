package account_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/linked"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/store/memory"
)

// Writes of a merge that keeps the guest's character, in their order.
const (
	closesGuest = iota
	holdsAccount
	notesFence
	writesCharacter
	notesGiven
)

// breakOff begins a merge into alice's account that ends with a write: it fails before it is carried out, or after.
func breakOff(t *testing.T, s *breaking, l *account.Ledger, write int, after bool) {
	t.Helper()
	s.in, s.after = write, after
	if err := l.Merge(t.Context(), provedBy(t, l, "alice"), guestDevice, true, nil, ""); err == nil {
		t.Fatal("the merge was not broken off")
	}
	s.in = -1
}

// guestIsBack reports whether the guest comes in as before.
func guestIsBack(t *testing.T, s rushgate.Store, l *account.Ledger) bool {
	t.Helper()
	guest, err := l.Find(t.Context(), "guest-x")
	return err == nil && !guest.Disabled.At(time.Now()) && len(guest.Credentials) == 1 && goldOf(t, s, "guest-x") == 2
}

// Where no node looks for longer than a lease lasts, the player of the account plays before the merge is looked at, and
// keeps what was played, with whichever character it was.
func TestMergeIsLookedAtLate(t *testing.T) {
	for write := closesGuest; write <= notesGiven; write++ {
		for _, after := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				s := &breaking{Store: memory.New(memory.Options{}), in: -1}
				l := newMerge(t, s)
				breakOff(t, s, l, write, after)
				time.Sleep(2 * rushgate.LeaseTTL)
				in, _ := login(t, s, "alice")
				written := in.Character.Numbers["gold"] == 2
				if want := write > writesCharacter || write == writesCharacter && after; written != want {
					t.Errorf("write %d, %v: alice plays with the guest's character: %v", write, after, written)
				}
				if all := account.IdentitiesOf(&provedBy(t, l, "alice").Account); written {
					// What says whose the character is stays until that has been looked at.
					if err := l.Unlink(t.Context(), provedBy(t, l, "alice"), all[0].Handle, ""); !errors.Is(err, account.ErrBusy) {
						t.Errorf("the device is unlinked: %v", err)
					}
					if _, err := l.Enable(t.Context(), "guest-x", "anna"); !errors.Is(err, account.ErrMerged) {
						t.Errorf("the guest is opened: %v", err)
					}
				}
				in.Character.Numbers = rushgate.Numbers{"gold": 9}
				save := rushgate.Save{Character: in.Character, Fence: in.Lease.Fence, Release: true}
				if errs, err := s.Save(t.Context(), []rushgate.Save{save}); err != nil || errs[0] != nil {
					t.Fatal(errs, err)
				}
				lookUntilDone(t, s, l)
				if written {
					wantMerged(t, s, l, 9)
				} else if !guestIsBack(t, s, l) || goldOf(t, s, "alice") != 9 {
					t.Errorf("write %d, %v: it is not as it was before", write, after)
				}
			})
		}
	}
}

// A guest who is banned while the character becomes another account's does not come in with it when the ban is over.
func TestMergeOfAGuestWhoIsBanned(t *testing.T) {
	for _, after := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s := &breaking{Store: memory.New(memory.Options{}), in: -1}
			l := newMerge(t, s)
			breakOff(t, s, l, writesCharacter, after)
			ban := account.Ban{Disabled: rushgate.Disabled{Until: time.Now().Add(time.Hour), Reason: "spam"}, By: "anna"}
			banAnyhow(t, s, "guest-x", ban.Disabled)
			if _, err := l.Enable(t.Context(), "guest-x", "anna"); !errors.Is(err, account.ErrBusy) {
				t.Errorf("opened while the character may be written: %v", err)
			}
			if after {
				time.Sleep(time.Minute)
				if _, err := l.Enable(t.Context(), "guest-x", "anna"); !errors.Is(err, account.ErrMerged) {
					t.Errorf("opened when the character is another's: %v", err)
				}
			}
			if after {
				lookUntilDone(t, s, l)
				wantMerged(t, s, l, 2)
				return
			}
			time.Sleep(time.Minute)
			look, err := l.LookAt(t.Context(), dueTasks(t, s)[0])
			if n, failed := s.CountTasks(t.Context(), account.DeletionTask); look != account.Waits || n != 1 {
				t.Errorf("a look at a guest who is banned: %v, %v, and %d are planned, %v", look, err, n, failed)
			}
			if must(t)(l.Enable(t.Context(), "guest-x", "anna")); !guestIsBack(t, s, l) || goldOf(t, s, "alice") != 1 {
				t.Error("it is not as it was before")
			}
		})
	}
}

// A merge that goes on is not given up by who has seen it before: neither by a look, nor by the same request that finds
// the account closed, nor does it go on once it was given up.
func TestMergeGivenUpWhileItGoesOn(t *testing.T) {
	t.Run("by a look", func(t *testing.T) {
		for write := notesFence; write <= notesGiven; write++ {
			synctest.Test(t, func(t *testing.T) {
				s := &breaking{Store: memory.New(memory.Options{}), in: -1}
				l := newMerge(t, s)
				breakOff(t, s, l, holdsAccount, false)
				time.Sleep(time.Minute)
				tasks := dueTasks(t, s)
				slow := account.New(&beforeChange{Store: s, do: func() { breakOff(t, s, l, write, true) }})
				if _, err := slow.LookAt(t.Context(), tasks[0]); err != nil {
					t.Fatal(err)
				}
				if guest, err := l.Find(t.Context(), "guest-x"); err != nil || !guest.Disabled.At(time.Now()) {
					t.Errorf("write %d: the guest is open, and alice has %d gold: %v", write, goldOf(t, s, "alice"), err)
				}
				lookUntilDone(t, s, l)
				wantMerged(t, s, l, 2)
			})
		}
	})
	t.Run("by the same request", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := &breaking{Store: memory.New(memory.Options{}), in: -1}
			l := newMerge(t, s)
			tablet := addGuest(t, s, "guest-y", 1001)
			merge := func(by string, device rushgate.Credential) error {
				return l.Merge(t.Context(), provedBy(t, l, by), device, true, nil, "")
			}
			s.in = writesCharacter // into the second guest's account
			first := merge("guest-y", guestDevice)
			late := provedBy(t, l, "guest-y")
			s.in = holdsAccount // and that into alice's
			second := merge("alice", tablet)
			s.in = -1
			third := l.Merge(t.Context(), late, guestDevice, true, nil, "")
			if first == nil || second == nil || !errors.Is(third, account.ErrBusy) {
				t.Fatal(first, second, third)
			}
			if guest, err := l.Find(t.Context(), "guest-x"); err != nil || !guest.Disabled.At(time.Now()) {
				t.Errorf("the guest is open whose character may be written: %v", err)
			}
		})
	})
	t.Run("by an operator of a node of before", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := memory.New(memory.Options{})
			l := newMerge(t, s)
			open := func(context.Context) error {
				guest, err := l.Find(t.Context(), "guest-x")
				if err != nil {
					return err
				}
				_, err = s.UpdateAccounts(t.Context(), []rushgate.AccountChange{{
					Player: guest.ID, Name: guest.Username, Epoch: guest.Epoch, Disabled: &rushgate.Disabled{},
					Credentials: []rushgate.Credential{guestDevice}, Replaces: guest.Credentials,
				}})
				return err
			}
			err := l.Merge(t.Context(), provedBy(t, l, "alice"), guestDevice, true, open, "")
			if !errors.Is(err, account.ErrBusy) || !guestIsBack(t, s, l) || goldOf(t, s, "alice") != 1 {
				t.Errorf("%v, alice has %d gold", err, goldOf(t, s, "alice"))
			}
			if in, _ := login(t, s, "alice"); in.Err != nil {
				t.Errorf("alice does not come in: %v", in.Err)
			}
		})
	})
}

// beforeChange is a store that does something before the first change of an account.
type beforeChange struct {
	rushgate.Store
	do func()
}

func (b *beforeChange) UpdateAccounts(ctx context.Context, c []rushgate.AccountChange) ([]error, error) {
	if do := b.do; do != nil {
		b.do = nil
		do()
	}
	return b.Store.UpdateAccounts(ctx, c)
}

// addGuest makes another guest, with a device, and 4 gold.
func addGuest(t *testing.T, s rushgate.Store, name string, id rushgate.PlayerID) rushgate.Credential {
	t.Helper()
	device := linked.OfGuest([32]byte{byte(id)})
	a := rushgate.Account{
		ID: id, Username: name, PasswordHash: password.Locked(), CreatedAt: time.Now(),
		Credentials: []rushgate.Credential{device},
	}
	if errs, err := s.CreateAccounts(t.Context(), []rushgate.Account{a}); err != nil || errs[0] != nil {
		t.Fatal(errs, err)
	}
	key, _ := linked.Key(device)
	if _, err := s.ClaimIdentities(t.Context(), []rushgate.IdentityClaim{{Key: key, Player: id}}); err != nil {
		t.Fatal(err)
	}
	gold(t, s, name, 4)
	return device
}

// An account into which a guest is merged, and that breaks off at any write, becomes part of a third one: no character
// is there twice, and each device opens one account. The players ask again, or they do not.
func TestMergesInAChain(t *testing.T) {
	for _, after := range []bool{false, true} {
		for n, failed := 0, true; failed && !t.Failed(); n++ {
			for _, wait := range []time.Duration{0, 2 * rushgate.LeaseTTL} {
				synctest.Test(t, func(t *testing.T) {
					s := &breaking{Store: memory.New(memory.Options{}), in: -1, after: after}
					l := newMerge(t, s)
					devices := map[string]rushgate.Credential{"guest-x": guestDevice, "guest-y": addGuest(t, s, "guest-y", 1001)}
					merge := func(guest, into string) error {
						return l.Merge(t.Context(), provedBy(t, l, into), devices[guest], true, nil, "")
					}
					s.in = n
					failed = merge("guest-x", "guest-y") != nil
					s.in = -1
					time.Sleep(wait)
					err := merge("guest-y", "alice")
					lookInOrder(t, s, l, slices.Reverse)
					if err != nil {
						err = merge("guest-y", "alice")
					}
					what := fmt.Sprintf("after %v, write %d, wait %v", after, n, wait)
					if err != nil {
						t.Fatalf("%s: %v", what, err)
					}
					left := chainLeft(t, s, l, devices)
					if left != "guest-x 2 alice 4" && left != "alice 2" {
						t.Errorf("%s: %s", what, left)
					}
				})
			}
		}
	}
}

// chainLeft returns which accounts are there, with their gold, and checks that devices lead to those that have them.
func chainLeft(
	t *testing.T, s rushgate.Store, l *account.Ledger, devices map[string]rushgate.Credential,
) (left string) {
	t.Helper()
	opens := make(map[rushgate.PlayerID][]rushgate.Credential)
	for _, device := range devices {
		key, _ := linked.Key(device)
		owners, err := s.IdentityOwners(t.Context(), []rushgate.IdentityKey{key})
		if err != nil {
			t.Fatal(err)
		}
		opens[owners[0]] = append(opens[owners[0]], device)
	}
	for _, name := range []string{"guest-x", "guest-y", "alice"} {
		a, err := l.Find(t.Context(), name)
		if errors.Is(err, account.ErrUnknown) {
			continue
		}
		if err != nil || a.Disabled.At(time.Now()) || len(account.IdentitiesOf(&a)) != len(opens[a.ID]) {
			t.Errorf("%+v has the devices %v: %v", a, opens[a.ID], err)
		}
		left += fmt.Sprint(" ", name, " ", goldOf(t, s, name))
	}
	return strings.TrimSpace(left)
}

// A merge that a node of before has begun is gone on with as that would: it wrote the character before the account had
// the devices, so that nothing tells whether it is written once the player has been here.
func TestMergeOfANodeOfBefore(t *testing.T) {
	for _, played := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := memory.New(memory.Options{})
			l := newMerge(t, s)
			alice := provedBy(t, l, "alice").Account
			in, _ := login(t, s, "alice") // as the merge, and nothing more was done
			guest, err := l.Find(t.Context(), "guest-x")
			if err != nil {
				t.Fatal(err)
			}
			mark := rushgate.Credential{
				Kind: account.Merging, Subject: fmt.Sprint(uint64(alice.ID)), Provider: "alice",
				Secret: fmt.Sprint(time.Now().UnixMilli(), " ", in.Lease.Fence),
			}
			shut := rushgate.Disabled{
				Until: rushgate.Forever(), Reason: "It is being merged into another account, as you have asked for",
			}
			errs, err := s.UpdateAccounts(t.Context(), []rushgate.AccountChange{{
				Player: guest.ID, Name: guest.Username, Epoch: guest.Epoch, Disabled: &shut, RaiseEpoch: true,
				Credentials: append(guest.Credentials, mark), Replaces: guest.Credentials,
			}})
			if err != nil || errs[0] != nil {
				t.Fatal(errs, err)
			}
			guest, _ = l.Find(t.Context(), "guest-x")
			tasks, err := account.PlannedFor(&guest)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.PlanTasks(t.Context(), tasks); err != nil {
				t.Fatal(err)
			}
			if played {
				time.Sleep(rushgate.LeaseTTL)
				gold(t, s, "alice", 9)
			}
			lookUntilDone(t, s, l)
			switch shut := provedIsShut(t, l, "guest-x"); {
			case !played:
				wantMerged(t, s, l, 2)
			case !shut || goldOf(t, s, "alice") != 9:
				t.Errorf("the guest is shut: %v; alice has %d gold", shut, goldOf(t, s, "alice"))
			}
		})
	}
}

// provedIsShut reports whether an account is there, and shut.
func provedIsShut(t *testing.T, l *account.Ledger, name string) bool {
	t.Helper()
	a, err := l.Find(t.Context(), name)
	return err == nil && a.Disabled.At(time.Now())
}
