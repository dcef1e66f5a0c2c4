package door

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/line"
)

const testWork = 6 // bits

// newWorkFixture is a door with room for one, where a ticket costs work.
func newWorkFixture(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t, func(c *Config) { c.Queue, c.Pace, c.Batch, c.Work = 1, 10, 1, testWork })
	ring, err := line.NewKeyring(nil, f.now)
	if err != nil {
		t.Fatal(err)
	}
	f.SetKeyring(ring)
	return f
}

func fillOne(t *testing.T, f *fixture) *Seat {
	t.Helper()
	seat, err := f.Knock(Knock{Addr: netip.MustParseAddr("192.0.2.9"), Name: "first"})
	if err != nil {
		t.Fatal(err)
	}
	return seat
}

// prove finds the proof that a refusal asks for.
func prove(t interface{ Fatal(...any) }, w rushgate.Work, h line.Holder) []byte {
	n, ok := line.FindWork(w.Salt, h, w.Bits, 0, 1<<20)
	if !ok {
		t.Fatal("no proof was found")
	}
	return []byte(n.String())
}

// refused knocks, in both ways, which have to agree, and returns the refusal of the first.
func refused(t *testing.T, f *fixture, k Knock) rushgate.Refusal {
	t.Helper()
	r, ok := f.TurnAway(k)
	if !ok {
		t.Fatalf("%+v is not turned away", k)
	}
	if k.Ticket == nil && r.Place.Ticket != "" {
		return r // and its proof is used up
	}
	var again *rushgate.Refusal
	if _, err := f.Knock(k); !errors.As(err, &again) || again.Work != r.Work ||
		again.Place.Number != r.Place.Number || again.Place.Ticket != r.Place.Ticket {
		t.Errorf("turned away with %+v, refused with %v", r, again)
	}
	return r
}

// While work is asked for a ticket costs a proof that is good, and was not used before; a good ticket needs no other.
func TestATicketCostsWork(t *testing.T) {
	f := newWorkFixture(t)
	fillOne(t, f)
	h := line.HolderOf([]byte("0123456789abcdef"))
	k := Knock{Addr: netip.MustParseAddr("192.0.2.1"), Name: "alice", Holder: h}
	asked := refused(t, f, k)
	if asked.Work != f.Work() || asked.Work.Bits != testWork || asked.Place.Number != 0 || asked.Place.Ticket != "" ||
		asked.RetryAfter < time.Second || asked.RetryAfter > 2*time.Second {
		t.Fatalf("without a proof: %+v", asked)
	}
	good := prove(t, asked.Work, h)
	stale := asked.Work
	stale.Salt[0]++
	stranger := line.HolderOf([]byte("another-secret-0"))
	for what, proof := range map[string][]byte{
		"none": nil, "text": []byte("not hexadecimal!"), "short": good[:15], "long": append(good[:16:16], '0'),
	} {
		k.Work = proof
		if r := refused(t, f, k); r.Work != asked.Work || r.Place.Ticket != "" {
			t.Errorf("%s: %+v", what, r)
		}
	}
	for what, proof := range map[string][]byte{
		"with another salt": prove(t, stale, h), "another's": prove(t, asked.Work, stranger),
	} {
		nonce, _ := line.ParseNonce(proof)
		if _, ok := f.ring.Load().ValidWork(f.now, h, nonce, testWork); ok {
			continue // by chance, which is one in 64
		}
		k.Work = proof
		if r := refused(t, f, k); r.Work != asked.Work || r.Place.Ticket != "" {
			t.Errorf("a proof %s: %+v", what, r)
		}
	}
	k.Work = good
	placed := refused(t, f, k)
	if placed.Place.Number != 1 || placed.Place.Ticket == "" || placed.Work.Bits != 0 {
		t.Fatalf("with a proof: %+v", placed)
	}
	swarm := k
	swarm.Addr, swarm.Name = netip.MustParseAddr("192.0.2.2"), "bob"
	if r := refused(t, f, swarm); r.Work.Bits != testWork || r.Place.Ticket != "" {
		t.Errorf("a proof used twice, from another address: %+v", r)
	}
	k.Work, k.Ticket = nil, []byte(placed.Place.Ticket)
	if r := refused(t, f, k); r.Place.Turn != placed.Place.Turn || r.Work.Bits != 0 {
		t.Errorf("with a ticket: %+v", r)
	}
	k.Holder = stranger
	if r := refused(t, f, k); r.Work.Bits != testWork || r.Place.Lost != "" {
		t.Errorf("with another's ticket: %+v", r)
	}
	k.Work = prove(t, asked.Work, stranger)
	if r, _ := f.TurnAway(k); r.Place.Ticket == "" || r.Place.Lost != lostUnknown {
		t.Errorf("with another's ticket and a proof: %+v", r)
	}
}

