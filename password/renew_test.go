package password_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/password"
)

// A pepper that is loaded anew can only add to what the hasher verifies: rotated by the book or not, every hash that
// was made before still matches, and new ones name the new key.
func TestRenewPepper(t *testing.T) {
	load := func(lines ...string) *password.Pepper {
		t.Helper()
		path := filepath.Join(t.TempDir(), "pepper")
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := password.LoadPepper(path)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	a, b, c := "a:"+strings.Repeat("0a", 32), "b:"+strings.Repeat("0b", 32), "c:"+strings.Repeat("0c", 32)
	h, err := password.NewHasher(password.Config{Iterations: password.MinIterations, Pepper: load(a)})
	if err != nil {
		t.Fatal(err)
	}
	var hashes []string
	check := func(when, current string) {
		t.Helper()
		made := password.New("correct horse")
		h.Run(t.Context(), []*password.Job{&made})
		if made.Err != nil || !strings.HasSuffix(made.Hash, current) {
			t.Errorf("%s: the new hash is %q, %v; want pepper %s", when, made.Hash, made.Err, current)
		}
		hashes = append(hashes, made.Hash)
		for _, hash := range hashes {
			job := password.Verify("correct horse", hash)
			h.Run(t.Context(), []*password.Job{&job})
			if !job.Match || job.Err != nil || job.Rehash != (!strings.HasSuffix(hash, current)) {
				t.Errorf("%s: %q: match %v, rehash %v, %v", when, hash, job.Match, job.Rehash, job.Err)
			}
		}
	}
	check("at the start", "$a")
	for _, step := range []struct {
		when    string
		lines   []string
		changed bool
		kept    string
		current string
	}{
		{"the same", []string{a}, false, "", "$a"},
		{"another below", []string{a, b}, true, "", "$a"},
		{"moved to the top", []string{b, a}, true, "", "$b"},
		{"the first one gone", []string{b}, false, "a", "$b"},
		{"nothing but a new one", []string{c}, true, "a b", "$c"},
		{"back", []string{b, a}, true, "c", "$b"},
	} {
		changed, kept, err := h.RenewPepper(load(step.lines...))
		if err != nil || changed != step.changed || strings.Join(kept, " ") != step.kept {
			t.Errorf("%s: changed %v, kept %q, %v; want %v, %q", step.when, changed, kept, err, step.changed, step.kept)
		}
		check(step.when, step.current)
	}
	_, _, err = h.RenewPepper(load("d:"+strings.Repeat("0d", 32), "b:"+strings.Repeat("bb", 32)))
	if !errors.Is(err, password.ErrPepperChanged) || !strings.Contains(err.Error(), "pepper b") {
		t.Errorf("an id with another key: %v", err)
	}
	check("an id with another key", "$b")
	if changed, _, err := h.RenewPepper(nil); changed || err != nil {
		t.Errorf("none: %v, %v", changed, err)
	}
}
