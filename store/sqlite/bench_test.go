package sqlite

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rushgate/rushgate"
)

// BenchmarkAdmit registers new players. What it shows is how batches and concurrent callers share the cost of a disk
// flush: see ns/account and commits/account.
func BenchmarkAdmit(b *testing.B) {
	for _, size := range []int{1, 16} {
		for _, callers := range []int{1, 4} {
			b.Run(fmt.Sprintf("batch=%d/callers=%d", size, callers), func(b *testing.B) {
				benchmarkAdmit(b, size, callers)
			})
		}
	}
}

// benchmarkAdmit counts one Admit of size accounts as an iteration.
func benchmarkAdmit(b *testing.B, size, callers int) {
	s := newStore(b)
	before := s.Stats()
	var next atomic.Uint64 // account ids
	turns := make(chan struct{})
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			ids := make([]rushgate.PlayerID, size)
			for range turns {
				for i := range ids {
					ids[i] = rushgate.PlayerID(next.Add(1))
				}
				if err := register(s, ids...); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for b.Loop() {
		turns <- struct{}{}
	}
	close(turns)
	wg.Wait()
	accounts := float64(next.Load())
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/accounts, "ns/account")
	b.ReportMetric(float64(s.Stats().Commits-before.Commits)/accounts, "commits/account")
}

// BenchmarkLoadAccounts loads batches of 16 names out of 10,000 accounts.
func BenchmarkLoadAccounts(b *testing.B) {
	s := newStore(b)
	for first := rushgate.PlayerID(1); first <= 10000; first += 500 {
		var ids []rushgate.PlayerID
		for id := first; id < first+500; id++ {
			ids = append(ids, id)
		}
		if err := register(s, ids...); err != nil {
			b.Fatal(err)
		}
	}
	names := make([]string, 16)
	for i := range names {
		names[i] = registration(rushgate.PlayerID(600*i + 1)).Account.Username
	}
	for b.Loop() {
		accounts, err := s.LoadAccounts(b.Context(), names)
		if err != nil || accounts[15].ID == 0 {
			b.Fatal(accounts, err)
		}
	}
}
