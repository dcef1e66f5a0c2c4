package account_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/linked"
	"github.com/rushgate/rushgate/internal/secondfactor"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/store/memory"
	"github.com/rushgate/rushgate/store/storetest"
)

var atGuild = linked.OfProvider("https://id.guild.example", "ann-7")

func provedBy(t testing.TB, l *account.Ledger, name string) *secondfactor.Proved {
	t.Helper()
	a, err := l.Find(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return &secondfactor.Proved{Account: a}
}

func link(t testing.TB, l *account.Ledger, name string, c rushgate.Credential, want error) {
	t.Helper()
	if err := l.Link(t.Context(), provedBy(t, l, name), c, "192.0.2.1"); !errors.Is(err, want) {
		t.Errorf("linking %s: %v, want %v", name, err, want)
	}
}

func TestOneIdentityOpensOneAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := newLedger(t)
		who := owner(t, l, "alice")
		owner(t, l, "bob")
		link(t, l, "alice", atGuild, nil)
		link(t, l, "alice", atGuild, nil)
		link(t, l, "bob", atGuild, account.ErrLinked)
		has := account.IdentitiesOf(&provedBy(t, l, "alice").Account)
		if len(has) != 1 || has[0].Subject != "ann-7" || len(has[0].Handle) != 12 {
			t.Fatalf("alice has %+v", has)
		}
		if bobs := account.IdentitiesOf(&provedBy(t, l, "bob").Account); len(bobs) != 0 {
			t.Errorf("bob has %+v", bobs)
		}
		before := provedBy(t, l, "alice")
		if err := l.Unlink(t.Context(), before, has[0].Handle, ""); err != nil {
			t.Fatal(err)
		}
		if after := provedBy(t, l, "alice").Account; after.Epoch != before.Account.Epoch+1 || len(after.Credentials) != 0 {
			t.Errorf("after unlinking: %+v", after)
		}
		if err := l.Unlink(t.Context(), provedBy(t, l, "alice"), has[0].Handle, ""); !errors.Is(err, account.ErrNotLinked) {
			t.Errorf("unlinking once more: %v", err)
		}
		key, _ := linked.Key(atGuild)
		if owners, err := s.IdentityOwners(t.Context(), []rushgate.IdentityKey{key}); err != nil || owners[0] != 0 {
			t.Errorf("the identity that was unlinked leads to %v, %v", owners, err)
		}
		link(t, l, "bob", atGuild, nil)
		link(t, l, "alice", atGuild, account.ErrLinked)
		events, err := l.History(t.Context(), who)
		if err != nil || len(events) != 2 || events[0].Kind != "identity-unlinked" || events[1].Kind != "identity-linked" {
			t.Errorf("the history is %+v, %v", events, err)
		}
		owners, err := s.IdentityOwners(t.Context(), []rushgate.IdentityKey{key})
		if bob := provedBy(t, l, "bob").Account.ID; err != nil || owners[0] != bob {
			t.Errorf("the identity leads to %v, %v, want %d", owners, err, bob)
		}
	})
}

