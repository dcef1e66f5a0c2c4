package account_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/linked"
	"github.com/rushgate/rushgate/internal/secondfactor"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/store/memory"
)

var guestDevice = linked.OfGuest([32]byte{7})

// breaking is a store whose writes fail once, before or after they are carried out.
type breaking struct {
	rushgate.Store
	in    int // writes until one fails; less than 0: none does
	after bool
	// held is whether a merge has a lease, and heldThen whether it had one when the write failed.
	held, heldThen bool
}

func (b *breaking) write(do func() error) error {
	b.in--
	if b.in != -1 {
		return do()
	}
	b.heldThen = b.held
	if b.after {
		_ = do()
		b.heldThen = b.heldThen || b.held
	}
	return rushgate.ErrUnavailable
}

func (b *breaking) UpdateAccounts(ctx context.Context, c []rushgate.AccountChange) (errs []error, err error) {
	err = b.write(func() (err error) { errs, err = b.Store.UpdateAccounts(ctx, c); return err })
	return errs, err
}

func (b *breaking) Admit(
	ctx context.Context, by rushgate.Instance, a []rushgate.Admission,
) (in []rushgate.Admitted, err error) {
	err = b.write(func() (err error) {
		in, err = b.Store.Admit(ctx, by, a)
		b.held = b.held || by.Node == "merge" && err == nil && in[0].Err == nil
		return err
	})
	return in, err
}

func (b *breaking) Save(ctx context.Context, s []rushgate.Save) (errs []error, err error) {
	err = b.write(func() (err error) {
		errs, err = b.Store.Save(ctx, s)
		b.held = b.held && !s[0].Release
		return err
	})
	return errs, err
}

func (b *breaking) DeleteAccount(ctx context.Context, name string) error {
	return b.write(func() error { return b.Store.DeleteAccount(ctx, name) })
}

func (b *breaking) ClaimIdentities(
	ctx context.Context, c []rushgate.IdentityClaim,
) (owners []rushgate.PlayerID, err error) {
	err = b.write(func() (err error) { owners, err = b.Store.ClaimIdentities(ctx, c); return err })
	return owners, err
}

// gold gives the character of a name some, by a session of its own.
func gold(t *testing.T, s rushgate.Store, name string, n int64) {
	t.Helper()
	in, _ := login(t, s, name)
	if in.Err != nil {
		t.Fatal(in.Err)
	}
	in.Character.Numbers = rushgate.Numbers{"gold": n}
	save := rushgate.Save{Character: in.Character, Fence: in.Lease.Fence, Release: true}
	if errs, err := s.Save(t.Context(), []rushgate.Save{save}); err != nil || errs[0] != nil {
		t.Fatal(errs, err)
	}
}

func goldOf(t *testing.T, s rushgate.Store, name string) int64 {
	t.Helper()
	loaded, err := s.LoadCharacters(t.Context(), []string{name})
	if err != nil || loaded[0].Err != nil {
		t.Fatal(loaded, err)
	}
	return loaded[0].Numbers["gold"]
}

// newMerge returns the ledger of a store in which alice has 1 gold, and a guest, whose device that is, 2.
func newMerge(t *testing.T, s rushgate.Store) *account.Ledger {
	t.Helper()
	l := account.New(s)
	owner(t, l, "alice")
	guest := rushgate.Account{
		ID: 1000, Username: "guest-x", PasswordHash: password.Locked(), CreatedAt: time.Now(),
		Credentials: []rushgate.Credential{guestDevice},
	}
	if errs, err := s.CreateAccounts(t.Context(), []rushgate.Account{guest}); err != nil || errs[0] != nil {
		t.Fatal(errs, err)
	}
	key, _ := linked.Key(guestDevice)
	if _, err := s.ClaimIdentities(t.Context(), []rushgate.IdentityClaim{{Key: key, Player: 1000}}); err != nil {
		t.Fatal(err)
	}
	gold(t, s, "alice", 1)
	gold(t, s, "guest-x", 2)
	return l
}

