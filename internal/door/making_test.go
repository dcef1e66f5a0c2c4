package door

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
)

// guests has clients of an address come as new guests, and returns how many come in, and what the last is told who does
// not.
func (f *fixture) guests(t *testing.T, addr func(i int) string, n int) (in int, last rushgate.Refusal) {
	t.Helper()
	for i := range n {
		name := fmt.Sprint("guest ", addr(i), " ", i)
		seat, err := f.Resume(Knock{Addr: netip.MustParseAddr(addr(i)), Name: "identity " + name, Want: Identity})
		if err == nil {
			if err = seat.Make(Guest); err == nil {
				seat.Identify(name)
				err = seat.Sit(Proven{Name: name})
			}
		}
		f.Served(Resumes, 1)
		if err != nil {
			last = *err.(*rushgate.Refusal)
			if seat != nil {
				seat.Close(NotJudged)
			}
			continue
		}
		seat.Close(Inside)
		f.Left(name, Left)
		in++
	}
	return in, last
}

// What one address makes of guests is bounded; those that have an account come in, and so do all players elsewhere.
func TestGuestsOfOneOriginAreBounded(t *testing.T) {
	one := func(int) string { return "192.0.2.1" }
	f := newFixture(t, func(c *Config) { c.OriginGuests = 30 })
	in, refused := f.guests(t, one, 100)
	if in != 30 || refused.Reason != rushgate.RateLimited || refused.RetryAfter <= 0 {
		t.Fatalf("%d guests, then %+v", in, refused)
	}
	if r := f.login("192.0.2.1", "alice", Inside); r != "" {
		t.Errorf("a player there is told %q", r)
	}
	if r := f.try(Knock{Addr: netip.MustParseAddr("192.0.2.1"), Name: "bob", Want: Register}, Inside); r != "" {
		t.Errorf("who registers there is told %q", r)
	}
	if in, _ := f.guests(t, func(int) string { return "192.0.2.2" }, 5); in != 5 {
		t.Errorf("%d of 5 come in from elsewhere", in)
	}
	seat, err := f.Resume(Knock{Addr: netip.MustParseAddr("192.0.2.1"), Name: "identity guest 0", Want: Identity})
	if err != nil {
		t.Fatalf("a guest of before is told %v", err)
	}
	seat.Identify("guest 0")
	if err := seat.Sit(Proven{Name: "guest 0"}); err != nil {
		t.Errorf("a guest of before finds %v", err)
	}
	seat.Close(Inside)
	f = f.moved(t, func(c *Config) { c.OriginGuests = 30 }) // and the next process goes by it
	if in, _ := f.guests(t, one, 10); in != 0 {
		t.Errorf("%d more in the next door", in)
	}
	f.now = f.now.Add(refused.RetryAfter)
	if in, _ := f.guests(t, one, 10); in != 1 {
		t.Errorf("%d more at the time that was told, want 1", in)
	}
	f.now = f.now.Add(GuestWindow)
	if in, _ := f.guests(t, one, 100); in != 30 {
		t.Errorf("%d an hour later, want 30", in)
	}
}

// One customer of an IPv6 provider has the guests of four addresses, whatever it makes of its networks.
func TestGuestsOfOneIPv6Customer(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.OriginGuests = 10 })
	in, _ := f.guests(t, func(i int) string { return fmt.Sprintf("2001:db8:0:%x::1", i*7%65536) }, 500)
	if in != 40 {
		t.Errorf("%d guests, want 40", in)
	}
	if in, _ := f.guests(t, func(int) string { return "2001:db8:1::1" }, 5); in != 5 {
		t.Errorf("%d of 5 come in from another network", in)
	}
}

// A guest who finds no place in the world is told so, and its account counts when it is made, not when it comes in.
func TestGuestInFrontOfAFullWorld(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.World, c.OriginGuests = 1, 1 })
	seat, err := f.Knock(Knock{Addr: netip.MustParseAddr("192.0.2.9"), Name: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	seat.Close(Inside)
	in, refused := f.guests(t, func(int) string { return "192.0.2.1" }, 1)
	if in != 0 || refused.Reason != rushgate.ServerBusy || refused.Place.Number != 0 || refused.RetryAfter < time.Second {
		t.Errorf("%d, %+v", in, refused)
	}
	seat, err = f.Resume(Knock{Addr: netip.MustParseAddr("192.0.2.1"), Name: "identity", Want: Identity})
	if err != nil {
		t.Fatal(err)
	}
	if err := seat.Make(Guest); err != nil {
		t.Fatalf("one that was not made counts: %v", err)
	}
	seat.Made()
	seat.Close(NotJudged)
	if _, refused := f.guests(t, func(int) string { return "192.0.2.1" }, 1); refused.Reason != rushgate.RateLimited {
		t.Errorf("after one was made: %+v", refused)
	}
}
