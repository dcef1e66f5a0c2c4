package password

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

func stored(salt, iterations, key string) string { return salt + "$" + iterations + "$" + key }

const (
	someSalt = "d3000cd1ca6d871330cf6a581c55e834"
	someKey  = "883ba7c1060d15652f0221bc2a8f83555126e363731e397504d90a1aafd487dc"
)

func run(t *testing.T, h *Hasher, jobs ...Job) []Job {
	t.Helper()
	batch := make([]*Job, len(jobs))
	for i := range jobs {
		batch[i] = &jobs[i]
	}
	h.Run(t.Context(), batch)
	return jobs
}

func newTestHasher(t *testing.T) *Hasher {
	t.Helper()
	h, err := NewHasher(MinIterations)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestVerifyHashesOfTheOldGame(t *testing.T) {
	tests := []struct{ password, stored string }{
		{"tr0ub4dor&3", stored(someSalt, "10000", someKey)},
		{"a", stored("17b113e6e327af510b85804bf48b88d3", "10000", "7362b7d9c08af1224551fbb64d3fb28b1e4b1f33ad883e752180a6a91e9764bb")},
		{`with "quotes" and \ back`, stored("ad94e977fa6eb62c9f262f68ffa95443", "50000", "ab948096a8d86666cb84640cf76d7c997e9c99dfb9d2e9f123c8b4c92ccb0b38")},
	}
	h := newTestHasher(t)
	for _, tt := range tests {
		got := run(t, h, Verify(tt.password, tt.stored), Verify(tt.password+"x", tt.stored), Verify("", tt.stored))
		for i, want := range []bool{true, false, false} {
			if got[i].Err != nil || got[i].Match != want {
				t.Errorf("job %d for %q: match %v, error %v; want %v", i, tt.password, got[i].Match, got[i].Err, want)
			}
		}
	}
}

func TestNewHashesVerifyAndDiffer(t *testing.T) {
	h := newTestHasher(t)
	long := strings.Repeat("long", 64)
	made := run(t, h, New("secret"), New("secret"), New(long), Decoy("secret"))
	if made[0].Hash == made[1].Hash {
		t.Error("two hashes of one password share a salt")
	}
	if !strings.Contains(made[0].Hash, "$1000$") {
		t.Error("a new hash does not carry the configured cost")
	}
	if made[3].Match || made[3].Hash != "" || made[3].Err != nil {
		t.Errorf("a decoy has a result: %+v", made[3])
	}
	checks := run(t, h, Verify("secret", made[0].Hash), Verify("secret", made[1].Hash), Verify(long, made[2].Hash), Verify("Secret", made[0].Hash))
	for i, want := range []bool{true, true, true, false} {
		if checks[i].Match != want || checks[i].Err != nil {
			t.Errorf("check %d: match %v, error %v; want %v", i, checks[i].Match, checks[i].Err, want)
		}
	}
}

func TestMalformedStoredHash(t *testing.T) {
	tests := map[string]string{
		"empty":               "",
		"no dollar":           "abc",
		"two parts":           someSalt + "$" + someKey,
		"four parts":          stored(someSalt, "1000", someKey) + "$x",
		"short salt":          stored(someSalt[2:], "1000", someKey),
		"short key":           stored(someSalt, "1000", someKey[2:]),
		"not hex":             stored(strings.Repeat("z", 32), "1000", someKey),
		"upper case":          stored(strings.ToUpper(someSalt), "1000", someKey),
		"zero iterations":     stored(someSalt, "0", someKey),
		"negative iterations": stored(someSalt, "-1", someKey),
		"too many iterations": stored(someSalt, "10000001", someKey),
		"overflow":            stored(someSalt, "99999999999999999999", someKey),
		"leading zero":        stored(someSalt, "01000", someKey),
		"plus sign":           stored(someSalt, "+1000", someKey),
		"space":               stored(someSalt, " 1000", someKey),
	}
	h := newTestHasher(t)
	for name, s := range tests {
		j := run(t, h, Verify("secret", s))[0]
		if !errors.Is(j.Err, ErrMalformedHash) || j.Match {
			t.Errorf("%s: match %v, error %v; want ErrMalformedHash", name, j.Match, j.Err)
		}
		if j.Err != nil && strings.Contains(j.Err.Error(), someKey) {
			t.Errorf("%s: the error repeats the hash", name)
		}
	}
}

func TestRunStopsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	j := New("secret")
	newTestHasher(t).Run(ctx, []*Job{&j})
	if !errors.Is(j.Err, context.Canceled) || j.Hash != "" {
		t.Errorf("got hash %q, error %v", j.Hash, j.Err)
	}
}