// wantMerged checks that alice has so much, and the guest's device, and that there is no guest.
func wantMerged(t *testing.T, s rushgate.Store, l *account.Ledger, want int64) {
	t.Helper()
	if _, err := l.Find(t.Context(), "guest-x"); !errors.Is(err, account.ErrUnknown) {
		t.Errorf("the guest is there: %v", err)
	}
	if got := goldOf(t, s, "alice"); got != want {
		t.Errorf("alice has %d gold, want %d", got, want)
	}
	a := provedBy(t, l, "alice").Account
	key, _ := linked.Key(guestDevice)
	owners, err := s.IdentityOwners(t.Context(), []rushgate.IdentityKey{key})
	if has := account.IdentitiesOf(&a); len(has) != 1 || !has[0].Guest || err != nil || owners[0] != a.ID {
		t.Errorf("alice has %+v, and the device leads to %v, %v", has, owners, err)
	}
	if in, _ := login(t, s, "alice"); in.Err != nil {
		t.Errorf("alice does not come in: %v", in.Err)
	}
}

// Whatever write fails, the merge goes on from there when it is asked for again, and neither character is lost before
// the other is alice's.
func TestMergeGoesOnWhereItEnded(t *testing.T) {
	for _, keepGuest := range []bool{false, true} {
		for _, after := range []bool{false, true} {
			for n := 0; ; n++ {
				failed := false
				t.Run(fmt.Sprintf("keep guest %v, after %v, write %d", keepGuest, after, n), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						s := &breaking{Store: memory.New(memory.Options{}), in: -1, after: after}
						l := newMerge(t, s)
						s.in = n
						merge := func() error {
							return l.Merge(t.Context(), provedBy(t, l, "alice"), guestDevice, keepGuest, nil, "")
						}
						err := merge()
						if failed = err != nil; failed {
							if _, err := l.Find(t.Context(), "guest-x"); keepGuest && err != nil && goldOf(t, s, "alice") != 2 {
								t.Fatal("the guest's character is lost")
							}
							time.Sleep(rushgate.LeaseTTL) // a lease that was claimed is over, and the hold of a claim
							err = merge()
						}
						if err != nil {
							t.Fatal(err)
						}
						s.in = -1
						time.Sleep(time.Minute) // whoever comes first finishes it
						for _, task := range dueTasks(t, s) {
							if look, err := l.LookAt(t.Context(), task); err != nil || look > account.Kept {
								t.Errorf("a look at the guest: %v, %v", look, err)
							}
						}
						wantMerged(t, s, l, map[bool]int64{false: 1, true: 2}[keepGuest])
					})
				})
				if !failed || t.Failed() {
					break
				}
			}
		}
	}
}

// A merge waits for the sessions of both, and takes what their last saves hold.
func TestMergeOfPlayersInside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(memory.Options{})
		l := newMerge(t, s)
		guest, _ := login(t, s, "guest-x")
		alice, _ := login(t, s, "alice")
		var holder sync.WaitGroup
		defer holder.Wait()
		holder.Go(func() { // the node that has them
			for range 10 {
				time.Sleep(500 * time.Millisecond)
				wanted, _ := s.Wanted(t.Context(), node)
				for _, w := range wanted {
					in := &guest
					if w.Player == alice.Lease.Player {
						in = &alice
					}
					in.Character.Numbers = rushgate.Numbers{"gold": int64(w.Player)}
					_, _ = s.Save(t.Context(), []rushgate.Save{{Character: in.Character, Fence: in.Lease.Fence, Release: true}})
				}
			}
		})
		if err := l.Merge(t.Context(), provedBy(t, l, "alice"), guestDevice, true, nil, ""); err != nil {
			t.Fatal(err)
		}
		wantMerged(t, s, l, 1000)
	})
}