// What claimed an identity and died before the account had it keeps nobody from it for longer than the hold.
func TestAClaimThatWasNotFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := newLedger(t)
		owner(t, l, "alice")
		bob := owner(t, l, "bob")
		key, _ := linked.Key(atGuild)
		for _, of := range []rushgate.PlayerID{bob.Player, 1 << 40} { // the other one is of no account
			if _, err := s.ClaimIdentities(t.Context(), []rushgate.IdentityClaim{{Key: key, Player: of}}); err != nil {
				t.Fatal(err)
			}
			link(t, l, "alice", atGuild, account.ErrBusy)
			time.Sleep(rushgate.IdentityHold)
			link(t, l, "alice", atGuild, nil)
			has := account.IdentitiesOf(&provedBy(t, l, "alice").Account)
			if err := l.Unlink(t.Context(), provedBy(t, l, "alice"), has[0].Handle, ""); err != nil {
				t.Fatal(err)
			}
			claims := []rushgate.IdentityClaim{{Key: key, Replaces: provedBy(t, l, "alice").Account.ID}}
			if _, err := s.ClaimIdentities(t.Context(), claims); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Who links what the same player unlinks at this moment yields to another account that was quicker.
func TestLinkingWhatIsFreed(t *testing.T) {
	l, m := newLedger(t)
	alice := owner(t, l, "alice")
	owner(t, l, "bob")
	key, _ := linked.Key(atGuild)
	free := func() {
		m.beforeUpdate = nil
		claims := []rushgate.IdentityClaim{{Key: key, Replaces: alice.Player}}
		if _, err := m.ClaimIdentities(t.Context(), claims); err != nil {
			t.Fatal(err)
		}
	}
	m.beforeUpdate = func() { free(); link(t, l, "bob", atGuild, nil) }
	link(t, l, "alice", atGuild, account.ErrBusy)
	if has := account.IdentitiesOf(&provedBy(t, l, "alice").Account); len(has) != 0 {
		t.Errorf("alice has %+v", has)
	}
	link(t, l, "alice", atGuild, account.ErrLinked)
	bobs := account.IdentitiesOf(&provedBy(t, l, "bob").Account)
	if err := l.Unlink(t.Context(), provedBy(t, l, "bob"), bobs[0].Handle, ""); err != nil {
		t.Fatal(err)
	}
	m.beforeUpdate = free
	link(t, l, "alice", atGuild, nil)
	if owners, err := m.IdentityOwners(t.Context(), []rushgate.IdentityKey{key}); err != nil || owners[0] != alice.Player {
		t.Errorf("the identity leads to %v, %v", owners, err)
	}
}

func TestTheLastWayInStays(t *testing.T) {
	l, s := newLedger(t)
	guest := rushgate.Account{
		ID: 1000, Username: "guest-x", CreatedAt: time.Now(), PasswordHash: password.Locked(),
		Credentials: []rushgate.Credential{linked.OfGuest([32]byte{1})},
	}
	if errs, err := s.CreateAccounts(t.Context(), []rushgate.Account{guest}); err != nil || errs[0] != nil {
		t.Fatal(errs, err)
	}
	device := account.IdentitiesOf(&guest)[0]
	if !device.Guest {
		t.Errorf("a guest's device is %+v", device)
	}
	if err := l.Unlink(t.Context(), provedBy(t, l, "guest-x"), device.Handle, ""); !errors.Is(err, account.ErrLastWay) {
		t.Errorf("unlinking the only device: %v", err)
	}
	link(t, l, "guest-x", atGuild, nil)
	if err := l.Unlink(t.Context(), provedBy(t, l, "guest-x"), device.Handle, ""); err != nil {
		t.Errorf("beside another identity: %v", err)
	}
}

func TestIdentitiesAreBounded(t *testing.T) {
	l, _ := newLedger(t)
	owner(t, l, "alice")
	for i := range account.MaxIdentities {
		link(t, l, "alice", linked.OfProvider("https://id.guild.example", fmt.Sprint(i)), nil)
	}
	link(t, l, "alice", atGuild, account.ErrManyIdentities)
	link(t, l, "alice", linked.OfProvider("https://id.guild.example", "0"), nil) // which it has
	link(t, l, "alice", rushgate.Credential{Kind: "totp", Secret: "x"}, account.ErrNotLinked)
}

// Whatever players link and unlink, no two accounts have one identity, and each that an account has leads to it.
func TestIdentitiesModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		clock := storetest.NewClock()
		s := memory.New(memory.Options{Now: clock.Now})
		l, names := account.New(s), []string{"alice", "bob", "carol"}
		for _, name := range names {
			owner(t, l, name)
		}
		for range rapid.IntRange(1, 15).Draw(r, "steps") {
			p := provedBy(t, l, rapid.SampledFrom(names).Draw(r, "name"))
			c := linked.OfProvider("https://id.guild.example", rapid.SampledFrom([]string{"1", "2"}).Draw(r, "identity"))
			key, _ := linked.Key(c)
			switch rapid.IntRange(0, 3).Draw(r, "step") {
			case 0:
				_ = l.Link(t.Context(), p, c, "") // what comes of it is for checkIdentities
			case 1:
				if has := account.IdentitiesOf(&p.Account); len(has) > 0 {
					_ = l.Unlink(t.Context(), p, has[0].Handle, "")
				}
			case 2: // dies after the claim
				_, _ = s.ClaimIdentities(t.Context(), []rushgate.IdentityClaim{{Key: key, Player: p.Account.ID}})
			case 3:
				clock.Advance(rushgate.IdentityHold)
			}
			checkIdentities(t, r, l, s, names)
		}
	})
}

func checkIdentities(t *testing.T, r *rapid.T, l *account.Ledger, s rushgate.Identities, names []string) {
	of := make(map[rushgate.Credential]string)
	for _, name := range names {
		a := provedBy(t, l, name).Account
		for _, c := range a.Credentials {
			if other, ok := of[c]; ok {
				r.Fatalf("%s and %s have one identity", name, other)
			}
			of[c] = name
			key, _ := linked.Key(c)
			if owners, err := s.IdentityOwners(t.Context(), []rushgate.IdentityKey{key}); err != nil || owners[0] != a.ID {
				r.Fatalf("an identity of %s leads to %v, %v", name, owners, err)
			}
		}
	}
}

// misled is a store that says that a player is called something else.
type misled struct {
	*memory.Store
	player rushgate.PlayerID
	says   string // empty: the truth
}

func (s *misled) PlayerNames(ctx context.Context, players []rushgate.PlayerID) ([]string, error) {
	names, err := s.Store.PlayerNames(ctx, players)
	for i, p := range players {
		if p == s.player && s.says != "" {
			names[i] = s.says
		}
	}
	return names, err
}

// While the name of a player leads to nobody, or to another, as in a rename that takes its time, what opens the account
// is nobody else's. A name that stays wrong keeps an identity from its player for no longer than the hold.
func TestAnIdentityIsNotTakenWhileItsPlayerIsRenamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &misled{Store: memory.New(memory.Options{})}
		l := account.New(s)
		alice := owner(t, l, "alice")
		owner(t, l, "bob")
		link(t, l, "alice", atGuild, nil)
		time.Sleep(time.Hour)
		s.player = alice.Player
		for _, s.says = range []string{"nobody", "bob"} {
			link(t, l, "bob", atGuild, account.ErrBusy)
			time.Sleep(rushgate.IdentityHold / 4)
			link(t, l, "bob", atGuild, account.ErrBusy)
		}
		s.says = ""
		link(t, l, "bob", atGuild, account.ErrLinked)
		s.says = "nobody"
		time.Sleep(2 * rushgate.IdentityHold) // and nobody has asked for it
		for range 3 {
			link(t, l, "bob", atGuild, account.ErrBusy)
			time.Sleep(rushgate.IdentityHold / 3)
		}
		link(t, l, "bob", atGuild, nil)
	})
}
