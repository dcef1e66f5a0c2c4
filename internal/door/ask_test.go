package door

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/line"
)

// A client that asks is told what one that knocks would be, and the ticket that it is given is good for a knock.
func TestAskForAPlace(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.Queue, c.Pace, c.Batch = 2, 10, 1 })
	from, h := netip.MustParseAddr("192.0.2.1"), line.HolderOf([]byte("0123456789abcdef"))
	if standing, _, _ := f.Ask(nil, from, h, nil); standing != Elsewhere {
		t.Errorf("without keys: %v", standing)
	}
	ring, err := line.NewKeyring(nil, f.now)
	if err != nil {
		t.Fatal(err)
	}
	f.SetKeyring(ring)
	if standing, _, ticket := f.Ask(nil, from, h, nil); standing != ComeIn || ticket != nil {
		t.Errorf("while there is room: %v", standing)
	}
	var seats []*Seat
	for i := range 2 {
		seat, err := f.Knock(Knock{Addr: netip.MustParseAddr(addr(i)), Name: fmt.Sprint("p", i)})
		if err != nil {
			t.Fatal(err)
		}
		seats = append(seats, seat)
	}
	standing, out, ticket := f.Ask(nil, from, h, nil)
	if standing != InLine || out.Place != 1 || out.PollAfter <= 0 || len(ticket) != line.TicketSize {
		t.Fatalf("while there is none: %v, %+v, a ticket of %d bytes", standing, out, len(ticket))
	}
	standing, again, other := f.Ask(nil, from, h, ticket)
	if standing != InLine || other != nil || again.Turn != out.Turn {
		t.Errorf("asked again: %v, %+v", standing, again)
	}
	stranger := line.HolderOf([]byte("another-secret-0"))
	if standing, _, other := f.Ask(nil, from, stranger, ticket); standing != InLine || len(other) != line.TicketSize {
		t.Errorf("with a ticket that is another's: %v", standing)
	}
	for _, s := range seats {
		s.Close(NotJudged)
	}
	for range 20 {
		f.now = f.now.Add(100 * time.Millisecond)
		f.Move()
	}
	for range 2 { // nothing is redeemed
		if standing, _, _ := f.Ask(nil, from, h, ticket); standing != ComeIn {
			t.Errorf("when its turn has come: %v", standing)
		}
	}
	seat, err := f.Knock(Knock{Addr: from, Name: "alice", Holder: h, Ticket: []byte(line.EncodeText(ticket))})
	if err != nil || seat.ticket == nil {
		t.Fatalf("knocks with the ticket: %v", err)
	}
	f.Close()
	if standing, out, _ := f.Ask(nil, from, h, nil); standing != Elsewhere || out.PollAfter <= 0 {
		t.Errorf("when the node goes down: %v, %+v", standing, out)
	}
}

func TestAskAllocatesNothing(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.Queue, c.Pace, c.Batch = 1, 10, 1 })
	ring, err := line.NewKeyring(nil, f.now)
	if err != nil {
		t.Fatal(err)
	}
	f.SetKeyring(ring)
	if _, err := f.Knock(Knock{Addr: netip.MustParseAddr("192.0.2.9"), Name: "first"}); err != nil {
		t.Fatal(err)
	}
	from, h := netip.MustParseAddr("192.0.2.1"), line.HolderOf([]byte("0123456789abcdef"))
	_, _, ticket := f.Ask(nil, from, h, nil)
	if n := testing.AllocsPerRun(100, func() { f.Ask(nil, from, h, ticket) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
