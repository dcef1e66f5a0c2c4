package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
)

var directoryCases = []testCase{
	{"EveryNameIsReturned", everyName},
	{"PrefixesAreBytes", prefixes},
	{"NamesThatComeAndGo", namesMeanwhile},
	{"BadWalksAreRefused", badWalks},
	{"DurableAcrossReopen", namesReopen},
}

// walk returns all names that begin with a prefix, each once, in order. It calls between after each page but the last.
func walk(t *testing.T, s rushgate.Store, prefix string, limit int, between func()) []string {
	t.Helper()
	var found []string
	cursor := ""
	for range 100_000 {
		names, next, err := s.Usernames(t.Context(), prefix, cursor, limit)
		if err != nil {
			t.Fatalf("Usernames(%q, %q, %d): %v", prefix, cursor, limit, err)
		}
		found = append(found, names...)
		if next == "" {
			slices.Sort(found)
			return slices.Compact(found)
		}
		cursor = next
		between()
	}
	t.Fatalf("the walk through %q does not end", prefix)
	return nil
}

func wantNames(t *testing.T, s rushgate.Store, prefix string, limit int, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := walk(t, s, prefix, limit, func() {}); !slices.Equal(got, want) {
		t.Errorf("names that begin with %q, %d at a time, are %d\n%q, want %d\n%q",
			prefix, limit, len(got), got, len(want), want)
	}
}

func createNamed(t *testing.T, s rushgate.Store, names ...string) {
	t.Helper()
	var accounts []rushgate.Account
	for i, name := range names {
		accounts = append(accounts, registration(rushgate.PlayerID(i+1), name, "a").Account)
	}
	for i, err := range createAll(t, s, accounts...) {
		if err != nil {
			t.Fatalf("CreateAccounts of %s: %v", names[i], err)
		}
	}
}

func everyName(t *testing.T, h Harness) {
	s := h.open(t)
	for _, limit := range []int{1, rushgate.MaxPage} {
		wantNames(t, s, "", limit)
	}
	var names []string
	for i := range 1200 {
		names = append(names, fmt.Sprintf("player%d", i))
	}
	createNamed(t, s, names...)
	for _, limit := range []int{7, 100, rushgate.MaxPage} {
		wantNames(t, s, "", limit, names...)
	}
	if page, _, err := s.Usernames(t.Context(), "", "", 10); err != nil || len(page) > len(names)/2 {
		t.Errorf("a page of about 10 has %d names, %v", len(page), err)
	}
	wantNames(t, s, "player7", 3, slices.DeleteFunc(names, func(name string) bool {
		return !strings.HasPrefix(name, "player7")
	})...)
}

func prefixes(t *testing.T, h Harness) {
	s := h.open(t)
	names := []string{
		"a%b", "a_b", "a*b", "a?b", "a[b]", `a\b`, "axb", "Axb", "a", "ab", "émilie", "e\u0301milie", "emilie", "{a}", "a:b",
		"日本", "日本語", "a b", "\U0010fffd",
	}
	createNamed(t, s, names...)
	for _, prefix := range []string{
		"", "a", "a%", "a_", "a*", "a?", "a[", "a[b", `a\`, "A", "é", "e", "日", "日本語", "日本語日", "*", "%", "{", "a:", "a ", "'",
		"\U0010fffd", "nobody",
	} {
		var want []string
		for _, name := range names {
			if strings.HasPrefix(name, prefix) {
				want = append(want, name)
			}
		}
		for _, limit := range []int{1, 5, 100} {
			wantNames(t, s, prefix, limit, want...)
		}
	}
}

// Whatever happens to others during a walk, the names that stay are returned.
func namesMeanwhile(t *testing.T, h Harness) {
	s := h.open(t)
	var stay, go1 []string
	for i := range 60 {
		stay, go1 = append(stay, fmt.Sprintf("s%02d", i)), append(go1, fmt.Sprintf("g%02d", i))
	}
	createNamed(t, s, append(slices.Clone(stay), go1...)...)
	steps := 0
	found := walk(t, s, "", 10, func() {
		if steps < len(go1)-1 {
			deleteAccount(t, s, go1[steps])
			deleteAccount(t, s, go1[steps+1])
			create(t, s, registration(rushgate.PlayerID(1000+steps), fmt.Sprintf("c%02d", steps), "c").Account)
		}
		steps += 2
	})
	for _, name := range stay {
		if !slices.Contains(found, name) {
			t.Errorf("%s was there all the time, and is not among %q", name, found)
		}
	}
	after := walk(t, s, "g", 10, func() {})
	if want := go1[min(len(go1), steps):]; !slices.Equal(after, want) {
		t.Errorf("afterwards the names are %q, want %q", after, want)
	}
	deleteAccount(t, s, stay[0])
	wantNames(t, s, "s0", 3, stay[1:10]...)
	release(t, s, register(t, s, 2000, stay[0]))
	wantNames(t, s, "s0", 3, stay[:10]...)
}

func badWalks(t *testing.T, h Harness) {
	s := h.open(t)
	register(t, s, 1, "alice")
	for _, limit := range []int{-1, 0, rushgate.MaxPage + 1} {
		if names, _, err := s.Usernames(t.Context(), "", "", limit); err == nil || !strings.Contains(err.Error(), "limit") {
			t.Errorf("Usernames of %d: %q, %v; want an error that names the limit", limit, names, err)
		}
	}
	for _, cursor := range []string{"no cursor", "-", "\x00", "'; --", "é"} {
		names, _, err := s.Usernames(t.Context(), "", cursor, 1)
		if err == nil || !strings.Contains(err.Error(), "cursor") {
			t.Errorf("Usernames at %q: %q, %v; want an error that names the cursor", cursor, names, err)
		}
	}
	wantNames(t, s, "", 1, "alice")
}

func namesReopen(t *testing.T, h Harness) {
	s := h.open(t)
	createNamed(t, s, "alice", "bob")
	wantNames(t, h.reopen(t, s), "", 1, "alice", "bob")
}
