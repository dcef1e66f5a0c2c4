package account_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/linked"
	"github.com/rushgate/rushgate/password"
)

const keepGuests = 2 * time.Hour

// party is some guests in a bubble, in which nodes look through them.
type party struct {
	l *account.Ledger
	s *meddler
}

func withGuests(t *testing.T, nodes int, prepare func(party), do func(t *testing.T, p party)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l, s := newLedger(t)
		if prepare != nil {
			prepare(party{l, s})
		}
		for range nodes {
			d := account.NewDeleter(l, nil, slog.New(slog.DiscardHandler))
			d.KeepGuests(keepGuests)
			d.Start()
			defer d.Stop()
		}
		do(t, party{l, s})
	})
}

// add makes a guest, changed by edit, and returns the account.
func (p party) add(t *testing.T, edit func(*rushgate.Account)) rushgate.Account {
	t.Helper()
	id, err := p.s.ReserveIDs(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	a := rushgate.Account{
		ID: id, Username: linked.GuestName(), PasswordHash: password.Locked(),
		Credentials: []rushgate.Credential{linked.OfGuest([32]byte{1, byte(id >> 8), byte(id)})},
		CreatedAt:   time.Now().Truncate(time.Millisecond),
	}
	if edit != nil {
		edit(&a)
	}
	claims := []rushgate.IdentityClaim{}
	for _, key := range linked.Keys(a.Credentials) {
		claims = append(claims, rushgate.IdentityClaim{Key: key, Player: id})
	}
	if _, err := p.s.ClaimIdentities(t.Context(), claims); err != nil {
		t.Fatal(err)
	}
	if errs, err := p.s.CreateAccounts(t.Context(), []rushgate.Account{a}); err != nil || errs[0] != nil {
		t.Fatal(errs, err)
	}
	return a
}

func (p party) there(t *testing.T, a rushgate.Account) bool {
	t.Helper()
	loaded, err := p.s.LoadAccounts(t.Context(), []string{a.Username})
	if err != nil {
		t.Fatal(err)
	}
	return loaded[0].ID == a.ID
}

func (p party) owner(t *testing.T, a rushgate.Account) rushgate.PlayerID {
	t.Helper()
	owners, err := p.s.IdentityOwners(t.Context(), linked.Keys(a.Credentials))
	if err != nil {
		t.Fatal(err)
	}
	return owners[0]
}

// admit lets a guest in, or an admission of its own.
func (p party) admit(t *testing.T, a rushgate.Account, edit func(*rushgate.Admission)) rushgate.Admitted {
	t.Helper()
	loaded, err := p.s.LoadAccounts(t.Context(), []string{a.Username})
	if err != nil {
		t.Fatal(err)
	}
	admission := rushgate.Admission{Account: loaded[0].Account, Attempt: "x"}
	if edit != nil {
		edit(&admission)
	}
	in, err := p.s.Admit(t.Context(), node, []rushgate.Admission{admission})
	if err != nil || in[0].Err != nil {
		t.Fatal(in, err)
	}
	return in[0]
}

// Guests who do not come back are deleted, with what leads to them, and nobody else is: not one who was here since, nor
// one whom something else opens, nor one who is banned.
func TestGuestsWhoDoNotComeBack(t *testing.T) {
	withGuests(t, 2, nil, func(t *testing.T, p party) {
		var gone []rushgate.Account
		for range 300 { // more than one step looks at
			gone = append(gone, p.add(t, nil))
		}
		kept := map[string]rushgate.Account{
			"called otherwise": p.add(t, func(a *rushgate.Account) { a.Username = "ada" }),
			"called nearly so": p.add(t, func(a *rushgate.Account) { a.Username = "guest-of-honour" }),
			"with a password":  p.add(t, func(a *rushgate.Account) { a.PasswordHash = hash }),
			"with a passkey": p.add(t, func(a *rushgate.Account) {
				a.Credentials = append(a.Credentials, rushgate.Credential{Kind: "passkey", Secret: "s"})
			}),
			"linked": p.add(t, func(a *rushgate.Account) {
				a.Credentials = append(a.Credentials, linked.OfProvider("https://a.example", "1"))
			}),
			"with an address": p.add(t, func(a *rushgate.Account) {
				a.Credentials = append(a.Credentials, rushgate.Credential{Kind: account.Email, Subject: "a@example.org"})
			}),
			"banned": p.add(t, func(a *rushgate.Account) {
				a.Disabled = rushgate.Disabled{Until: rushgate.Forever(), Reason: "because"}
			}),
		}
		noted, resumed := p.add(t, nil), p.add(t, nil)
		time.Sleep(keepGuests - time.Minute)
		for _, a := range gone {
			if !p.there(t, a) {
				t.Fatal("a guest is deleted too early")
			}
		}
		in := p.admit(t, noted, func(a *rushgate.Admission) {
			a.Credentials = linked.Visit(a.Account.Credentials, time.Now())
		})
		p.leave(t, in)
		in = p.admit(t, resumed, func(a *rushgate.Admission) {
			a.Devices = phone()
		})
		p.leave(t, in)
		time.Sleep(keepGuests/2 + 2*keepGuests/account.GuestMark)
		for _, a := range gone {
			if p.there(t, a) || p.owner(t, a) != 0 {
				t.Fatalf("%s is still there, or what leads to it", a.Username)
			}
		}
		kept["who was here since"], kept["who was here by a device"] = noted, resumed
		for what, a := range kept {
			if !p.there(t, a) || p.owner(t, a) != a.ID {
				t.Errorf("who is %s was deleted", what)
			}
		}
		time.Sleep(2 * keepGuests)
		if p.there(t, noted) || p.there(t, resumed) || !p.there(t, kept["banned"]) {
			t.Error("in the end the wrong ones are there")
		}
		if n, err := p.s.CountTasks(t.Context(), account.GuestTask); n != 1 || err != nil {
			t.Errorf("%d tasks, %v", n, err)
		}
	})
}

// phone is a device that is used now.
func phone() []rushgate.Device {
	now := time.Now().Truncate(time.Millisecond)
	return []rushgate.Device{{
		ID: "device", Label: "phone", Token: strings.Repeat("A", 43), Attempt: "x", CreatedAt: now, UsedAt: now,
		ExpiresAt: now.Add(time.Hour),
	}}
}

func (p party) leave(t *testing.T, in rushgate.Admitted) {
	t.Helper()
	last := rushgate.Save{Character: in.Character, Fence: in.Lease.Fence, Release: true}
	if errs, err := p.s.Save(t.Context(), []rushgate.Save{last}); err != nil || errs[0] != nil {
		t.Fatal(errs, err)
	}
}

// A guest who plays for longer than guests are kept is kept as long after that.
func TestGuestWhoStaysInside(t *testing.T) {
	withGuests(t, 1, nil, func(t *testing.T, p party) {
		a := p.add(t, nil)
		in := p.admit(t, a, nil)
		for range 3 * keepGuests / time.Minute {
			time.Sleep(time.Minute)
			if errs, err := p.s.Refresh(t.Context(), node, []rushgate.Lease{in.Lease}); err != nil || errs[0] != nil {
				t.Fatal(errs, err)
			}
		}
		p.leave(t, in)
		time.Sleep(keepGuests)
		if !p.there(t, a) {
			t.Error("is deleted sooner than was said")
		}
		time.Sleep(keepGuests)
		if p.there(t, a) {
			t.Error("is there for ever")
		}
	})
}

// A guest who comes back just when the account is to be deleted keeps it, whatever the guest has come by.
func TestGuestWhoComesBackInTime(t *testing.T) {
	for what, edit := range map[string]func(*rushgate.Admission){
		"by the secret": func(a *rushgate.Admission) {
			a.Credentials = linked.Visit(a.Account.Credentials, time.Now())
		},
		"by a device": func(a *rushgate.Admission) { a.Devices = phone() },
	} {
		t.Run(what, func(t *testing.T) {
			var a rushgate.Account
			came := false
			withGuests(t, 1, func(p party) {
				a = p.add(t, nil)
				p.s.afterPresence = func() {
					if !came && time.Since(a.CreatedAt) > keepGuests*3/2 {
						came = true
						p.leave(t, p.admit(t, a, edit))
					}
				}
			}, func(t *testing.T, p party) {
				time.Sleep(keepGuests*3/2 + keepGuests/account.GuestMark + 10*time.Minute)
				loaded, err := p.s.LoadAccounts(t.Context(), []string{a.Username})
				if err != nil || !came || loaded[0].ID != a.ID || loaded[0].Disabled.At(time.Now()) {
					t.Errorf("came %v, and cannot come in: %+v, %v", came, loaded, err)
				}
			})
		})
	}
}

// A node that dies when it has closed the account of a guest leaves it to the next look.
func TestGuestWhoseDeletionIsCutShort(t *testing.T) {
	cut := new(cutting)
	withGuests(t, 1, func(p party) {
		cut.Store = p.s.Store
		p.s.Store = cut
	}, func(t *testing.T, p party) {
		a := p.add(t, nil)
		time.Sleep(2 * keepGuests)
		if !cut.once.Load() || p.there(t, a) || p.owner(t, a) != 0 {
			t.Errorf("cut short %v, and it is still there", cut.once.Load())
		}
	})
}

// cutting is a store that fails at the first deletion.
type cutting struct {
	rushgate.Store
	once atomic.Bool
}

func (s *cutting) DeleteAccount(ctx context.Context, name string) error {
	if !s.once.Swap(true) {
		return rushgate.ErrUnavailable
	}
	return s.Store.DeleteAccount(ctx, name)
}

// An account that its player or an operator deletes frees the identities that have opened it.
func TestDeletedAccountFreesItsIdentities(t *testing.T) {
	l, s := newLedger(t)
	p := party{l, s}
	a := p.add(t, func(a *rushgate.Account) {
		a.Credentials = append(a.Credentials, linked.OfProvider("https://a.example", "1"))
	})
	if errs := l.DeleteAll(t.Context(), []string{a.Username}); errs[0] != nil {
		t.Fatal(errs)
	}
	owners, err := s.IdentityOwners(t.Context(), linked.Keys(a.Credentials))
	if err != nil || !slices.Equal(owners, []rushgate.PlayerID{0, 0}) {
		t.Errorf("identities lead to %v, %v", owners, err)
	}
}

// A guest who comes every day is there when an operator has guests kept for less than before: what the account says of
// the last visit is not older than guests are kept then.
func TestGuestsAreMarkedForShorterKeeping(t *testing.T) {
	const day = 24 * time.Hour
	for _, keep := range []time.Duration{time.Hour, 2 * day, 30 * day, 3650 * day} {
		mark := account.MarkGuests(keep)
		if mark <= 0 || mark > keep/account.GuestMark {
			t.Errorf("kept for %v, guests are marked every %v", keep, mark)
		}
		if late := mark + day; late > 2*day { // by the visit after the mark is due
			t.Errorf("kept for %v, what is known of a visit is up to %v old", keep, late)
		}
	}
	if account.MarkGuests(0) != 0 {
		t.Error("guests are marked where none are kept")
	}
}
