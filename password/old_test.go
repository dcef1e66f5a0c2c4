package password_test

import (
	"crypto/md5"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/password"
)

func newHasher(t *testing.T, cfg password.Config) *password.Hasher {
	t.Helper()
	if cfg.Iterations == 0 {
		cfg.Iterations = password.MinIterations
	}
	h, err := password.NewHasher(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func verified(t *testing.T, h *password.Hasher, pw, hash string) password.Job {
	t.Helper()
	job := password.Verify(pw, hash)
	h.Run(t.Context(), []*password.Job{&job})
	return job
}

func digestOf(text string) []byte {
	sum := md5.Sum([]byte(text))
	return sum[:]
}

// A hardened hash is one of the digest, which it does not have; it is verified in a batch with others if the digest
// takes next to nothing, and is to be replaced when the password is right.
func TestHarden(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pepper")
	if err := os.WriteFile(path, []byte("k1:"+strings.Repeat("0a", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	pepper, err := password.LoadPepper(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range []*password.Hasher{newHasher(t, password.Config{}), newHasher(t, password.Config{Pepper: pepper})} {
		for _, c := range []struct {
			recipe string
			digest []byte
			slow   bool
		}{
			{"md5(password+'salt')", digestOf("secretsalt"), false},
			{"md5('x'+password)|md5(password+'salt')", digestOf("secretsalt"), false},
			{"md5(loop(64,pbkdf2_md5(it,'salt',2000,16),password))", nil, true},
		} {
			if c.digest == nil {
				c.digest = digestOf("secret") // no password of the test makes it
			}
			job, err := password.Harden(c.recipe, c.digest)
			if err != nil {
				t.Fatal(err)
			}
			h.Run(t.Context(), []*password.Job{&job})
			if job.Err != nil || strings.Contains(job.Hash, fmt.Sprintf("%x", c.digest)) {
				t.Errorf("%q, %v", job.Hash, job.Err)
			}
			if !password.Foreign(job.Hash) || !h.NeedsRehash(job.Hash) || h.Slow(job.Hash) != c.slow {
				t.Errorf("%q: slow is %v", job.Hash, h.Slow(job.Hash))
			}
			if right := verified(t, h, "secret", job.Hash); right.Err != nil || right.Match == c.slow || right.Rehash == c.slow {
				t.Errorf("%q: %+v", c.recipe, right)
			}
			if wrong := verified(t, h, "Secret", job.Hash); wrong.Err != nil || wrong.Match || wrong.Rehash {
				t.Errorf("%q: %+v", c.recipe, wrong)
			}
			scheme, cost, err := password.Describe(job.Hash)
			told := strings.Contains(scheme, "salt")
			if err != nil || !strings.Contains(scheme, " of md5") || told || cost != "1000 iterations" {
				t.Errorf("described as %q, %q, %v", scheme, cost, err)
			}
		}
	}
}

// A batch in which hardened hashes stand beside others has the right result for each.
func TestHardenedInABatch(t *testing.T) {
	h := newHasher(t, password.Config{})
	old, err := password.Harden("md5(upper(password))|md5(password)", digestOf("right"))
	if err != nil {
		t.Fatal(err)
	}
	own := password.New("right")
	h.Run(t.Context(), []*password.Job{&old, &own})
	var jobs []*password.Job
	for i := range 40 {
		pw := []string{"right", "wrong"}[i%2]
		for _, job := range []password.Job{
			password.Verify(pw, old.Hash), password.Verify(pw, own.Hash), password.Decoy(pw), password.New(pw),
		} {
			jobs = append(jobs, &job)
		}
	}
	h.Run(t.Context(), jobs)
	for i, j := range jobs {
		verifies := i%4 < 2
		if right := i/4%2 == 0; j.Err != nil || j.Match != (right && verifies) || j.Rehash != (right && i%4 == 0) {
			t.Errorf("job %d: %+v", i, j)
		}
	}
}

func TestKeep(t *testing.T) {
	h := newHasher(t, password.Config{})
	hash, err := password.Keep("md5(cut(password,4))", digestOf("long"))
	if err != nil {
		t.Fatal(err)
	}
	if right := verified(t, h, "longer", hash); !right.Match || !right.Rehash || !h.Slow(hash) {
		t.Errorf("%q: %+v", hash, right)
	}
	if wrong := verified(t, h, "lone", hash); wrong.Match || wrong.Err != nil {
		t.Errorf("%q: %+v", hash, wrong)
	}
}

// What is not as this version writes it, or of a version to come, is an error, and no password that does not match.
func TestOldFormsAreStrict(t *testing.T) {
	h := newHasher(t, password.Config{})
	job, err := password.Harden("md5(password)", digestOf("pw"))
	if err != nil {
		t.Fatal(err)
	}
	h.Run(t.Context(), []*password.Job{&job})
	kept, err := password.Keep("md5(password)", digestOf("pw"))
	if err != nil {
		t.Fatal(err)
	}
	for _, hash := range []string{
		strings.Replace(job.Hash, "rg1", "rg2", 1), strings.Replace(job.Hash, "md5(", "md6(", 1),
		strings.Replace(job.Hash, "(password", "( password", 1), strings.Replace(job.Hash, "(password", "(salt", 1),
		strings.Replace(job.Hash, "$1000$", "$", 1), strings.Replace(job.Hash, "$1000$", "$01000$", 1), job.Hash + "0",
		strings.Replace(kept, "md5", "sha1", 1), kept[:len(kept)-1], kept + "00", strings.ToUpper(kept),
		"$rg1old$", "$rg1over$", "$rg1old$md5(password)$", "$rg1over$md5(password)$",
		"$rg1old$argon2id(password,'saltsalt',16,131072,1,16)$" + strings.Repeat("00", 16),
	} {
		if got := verified(t, h, "pw", hash); !errors.Is(got.Err, password.ErrMalformedHash) || got.Match {
			t.Errorf("%q: %+v", hash, got)
		}
	}
	for _, recipe := range []string{"", "sha1(password)", "md5(salt)", "md5( password)"} {
		if _, err := password.Keep(recipe, digestOf("")); !errors.Is(err, password.ErrMalformedHash) {
			t.Errorf("Keep %q: %v", recipe, err)
		}
		if _, err := password.Harden(recipe, digestOf("")); !errors.Is(err, password.ErrMalformedHash) {
			t.Errorf("Harden %q: %v", recipe, err)
		}
	}
}