func TestWhoIsNotMerged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(memory.Options{})
		l := newMerge(t, s)
		merge := func(c rushgate.Credential) error {
			return l.Merge(t.Context(), provedBy(t, l, "alice"), c, true, nil, "")
		}
		if err := merge(atGuild); !errors.Is(err, account.ErrNotGuest) {
			t.Errorf("an account at a provider: %v", err)
		}
		ban := account.Ban{Disabled: rushgate.Disabled{Until: time.Now().Add(time.Hour), Reason: "spam"}, By: "anna"}
		must(t)(l.Disable(t.Context(), "guest-x", ban))
		var refusal *rushgate.Refusal
		if err := merge(guestDevice); !errors.As(err, &refusal) || refusal.Reason != rushgate.AccountDisabled {
			t.Errorf("a guest who is banned: %v", err)
		}
		must(t)(l.Enable(t.Context(), "guest-x", "anna"))
		asksForCodes(t, l, "guest-x")
		if err := merge(guestDevice); !errors.Is(err, account.ErrNotGuest) {
			t.Errorf("a guest with a second factor: %v", err)
		}
		_, _, err := l.RemoveFactor(t.Context(), "guest-x", "anna")
		if err != nil {
			t.Fatal(err)
		}
		must(t)(l.SetPassword(t.Context(), "guest-x", hash))
		if _, err := l.PlanDeletion(t.Context(), provedBy(t, l, "guest-x"), time.Hour, ""); err != nil {
			t.Fatal(err)
		}
		if err := merge(guestDevice); !errors.Is(err, account.ErrNotGuest) {
			t.Errorf("a guest with a password: %v", err)
		}
		if guest := provedBy(t, l, "guest-x").Account; account.DeleteAt(&guest).IsZero() {
			t.Error("its deletion was taken back by a merge that was refused")
		}
		if goldOf(t, s, "alice") != 1 || goldOf(t, s, "guest-x") != 2 {
			t.Error("something was taken from one of them")
		}
	})
}

