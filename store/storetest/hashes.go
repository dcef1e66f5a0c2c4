package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/rushgate/rushgate"
)

var hashCases = []testCase{
	{"ReplacedByCompareAndSet", replaceHash},
	{"KeptWhenTheLoginIsRefused", keepHashWhenRefused},
	{"OnlyOneOfManyReplacementsWins", concurrentReplacements},
	{"ReplacementMakesTheRecordCurrent", replacementUpgrades},
	{"ASetHashIsNotReplaced", setHash},
}

func withHash(a rushgate.Admission, old, new string) rushgate.Admission {
	a.Account.PasswordHash, a.NewHash = old, new
	return a
}

func wantHash(t *testing.T, s rushgate.Store, name, want string) {
	t.Helper()
	if got := load(t, s, name)[0].PasswordHash; got != want {
		t.Errorf("password hash of %s is %q, want %q", name, got, want)
	}
}

func replaceHash(t *testing.T, h Harness) {
	s := h.open(t)
	a := registration(1, "alice", "a")
	admit(t, s, nodeA, a)
	old := a.Account.PasswordHash
	steps := []struct {
		old, new string
		replaced bool
		want     string
	}{
		{old, "", false, old},
		{"another", "v2", false, old},
		{old, "v2", true, "v2"},
		{old, "v2", true, "v2"}, // repeated: it is the account's hash now
		{old, "v3", false, "v2"},
		{"v2", "v3", true, "v3"},
	}
	for i, step := range steps {
		got := admit(t, s, nodeA, withHash(login(1, "alice", "a"), step.old, step.new))
		if got.HashReplaced != step.replaced {
			t.Errorf("step %d: HashReplaced = %v", i, got.HashReplaced)
		}
		wantHash(t, s, "alice", step.want)
	}
}

func keepHashWhenRefused(t *testing.T, h Harness) {
	s := h.open(t)
	a := registration(1, "alice", "a")
	admit(t, s, nodeA, a)
	got := admitAll(t, s, nodeB, withHash(login(1, "alice", "b"), a.Account.PasswordHash, "v2"))[0]
	if !errors.Is(got.Err, rushgate.AlreadyLoggedIn) || got.HashReplaced {
		t.Errorf("admitted as %+v, want %v", got, rushgate.AlreadyLoggedIn)
	}
	wantHash(t, s, "alice", a.Account.PasswordHash)
}

func concurrentReplacements(t *testing.T, h Harness) {
	const n = 16
	s := h.open(t)
	a := registration(1, "alice", "a")
	admit(t, s, nodeA, a)
	var wg sync.WaitGroup
	replaced := make([]bool, n)
	for i := range n {
		wg.Go(func() {
			change := withHash(login(1, "alice", "a"), a.Account.PasswordHash, fmt.Sprint("v", i))
			got, err := s.Admit(t.Context(), nodeA, []rushgate.Admission{change})
			if err != nil || got[0].Err != nil {
				t.Errorf("Admit: %+v, %v", got, err)
				return
			}
			replaced[i] = got[0].HashReplaced
		})
	}
	wg.Wait()
	winners := 0
	for i := range n {
		if replaced[i] {
			winners++
			wantHash(t, s, "alice", fmt.Sprint("v", i))
		}
	}
	if winners != 1 {
		t.Errorf("%d replacements have won", winners)
	}
}

// A record of an old version stays as it is until its hash is replaced.
func replacementUpgrades(t *testing.T, h Harness) {
	s := h.open(t)
	for version := 1; version < rushgate.AccountVersion; version++ {
		id, name := rushgate.PlayerID(version), fmt.Sprint("player", version)
		a := registration(id, name, "a")
		a.Account.Version = version
		admit(t, s, nodeA, a)
		old := a.Account.PasswordHash

		admit(t, s, nodeA, withHash(login(id, name, "a"), old, ""))
		admit(t, s, nodeA, withHash(login(id, name, "a"), "another", "new"))
		again := withHash(login(id, name, "b"), old, "new")
		if got := admitAll(t, s, nodeB, again)[0]; !errors.Is(got.Err, rushgate.AlreadyLoggedIn) {
			t.Fatalf("login elsewhere: %v, want %v", got.Err, rushgate.AlreadyLoggedIn)
		}
		wantAccount(t, load(t, s, name)[0], a.Account)

		admit(t, s, nodeA, withHash(login(id, name, "a"), old, "new"))
		a.Account.PasswordHash, a.Account.Version = "new", rushgate.AccountVersion
		wantAccount(t, load(t, s, name)[0], a.Account)
	}
}

// A hash that was set is what a login finds that meant to replace the one before.
func setHash(t *testing.T, h Harness) {
	s := h.open(t)
	a := registration(1, "alice", "a")
	in := admit(t, s, nodeA, a)
	wantChanged(t, s, rushgate.AccountChange{Player: 1, Name: "alice", PasswordHash: "newer"}, nil)
	got := admit(t, s, nodeA, withHash(login(1, "alice", "a"), a.Account.PasswordHash, "rehash of the old password"))
	if got.HashReplaced || !got.Resumed || got.Lease != in.Lease {
		t.Errorf("admitted as %+v, want the session %+v with the hash that was set", got, in)
	}
	wantHash(t, s, "alice", "newer")
}
