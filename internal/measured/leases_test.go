package measured_test

import (
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/measured"
	"github.com/rushgate/rushgate/store/memory"
	"github.com/rushgate/rushgate/store/storetest"
)

// Two nodes share a store, and each knows of its own leases.
func TestLeases(t *testing.T) {
	c := storetest.NewClock()
	shared := memory.New(memory.Options{Now: c.Now})
	a, b := measured.New(shared), measured.New(shared)
	nodeA, nodeB := rushgate.Instance{Node: "a", Run: "1"}, rushgate.Instance{Node: "b", Run: "1"}
	want := func(what string, wantA, wantB measured.Leases) {
		t.Helper()
		if gotA, gotB := a.Leases(), b.Leases(); gotA != wantA || gotB != wantB {
			t.Errorf("%s: %+v and %+v, want %+v and %+v", what, gotA, gotB, wantA, wantB)
		}
	}
	create := func(id rushgate.PlayerID, name string) rushgate.Admission {
		account := rushgate.Account{ID: id, Username: name, PasswordHash: "hash of " + name}
		return rushgate.Admission{Account: account, Create: true, Attempt: "first"}
	}
	newcomers := []rushgate.Admission{create(1, "alice"), create(2, "bob"), create(3, "carol"), create(4, "bob")}
	in, err := a.Admit(t.Context(), nodeA, newcomers)
	if err != nil {
		t.Fatal(err)
	}
	want("three of four admitted", measured.Leases{Held: 3}, measured.Leases{})

	login := []rushgate.Admission{{Account: rushgate.Account{ID: 1, Username: "alice"}, Attempt: "second"}}
	if _, err := b.Admit(t.Context(), nodeB, login); err != nil {
		t.Fatal(err)
	}
	want("refused elsewhere", measured.Leases{Held: 3}, measured.Leases{})
	c.Advance(rushgate.LeaseTTL)
	if got, err := b.Admit(t.Context(), nodeB, login); err != nil || got[0].Err != nil {
		t.Fatal(got, err)
	}
	want("admitted elsewhere", measured.Leases{Held: 3}, measured.Leases{Held: 1})

	leases := []rushgate.Lease{in[0].Lease, in[1].Lease, in[2].Lease}
	save := []rushgate.Save{{Character: in[0].Character, Fence: in[0].Lease.Fence}}
	for range 2 { // a loss that shows twice is one
		if _, err := a.Refresh(t.Context(), nodeA, leases); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Save(t.Context(), save); err != nil {
			t.Fatal(err)
		}
		want("found to be lost", measured.Leases{Held: 2, Lost: 1}, measured.Leases{Held: 1})
	}

	save = []rushgate.Save{
		{Character: in[1].Character, Fence: in[1].Lease.Fence, Release: true},
		{Character: in[2].Character, Fence: in[2].Lease.Fence},
	}
	for range 2 {
		if _, err := a.Save(t.Context(), save); err != nil {
			t.Fatal(err)
		}
		want("one released", measured.Leases{Held: 1, Lost: 1}, measured.Leases{Held: 1})
	}

	// The player comes back to the same node after the lease has run out: that the older lease is no longer valid is
	// no loss of the newer one.
	c.Advance(rushgate.LeaseTTL)
	again := []rushgate.Admission{{Account: rushgate.Account{ID: 3, Username: "carol"}, Attempt: "again"}}
	if got, err := a.Admit(t.Context(), nodeA, again); err != nil || got[0].Err != nil {
		t.Fatal(got, err)
	}
	if errs, err := a.Refresh(t.Context(), nodeA, leases[2:]); err != nil || errs[0] == nil {
		t.Fatal(errs, err)
	}
	want("claimed anew", measured.Leases{Held: 1, Lost: 1}, measured.Leases{Held: 1})
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Save(t.Context(), save); err == nil {
		t.Error("a save in a closed store succeeded")
	}
	want("a call that failed", measured.Leases{Held: 1, Lost: 1}, measured.Leases{Held: 1})
}
