package records

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/importer"
	"github.com/rushgate/rushgate/internal/importer/scheme"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/store/memory"
	"github.com/rushgate/rushgate/store/sqlite"
)

const md5OfPassword = "5f4dcc3b5aa765d61d8327deb882cf99"

func open(t testing.TB, lines ...string) *Source {
	t.Helper()
	path := filepath.Join(t.TempDir(), "records.jsonl")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path, scheme.Builtin())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// line is a record of Freeciv, whose hashes are the shortest.
func line(name, more string) string {
	b, err := json.Marshal(name)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{"system": "freeciv", "username": %s, "stored": {"password": %q}%s}`, b, md5OfPassword, more)
}

func hasher(t testing.TB, iterations int) *password.Hasher {
	t.Helper()
	h, err := password.NewHasher(password.Config{Iterations: iterations})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func mustImport(t testing.TB, s *Source, store rushgate.Store, dry bool) importer.Report {
	t.Helper()
	r, err := importer.Import(t.Context(), s, store,
		importer.Options{DryRun: dry, BatchSize: 3, Harden: Harden(hasher(t, password.MinIterations))})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// hashOfName returns the hash that a store has of a name.
func hashOfName(t *testing.T, store rushgate.Store, name string) string {
	t.Helper()
	loaded, err := store.LoadAccounts(t.Context(), []string{name})
	if err != nil || loaded[0].Err != nil {
		t.Fatal(err, loaded[0].Err)
	}
	return loaded[0].PasswordHash
}

func verify(t *testing.T, hash, pw string) password.Job {
	t.Helper()
	job := password.Verify(pw, hash)
	hasher(t, password.MinIterations).Run(t.Context(), []*password.Job{&job})
	if job.Err != nil {
		t.Fatal(job.Err)
	}
	return job
}

// A weak hash is nowhere in what is stored, a slow one is kept as others know it where they do, and a password in plain
// text becomes a hash of this server's own.
func TestWhatIsStored(t *testing.T) {
	store := memory.New(memory.Options{})
	r := mustImport(t, open(t,
		line("weak", ""),
		`{"system": "tinymux", "username": "both", "stored": "$SHA1$3m5CbwnLuNVJ$cRMVT/8nFNYyud4f2PDwUh66wpg="}`,
		`{"system": "x", "username": "slow", "stored": "$2y$10$abcdefghijklmnopqrstuuVxrIdT0vjUpB4MyCPDlM.HLUnKfnWy6"}`,
		`{"system": "phpbb", "username": "esc", "stored": "$2y$10$abcdefghijklmnopqrstuuVxrIdT0vjUpB4MyCPDlM.HLUnKfnWy6"}`,
		`{"system": "rathena", "username": "plain", "stored": {"user_pass": "correct horse"}}`,
	), store, false)
	if r.Imported != 5 || r.Hardened != 3 || r.Refused != 0 || r.Kinds["freeciv md5"] != 1 {
		t.Errorf("%+v", r)
	}
	for name, want := range map[string]struct{ form, password string }{
		"weak":  {"$rg1over$md5(password)$", "password"},
		"both":  {"$rg1over$sha1('3m5CbwnLuNVJ'+password)|", "opensesame"},
		"slow":  {"$2b$10$abcdefghijklmnopqrstuuVxrIdT0vjUpB4MyCPDlM.HLUnKfnWy6", "Open Sesame 9"},
		"esc":   {"$rg1old$bcrypt(html(nfc(password)),", "Open Sesame 9"},
		"plain": {"", "correct horse"},
	} {
		hash := hashOfName(t, store, name)
		if !strings.HasPrefix(hash, want.form) || strings.Contains(hash, md5OfPassword) || strings.Contains(hash, "correct") {
			t.Errorf("%s has %q", name, hash)
		}
		if hash == want.form { // as it was
			continue
		}
		if job := verify(t, hash, want.password); !job.Match || job.Rehash != (want.form != "") {
			t.Errorf("%s: match %v, rehash %v", name, job.Match, job.Rehash)
		}
		if name == "esc" { // what is kept takes its time, and package password tries it
			continue
		}
		if job := verify(t, hash, "not "+want.password); job.Match || job.Rehash {
			t.Errorf("%s: a wrong password matches", name)
		}
	}
}

// Names that are one here are not merged: the one that is spelled as here is brought in, and "as" is for the others.
func TestNames(t *testing.T) {
	store := memory.New(memory.Options{})
	r := mustImport(t, open(t,
		line("Alice", ""), line("alice", ""), line("ALICE", `, "as": "alice-2"`), line("Bob B", ""),
		line("tarin@example.test", ""), line("Al", ""), line("bob b", ""), line("Alice", ""), line("x\u0001y", ""),
	), store, false)
	want := map[importer.Cause]int{importer.DuplicateName: 1, importer.DuplicateKey: 1, importer.Malformed: 1}
	if r.Imported != 6 || r.Refused != 3 {
		t.Errorf("%+v", r)
	}
	for cause, n := range want {
		if r.RefusedBy[cause] != n {
			t.Errorf("%d refused for %s, want %d", r.RefusedBy[cause], cause, n)
		}
	}
	for _, name := range []string{"alice", "alice-2", "Bob B", "bob b", "tarin@example.test", "Al"} {
		if job := verify(t, hashOfName(t, store, name), "password"); !job.Match {
			t.Errorf("%s is not there", name)
		}
	}
}

// Names that only look alike are names of their own, which the report lists; and a player who is here already keeps the
// name, whose password stays what it is.
func TestNamesOfOthers(t *testing.T) {
	store := memory.New(memory.Options{})
	job := password.New("mine")
	hasher(t, password.MinIterations).Run(t.Context(), []*password.Job{&job})
	here := rushgate.Account{ID: 1, Username: "bob", PasswordHash: job.Hash, CreatedAt: time.Now()}
	if _, err := store.ReserveIDs(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if errs, err := store.CreateAccounts(t.Context(), []rushgate.Account{here}); err != nil || errs[0] != nil {
		t.Fatal(errs, err)
	}
	// The second has a Cyrillic letter, and the last is wide: it counts as "bob".
	lines := []string{line("alice", ""), line("аlice", ""), line("BOB", ""), line("ｂob", ""), line("carol", "")}
	for _, dry := range []bool{true, false} {
		r := mustImport(t, open(t, lines...), store, dry)
		if r.Imported != 3 || r.RefusedBy[importer.NameTaken] != 1 || r.RefusedBy[importer.DuplicateName] != 1 ||
			r.Alike != 1 || r.AlikeAccounts[0] != `"\u0430lice" looks like "alice"` {
			t.Errorf("dry run %v: %+v", dry, r)
		}
	}
	if !verify(t, hashOfName(t, store, "bob"), "mine").Match {
		t.Error("bob has another password")
	}
}

// The name that is hashed in is the one of the record, whatever the account is called here.
func TestHashedNameIsKept(t *testing.T) {
	store := memory.New(memory.Options{})
	const line = `{"system": "minetest", "username": "MAlice", "as": "somebody else", ` +
		`"stored": {"auth.password": "eTRo8nzl0KUTWceP0ATA8FQ1PBY"}}`
	mustImport(t, open(t, line), store, false)
	if job := verify(t, hashOfName(t, store, "somebody else"), "open sesame"); !job.Match || !job.Rehash {
		t.Errorf("match %v, rehash %v", job.Match, job.Rehash)
	}
}

// A bad record is refused, with the reason and without its contents, and harms no other.
func TestRefusals(t *testing.T) {
	const secret = "s3cr3t"
	bad := map[string]importer.Cause{
		`{"system": "freeciv", "username": "a", "stored": {"password": "` + secret + `"}}`: importer.UnknownForm,
		`{"system": "nobody", "username": "b", "stored": {"password": "` + secret + `"}}`:  importer.UnknownSystem,
		`{"system": "freeciv", "username": "c"}`:                                           importer.Unreadable,
		`{"system": "freeciv", "username": "", "stored": "` + secret + `"}`:                importer.Unreadable,
		`{"username": "d", "stored": "` + secret + `"}`:                                    importer.Unreadable,
		`{"system": "freeciv", "username": 7, "stored": {}}`:                               importer.Unreadable,
		`{"system": "freeciv", "system": "x", "username": "e", "stored": {}}`:              importer.Unreadable,
		`{"system": "freeciv", "username": "i", "stored": {"password": "` + md5OfPassword + `", "password": "` +
			secret + `"}}`: importer.Unreadable,
		`["` + secret + `"]`:               importer.Unreadable,
		secret:                             importer.Unreadable,
		"{\"username\": \"\xff\"}":         importer.Unreadable,
		line("f", "") + secret:             importer.Unreadable,
		line(`g\ud800`, "")[:30] + secret:  importer.Unreadable,
		line("h", `, "password": "`)[:80]:  importer.Unreadable,
		strings.Repeat("x", 300<<10):       importer.Unreadable,
		line(strings.Repeat("n", 200), ""): importer.Malformed,
	}
	var lines []string
	counts := map[importer.Cause]int{}
	for text, cause := range bad {
		lines = append(lines, text, line(fmt.Sprint("good-", len(lines)), `, "password": {"never": "read"}`))
		counts[cause]++
	}
	store := memory.New(memory.Options{})
	r := mustImport(t, open(t, lines...), store, false)
	if r.Imported != len(bad) || r.Refused != len(bad) {
		t.Errorf("%d imported, %d refused, want %d: %v", r.Imported, r.Refused, len(bad), r.Refusals)
	}
	for cause, n := range counts {
		if r.RefusedBy[cause] != n {
			t.Errorf("%d refused for %s, want %d: %v", r.RefusedBy[cause], cause, n, r.Refusals)
		}
	}
	text := fmt.Sprint(r.Refusals)
	if strings.Contains(text, secret) {
		t.Errorf("the report quotes what is stored: %s", text)
	}
	if !strings.Contains(text, `"stored": "password" is there twice`) {
		t.Errorf("the report does not say which name is there twice: %s", text)
	}
}

// An account that had an empty password is there, and no password opens it until the operator sets one.
func TestEmptyPasswordsAreLocked(t *testing.T) {
	store := memory.New(memory.Options{})
	const empty = "d41d8cd98f00b204e9800998ecf8427e" // MD5 of nothing
	lines := []string{
		strings.Replace(line("dave", ""), md5OfPassword, empty, 1),
		`{"system": "minetest", "username": "erin", "stored": {"auth.password": ""}}`,
	}
	for _, dry := range []bool{true, false} {
		r := mustImport(t, open(t, lines...), store, dry)
		if r.Imported != 2 || r.Locked != 2 || len(r.LockedAccounts) != 2 {
			t.Errorf("dry run %v: %+v", dry, r)
		}
	}
	for _, name := range []string{"dave", "erin"} {
		if job := verify(t, hashOfName(t, store, name), ""); job.Match {
			t.Errorf("an empty password opens %s", name)
		}
	}
}

// An import that is interrupted goes on where it was, and hardens nothing twice.
func TestImportGoesOn(t *testing.T) {
	store := memory.New(memory.Options{})
	var lines []string
	for i := range 20 {
		lines = append(lines, line(fmt.Sprint("player-", i), ""))
	}
	var hardened atomic.Int32
	var stopped atomic.Bool
	counting := func(h func(context.Context, []*importer.Account) error) func(context.Context, []*importer.Account) error {
		return func(ctx context.Context, accounts []*importer.Account) error {
			hardened.Add(int32(len(accounts)))
			if accounts[0].Name == "player-8" && stopped.CompareAndSwap(false, true) {
				return errStop
			}
			return h(ctx, accounts)
		}
	}
	opts := importer.Options{BatchSize: 4, Harden: counting(Harden(hasher(t, password.MinIterations)))}
	if _, err := importer.Import(t.Context(), open(t, lines...), store, opts); !errors.Is(err, errStop) {
		t.Fatal(err)
	}
	r, err := importer.Import(t.Context(), open(t, lines...), store, opts)
	if err != nil || r.Present != 8 || r.Imported != 12 || r.Hardened != 12 || hardened.Load() > 28 {
		t.Errorf("%+v, %v; %d hardened", r, err, hardened.Load())
	}
	// A login replaces the hash, which the import does not take for another account.
	if r := mustImport(t, open(t, lines...), store, false); r.Present != 20 {
		t.Errorf("%+v", r)
	}
}

var errStop = errors.New("stop")

func FuzzParseLine(f *testing.F) {
	f.Add([]byte(line("Alice", `, "as": "b", "password": "x"`)))
	f.Add([]byte(`{"system":"s","username":"u","stored":"$2y$10$"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseLine(b)
		if err == nil && (r.Username == "" || r.Stored == nil || r.name() == "") {
			t.Errorf("%q is read as %+v", b, r)
		}
	})
}

// BenchmarkHarden compares an import that hardens with the hashing that it is made of, on all cores, in turns.
func BenchmarkHarden(b *testing.B) {
	const n = 1024
	h := hasher(b, password.DefaultIterations)
	var lines []string
	for i := range n {
		lines = append(lines, fmt.Sprintf(`{"system": "authme SHA256", "username": "player-%d", "stored": {"password": `+
			`"$SHA$0f1e2d3c4b5a6978$%064x"}}`, i, i))
	}
	var kernel, all time.Duration
	for b.Loop() {
		start := time.Now()
		var wg sync.WaitGroup
		cores := runtime.GOMAXPROCS(0)
		for range cores {
			wg.Go(func() {
				jobs := make([]*password.Job, n/cores)
				for i := range jobs {
					job := password.Decoy("pw")
					jobs[i] = &job
				}
				h.Run(b.Context(), jobs)
			})
		}
		wg.Wait()
		kernel += time.Since(start)
		start = time.Now()
		opts := importer.Options{Harden: Harden(h), BatchSize: n}
		_, err := importer.Import(b.Context(), open(b, lines...), newSQLite(b), opts)
		if err != nil {
			b.Fatal(err)
		}
		all += time.Since(start)
	}
	b.ReportMetric(float64(b.N*n)/kernel.Seconds(), "kernel/s")
	b.ReportMetric(float64(b.N*n)/all.Seconds(), "accounts/s")
	b.ReportMetric(kernel.Seconds()/all.Seconds(), "of-kernel")
}

func newSQLite(t testing.TB) rushgate.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "players.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
