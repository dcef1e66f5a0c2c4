package door

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/line"
)

const (
	// worldPolls is how often a client in the world's line is to ask, at the least: seats become free by chance.
	worldPolls = 5 * time.Second
	// worldMissed is for how long a seat has been free, and no client come whose turn had, when those who were called seem
	// to be gone: then others may have it.
	worldMissed = 3 * worldPolls
	// visitLasts is how long players stay in the world, until something is known of it; visitSeed is the time that this
	// counts as, and visitMemory that after which what was measured is forgotten.
	visitLasts  = 30 * time.Minute
	visitSeed   = time.Minute
	visitMemory = 10 * time.Minute
)

// worldLine is the line of players who have proved who they are, for a seat in the world.
type worldLine struct {
	*line.Line
	moved   time.Time
	came    time.Time // when a client came last whose turn had
	roomy   time.Time // since when there is a free seat; zero: there is none
	expects float64   // how many seats a second become free, until it is measured
	freed   float64   // seats that have become free, decayed
	over    float64   // in so many seconds
}

// newWorldLine returns the world's line of a door that began at a time.
func newWorldLine(cfg Config, start time.Time) (w worldLine, err error) {
	w.expects = float64(cfg.World) / visitLasts.Seconds()
	w.moved, w.came = start, start
	c := cfg.WorldLine
	c.Line, c.Pace, c.Now, c.Strict, c.PollMost = line.ForWorld, w.expects, cfg.Now, true, worldPolls
	c.Share = cfg.OriginShare
	c.Elapsed = func() time.Duration { return cfg.Now().Sub(start) }
	if w.Line, err = line.New(c); err != nil {
		return w, fmt.Errorf("door: the line of the world: %w", err)
	}
	return w, nil
}

// pace returns how many seats a second become free, about.
func (w *worldLine) pace() float64 {
	return (w.freed + w.expects*visitSeed.Seconds()) / (w.over + visitSeed.Seconds())
}

// move moves the line, with the seats that are there now.
func (w *worldLine) move(p *places, now time.Time) {
	p.expire(now)
	passed := min(max(now.Sub(w.moved).Seconds(), 0), visitMemory.Seconds())
	w.moved = now
	keep := math.Exp(-passed / visitMemory.Seconds())
	w.freed, w.over = w.freed*keep+float64(p.freed), w.over*keep
	if p.freed = 0; 2*len(p.byName) >= p.limit { // what an empty world gives back says nothing about a full one
		w.over += passed
	}
	switch room := p.room(); {
	case room <= 0:
		w.roomy = time.Time{}
	case w.roomy.IsZero():
		w.roomy = now
	}
	w.Tick(p.room(), w.pace())
}

// deserted reports whether there has been a seat for so long that those who were called seem to be gone.
func (w *worldLine) deserted(now time.Time) bool {
	return !w.roomy.IsZero() && now.Sub(w.roomy) > worldMissed && now.Sub(w.came) > worldMissed
}

// seatFor reports whether a player may have a seat in the world at once: one that is the player's own, or one for which
// no others wait.
func (d *Door) seatFor(who pair, now time.Time) bool {
	if !d.places.free(who, now) {
		return false
	}
	if d.places.has(who) || d.rules.Mode == rushgate.ModeStaff { // then the line waits for the end of that
		return true
	}
	return d.world.Admits(d.places.room()) || d.world.deserted(now)
}

// stands reports whether a client that can have no seat may go on to prove who it is, and then wait for one. An origin
// that has its share of the seats would wait for its own players.
func (d *Door) stands(k *Knock, who pair) bool {
	comes := k.Want == Login || k.Want == Resume || k.Want == Passkey || k.Want == Identity
	return k.Wait && comes && k.Holder != (line.Holder{}) && d.ring.Load() != nil && d.places.shared(who.origin)
}

// full reports whether there is no seat for a newcomer.
func (d *Door) full(now time.Time) bool {
	d.places.expire(now)
	return d.places.room() <= 0 || !d.world.Admits(d.places.room()) && !d.world.deserted(now)
}

// Proven is an account that a player has proved to own.
type Proven struct {
	Player, Epoch  uint64 // Player is 0 for an account that is yet to be made, see [ErrNobody]
	Name, Imported string // as in [line.Proof]
}

// ErrNobody is of [Seat.Sit] for an account that is yet to be made: there is no place in the world, and nobody who
// could stand in its line.
var ErrNobody = errors.New("door: there is nobody yet to stand in the line of the world")

// Sit takes a place in the world for a seat that has none yet, once its player has proved to own the account. If there
// is none, the error is the [*rushgate.Refusal] with a place in the world's line, if the knock was to wait, and the
// seat is still to be closed.
func (s *Seat) Sit(p Proven) error {
	d := s.door
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.state == closed || !s.standing {
		return nil
	}
	now := d.cfg.Now()
	d.move(now)
	if d.seatFor(s.charge.who, now) {
		d.places.take(s.charge.who)
		s.standing = false
		return nil
	}
	d.refused.knocking.World++
	if !s.waits {
		r := busy(d.later(WorldFull))
		return &r
	}
	if p.Player == 0 {
		return ErrNobody
	}
	s.stood = true
	return d.stand(line.Proof{
		At: now, Player: p.Player, Epoch: p.Epoch, Holder: s.holder, Name: p.Name, Imported: p.Imported,
	}, s.charge.who, "")
}