// asksForCodes gives an account a second factor.
func asksForCodes(t *testing.T, l *account.Ledger, name string) {
	t.Helper()
	a := provedBy(t, l, name).Account
	begun, setup, err := secondfactor.Begin(a.Credentials, "game", name, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	code, err := totp.GenerateCode(setup.Secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	after, _, err := secondfactor.Confirm(begun, secondfactor.Code(code), nil, time.Now())
	if err == nil {
		err = l.ChangeCredentials(t.Context(), &a, after, false)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Whatever write fails, and nobody asks again: a look ends the merge. Either it is done, or both accounts are as they
// were, and never are there two of one character, or is an account shut.
func TestMergeIsEndedByALook(t *testing.T) {
	for _, keepGuest := range []bool{false, true} {
		for _, after := range []bool{false, true} {
			for n, failed := 0, true; failed && !t.Failed(); n++ {
				what := fmt.Sprintf("keep guest %v, after %v, write %d", keepGuest, after, n)
				synctest.Test(t, func(t *testing.T) {
					s := &breaking{Store: memory.New(memory.Options{}), in: -1, after: after}
					l := newMerge(t, s)
					s.in = n
					failed = l.Merge(t.Context(), provedBy(t, l, "alice"), guestDevice, keepGuest, nil, "") != nil
					s.in = -1
					lookUntilDone(t, s, l)
					guest, err := l.Find(t.Context(), "guest-x")
					if errors.Is(err, account.ErrUnknown) {
						wantMerged(t, s, l, map[bool]int64{false: 1, true: 2}[keepGuest])
						return
					}
					if in, _ := login(t, s, "guest-x"); err != nil || in.Err != nil || !failed || len(guest.Credentials) != 1 ||
						goldOf(t, s, "guest-x") != 2 || goldOf(t, s, "alice") != 1 {
						t.Errorf("%s: the guest %+v, %v, %v; gold %d and %d", what, guest, err, in.Err, goldOf(t, s, "guest-x"),
							goldOf(t, s, "alice"))
					}
				})
			}
		}
	}
}

// A merge is given up as well if the account that it was for is gone, and the name of its player stayed behind.
func TestMergeIntoAnAccountWhoseNameStayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names := &misled{Store: memory.New(memory.Options{}), says: "nobody"}
		s := &breaking{Store: names, in: -1}
		l := newMerge(t, s)
		alice, err := l.Find(t.Context(), "alice")
		if err != nil {
			t.Fatal(err)
		}
		s.in = 2
		if err := l.Merge(t.Context(), provedBy(t, l, "alice"), guestDevice, false, nil, ""); err == nil {
			t.Fatal("no write failed")
		}
		s.in = -1
		if guest, err := l.Find(t.Context(), "guest-x"); err != nil || !guest.Disabled.At(time.Now()) {
			t.Fatalf("the guest is not shut: %+v, %v", guest, err)
		}
		if err := s.DeleteAccount(t.Context(), "alice"); err != nil {
			t.Fatal(err)
		}
		names.player = alice.ID
		lookUntilDone(t, s, nil)
		if in, _ := login(t, s, "guest-x"); in.Err != nil {
			t.Errorf("the guest is shut: %v", in.Err)
		}
	})
}

// lookUntilDone has all looks taken that are planned, as nodes do: each by another node if there is no ledger.
func lookUntilDone(t *testing.T, s rushgate.Store, l *account.Ledger) {
	t.Helper()
	lookInOrder(t, s, l, func([]rushgate.Task) {})
}

// lookInOrder is lookUntilDone for looks that come in another order where several are due.
func lookInOrder(t *testing.T, s rushgate.Store, l *account.Ledger, order func([]rushgate.Task)) {
	t.Helper()
	for range 12 {
		time.Sleep(10 * time.Second)
		tasks := dueTasks(t, s)
		order(tasks)
		for _, task := range tasks {
			by := l
			if by == nil {
				by = account.New(s)
			}
			look, err := by.LookAt(t.Context(), task)
			if err != nil {
				t.Fatal(err)
			}
			if look == account.Deleted || look == account.Kept {
				if err := s.DropTasks(t.Context(), []rushgate.Task{task}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if n, err := s.CountTasks(t.Context(), account.DeletionTask); n != 0 || err != nil {
		t.Errorf("%d looks are still to be taken, %v", n, err)
	}
}

// A merge into an account that has a password and nothing else is known again on every store, also one that does not
// find such accounts by their players.
func TestMergeIntoAnAccountWithoutCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &breaking{Store: namesless{memory.New(memory.Options{})}, in: -1}
		l := newMerge(t, s)
		owner(t, l, "bob")
		s.in = 1 // the account of the guest is closed, and no more
		if err := l.Merge(t.Context(), provedBy(t, l, "bob"), guestDevice, true, nil, ""); err == nil {
			t.Fatal("the merge did not end in the middle")
		}
		s.in = -1
		err := l.Merge(t.Context(), provedBy(t, l, "alice"), guestDevice, true, nil, "")
		if !errors.Is(err, account.ErrLinked) {
			t.Errorf("what is bob's is merged by alice: %v", err)
		}
	})
}

// namesless is a store that finds nobody by the player who has no credential.
type namesless struct{ *memory.Store }

func (s namesless) PlayerNames(ctx context.Context, players []rushgate.PlayerID) ([]string, error) {
	names, err := s.Store.PlayerNames(ctx, players)
	if err != nil {
		return nil, err
	}
	accounts, err := s.LoadAccounts(ctx, names)
	for i := range accounts {
		if len(accounts[i].Credentials) == 0 {
			names[i] = ""
		}
	}
	return names, err
}

// To keep the character of a guest who never was ends no session: it is refused before anything is done.
func TestMergeWithoutAGuest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(memory.Options{})
		l := newMerge(t, s)
		leave := func(context.Context) error { t.Error("the session has ended"); return nil }
		fresh := linked.OfGuest([32]byte{9})
		err := l.Merge(t.Context(), provedBy(t, l, "alice"), fresh, true, leave, "")
		if a := provedBy(t, l, "alice").Account; !errors.Is(err, account.ErrNoGuest) || len(account.IdentitiesOf(&a)) != 0 {
			t.Errorf("%v, %+v", err, account.IdentitiesOf(&a))
		}
		if err := l.Merge(t.Context(), provedBy(t, l, "alice"), fresh, false, leave, ""); err != nil {
			t.Errorf("keeping the own: %v", err)
		}
		if a := provedBy(t, l, "alice").Account; len(account.IdentitiesOf(&a)) != 1 {
			t.Errorf("the device is not linked: %+v", account.IdentitiesOf(&a))
		}
	})
}

