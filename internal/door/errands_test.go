package door

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// errand knocks with an errand of two hashes, and returns its seat.
func (f *fixture) errand(t *testing.T, i int) *Seat {
	t.Helper()
	seat, err := f.Errand(Knock{Addr: netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), Name: fmt.Sprint("owner ", i)}, 2)
	if err != nil {
		t.Fatal(err)
	}
	return seat
}

// wantErrands checks how many hashes of errands a worker may take, and after how long one with nothing to do is to ask.
func (f *fixture) wantErrands(t *testing.T, when string, hashes int, again time.Duration) {
	t.Helper()
	if got, later := f.Errands(16); got != hashes || later != again {
		t.Errorf("%s: %d hashes of errands, or again in %v; want %d, %v", when, got, later, hashes, again)
	}
}

// Between two waves of a rush no errand is begun; once no more have waited than a worker takes, for a moment, all are.
func TestErrandsWaitForAGap(t *testing.T) {
	f := newFixture(t, nil)
	f.wantErrands(t, "without errands", 0, 0)
	f.errand(t, 1)
	f.wantErrands(t, "on a node with nothing to do", 16, 0)
	come := func(n int) (all []*Seat) {
		t.Helper()
		for i := range n {
			seat, err := f.Knock(Knock{Addr: netip.AddrFrom4([4]byte{10, 0, byte(n), byte(i)}), Name: fmt.Sprint(n, " ", i)})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, seat)
		}
		return all
	}
	few := come(16)
	f.wantErrands(t, "beside one batch that nothing was paid by", 0, 0)
	for _, s := range few {
		s.Take()
	}
	f.wantErrands(t, "after one batch was taken", 16, 0)
	wave := come(17)
	f.now = f.now.Add(time.Second)
	f.wantErrands(t, "in a rush", 0, 0)
	for _, s := range wave {
		s.Take()
	}
	f.wantErrands(t, "between two waves", 0, gapAfter)
	f.now = f.now.Add(gapAfter / 2)
	f.wantErrands(t, "a little later", 0, gapAfter/2)
	if !f.Crowded() {
		t.Error("there is no rush between two waves")
	}
	f.Served(Fast, 100)
	wave = come(18)
	f.wantErrands(t, "in the next wave, when they were paid for", 0, 0)
	f.now = f.now.Add(errandPatience) // in which the next batch is hashed
	f.wantErrands(t, "when the rush has gone on for long", 2, 0)
	for _, s := range wave {
		s.Take()
	}
	f.now = f.now.Add(gapAfter)
	f.wantErrands(t, "when no more come", 16, 0)
	if f.Crowded() {
		t.Error("the rush does not end")
	}
	f.now = f.now.Add(time.Minute)
	come(19)
	f.wantErrands(t, "in another rush", 0, 0)
	f.Close()
	f.wantErrands(t, "when the door is closed and logins wait", 2, 0)
}
