package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
)

var changeCases = []testCase{
	{"EachPartAlone", changeParts},
	{"ResultsComeByItem", changeResults},
	{"OnlyOneOfManyUnderTheSameEpoch", concurrentChanges},
	{"RaisedEpochRefusesOlderProofs", epochRefuses},
	{"RaisedEpochEndsTheSession", epochEnds},
	{"DisabledIsRefusedUntilItsEnd", disabledIsRefused},
	{"DisabledEndsTheSession", disabledEnds},
	{"OtherChangesEndNoSession", otherChanges},
	{"BadChangesWriteNothing", badChanges},
	{"DurableAcrossReopen", changeDurable},
}

func change(t *testing.T, s rushgate.Store, changes ...rushgate.AccountChange) []error {
	t.Helper()
	return each(t, "UpdateAccounts", changes, s.UpdateAccounts)
}

func wantChanged(t *testing.T, s rushgate.Store, c rushgate.AccountChange, want error) {
	t.Helper()
	if err := change(t, s, c)[0]; !errors.Is(err, want) {
		t.Fatalf("%+v: %v, want %v", c, err, want)
	}
}

// alice returns a change to player 1 under an epoch.
func alice(epoch uint64) rushgate.AccountChange {
	return rushgate.AccountChange{Player: 1, Name: "alice", Epoch: epoch}
}

// Each change touches what it says and nothing else, and makes the record current.
func changeParts(t *testing.T, h Harness) {
	s := h.open(t)
	want, other := registration(1, "alice", "a").Account, registration(2, "bob", "b").Account
	want.Version = 1
	create(t, s, want)
	create(t, s, other)
	credentials := fullAccount(1, "alice").Credentials
	ban := rushgate.Disabled{Until: epoch.Add(time.Hour), Reason: "cheating"}
	steps := []struct {
		name   string
		change func(*rushgate.AccountChange)
		apply  func(*rushgate.Account)
	}{
		{"nothing", func(*rushgate.AccountChange) {}, func(*rushgate.Account) {}},
		{"hash", func(c *rushgate.AccountChange) { c.PasswordHash = "new" },
			func(a *rushgate.Account) { a.PasswordHash = "new" }},
		{"the same again", func(c *rushgate.AccountChange) { c.PasswordHash = "new" }, func(*rushgate.Account) {}},
		{"credentials", func(c *rushgate.AccountChange) { c.Credentials = credentials },
			func(a *rushgate.Account) { a.Credentials = credentials }},
		{"disabled", func(c *rushgate.AccountChange) { c.Disabled = &ban }, func(a *rushgate.Account) { a.Disabled = ban }},
		{"epoch", func(c *rushgate.AccountChange) { c.RaiseEpoch = true }, func(a *rushgate.Account) { a.Epoch++ }},
		{"enabled", func(c *rushgate.AccountChange) { c.Disabled = &rushgate.Disabled{} },
			func(a *rushgate.Account) { a.Disabled = rushgate.Disabled{} }},
		{"no credentials", func(c *rushgate.AccountChange) {
			c.Credentials, c.Replaces = []rushgate.Credential{}, credentials
		},
			func(a *rushgate.Account) { a.Credentials = nil }},
		{"everything", func(c *rushgate.AccountChange) {
			c.PasswordHash, c.Credentials, c.Disabled, c.RaiseEpoch = "newer", credentials[:1], &ban, true
		}, func(a *rushgate.Account) {
			a.PasswordHash, a.Credentials, a.Disabled = "newer", credentials[:1], ban
			a.Epoch++
		}},
	}
	for _, step := range steps {
		c := alice(want.Epoch)
		step.change(&c)
		if err := change(t, s, c)[0]; err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		want.Version = rushgate.AccountVersion
		step.apply(&want)
		if got := load(t, s, "alice")[0]; !sameAccount(got, want) {
			t.Fatalf("%s: account is\n%+v, want\n%+v", step.name, got, want)
		}
	}
	wantAccount(t, load(t, s, "bob")[0], other)
	wantCharacter(t, characters(t, s, "alice")[0], created(want))
}

