package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/internal/audit"
	"github.com/rushgate/rushgate/internal/importer/scheme"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/server"
	"github.com/rushgate/rushgate/store/sqlite"
)

// runImportRecords runs "rushgate import records" with the cheapest hashes.
func runImportRecords(t *testing.T, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	args = append([]string{"import", "records", "--password-hash-iterations", "1000"}, args...)
	status := run(t.Context(), args, &stdout, &stderr)
	return outcome{status, stdout.String(), stderr.String()}
}

// imported is a vector under a name that no other has.
type imported struct {
	scheme.Vector
	As string `json:"as"`
}

func writeRecords(t *testing.T, all []imported) string {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	for _, v := range all {
		if err := e.Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "records.jsonl")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// login logs in as a client of an address of its own, and returns the status.
func login(t *testing.T, s *server.Server, client int, name, password string) int {
	t.Helper()
	body, err := json.Marshal(map[string]string{"username": name, "password": password})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+s.HTTPAddr().String()+"/v1/login", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Forwarded-For", fmt.Sprintf("192.0.%d.%d", client/250, client%250+1))
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

func startOnImported(t *testing.T, dir string) *server.Server {
	t.Helper()
	s, err := server.Start(t.Context(), server.Config{
		HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", UDPAddr: "127.0.0.1:0", DataDir: dir, HashIterations: password.MinIterations,
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop() })
	return s
}

// Every record that is known of another system is brought in, without its hash if that is weak, and opens by its password,
// after which its hash is one of this server's own; and by no other.
func TestImportedRecordsLogIn(t *testing.T) {
	all := vectors(t)
	path, dir := writeRecords(t, all), filepath.Join(t.TempDir(), "data")
	runImportRecords(t, "--file", path, "--data", dir, "--dry-run").want(t, 0, fmt.Sprintf("would do  %d accounts", len(all)), "")
	runImportRecords(t, "--file", path, "--data", dir).want(t, 0, fmt.Sprintf("imported  %d accounts", len(all)), "")
	runImportRecords(t, "--file", path, "--data", dir).want(t, 0, fmt.Sprintf("present   %d accounts", len(all)), "")
	wantImports(t, dir, len(all))
	weak, hashes := 0, storedHashes(t, dir, all)
	for i, v := range all {
		hash := hashes[i]
		if strings.HasPrefix(hash, "$rg1over$") || !strings.HasPrefix(hash, "$") {
			weak++
		}
		digest := proofOf(t, v).Digest
		if len(digest) < 40 && strings.Contains(hash, fmt.Sprintf("%x", digest)) && !strings.HasPrefix(hash, "$rg1old$") {
			t.Errorf("%s: the old digest is stored", v.System)
		}
	}
	t.Logf("%d of %d were hardened", weak, len(all))

	s := startOnImported(t, dir)
	for i, v := range all {
		if proofOf(t, v).Recipe.Cost() < password.WeakBelow {
			if got := login(t, s, i, v.As, "x"+v.Password); got != http.StatusUnauthorized {
				t.Errorf("%s (%s): a wrong password is answered %d", v.System, v.As, got)
			}
		}
		if got := login(t, s, i, v.As, v.Password); got != http.StatusOK {
			t.Errorf("%s (%s): the right password is answered %d", v.System, v.As, got)
		}
	}
	s.Stop()
	hashes = storedHashes(t, dir, all)
	for i, v := range all {
		if hash := hashes[i]; strings.Count(hash, "$1000$") != 1 || hash[0] == '$' {
			if len(v.Password) < 72 { // of longer ones bcrypt tells nothing, so that they are kept
				t.Errorf("%s (%s): the hash was not replaced at the login", v.System, v.As)
			}
		}
	}
}

// wantImports checks that the audit log has the two imports that were no dry runs, and what came of each.
func wantImports(t *testing.T, dir string, players int) {
	t.Helper()
	store := openDatabase(t, dir, sqlite.Options{})
	defer store.Close()
	entries, err := audit.Read(t.Context(), store, 1, 100)
	if err != nil || len(entries) != 4 {
		t.Fatalf("%d entries, %v: %+v", len(entries), err, entries)
	}
	for i, want := range []string{fmt.Sprintf("%d imported, 0 refused", players), "0 imported, 0 refused"} {
		first, last := entries[2*i], entries[2*i+1]
		if first.What != "store.import" || last.Of != first.Seq || last.Outcome != "done" || last.Detail != want {
			t.Errorf("%+v, %+v; want %q", first, last, want)
		}
	}
}

// vectors returns those of all families; unless RUSHGATE_LONG asks for all, one of each recipe: package scheme compares
// each record with its password.
func vectors(t *testing.T) (all []imported) {
	t.Helper()
	recipes, had := map[string]string{}, map[string]bool{}
	for _, f := range scheme.Builtin().Families() {
		for _, s := range f.Schemes {
			recipes[s.Name] = s.Recipe
		}
	}
	for _, f := range scheme.Builtin().Families() {
		for _, v := range f.Vectors {
			i := imported{v, fmt.Sprintf("player-%03d", len(all))}
			recipe := recipes[proofOf(t, i).Scheme]
			if v.Password == "" || had[recipe] && os.Getenv("RUSHGATE_LONG") == "" {
				continue
			}
			had[recipe] = true
			all = append(all, i)
		}
	}
	return all
}

func storedHashes(t *testing.T, dir string, all []imported) []string {
	t.Helper()
	store := openDatabase(t, dir, sqlite.Options{})
	defer store.Close()
	names := make([]string, len(all))
	for i := range all {
		names[i] = all[i].As
	}
	accounts, err := store.LoadAccounts(t.Context(), names)
	if err != nil {
		t.Fatal(err)
	}
	hashes := make([]string, len(all))
	for i := range accounts {
		hashes[i] = accounts[i].PasswordHash
	}
	return hashes
}

func proofOf(t *testing.T, v imported) *scheme.Proof {
	t.Helper()
	p, err := scheme.Builtin().Recognise(v.Record)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