func TestSkippedJobsAreNotDerived(t *testing.T) {
	j := New("secret")
	j.Skip = func() bool { return true }
	if got := run(t, newTestHasher(t), j, New("other")); !errors.Is(got[0].Err, ErrSkipped) || got[0].Hash != "" || got[1].Err != nil {
		t.Errorf("got %v and %v", got[0].Err, got[1].Err)
	}
}

// A decoy costs what a verification at the current cost does, and a job that is skipped or unreadable costs nothing.
func TestDerivationsAreCounted(t *testing.T) {
	h := newTestHasher(t)
	skipped := New("secret")
	skipped.Skip = func() bool { return true }
	run(t, h, New("secret"), Decoy("secret"), Verify("secret", stored(someSalt, "1000", someKey)), Verify("secret", "malformed"), skipped)
	if n := h.Derivations(); n != 3 {
		t.Errorf("%d derivations, want 3", n)
	}
}

// However many batches come, no more than there are cores are worked on at once.
func TestBatchesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestHasher(t)
		var inside atomic.Int64
		release := make(chan struct{})
		var wg sync.WaitGroup
		for range runtime.GOMAXPROCS(0) + 5 {
			wg.Go(func() {
				j := New("secret")
				j.Skip = func() bool { inside.Add(1); <-release; return true }
				h.Run(t.Context(), []*Job{&j})
			})
		}
		synctest.Wait()
		if n := inside.Load(); n != int64(runtime.GOMAXPROCS(0)) {
			t.Errorf("%d batches at once on %d cores", n, runtime.GOMAXPROCS(0))
		}
		close(release)
		wg.Wait()
	})
}

func TestNewHasherBounds(t *testing.T) {
	for iterations, ok := range map[int]bool{999: false, 1000: true, 10_000_000: true, 10_000_001: false, 0: false, -1: false} {
		if _, err := NewHasher(iterations); (err == nil) != ok {
			t.Errorf("NewHasher(%d): %v", iterations, err)
		}
	}
}

func FuzzParseHash(f *testing.F) {
	for _, s := range []string{
		stored(someSalt, "10000", someKey),
		"5f14740d5493f4de552bc5517834724b$b6754e0cbba0bac05a056e6ffd1fcc0aadbe49b6b75656703bbec3c3474bac0e",
		stored(someSalt, "10000000", someKey),
		"$$", "$", "", someSalt + "$1$", "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$a2V5",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parseHash(s)
		if err != nil {
			if !errors.Is(err, ErrMalformedHash) {
				t.Fatalf("error %v is not ErrMalformedHash", err)
			}
			return
		}
		if h.String() != s {
			t.Fatalf("%q reads back as %q", s, h.String())
		}
		if len(h.salt) != SaltLen || len(h.key) != KeyLen || h.iterations < 1 || h.iterations > MaxIterations {
			t.Fatalf("%q: out of bounds %+v", s, h)
		}
	})
}

func BenchmarkHash(b *testing.B) {
	h, err := NewHasher(DefaultIterations)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		j := New("correct horse")
		h.Run(b.Context(), []*Job{&j})
	}
}
