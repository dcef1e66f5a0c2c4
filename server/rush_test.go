package server_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/server"
	"github.com/rushgate/rushgate/store/sqlite"
)

// rush is how many players log in at once, while others change their passwords or have lost them.
type rush struct{ logins, changes, recoveries int }

// A thousand log in at once, beside two hundred who change their passwords and two hundred who have lost them. All get
// in, and what they do not notice of the others is shown as the ratio of paired runs.
func TestRushBesideErrands(t *testing.T) {
	all, pairs, iterations := rush{40, 10, 10}, 1, password.MinIterations
	if os.Getenv("RUSHGATE_LONG") != "" {
		all, pairs, iterations = rush{1000, 200, 200}, 7, password.DefaultIterations
	}
	var ratios, ticks []float64
	for range pairs {
		alone, lateAlone := rush{logins: all.logins}.run(t, all, iterations)
		beside, lateBeside := all.run(t, all, iterations)
		ratios = append(ratios, alone.Seconds()/beside.Seconds())
		ticks = append(ticks, lateBeside/max(lateAlone, 1e-3))
		t.Logf("%d logins: %v alone (tick p99 %.2f ms), %v beside %d changes and %d recoveries (%.2f ms): %.2f",
			all.logins, alone.Round(time.Millisecond), lateAlone, beside.Round(time.Millisecond), all.changes, all.recoveries,
			lateBeside, ratios[len(ratios)-1])
	}
	slices.Sort(ratios)
	slices.Sort(ticks)
	t.Logf("goodput beside errands is %.3f of that without them (median of %d pairs, %.3f to %.3f); tick p99 %.2f times",
		ratios[pairs/2], pairs, ratios[0], ratios[pairs-1], ticks[pairs/2])
}

// run is one rush, at a node of its own that has the players of room. It returns when the last login was in, and how
// late the tick was at its 99th percentile, in milliseconds.
func (r rush) run(t *testing.T, room rush, iterations int) (took time.Duration, late float64) {
	dir, by := t.TempDir(), mailServer(t)
	fillForRush(t, dir, room, iterations)
	cfg := withMail(t, config(t, dir), by)
	cfg.HashIterations, cfg.OriginShare, cfg.OriginFailures = iterations, 100, server.Unbounded
	s := start(t, cfg)
	defer s.Stop()
	changers := make([]*client.Session, r.changes)
	eachOf(r.changes, func(i int) {
		var err error
		if changers[i], err = from(t, s, i).Login(t.Context(), fmt.Sprint("changer", i), oldPassword); err != nil {
			t.Error(err)
		}
	})
	var rushing, others sync.WaitGroup
	others.Go(func() {
		eachOf(r.changes, func(i int) {
			if err := changers[i].ChangePassword(t.Context(), oldPassword, newPassword); err != nil {
				t.Errorf("a change: %v", err)
			}
		})
	})
	others.Go(func() {
		eachOf(r.recoveries, func(i int) {
			if err := from(t, s, 3000+i).Recover(t.Context(), fmt.Sprint("loser", i), ""); err != nil {
				t.Errorf("a recovery: %v", err)
			}
		})
		for i, m := range by.Await(r.recoveries) {
			c := from(t, s, 3000+i)
			var loser int
			if _, err := fmt.Sscanf(m.To, "loser%d@example.org", &loser); err != nil {
				t.Error(err)
			}
			if err := c.FinishRecovery(t.Context(), fmt.Sprint("loser", loser), codeOf(t, m), newPassword); err != nil {
				t.Errorf("the end of a recovery: %v", err)
			}
		}
	})
	begun := time.Now()
	rushing.Go(func() {
		eachOf(r.logins, func(i int) {
			if _, err := from(t, s, 1000+i).Login(t.Context(), fmt.Sprint("rusher", i), oldPassword); err != nil {
				t.Errorf("a login: %v", err)
			}
		})
	})
	rushing.Wait()
	took = time.Since(begun)
	late = readDump(t, s).Tick.Lateness.P99
	others.Wait()
	return took, late
}

// eachOf calls f for each of n, all at once, and returns when all have returned.
func eachOf(n int, f func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
}

// from is a client at an address of its own, which waits for as long as it takes.
func from(t *testing.T, s *server.Server, i int) *client.Client {
	d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 9, byte(i/250), byte(1+i%250))}}
	transport := &http.Transport{DialContext: d.DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := client.New("http://"+s.HTTPAddr().String(), client.Options{MaxRetries: 1000, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	return c
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
	for name, n := range map[string]int{"rusher": r.logins, "changer": r.changes, "loser": r.recoveries} {
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
