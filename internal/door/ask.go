package door

import (
	"errors"
	"net/netip"
	"time"

	"github.com/rushgate/rushgate/internal/line"
)

// Standing is what a client is told that asks where it stands, and does not want to come in yet.
type Standing int

// What such a client is told.
const (
	// Elsewhere: it is not said here, but to a client that knocks, which is told what work a place costs, for example.
	Elsewhere Standing = iota
	// ComeIn: the client would be let in if it knocked now.
	ComeIn
	// InLine: the client has a place.
	InLine
)

// Ask tells a client where it stands that has no wish to come in yet, as one that asks by UDP. Sealed is the ticket
// that it holds, nil for none; a new one is appended to dst, which has room for it. Nothing is redeemed. The outlook is
// that of the place; its PollAfter is when to ask again, or when to knock if the client is sent elsewhere. Ask
// allocates nothing.
func (d *Door) Ask(dst []byte, from netip.Addr, h line.Holder, sealed []byte) (Standing, line.Outlook, []byte) {
	ring := d.ring.Load()
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.cfg.Now()
	switch {
	case d.closed:
		return Elsewhere, line.Outlook{PollAfter: d.later(Draining)}, nil
	case ring == nil || d.full(now): // a player with a seat may come in all the same
		return Elsewhere, line.Outlook{}, nil
	}
	d.move(now)
	short := d.shortage()
	if d.rules.Closed() {
		short = ofMode
	}
	if t, err := ring.Open(sealed); err == nil {
		out, err := d.line.Due(&t, h)
		switch {
		case err == nil && short == enough:
			return ComeIn, line.Outlook{}, nil
		case err == nil: // its turn, and no room
			return InLine, line.Outlook{Turn: out.Turn, Place: 1, High: 2 * time.Second, PollAfter: d.line.Again()}, nil
		case errors.Is(err, line.ErrNotYet):
			return InLine, out, nil
		}
	}
	who := pair{origin: OriginOf(from)}
	if short == enough && d.newcomers(who, now) == enough {
		return ComeIn, line.Outlook{}, nil
	}
	if d.cfg.Work > 0 {
		return Elsewhere, line.Outlook{}, nil
	}
	t, out, err := d.line.Take(line.Ask{Origin: who.origin, Holder: h})
	if err != nil {
		return Elsewhere, out, nil
	}
	return InLine, out, ring.Seal(dst, &t)
}