func changeResults(t *testing.T, h Harness) {
	s := h.open(t)
	for id, name := range map[rushgate.PlayerID]string{1: "alice", 2: "bob"} {
		create(t, s, registration(id, name, "a").Account)
	}
	with := func(id rushgate.PlayerID, name string, epoch uint64) rushgate.AccountChange {
		return rushgate.AccountChange{Player: id, Name: name, Epoch: epoch, PasswordHash: fmt.Sprint(name, epoch)}
	}
	raise := with(1, "alice", 0)
	raise.RaiseEpoch = true
	got := change(t, s, with(9, "nobody", 0), with(1, "bob", 0), with(2, "", 0), with(2, "bob", 1), raise, raise,
		with(1, "alice", 1), with(2, "bob", 0))
	want := []error{
		rushgate.BadCredentials, rushgate.BadCredentials, rushgate.BadCredentials, rushgate.ErrAccountChanged, nil,
		rushgate.ErrAccountChanged, nil, nil,
	}
	for i := range want {
		if !errors.Is(got[i], want[i]) {
			t.Errorf("change %d: %v, want %v", i, got[i], want[i])
		}
	}
	wantHash(t, s, "alice", "alice1")
	wantHash(t, s, "bob", "bob0")
	wantAccount(t, load(t, s, "nobody")[0], rushgate.Account{})
	change(t, s)
}

func concurrentChanges(t *testing.T, h Harness) {
	const n = 16
	s := h.open(t)
	create(t, s, registration(1, "alice", "a").Account)
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() {
			c := alice(0)
			c.PasswordHash, c.RaiseEpoch = fmt.Sprint("v", i), true
			got, err := s.UpdateAccounts(t.Context(), []rushgate.AccountChange{c})
			if err != nil {
				t.Errorf("UpdateAccounts: %v", err)
				return
			}
			errs[i] = got[0]
		})
	}
	wg.Wait()
	winners := 0
	for i, err := range errs {
		if err == nil {
			winners++
			wantHash(t, s, "alice", fmt.Sprint("v", i))
		} else if !errors.Is(err, rushgate.ErrAccountChanged) {
			t.Errorf("change %d: %v, want %v", i, err, rushgate.ErrAccountChanged)
		}
	}
	if got := load(t, s, "alice")[0]; winners != 1 || got.Epoch != 1 {
		t.Errorf("%d changes have won, and the epoch is %d", winners, got.Epoch)
	}
}

// loginUnder is a login proved under an epoch.
func loginUnder(epoch uint64, attempt string) rushgate.Admission {
	a := login(1, "alice", attempt)
	a.Account.Epoch = epoch
	return a
}

func epochRefuses(t *testing.T, h Harness) {
	s := h.open(t)
	a := registration(1, "alice", "first")
	in := admit(t, s, nodeA, a)
	c := alice(0)
	c.RaiseEpoch = true
	wantChanged(t, s, c, nil)
	takeover := loginUnder(0, "b")
	takeover.Takeover, takeover.NewHash = true, "new"
	takeover.Account.PasswordHash = a.Account.PasswordHash
	for name, old := range map[string]rushgate.Admission{
		"a login": loginUnder(0, "b"), "the session's own attempt": loginUnder(0, "first"), "a takeover": takeover,
		"the registration once more": a, "an epoch to come": loginUnder(2, "b"),
	} {
		for _, by := range []rushgate.Instance{nodeA, nodeA2, nodeB} {
			if got := admitAll(t, s, by, old)[0]; !errors.Is(got.Err, rushgate.BadCredentials) {
				t.Errorf("%s by %v: %v, want %v", name, by, got.Err, rushgate.BadCredentials)
			}
		}
	}
	wantHash(t, s, "alice", a.Account.PasswordHash)
	// The session that is inside keeps its lease until its node lets it go.
	if err := refresh(t, s, nodeA, in.Lease)[0]; err != nil {
		t.Errorf("refresh: %v", err)
	}
	setNumber(&in.Character, "xp", 7)
	release(t, s, in)
	got := admit(t, s, nodeB, loginUnder(1, "b"))
	wantCharacter(t, got.Character, in.Character)
}

func epochEnds(t *testing.T, h Harness) {
	s := h.open(t)
	in := register(t, s, 1, "alice")
	c := alice(0)
	c.RaiseEpoch = true
	wantChanged(t, s, c, nil)
	wantWanted(t, s, nodeB)
	wantWanted(t, s, nodeA, in.Lease)
	wantWanted(t, s, nodeA)
	c.Epoch = 1
	release(t, s, in)
	wantChanged(t, s, c, nil)
	wantWanted(t, s, nodeA) // no session to end
	in = admit(t, s, nodeB, loginUnder(2, "b"))
	h.Advance(rushgate.LeaseTTL)
	c.Epoch = 2
	wantChanged(t, s, c, nil)
	for _, l := range wanted(t, s, nodeB) {
		if l.Lease != in.Lease { // it may be told: the holder can still revive what has run out
			t.Errorf("%+v is wanted", l)
		}
	}
}

