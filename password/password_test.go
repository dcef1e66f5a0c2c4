package password

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"golang.org/x/crypto/bcrypt"
)

func hashString(salt, iterations, key string) string { return salt + "$" + iterations + "$" + key }

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
	h, err := NewHasher(Config{Iterations: MinIterations})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// The records of the game that Rushgate replaces, in every form it wrote.
func TestVerifyHashesOfTheOldGame(t *testing.T) {
	f, err := os.Open("testdata/legacy.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := newTestHasher(t)
	var jobs []Job
	for dec := json.NewDecoder(f); ; {
		var r struct{ Password, Hash string }
		if err := dec.Decode(&r); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, Verify(r.Password, r.Hash), Verify(r.Password+"x", r.Hash), Verify("", r.Hash))
	}
	if len(jobs) < 3*7 {
		t.Fatalf("only %d records", len(jobs)/3)
	}
	for i, j := range run(t, h, jobs...) {
		if right := i%3 == 0; j.Err != nil || j.Match != right || j.Rehash != right {
			t.Errorf("record %d, password %d: match %v, rehash %v, %v; want %v", i/3+1, i%3, j.Match, j.Rehash, j.Err, right)
		}
	}
}

// Hashes by other implementations: argon2id by the reference implementation (its test suite), bcrypt by OpenBSD's.
func TestVerifyHashesOfOtherSystems(t *testing.T) {
	tests := []struct{ password, hash string }{
		{"password", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"},
		{"password", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"},
		{"U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"},
		{"U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"},
		{"U*U", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"},
		{"U*U", "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"},
	}
	h := newTestHasher(t)
	for _, tt := range tests {
		got := run(t, h, Verify(tt.password, tt.hash), Verify(tt.password+"x", tt.hash))
		if got[0].Err != nil || !got[0].Match || !got[0].Rehash || got[1].Err != nil || got[1].Match || got[1].Rehash {
			t.Errorf("%s: right password: %v %v, wrong one: %v %v", tt.hash[:12], got[0].Match, got[0].Err, got[1].Match,
				got[1].Err)
		}
	}
}

func TestNeedsRehash(t *testing.T) {
	h := newTestHasher(t)
	fresh := run(t, h, New("secret"))[0].Hash
	tests := map[string]bool{
		fresh:                                 false,
		hashString(someSalt, "1001", someKey): true,
		hashString(someSalt, "999", someKey):  true,
		someSalt + "$" + someKey:              true,
		fresh + "$pepper1":                    true,
		"$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW": true,
		"malformed": true,
	}
	for hash, want := range tests {
		if got := h.NeedsRehash(hash); got != want {
			t.Errorf("NeedsRehash of a hash of %d characters = %v, want %v", len(hash), got, want)
		}
	}
	if j := run(t, h, Verify("secret", fresh))[0]; !j.Match || j.Rehash {
		t.Errorf("a fresh hash: match %v, rehash %v", j.Match, j.Rehash)
	}
}

func TestPepper(t *testing.T) {
	key := func(c string) string { return strings.Repeat(c, 64) }
	load := func(text string) *Pepper {
		path := filepath.Join(t.TempDir(), "pepper")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := LoadPepper(path)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	hasher := func(p *Pepper) *Hasher {
		h, err := NewHasher(Config{Iterations: MinIterations, Pepper: p})
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	plain, first := hasher(nil), hasher(load("# the first\n\none:"+key("a")+"\n"))
	rotated, other := hasher(load("two:"+key("b")+"\none:"+key("a"))), hasher(load("one:"+key("c")))
	bare := run(t, plain, New("secret"))[0].Hash
	peppered := run(t, first, New("secret"))[0].Hash
	if !strings.HasSuffix(peppered, "$one") || strings.Contains(bare, "$one") {
		t.Fatalf("hashes end in %q and %q", peppered[len(peppered)-4:], bare[len(bare)-4:])
	}
	tests := []struct {
		name          string
		h             *Hasher
		hash          string
		match, rehash bool
		err           error
	}{
		{"same pepper", first, peppered, true, false, nil},
		{"pepper introduced", first, bare, true, true, nil},
		{"pepper rotated", rotated, peppered, true, true, nil},
		{"another key of that id", other, peppered, false, false, nil},
		{"pepper missing", plain, peppered, false, false, ErrUnknownPepper},
		{"no pepper at all", plain, bare, true, false, nil},
	}
	for _, tt := range tests {
		j := run(t, tt.h, Verify("secret", tt.hash))[0]
		if j.Match != tt.match || j.Rehash != tt.rehash || !errors.Is(j.Err, tt.err) {
			t.Errorf("%s: match %v, rehash %v, %v", tt.name, j.Match, j.Rehash, j.Err)
		}
	}
	for name, text := range map[string]string{
		"empty": "", "only a comment": "# x", "no colon": key("a"), "bad id": "a-b:" + key("a"),
		"long id":   strings.Repeat("x", 17) + ":" + key("a"),
		"short key": "a:" + key("a")[2:], "long key": "a:" + key("a") + key("b") + "aa", "not hex": "a:" + key("z"),
		"twice":     "a:" + key("a") + "\na:" + key("b"),
		"too large": strings.Repeat("# comment\n", 10_000),
	} {
		if _, err := parsePepper([]byte(text)); err == nil || strings.Contains(err.Error(), key("a")[2:]) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := LoadPepper(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestDescribe(t *testing.T) {
	tests := []struct{ hash, scheme, cost string }{
		{hashString(someSalt, "1000", someKey), "PBKDF2-HMAC-SHA256", "1000 iterations"},
		{someSalt + "$" + someKey, "PBKDF2-HMAC-SHA256", "100000 iterations"},
		{hashString(someSalt, "1000", someKey) + "$k1", "PBKDF2-HMAC-SHA256 with pepper k1", "1000 iterations"},
		{"$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc", "argon2id",
			"256 KiB, 2 passes, 2 threads"},
		{"$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "bcrypt", "cost 5"},
	}
	for _, tt := range tests {
		if scheme, cost, err := Describe(tt.hash); scheme != tt.scheme || cost != tt.cost || err != nil {
			t.Errorf("%q, %q, %v; want %q, %q", scheme, cost, err, tt.scheme, tt.cost)
		}
	}
	if _, _, err := Describe("x"); !errors.Is(err, ErrMalformedHash) {
		t.Errorf("malformed: %v", err)
	}
}

// A derivation that is under way is given up when its context ends.
func TestRunStopsInTheMiddle(t *testing.T) {
	h, err := NewHasher(Config{Iterations: MaxIterations})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	asked := 0
	j, other := New("secret"), New("secret")
	j.Skip = func() bool {
		if asked++; asked == 3 {
			cancel()
		}
		return false
	}
	h.Run(ctx, []*Job{&j, &other})
	if !errors.Is(j.Err, context.Canceled) || !errors.Is(other.Err, context.Canceled) || asked > 4 {
		t.Errorf("after %d questions: %v, %v", asked, j.Err, other.Err)
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
	checks := run(t, h, Verify("secret", made[0].Hash), Verify("secret", made[1].Hash), Verify(long, made[2].Hash),
		Verify("Secret", made[0].Hash))
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
		"five parts":          hashString(someSalt, "1000", someKey) + "$x$y",
		"bad pepper id":       hashString(someSalt, "1000", someKey) + "$x-y",
		"empty pepper id":     hashString(someSalt, "1000", someKey) + "$",
		"another scheme":      "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E",
		"argon2i":             "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA",
		"argon2id old":        "$argon2id$v=16$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"argon2id greedy":     "$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"argon2id slow":       "$argon2id$v=19$m=65536,t=1000,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"argon2id order":      "$argon2id$v=19$t=2,m=65536,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"argon2id short key":  "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFh",
		"argon2id memory":     "$argon2id$v=19$m=8,t=2,p=4$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"argon2id line break": "$argon2id$v=19$m=256,t=2,p=2$c29tZX\nNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
		"argon2id padding":    "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHR$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
		"bcrypt sign":         "$2b$+5$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"bcrypt greedy":       "$2b$31$abcdefghijklmnopqrstuuUG4GsXlDKYpqtjYYoxZQsUQvS3Lr6Rm",
		"bcrypt short":        "$2b$10$abcdefghijklmnopqrstuu",
		"short salt":          hashString(someSalt[2:], "1000", someKey),
		"short key":           hashString(someSalt, "1000", someKey[2:]),
		"not hex":             hashString(strings.Repeat("z", 32), "1000", someKey),
		"upper case":          hashString(strings.ToUpper(someSalt), "1000", someKey),
		"zero iterations":     hashString(someSalt, "0", someKey),
		"negative iterations": hashString(someSalt, "-1", someKey),
		"too many iterations": hashString(someSalt, "10000001", someKey),
		"overflow":            hashString(someSalt, "99999999999999999999", someKey),
		"leading zero":        hashString(someSalt, "01000", someKey),
		"plus sign":           hashString(someSalt, "+1000", someKey),
		"space":               hashString(someSalt, " 1000", someKey),
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
	if got := run(t, newTestHasher(t), j, New("other")); !errors.Is(got[0].Err, ErrSkipped) || got[0].Hash != "" ||
		got[1].Err != nil {
		t.Errorf("got %v and %v", got[0].Err, got[1].Err)
	}
}

// Refusing costs the same for an unknown user, a current hash and an old, cheap one, all in one derivation; letting in
// costs what the hash does, and what is skipped or unreadable costs nothing.
func TestCost(t *testing.T) {
	const current = 5000
	cheap := run(t, newTestHasher(t), New("secret"))[0].Hash
	skipped := New("secret")
	skipped.Skip = func() bool { return true }
	tests := []struct {
		name string
		job  Job
		want int64
	}{
		{"unknown user", Decoy("secret"), current},
		{"new hash", New("secret"), current},
		{"wrong, current cost", Verify("wrong", hashString(someSalt, "5000", someKey)), current},
		{"wrong, cheap", Verify("wrong", cheap), current},
		{"wrong, costlier", Verify("wrong", hashString(someSalt, "6000", someKey)), 6000},
		{"right, cheap", Verify("secret", cheap), MinIterations},
		{"malformed", Verify("secret", "malformed"), 0},
		{"skipped", skipped, 0},
	}
	for _, tt := range tests {
		h, err := NewHasher(Config{Iterations: current})
		if err != nil {
			t.Fatal(err)
		}
		run(t, h, tt.job)
		if got := h.Iterations(); got != tt.want {
			t.Errorf("%s: %d iterations, want %d", tt.name, got, tt.want)
		}
	}
}

// bcrypt takes no notice of what is beyond 72 bytes: what was mistyped there must not become the password.
func TestLongPasswordIsNotRehashedFromBcrypt(t *testing.T) {
	long := strings.Repeat("0123456789", 9)
	b, err := bcrypt.GenerateFromPassword([]byte(long[:72]), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	short, err := bcrypt.GenerateFromPassword([]byte("ab"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		password, hash string
		match, rehash  bool
	}{
		{long, string(b), true, false},
		{long[:72] + "mistyped", string(b), true, false},
		{long[:72], string(b), true, false},
		{long[:71], string(b), false, false},
		{"ab", string(short), true, true},
		{"ab\x00ab", string(short), false, false},
	}
	for _, tt := range tests {
		j := run(t, newTestHasher(t), Verify(tt.password, tt.hash))[0]
		if j.Match != tt.match || j.Rehash != tt.rehash {
			t.Errorf("%d bytes: match %v, rehash %v; want %v, %v", len(tt.password), j.Match, j.Rehash, tt.match, tt.rehash)
		}
	}
}

// Each cap holds exactly.
func TestCaps(t *testing.T) {
	argon := func(m, tt, p int) string {
		return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", m, tt, p)
	}
	bcrypted := func(cost int) string {
		return fmt.Sprintf("$2b$%02d$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", cost)
	}
	tests := []struct {
		hash string
		ok   bool
	}{
		{hashString(someSalt, "10000000", someKey), true}, {hashString(someSalt, "10000001", someKey), false},
		{argon(131072, 4, 4), true}, {argon(131073, 1, 1), false}, {argon(131072, 5, 1), false},
		{argon(1024, 16, 1), true}, {argon(1024, 17, 1), false}, {argon(1024, 1, 5), false}, {argon(8, 1, 1), true},
		{argon(7, 1, 1), false},
		{bcrypted(13), true}, {bcrypted(14), false}, {bcrypted(4), true}, {bcrypted(3), false},
	}
	for _, tt := range tests {
		if _, err := parse(tt.hash); (err == nil) != tt.ok {
			t.Errorf("%s…: %v, want accepted %v", tt.hash[:min(30, len(tt.hash))], err, tt.ok)
		}
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
	for iterations, ok := range map[int]bool{999: false, 1000: true, 10_000_000: true, 10_000_001: false, 1: false,
		-1: false} {
		if _, err := NewHasher(Config{Iterations: iterations}); (err == nil) != ok {
			t.Errorf("NewHasher(%d): %v", iterations, err)
		}
	}
}

func hasherOf(t *testing.T, cfg Config) *Hasher {
	t.Helper()
	h, err := NewHasher(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// Hashers of one process derive each in its own way, and take each other's hashes.
func TestEachHasherHasItsOwnKernel(t *testing.T) {
	portable := hasherOf(t, Config{Iterations: MinIterations, Kernel: "portable"})
	auto := hasherOf(t, Config{Iterations: MinIterations, Kernel: "auto"})
	fastest := hasherOf(t, Config{Iterations: MinIterations}).Kernel(16)
	for range 2 { // nor does it matter which was used last
		if got := portable.Kernel(16); got != "portable" {
			t.Errorf("a hasher with the portable kernel uses %s", got)
		}
		if got := auto.Kernel(16); got != fastest {
			t.Errorf("a hasher that may choose uses %s beside one that may not, and else %s", got, fastest)
		}
		for _, h := range []*Hasher{portable, auto} {
			job := New("correct horse")
			h.Run(t.Context(), []*Job{&job})
			for _, other := range []*Hasher{portable, auto} {
				check := Verify("correct horse", job.Hash)
				other.Run(t.Context(), []*Job{&check})
				if !check.Match {
					t.Errorf("%s: a hash by the %s kernel does not match: %v", other.Kernel(1), h.Kernel(1), check.Err)
				}
			}
		}
	}
	if _, err := NewHasher(Config{Kernel: "abacus"}); err == nil || !strings.Contains(err.Error(), "abacus") {
		t.Errorf("an unknown kernel: %v", err)
	}
}

func FuzzParseHash(f *testing.F) {
	for _, s := range []string{
		hashString(someSalt, "10000", someKey),
		"5f14740d5493f4de552bc5517834724b$b6754e0cbba0bac05a056e6ffd1fcc0aadbe49b6b75656703bbec3c3474bac0e",
		hashString(someSalt, "10000000", someKey),
		"$$", "$", "", someSalt + "$" + someKey, hashString(someSalt, "1000", someKey) + "$k1",
		"$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc", someSalt + "$1$",
		"$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$a2V5",
		"$rg1old$md5(password+'salt')$5f4dcc3b5aa765d61d8327deb882cf99",
		"$rg1over$md5(0xff+password)|sha1(password)$" + hashString(someSalt, "1000", someKey) + "$k1",
		"$rg1over$descrypt(password,'ab')$" + someSalt + "$" + someKey,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parse(s)
		if err != nil {
			if !errors.Is(err, ErrMalformedHash) {
				t.Fatalf("error %v is not ErrMalformedHash", err)
			}
			return
		}
		scheme, cost := h.describe()
		if scheme == "" || cost == "" {
			t.Fatalf("%q cannot be described", s)
		}
		switch h := h.(type) {
		case *oldHash:
			written := oldPrefix + h.recipe.String() + "$" + hex.EncodeToString(h.digest)
			if h.over != nil {
				written = overPrefix + h.recipe.String() + "$" + h.over.String()
			}
			if written != s {
				t.Fatalf("%q is written %q", s, written)
			}
		case *pbkdf2Hash:
			if h.String() != s {
				t.Fatalf("%q reads back as %q", s, h.String())
			}
			if len(h.salt) != SaltLen || len(h.key) != KeyLen || h.iterations < 1 || h.iterations > MaxIterations {
				t.Fatalf("%q: out of bounds %+v", s, h)
			}
		case *argonHash:
			if h.memory > maxArgonMemory || h.passes > maxArgonPasses || h.threads > maxArgonThreads || h.threads < 1 {
				t.Fatalf("%q asks for too much", s)
			}
		case bcryptHash:
			if n, err := bcrypt.Cost([]byte(h)); err != nil || n > maxBcryptCost {
				t.Fatalf("%q: cost %d, %v", s, n, err)
			}
		}
	})
}

func FuzzParsePepper(f *testing.F) {
	f.Add([]byte("one:" + strings.Repeat("a", 64)))
	f.Add([]byte("# comment\n\ntwo:" + strings.Repeat("b", 128) + "\r\none:" + strings.Repeat("0f", 32)))
	f.Add([]byte(":::"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parsePepper(b)
		if err != nil {
			return
		}
		if _, ok := p.apply(p.current, "secret"); !ok || !validPepperID(p.current) {
			t.Fatalf("the current pepper %q cannot be used", p.current)
		}
	})
}

func BenchmarkHash(b *testing.B) {
	h, err := NewHasher(Config{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		j := New("correct horse")
		h.Run(b.Context(), []*Job{&j})
	}
}