// A client that knows nothing of tickets is given no turn while work is asked for, and is told when to come back.
func TestNoTurnsWithoutTicketsWhileWorkIsAskedFor(t *testing.T) {
	f := newWorkFixture(t)
	fillOne(t, f)
	r := refused(t, f, Knock{Addr: netip.MustParseAddr("192.0.2.1"), Name: "alice"})
	if r.Place.Number != 0 || r.Work.Bits != 0 || r.RetryAfter < time.Second || r.RetryAfter > MaxRetryAfter {
		t.Errorf("told %+v", r)
	}
	if n := f.Stats().Line.Waiting[0]; n != 0 {
		t.Errorf("%d wait", n)
	}
}

// While there is room, no client needs a proof; UDP gives no tickets while one is asked for, but knows those that there
// are.
func TestAskWhileWorkIsAskedFor(t *testing.T) {
	f := newWorkFixture(t)
	from, h := netip.MustParseAddr("192.0.2.1"), line.HolderOf([]byte("0123456789abcdef"))
	if standing, _, _ := f.Ask(nil, from, h, nil); standing != ComeIn {
		t.Errorf("while there is room: %v", standing)
	}
	seat := fillOne(t, f)
	if standing, _, ticket := f.Ask(nil, from, h, nil); standing != Elsewhere || ticket != nil {
		t.Errorf("without a ticket: %v, a ticket of %d bytes", standing, len(ticket))
	}
	r, _ := f.TurnAway(Knock{Addr: from, Name: "alice", Holder: h, Work: prove(t, f.Work(), h)})
	sealed, err := line.DecodeText(r.Place.Ticket)
	if err != nil {
		t.Fatal(err)
	}
	if standing, out, _ := f.Ask(nil, from, h, sealed); standing != InLine || !out.Turn.Equal(r.Place.Turn) {
		t.Errorf("with a ticket: %v, %+v", standing, out)
	}
	seat.Close(NotJudged)
	for range 20 {
		f.now = f.now.Add(100 * time.Millisecond)
		f.Move()
	}
	if standing, _, _ := f.Ask(nil, from, h, sealed); standing != ComeIn {
		t.Errorf("when its turn has come: %v", standing)
	}
	seat, err = f.Knock(Knock{Addr: from, Name: "alice", Holder: h, Ticket: []byte(r.Place.Ticket)})
	if err != nil {
		t.Fatal("its turn, without a proof:", err)
	}
	seat.Close(NotJudged)
	f.now = f.now.Add(time.Minute)
	if _, err = f.Knock(Knock{Addr: from, Name: "bob"}); err != nil {
		t.Error("while there is room, without a proof:", err)
	}
}

// Proofs are remembered for as long as they are good, up to a number, and then forgotten.
func TestSpentWork(t *testing.T) {
	var s spentWork
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	s.add(1, at)
	s.add(2, at.Add(line.WorkLife-1))
	s.add(3, at.Add(line.WorkLife+1))
	if !s.has(1) || !s.has(2) || !s.has(3) || s.has(4) {
		t.Error("a proof is forgotten while it is good")
	}
	s.add(4, at.Add(3*line.WorkLife))
	if s.has(1) || !s.has(3) {
		t.Error("proofs are not forgotten in turn")
	}
	for id := range uint64(5 * maxSpent) {
		s.add(id, at.Add(3*line.WorkLife))
	}
	if n := len(s.now) + len(s.before); n > 2*maxSpent || n < maxSpent || !s.has(5*maxSpent-1) {
		t.Errorf("%d proofs are remembered", n)
	}
}
