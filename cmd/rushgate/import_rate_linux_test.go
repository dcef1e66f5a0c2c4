package main

import (
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/importer"
	"github.com/rushgate/rushgate/internal/pbkdf2x"
	"github.com/rushgate/rushgate/internal/redistest"
	"github.com/rushgate/rushgate/password"
)

// writeAuthMe writes the database of AuthMe with so many players, whose passwords are fast hashes or bcrypt's.
func writeAuthMe(t *testing.T, n int, bcrypt bool) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "authme.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, q := range []string{"PRAGMA synchronous = off", "PRAGMA journal_mode = off",
		"CREATE TABLE authme (id INTEGER PRIMARY KEY, username TEXT, realname TEXT, password TEXT, lastlogin, regdate, email TEXT)"} {
		if _, err := db.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	insert, err := tx.PrepareContext(t.Context(), "INSERT INTO authme VALUES (NULL, ?, ?, ?, 1700000000000, 1600000000000, '')")
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		sum := fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, "salt and password ", i)))
		hash := "$SHA$" + sum[:16] + "$" + sum
		if bcrypt {
			hash = "$2a$10$" + sum[:21] + "u" + sum[:30] + "K"
		}
		if _, err := insert.ExecContext(t.Context(), fmt.Sprintf("player%07d", i), fmt.Sprintf("Player%07d", i), hash); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	return path
}

// importCost is what an import came to, in a process of its own.
type importCost struct {
	importer.Report
	took   time.Duration
	memory int64 // the most that was in RAM, in bytes
}

func measureImport(t *testing.T, n int, args ...string) importCost {
	t.Helper()
	report := filepath.Join(t.TempDir(), "report.json")
	start := time.Now()
	cmd, said := startImport(t, append(args, "--system", "authme SHA256", "--json", report)...)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v:\n%s", err, said)
	}
	r := importCost{took: time.Since(start), memory: cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10}
	b, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &r.Report); err != nil || r.Imported != n {
		t.Fatalf("%v, %d imported:\n%s", err, r.Imported, said)
	}
	return r
}

// kernelRate is how many hashes of the default cost the kernel makes a second on all cores, with nothing beside it.
func kernelRate(t *testing.T, n int) float64 {
	t.Helper()
	kernel, err := pbkdf2x.Named(pbkdf2x.Auto)
	if err != nil {
		t.Fatal(err)
	}
	const atOnce = 16
	cores := runtime.GOMAXPROCS(0)
	start := time.Now()
	var working sync.WaitGroup
	for range cores {
		working.Go(func() {
			for range n / cores / atOnce {
				lanes := make([]*pbkdf2x.Lane, atOnce)
				for i := range lanes {
					lanes[i] = &pbkdf2x.Lane{Password: []byte("password"), Salt: make([]byte, password.SaltLen),
						Iterations: password.DefaultIterations}
				}
				kernel.Derive(lanes)
			}
		})
	}
	working.Wait()
	return float64(n) / time.Since(start).Seconds()
}

// importStores are the stores to import into.
func importStores(t *testing.T) map[string]func() []string {
	return map[string]func() []string{
		"SQLite": func() []string { return []string{"--data", filepath.Join(t.TempDir(), "data")} },
		"Redis":  func() []string { return []string{"--db", "redis", "--redis-url", redistest.Start(t).URL()} },
	}
}

// Hardening takes as long as the kernel alone would, but for a tenth at the most: cores wait neither for the file nor
// for the store. The kernel is measured before and after, and the faster counts; other programs
// only ever make an import slower, so that it may be tried again.
func TestImportHardensAsFastAsTheKernel(t *testing.T) {
	if os.Getenv("RUSHGATE_LONG") == "" {
		t.Skip("measures; set RUSHGATE_LONG to run it. TestHardeningNeverWaits is the short one")
	}
	const n, tries = 8 << 10, 3
	file := writeAuthMe(t, n, false)
	for store, where := range importStores(t) {
		best := 0.0
		for try := 0; try < tries && best < 0.9; try++ {
			before := kernelRate(t, n/4)
			r := measureImport(t, n, append(where(), "--file", file,
				"--password-hash-iterations", fmt.Sprint(password.DefaultIterations))...)
			kernel := max(before, kernelRate(t, n/4))
			hardening := n / r.Hardening.Seconds()
			t.Logf("%s: kernel %.0f/s on %d cores, hardening %.0f/s (%.3f), import in all %.0f/s (%.3f)", store, kernel,
				runtime.GOMAXPROCS(0), hardening, hardening/kernel, n/r.took.Seconds(), n/r.took.Seconds()/kernel)
			best = max(best, hardening/kernel)
		}
		if best < 0.9 {
			t.Errorf("%s: hardening goes at %.3f of the kernel's speed", store, best)
		}
	}
}

// How a million accounts are read, hardened at a cost that leaves the rest of the work to be seen, or kept, and stored.
func TestImportOfAMillion(t *testing.T) {
	if os.Getenv("RUSHGATE_LONG") == "" {
		t.Skip("measures; set RUSHGATE_LONG to run it")
	}
	const n = 1_000_000
	var table strings.Builder
	for _, kept := range []bool{false, true} {
		file := writeAuthMe(t, n, kept)
		for store, where := range importStores(t) {
			r := measureImport(t, n, append(where(), "--file", file)...)
			fmt.Fprintf(&table, "%-6s kept %-5v read in %5.1f s, written in %5.1f s (%.0f/s), hardened in %5.1f s, %.0f MiB\n", store, kept,
				r.Reading.Seconds(), r.Writing.Seconds(), r.Rate(), r.Hardening.Seconds(), float64(r.memory)/(1<<20))
		}
	}
	t.Logf("a million accounts of AuthMe, hardened with %d iterations:\n%s", password.MinIterations, table.String())
}
