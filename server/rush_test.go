package server_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/cpuclock"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/server"
	"github.com/rushgate/rushgate/store/sqlite"
)

// rush is how many players log in at once, while others change their passwords or have lost them.
type rush struct{ Logins, Changes, Recoveries int }

// A thousand log in at once, beside two hundred who change their passwords and two hundred who have lost them. All get
// in, and what they do not notice of the others is shown as the ratio of paired runs: of the time until nine of ten are
// in, and of that until the last is, which depends on when a few were told to come again.
func TestRushBesideErrands(t *testing.T) {
	all, pairs, iterations := rush{40, 10, 10}, 1, password.MinIterations
	if os.Getenv("RUSHGATE_LONG") != "" {
		all, pairs, iterations = rush{1000, 200, 200}, 15, password.DefaultIterations
	}
	var ratios, lasts, ticks []float64
	for i := range pairs {
		var alone, beside rushed
		if i%2 == 0 {
			alone = all.run(t, false, iterations)
		}
		beside = all.run(t, true, iterations)
		if i%2 != 0 {
			alone = all.run(t, false, iterations)
		}
		ratios = append(ratios, alone.most.Seconds()/beside.most.Seconds())
		lasts = append(lasts, alone.took.Seconds()/beside.took.Seconds())
		ticks = append(ticks, beside.late/max(alone.late, 1e-3))
		t.Logf("%d logins alone: %v", all.Logins, alone)
		t.Logf("beside %d changes and %d recoveries: %v; goodput %.3f, to the last %.3f", all.Changes, all.Recoveries,
			beside, ratios[i], lasts[i])
	}
	for _, figures := range [][]float64{ratios, lasts, ticks} {
		slices.Sort(figures)
	}
	t.Logf("goodput beside errands is %.3f of that without them (median of %d pairs, quartiles %.3f and %.3f), to "+
		"the last login %.3f (%.3f and %.3f); tick p99 %.2f times", ratios[pairs/2], pairs, ratios[pairs/4],
		ratios[3*pairs/4], lasts[pairs/2], lasts[pairs/4], lasts[3*pairs/4], ticks[pairs/2])
}

// rushed is what a rush has taken.
type rushed struct {
	most    time.Duration // until nine of ten logins were in
	took    time.Duration // until the last was
	cpu     time.Duration // of the node until then
	late    float64       // of the tick, its 99th percentile, in milliseconds
	errands int64         // that were done by then
	all     time.Duration // until the last errand was done
}

func (r rushed) String() string {
	return fmt.Sprintf("%v and %v, %v of CPU, tick p99 %.2f ms, %d errands within, all after %v",
		r.most.Round(time.Millisecond), r.took.Round(time.Millisecond), r.cpu.Round(time.Millisecond),
		r.late, r.errands, r.all.Round(time.Millisecond))
}

// run is one rush, at a node of its own, of clients in a process of their own. The players who have errands are inside
// or known in any case; whether they come with them is the difference.
func (r rush) run(t *testing.T, errands bool, iterations int) rushed {
	return r.runBeside(t, errands, iterations, func(*server.Config) {}, func(*server.Server) func() { return func() {} })
}

// runBeside is run at a node that is configured otherwise, beside something that begins a moment before the rush and
// ends when it is told to.
func (r rush) runBeside(
	t *testing.T, errands bool, iterations int, change func(*server.Config), beside func(*server.Server) (end func()),
) (out rushed) {
	dir, crowd := t.TempDir(), startCrowd(t, r, errands)
	fillForRush(t, dir, r, iterations)
	cfg := config(t, dir)
	cfg.SMTPURL, cfg.SMTPCA, cfg.MailFrom = crowd.hears(t, "mail"), crowd.hears(t, "authority"), "noreply@example.org"
	cfg.HashIterations, cfg.OriginShare, cfg.OriginFailures = iterations, 100, server.Unbounded
	change(&cfg)
	s := start(t, cfg)
	defer s.Stop()
	crowd.tell(t, s.HTTPAddr().String())
	crowd.hears(t, "ready")
	defer beside(s)()
	begun, used := time.Now(), cpuclock.Process()
	crowd.tell(t, "go")
	crowd.hears(t, "most")
	out.most = time.Since(begun)
	crowd.hears(t, "in")
	out.took, out.cpu = time.Since(begun), cpuclock.Process()-used
	read := readDump(t, s)
	out.late, out.errands = read.Tick.Lateness.P99, read.Auth.Errands.Success
	crowd.hears(t, "done")
	out.all = time.Since(begun)
	crowd.end(t)
	return out
}

// fillForRush makes the accounts of a rush, in a folder on which no node runs, with one hash for all.
func fillForRush(t *testing.T, dir string, r rush, iterations int) {
	t.Helper()
	hasher, err := password.NewHasher(password.Config{Iterations: iterations})
	if err != nil {
		t.Fatal(err)
	}
	job := password.New(oldPassword)
	hasher.Run(context.Background(), []*password.Job{&job})
	store, err := sqlite.Open(t.Context(), filepath.Join(dir, server.DatabaseName), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var accounts []rushgate.Account
	for name, n := range map[string]int{"rusher": r.Logins, "changer": r.Changes, "loser": r.Recoveries} {
		if n == 0 {
			continue
		}
		first, err := store.ReserveIDs(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			a := rushgate.Account{
				ID: first + rushgate.PlayerID(i), Username: fmt.Sprint(name, i), PasswordHash: job.Hash, CreatedAt: time.Now(),
			}
			if name == "loser" {
				a.Credentials = []rushgate.Credential{{Kind: account.Email, Subject: a.Username + "@example.org"}}
			}
			accounts = append(accounts, a)
		}
	}
	errs, err := store.CreateAccounts(t.Context(), accounts)
	for _, e := range append(errs, err) {
		if e != nil {
			t.Fatal(e)
		}
	}
}
