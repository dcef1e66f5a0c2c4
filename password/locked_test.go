package password

import (
	"slices"
	"strings"
	"testing"
)

// A hash that no password has is read by all versions, costs what any other does, and matches nothing.
func TestLocked(t *testing.T) {
	h, err := NewHasher(Config{Iterations: MinIterations})
	if err != nil {
		t.Fatal(err)
	}
	one, other := Locked(), Locked()
	if one == other || !IsLocked(one) || h.Slow(one) {
		t.Errorf("%q and %q: the same, not locked, or slow", one, other)
	}
	if scheme, cost, err := Describe(one); err != nil || scheme != "none" || cost != "no password" {
		t.Errorf("described as %q, %q, %v", scheme, cost, err)
	}
	before := h.Iterations()
	jobs := []*Job{{}, {}}
	*jobs[0], *jobs[1] = Verify("correct horse", one), Verify(strings.Repeat("x", 200), one)
	h.Run(t.Context(), jobs)
	for _, j := range jobs {
		if j.Match || j.Rehash || j.Err != nil {
			t.Errorf("a password is judged %+v", j)
		}
	}
	if n := h.Iterations() - before; n != 2*MinIterations {
		t.Errorf("two guesses cost %d iterations, want what two cost at any other hash, %d", n, 2*MinIterations)
	}
	parsed, err := parse(one)
	if err != nil || parsed.(*pbkdf2Hash).matches(make([]byte, KeyLen)) {
		t.Error("the key of no password is matched")
	}
	job := New("correct horse")
	h.Run(t.Context(), []*Job{&job})
	if slices.ContainsFunc([]string{"", "x", job.Hash, "$argon2id$"}, IsLocked) {
		t.Error("something else is taken for locked")
	}
}