// stand gives the holder of a proof, which it completes, a place at the end of the world's line.
func (d *Door) stand(p line.Proof, who pair, lost string) error {
	ring := d.ring.Load()
	t, out, err := d.world.Take(line.Ask{Origin: who.origin, Holder: p.Holder})
	w := wait{out: out, lost: lost, short: ofTurn, placed: err == nil}
	if err != nil {
		r := w.refusal()
		return &r
	}
	p.Issuer, p.Serial = t.Issuer, t.Serial
	proof, err := ring.SealProof(&p, nil)
	if err != nil {
		return fmt.Errorf("door: %w", err)
	}
	var sealed [line.TicketSize]byte
	w.ticket = line.EncodeText(ring.Seal(sealed[:0], &t))
	r := w.refusal()
	r.Place.Proof = proof
	return &r
}

// Pass is a ticket for the world with the proof that goes with it.
type Pass struct {
	Proof  line.Proof
	ticket line.Ticket
}

// Recognise reads what a client that has waited for the world shows. It changes nothing. The error is
// [rushgate.BadCredentials] for all that is not of this fleet, of this holder, and of one piece, or too old; or a
// [*rushgate.Refusal] while the keys of the fleet are not known.
func (d *Door) Recognise(h line.Holder, ticket, proof string) (*Pass, error) {
	ring := d.ring.Load()
	if ring == nil {
		r := busy(d.Later(StoreAway))
		return nil, &r
	}
	p, err := ring.OpenProof(proof)
	if err != nil || p.Holder != h || p.Over(d.cfg.Now()) {
		return nil, rushgate.BadCredentials
	}
	sealed, err := line.DecodeText(ticket)
	if err != nil {
		return nil, rushgate.BadCredentials
	}
	t, err := ring.Open(sealed)
	if err != nil || !p.Of(&t) || t.Line != line.ForWorld {
		return nil, rushgate.BadCredentials
	}
	return &Pass{p, t}, nil
}

// Enter answers a client that has waited for the world: with a seat, or with where it stands, as a [*rushgate.Refusal],
// or with [rushgate.BadCredentials] if its ticket is no good any more. The knock says where the client is, and whether
// it wants a takeover. A ticket that was used is good for one thing only, a try whose answer was lost, and never for a
// takeover: see [Seat.Takeover].
func (d *Door) Enter(k Knock, p *Pass) (*Seat, error) {
	k.Name, k.Want, k.Holder = p.Proof.Name, Enter, p.Proof.Holder
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.cfg.Now()
	if d.closed {
		d.refused.knocking.Draining++
		r := busy(d.later(Draining))
		return nil, &r
	}
	d.move(now)
	if d.rules.Closed() {
		return nil, d.standsShut(p, now)
	}
	if r, refused := d.kept(k.Name, now, &d.refused.knocking); refused {
		return nil, &r
	}
	who := d.budgets.pair(&k)
	own := d.places.byName[who.name]
	if own != nil && own.seats >= maxOpenSeats {
		r := busy(d.clock.later(UnderWay))
		return nil, &r
	}
	t := p.ticket
	redeemed, err := d.redeemSeat(&t, who, p, now)
	if err != nil {
		return nil, err
	}
	d.places.take(who)
	d.queue.add(who.origin, 1)
	d.noteCrowd(now)
	s := &Seat{
		door: d, name: k.Name, takeover: k.Takeover && redeemed, charge: d.budgets.hold(who, &k), turn: t.Turn, ofWorld: true,
		device: k.Device,
	}
	if redeemed {
		s.ticket = &t
	}
	return s, nil
}

// redeemSeat decides about the ticket of a client that has waited for the world: if the error is nil it may have a
// seat, and has it by its ticket if that is redeemed.
func (d *Door) redeemSeat(t *line.Ticket, who pair, p *Pass, now time.Time) (redeemed bool, err error) {
	own := d.places.byName[who.name]
	seat := own != nil || d.places.free(who, now)
	judge := d.world.Redeem
	if !seat && !d.places.shared(who.origin) { // it is the origin's own players that it waits for: others go on
		judge = d.world.Due
	}
	out, err := judge(t, p.Proof.Holder)
	switch {
	case err == nil && seat:
		d.world.came = now
		d.world.LetIn(t)
		return true, nil
	case err == nil: // its turn, and no seat
		d.world.came = now
		d.world.GiveBack(t) // which does nothing if it was not redeemed
		out.PollAfter = d.world.Again()
		out.Expected = out.PollAfter
	case errors.Is(err, line.ErrNotYet) && (own != nil || seat && d.world.deserted(now)):
		return d.world.RedeemEarly(t), nil
	case errors.Is(err, line.ErrNotYet):
	case errors.Is(err, line.ErrUsed) && own != nil && (own.inside || own.seats > 0):
		return false, nil
	case errors.Is(err, line.ErrExpired):
		d.refused.knocking.World++
		return false, d.stand(p.Proof, who, lostExpired)
	default:
		return false, rushgate.BadCredentials
	}
	d.refused.knocking.World++
	w := wait{out: out, short: ofTurn, placed: true}
	r := w.refusal()
	return false, &r
}

// Takeover reports whether the seat's player may end a session elsewhere, as its knock has asked for.
func (s *Seat) Takeover() bool { return s.takeover }

// WorldDocument is what all who wait for the world are told alike.
func (d *Door) WorldDocument() line.Document {
	d.Move()
	return d.world.Document(0)
}

// WorldState returns what the next run of the node needs to honour the places in the world's line, see [Config].
func (d *Door) WorldState() []byte { return d.world.State() }