func disabledIsRefused(t *testing.T, h Harness) {
	s := h.open(t)
	now := h.now(t, s)
	release(t, s, register(t, s, 1, "alice"))
	c := alice(0)
	c.Disabled = &rushgate.Disabled{Until: now.Add(time.Minute), Reason: "cheating"}
	wantChanged(t, s, c, nil)
	want := func(a rushgate.Admission) {
		t.Helper()
		got := admitAll(t, s, nodeB, a)[0]
		refusal, ok := errors.AsType[*rushgate.Refusal](got.Err)
		if !ok || !errors.Is(got.Err, rushgate.AccountDisabled) {
			t.Fatalf("admitted as %+v, want %v", got, rushgate.AccountDisabled)
		}
		if !refusal.Until.Equal(c.Disabled.Until) || refusal.Text != c.Disabled.Reason {
			t.Errorf("refused until %v because of %q, want %+v", refusal.Until, refusal.Text, *c.Disabled)
		}
	}
	want(loginUnder(0, "b"))
	want(registration(1, "alice", "first")) // the registration once more
	if got := admitAll(t, s, nodeB, loginUnder(1, "b"))[0]; !errors.Is(got.Err, rushgate.BadCredentials) {
		t.Errorf("with another epoch: %v, want %v", got.Err, rushgate.BadCredentials)
	}
	h.Advance(time.Minute - time.Millisecond)
	want(loginUnder(0, "b"))
	wantInside(t, s, 0)
	h.Advance(time.Millisecond)
	release(t, s, admit(t, s, nodeB, loginUnder(0, "b")))

	c.Disabled = &rushgate.Disabled{Until: rushgate.Forever(), Reason: "for ever"}
	wantChanged(t, s, c, nil)
	want(loginUnder(0, "c"))
	c.Disabled = &rushgate.Disabled{}
	wantChanged(t, s, c, nil)
	admit(t, s, nodeB, loginUnder(0, "c"))
}

func disabledEnds(t *testing.T, h Harness) {
	s := h.open(t)
	now := h.now(t, s)
	in := register(t, s, 1, "alice")
	c := alice(0)
	c.Disabled = &rushgate.Disabled{Until: now.Add(time.Hour)}
	wantChanged(t, s, c, nil)
	wantWanted(t, s, nodeA, in.Lease)
	if got := admitAll(t, s, nodeA, loginUnder(0, "first"))[0]; !errors.Is(got.Err, rushgate.AccountDisabled) {
		t.Errorf("the attempt that holds the lease: %v, want %v", got.Err, rushgate.AccountDisabled)
	}
	release(t, s, in)
	wantInside(t, s, 0)
}

func otherChanges(t *testing.T, h Harness) {
	s := h.open(t)
	now := h.now(t, s)
	register(t, s, 1, "alice")
	for _, d := range []*rushgate.Disabled{nil, {}, {Until: now}, {Until: epoch}} {
		c := alice(0)
		c.PasswordHash, c.Disabled = "new", d
		wantChanged(t, s, c, nil)
		wantWanted(t, s, nodeA)
	}
	admit(t, s, nodeA, loginUnder(0, "first"))
}

func badChanges(t *testing.T, h Harness) {
	s := h.open(t)
	create(t, s, registration(1, "alice", "a").Account)
	before := load(t, s, "alice")[0]
	for says, edit := range map[string]func(*rushgate.AccountChange){
		"epoch":      func(c *rushgate.AccountChange) { c.Epoch, c.RaiseEpoch = rushgate.MaxEpoch, true },
		"reason":     func(c *rushgate.AccountChange) { c.Disabled = &rushgate.Disabled{Until: epoch, Reason: "\xff"} },
		"disabled":   func(c *rushgate.AccountChange) { c.Disabled = &rushgate.Disabled{Reason: "of no ban"} },
		"credential": func(c *rushgate.AccountChange) { c.Credentials = make([]rushgate.Credential, 1) },
	} {
		good, bad := alice(0), alice(0)
		good.PasswordHash = "new"
		edit(&bad)
		errs, err := s.UpdateAccounts(t.Context(), []rushgate.AccountChange{good, bad})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("UpdateAccounts: %v, %v; want an error that names the %s", errs, err, says)
		}
	}
	wantAccount(t, load(t, s, "alice")[0], before)
}

func changeDurable(t *testing.T, h Harness) {
	s := h.open(t)
	create(t, s, registration(1, "alice", "a").Account)
	want := fullAccount(1, "alice")
	want.Epoch = 1
	c := alice(0)
	c.Disabled, c.Credentials, c.RaiseEpoch = &want.Disabled, want.Credentials, true
	wantChanged(t, s, c, nil)
	s = h.reopen(t, s)
	wantAccount(t, load(t, s, "alice")[0], want)
	if got := admitAll(t, s, nodeA, loginUnder(1, "b"))[0]; !errors.Is(got.Err, rushgate.AccountDisabled) {
		t.Errorf("login after a restart: %v, want %v", got.Err, rushgate.AccountDisabled)
	}
}