// Of two guests who merge each other at once, none is shut for good: whoever is refused asks again, or nobody does.
func TestMergeOfEachOther(t *testing.T) {
	t.Run("who asks again", func(t *testing.T) { mergeEachOther(t, true) })
	t.Run("who does not", func(t *testing.T) { mergeEachOther(t, false) })
}

func mergeEachOther(t *testing.T, asks bool) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(memory.Options{})
		l := newMerge(t, s)
		devices := map[string]rushgate.Credential{"guest-x": guestDevice, "guest-y": linked.OfGuest([32]byte{8})}
		guest := rushgate.Account{
			ID: 1001, Username: "guest-y", PasswordHash: password.Locked(), CreatedAt: time.Now(),
			Credentials: []rushgate.Credential{devices["guest-y"]},
		}
		if errs, err := s.CreateAccounts(t.Context(), []rushgate.Account{guest}); err != nil || errs[0] != nil {
			t.Fatal(errs, err)
		}
		key, _ := linked.Key(devices["guest-y"])
		if _, err := s.ClaimIdentities(t.Context(), []rushgate.IdentityClaim{{Key: key, Player: 1001}}); err != nil {
			t.Fatal(err)
		}
		merge := func(by, other string) error {
			return l.Merge(t.Context(), provedBy(t, l, by), devices[other], false, nil, "")
		}
		x, y := provedBy(t, l, "guest-x"), provedBy(t, l, "guest-y")
		errs := make([]error, 2)
		var both sync.WaitGroup
		both.Go(func() { errs[0] = l.Merge(t.Context(), x, devices["guest-y"], false, nil, "") })
		both.Go(func() { errs[1] = l.Merge(t.Context(), y, devices["guest-x"], false, nil, "") })
		both.Wait()
		if errs[0] != nil && errs[1] != nil && !asks {
			lookUntilDone(t, s, l)
			for _, name := range []string{"guest-x", "guest-y"} {
				if in, _ := login(t, s, name); in.Err != nil || provedBy(t, l, name).Account.Disabled.At(time.Now()) {
					t.Errorf("%s does not come in: %v", name, in.Err)
				}
			}
		} else if errs[0] != nil && errs[1] != nil {
			// One of the two may be closed still, for the other to take up: the one that comes in.
			if a := provedBy(t, l, "guest-x").Account; a.Disabled.At(time.Now()) {
				errs[0] = merge("guest-y", "guest-x")
			} else {
				errs[0] = merge("guest-x", "guest-y")
			}
			if errs[0] != nil {
				t.Fatalf("both were refused, and so is the one that comes in: %v", errs)
			}
		} else if errs[0] == nil && errs[1] == nil {
			t.Error("both are told that it is done")
		}
	})
}

// A merge that was begun into an account that is gone is nobody's, and an operator can give one up.
func TestMergeIntoWhatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &breaking{Store: memory.New(memory.Options{}), in: -1}
		l := newMerge(t, s)
		owner(t, l, "bob")
		begin := func(by string) {
			t.Helper()
			s.in = 1 // the account of the guest is closed, and no more
			if err := l.Merge(t.Context(), provedBy(t, l, by), guestDevice, true, nil, ""); err == nil {
				t.Fatal("the merge did not end in the middle")
			}
			s.in = -1
			time.Sleep(rushgate.LeaseTTL)
		}
		begin("bob")
		err := l.Merge(t.Context(), provedBy(t, l, "alice"), guestDevice, true, nil, "")
		if !errors.Is(err, account.ErrLinked) {
			t.Errorf("what is bob's is merged by alice: %v", err)
		}
		must(t)(l.Enable(t.Context(), "guest-x", "anna"))
		if a := provedBy(t, l, "guest-x").Account; a.Disabled.At(time.Now()) || len(a.Credentials) != 1 {
			t.Errorf("once it is given up: %+v", a)
		}
		begin("bob")
		if err := l.Delete(t.Context(), "bob"); err != nil {
			t.Fatal(err)
		}
		if err := l.Merge(t.Context(), provedBy(t, l, "alice"), guestDevice, true, nil, ""); err != nil {
			t.Fatal(err)
		}
		wantMerged(t, s, l, 2)
	})
}
