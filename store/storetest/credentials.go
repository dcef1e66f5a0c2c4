package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rushgate/rushgate"
)

var credentialCases = []testCase{
	{"ReplacedUnderThose", credentialsReplaced},
	{"RefusedAsAWhole", credentialsRefused},
	{"OfManyUnderTheSameOneWins", credentialsConcurrent},
	{"ReplacedByALogin", credentialsByLogin},
	{"ReplacedByASave", credentialsBySave},
	{"ReplacedByASaveOfTheEpoch", credentialsBySaveOfAnEpoch},
	{"OfTwoInABatchOneWins", credentialsInBatch},
	{"BoundsAreNamed", badCredentials},
	{"FindTheirPlayer", credentialsFind},
}

// wantFound checks under which names some players are found.
func wantFound(t *testing.T, s rushgate.Store, want ...string) {
	t.Helper()
	ids := make([]rushgate.PlayerID, len(want))
	for i := range ids {
		ids[i] = rushgate.PlayerID(i + 1)
	}
	names, err := s.PlayerNames(t.Context(), ids)
	if err != nil || !slices.Equal(names, want) {
		t.Fatalf("PlayerNames: %q, %v; want %q", names, err, want)
	}
}

// A player who has credentials is found by id, however the account has got them, also under another name, until it is
// deleted.
func credentialsFind(t *testing.T, h Harness) {
	s := h.open(t)
	if err := s.BeginImport(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	create(t, s, registration(1, "alice", "a").Account)
	wantChanged(t, s, replaceProofs("", "a"), nil)
	made := registration(2, "carol", "c").Account
	made.Credentials = proofs("c")
	create(t, s, made)
	r := record(3, "dave")
	r.Account.Credentials = proofs("d")
	if errs, err := s.Import(t.Context(), []rushgate.Record{r}); err != nil || errs[0] != nil {
		t.Fatalf("Import: %v, %v", errs, err)
	}
	in := registration(4, "erin", "e")
	in.Account.Credentials = proofs("e")
	admit(t, s, nodeA, in)
	wantFound(t, s, "alice", "carol", "dave", "erin", "")
	wantRenamed(t, s, toBob(0), nil)
	wantFound(t, s, "bob", "carol", "dave", "erin", "")
	if err := s.DeleteAccount(t.Context(), "carol"); err != nil {
		t.Fatal(err)
	}
	wantFound(t, s, "bob", "", "dave", "erin", "")
	wantFound(t, s)
}

func credential(secret string) rushgate.Credential {
	return rushgate.Credential{Kind: "code", Provider: `"<é>`, Subject: "s", Secret: secret}
}

// proofs returns a credential for each word, and none that are not nil for no word.
func proofs(words string) []rushgate.Credential {
	credentials := []rushgate.Credential{}
	for word := range strings.FieldsSeq(words) {
		credentials = append(credentials, credential(word))
	}
	return credentials
}

// replaceProofs is a change of the credentials of player 1.
func replaceProofs(replaces, by string) rushgate.AccountChange {
	c := alice(0)
	c.Replaces, c.Credentials = proofs(replaces), proofs(by)
	return c
}

func wantProofs(t *testing.T, s rushgate.Store, words string) {
	t.Helper()
	if got := load(t, s, "alice")[0].Credentials; !slices.Equal(got, proofs(words)) {
		t.Fatalf("credentials are %+v, want %q", got, words)
	}
}

func credentialsReplaced(t *testing.T, h Harness) {
	s := h.open(t)
	a := registration(1, "alice", "a").Account
	a.Version = 1
	create(t, s, a)
	for i, step := range []struct {
		replaces, by string
		want         error
		after        string
	}{
		{"x", "a", rushgate.ErrAccountChanged, ""},
		{"", "a b", nil, "a b"},
		{"", "a b", nil, "a b"}, // repeated
		{"", "c", rushgate.ErrAccountChanged, "a b"},
		{"a", "c", rushgate.ErrAccountChanged, "a b"},
		{"b a", "c", rushgate.ErrAccountChanged, "a b"},
		{"x y", "a b", nil, "a b"}, // they are these already
		{"a b", "b", nil, "b"},
		{"b", "", nil, ""},
		{"b", "", nil, ""}, // repeated
		{"b", "b", rushgate.ErrAccountChanged, ""},
	} {
		if err := change(t, s, replaceProofs(step.replaces, step.by))[0]; !errors.Is(err, step.want) {
			t.Errorf("step %d: %v, want %v", i, err, step.want)
		}
		wantProofs(t, s, step.after)
	}
	c := alice(0)
	c.Credentials = proofs("a") // nil stands for none
	wantChanged(t, s, c, nil)
	c.Credentials, c.Replaces = nil, proofs("other") // which says nothing
	wantChanged(t, s, c, nil)
	wantProofs(t, s, "a")
}

func credentialsRefused(t *testing.T, h Harness) {
	s := h.open(t)
	in := register(t, s, 1, "alice")
	before := load(t, s, "alice")[0]
	c := replaceProofs("x", "a")
	c.PasswordHash, c.RaiseEpoch, c.EndAttempt, c.Devices = "new", true, "first", []rushgate.Device{device("one", "x")}
	wantChanged(t, s, c, rushgate.ErrAccountChanged)
	wantAccount(t, load(t, s, "alice")[0], before)
	wantWanted(t, s, nodeA)
	c.Replaces, c.DevicesRevision = nil, 7
	wantChanged(t, s, c, rushgate.ErrAccountChanged)
	wantAccount(t, load(t, s, "alice")[0], before)
	c.DevicesRevision = 0
	wantChanged(t, s, c, nil)
	wantProofs(t, s, "a")
	wantWanted(t, s, nodeA, in.Lease)
}

func credentialsConcurrent(t *testing.T, h Harness) {
	const n = 16
	s := h.open(t)
	if err := s.BeginImport(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	create(t, s, registration(1, "alice", "a").Account)
	wantChanged(t, s, replaceProofs("", "code"), nil)
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() {
			got, err := s.UpdateAccounts(t.Context(), []rushgate.AccountChange{replaceProofs("code", fmt.Sprint("used-by-", i))})
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
			wantProofs(t, s, fmt.Sprint("used-by-", i))
		} else if !errors.Is(err, rushgate.ErrAccountChanged) {
			t.Errorf("change %d: %v, want %v", i, err, rushgate.ErrAccountChanged)
		}
	}
	if winners != 1 {
		t.Errorf("%d changes have won", winners)
	}
}

// proving has a login replace credentials.
func proving(a rushgate.Admission, replaces, by string) rushgate.Admission {
	a.Account.Credentials, a.Credentials = proofs(replaces), proofs(by)
	return a
}

func credentialsByLogin(t *testing.T, h Harness) {
	s := h.open(t)
	a := registration(1, "alice", "first")
	a.Account.Version, a.Account.Credentials = 1, proofs("a b")
	release(t, s, admit(t, s, nodeA, a))
	want := func(a rushgate.Admission, want error, after string) {
		t.Helper()
		if got := admitAll(t, s, nodeA, a)[0]; !errors.Is(got.Err, want) {
			t.Fatalf("%s: %v, want %v", a.Attempt, got.Err, want)
		}
		wantProofs(t, s, after)
	}
	want(proving(login(1, "alice", "with another"), "b a", "b"), rushgate.ErrAccountChanged, "a b")
	wantInside(t, s, 0)
	want(proving(login(1, "alice", "x"), "a b", "b"), nil, "b")
	if got := load(t, s, "alice")[0].Version; got != rushgate.AccountVersion {
		t.Errorf("the record has version %d, want %d", got, rushgate.AccountVersion)
	}
	want(proving(login(1, "alice", "x"), "a b", "b"), nil, "b") // repeated
	want(proving(login(1, "alice", "y"), "b", ""), rushgate.AlreadyLoggedIn, "b")
	both := withDevices(proving(login(1, "alice", "x"), "b", "c"), 7, device("one", "x"))
	want(both, rushgate.ErrAccountChanged, "b")
	want(withDevices(both, 0, device("one", "x")), nil, "c")
	wantDevices(t, s, 1, device("one", "x"))
	plain := login(1, "alice", "x")
	plain.Account.Credentials = proofs("others") // which says nothing
	want(plain, nil, "c")
	want(proving(login(1, "alice", "x"), "c", ""), nil, "")
	bare := login(1, "alice", "x")
	bare.Credentials = proofs("d") // nil stands for none
	want(bare, nil, "d")
}

// A character and the credentials that come with it are saved together, or neither is.
func credentialsBySave(t *testing.T, h Harness) {
	s := h.open(t)
	a := registration(1, "alice", "first")
	a.Account.Version = 1
	in := admit(t, s, nodeA, a)
	with := func(xp int64, replaces, by string) rushgate.Save {
		setNumber(&in.Character, "xp", xp)
		return rushgate.Save{
			Character: in.Character, Fence: in.Lease.Fence, Credentials: proofs(by), Replaces: proofs(replaces),
		}
	}
	want := func(v rushgate.Save, want error, xp int64, words string) {
		t.Helper()
		if err := save(t, s, v); !errors.Is(err, want) {
			t.Fatalf("%v, want %v", err, want)
		}
		wantProofs(t, s, words)
		if got := characters(t, s, "alice")[0].Numbers["xp"]; got != xp {
			t.Fatalf("the character has %d xp, want %d", got, xp)
		}
	}
	want(with(1, "", "a b"), nil, 1, "a b")
	wantFound(t, s, "alice")
	if got := load(t, s, "alice")[0].Version; got != rushgate.AccountVersion {
		t.Errorf("the record has version %d, want %d", got, rushgate.AccountVersion)
	}
	want(with(2, "", "a b"), nil, 2, "a b") // they are these already
	want(with(3, "b", "c"), rushgate.ErrAccountChanged, 2, "a b")
	wantInside(t, s, 1)
	plain := with(4, "", "")
	plain.Credentials, plain.Replaces = nil, proofs("other") // which says nothing
	want(plain, nil, 4, "a b")
	stale := with(5, "x", "c")
	stale.Fence--
	want(stale, rushgate.ErrLeaseLost, 4, "a b")
	last := with(6, "a b", "")
	last.Release = true
	want(last, nil, 6, "")
	last = with(7, "", "d")
	want(last, rushgate.ErrLeaseLost, 6, "")
	last.Release = true
	want(last, nil, 6, "") // a release that is repeated
	wantInside(t, s, 0)
}

// What was proved before the epoch was raised gives an account no credentials, nor is the character saved with them.
func credentialsBySaveOfAnEpoch(t *testing.T, h Harness) {
	s := h.open(t)
	in := admit(t, s, nodeA, registration(1, "alice", "first"))
	raise := rushgate.AccountChange{Player: 1, Name: "alice", RaiseEpoch: true}
	if errs, err := s.UpdateAccounts(t.Context(), []rushgate.AccountChange{raise}); err != nil || errs[0] != nil {
		t.Fatal(errs, err)
	}
	v := rushgate.Save{Character: in.Character, Fence: in.Lease.Fence, Credentials: proofs("a")}
	setNumber(&v.Character, "xp", 1)
	if err := save(t, s, v); !errors.Is(err, rushgate.ErrAccountChanged) {
		t.Errorf("under the epoch of before: %v", err)
	}
	wantProofs(t, s, "")
	if got := characters(t, s, "alice")[0].Numbers["xp"]; got != 0 {
		t.Errorf("the character has %d xp", got)
	}
	v.Epoch = 1
	if err := save(t, s, v); err != nil {
		t.Errorf("under the one that it has: %v", err)
	}
	wantProofs(t, s, "a")
	v.Credentials, v.Epoch = nil, 0 // which says nothing without them
	if err := save(t, s, v); err != nil {
		t.Errorf("without credentials: %v", err)
	}
}

// Of two logins with the same recovery code, which takes itself off, one succeeds.
func credentialsInBatch(t *testing.T, h Harness) {
	s := h.open(t)
	a := registration(1, "alice", "first").Account
	a.Credentials = proofs("code")
	create(t, s, a)
	one := proving(login(1, "alice", "x"), "code", "one")
	got := admitAll(t, s, nodeA, one, proving(login(1, "alice", "x"), "code", "two"))
	if got[0].Err != nil || !errors.Is(got[1].Err, rushgate.ErrAccountChanged) {
		t.Errorf("logins: %v, %v", got[0].Err, got[1].Err)
	}
	wantProofs(t, s, "one")
}

func badCredentials(t *testing.T, h Harness) {
	const secret = "5ecret"
	s := h.open(t)
	create(t, s, registration(1, "alice", "a").Account)
	check := func(what string, err error, says string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: error %v, want one that says %q and no secret", what, err, says)
		}
	}
	admit := func(a rushgate.Admission) error {
		_, err := s.Admit(t.Context(), nodeA, []rushgate.Admission{a})
		return err
	}
	for says, bad := range map[string][]rushgate.Credential{
		"no kind":        {{Secret: secret}},
		"17 credentials": make([]rushgate.Credential, rushgate.MaxCredentials+1),
		"more than 1024": {credential(strings.Repeat(secret, 200))},
		"not UTF-8":      {credential(secret + "\xff")},
	} {
		c := alice(0)
		c.Credentials = bad
		_, err := s.UpdateAccounts(t.Context(), []rushgate.AccountChange{c})
		check("credentials", err, says)
		c.Credentials, c.Replaces = proofs(""), bad
		_, err = s.UpdateAccounts(t.Context(), []rushgate.AccountChange{c})
		check("replaced credentials", err, says)
		a := proving(login(1, "alice", "a"), "", "")
		a.Credentials = bad
		check("a login's credentials", admit(a), says)
		a = proving(login(1, "alice", "a"), "", "")
		a.Account.Credentials = bad
		check("credentials that a login replaces", admit(a), says)
		for _, v := range []rushgate.Save{{Credentials: bad}, {Credentials: proofs(""), Replaces: bad}} {
			_, err = s.Save(t.Context(), []rushgate.Save{v})
			check("credentials of a save", err, says)
		}
	}
	check("a registration", admit(proving(registration(2, "bob", "b"), "", secret)), "no credentials to replace")
	wantProofs(t, s, "")
	wantInside(t, s, 0)
}
