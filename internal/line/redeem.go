package line

import (
	"crypto/subtle"
	"errors"
	"slices"
	"time"
)

// Redeem lets the holder of a ticket in if its turn has come, once. The error is [ErrNotYet], with an outlook, or
// [ErrUsed], [ErrExpired], [ErrNotHolder], [ErrFuture] or [ErrWrongLine]; then nothing has changed. A caller that finds
// no room for the client after all gives the ticket back, see [Line.GiveBack], any other says so by [Line.LetIn].
//
// A ticket can be used once at each node of the fleet, and after a restart again if it is still within its grace.
func (l *Line) Redeem(t *Ticket, h Holder) (Outlook, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clock.read()
	p, soon, err := l.due(t, h)
	if err != nil {
		return l.refuse(p, err)
	}
	if soon {
		l.track(p).remove(p.turn * 1000)
		l.useSoon(p)
	}
	now := int32(l.clock.age / time.Second)
	until := now + int32(l.cfg.Grace/time.Second) + 1
	switch {
	case !l.track(p).come(p.turn * 1000): // it was soon enough
	case l.ours(t) && l.redeemed.has(sentBack(t)): // its coming was noted the first time
	case l.ours(t):
		l.calls.came(l.track(p).passes.when(p.turn*1000), l.clock.tick())
	default:
		until = now + int32(TicketLife/time.Second)
	}
	l.redeemed.add(t, now, until)
	l.counts.Redeemed++
	if t.Issuer == l.issuers[0] {
		l.showedUp(l.ticketKey(t), p)
	}
	return Outlook{Turn: t.Turn}, nil
}

// Due says what [Line.Redeem] would, and changes nothing but the counts of those who were refused.
func (l *Line) Due(t *Ticket, h Holder) (Outlook, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clock.read()
	p, _, err := l.due(t, h)
	if err != nil {
		return l.refuse(p, err)
	}
	return Outlook{Turn: t.Turn}, nil
}

// due returns the place of a ticket, and nil if it can be redeemed, be it a little before its turn.
func (l *Line) due(t *Ticket, h Holder) (p place, soon bool, err error) {
	p = l.placeOf(t)
	err = l.judge(t, h, p)
	if errors.Is(err, ErrNotYet) && l.ours(t) && l.soon(p) && l.track(p).has(p.turn*1000) {
		return p, true, nil
	}
	return p, false, err
}

// refuse counts what keeps a ticket from being redeemed.
func (l *Line) refuse(p place, err error) (Outlook, error) {
	l.counts.refuse(err)
	if errors.Is(err, ErrNotYet) {
		return l.outlook(p), err
	}
	return Outlook{}, err
}

// RedeemEarly redeems a ticket for which [Line.Due] has said that its turn has not come: there is room, and those
// before it do not come. It reports false while the line has yet to open.
func (l *Line) RedeemEarly(t *Ticket) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clock.read()
	if l.early() {
		return false
	}
	if p := l.placeOf(t); l.ours(t) && l.track(p).remove(p.turn*1000) { // else it was not counted here, or no longer
		l.useSoon(p)
	}
	now := int32(l.clock.age / time.Second)
	l.redeemed.add(t, now, now+int32(TicketLife/time.Second))
	l.counts.Redeemed++
	l.letIn(t)
	return true
}

// judge returns what keeps a ticket from being redeemed, if anything.
func (l *Line) judge(t *Ticket, h Holder, p place) error {
	skew := clockSkew.Milliseconds()
	switch {
	case t.Line != l.cfg.Line:
		return ErrWrongLine
	case subtle.ConstantTimeCompare(t.Holder[:], h[:]) != 1:
		return ErrNotHolder
	case t.Issued.UnixMilli() > max(l.clock.millis(), l.cfg.Now().UnixMilli())+skew:
		return ErrFuture
	case l.redeemed.has(t):
		return ErrUsed
	case l.early() || !l.track(p).come(p.turn*1000):
		return ErrNotYet
	case l.over(p) && (l.ours(t) || l.waiting() > 0):
		// When another node's turns came is not known here. While nobody waits it does not matter.
		return ErrExpired
	}
	return nil
}

// soon reports whether a turn comes so soon that to send the client away for a second would make it late: the line
// moves, and will have come there in a quarter of a second. A queue in the order of turns makes that good. No more may
// come so than half of those who are called, and a tier no more than has its turn.
func (l *Line) soon(p place) bool {
	t := &l.tiers[p.tier]
	if l.cfg.Strict || l.early() || l.clock.tick()-l.flow.moved > 4 || l.flow.soonLeft < 1 ||
		t.pass > l.virtual+maxSoon/4/t.weight {
		return false
	}
	before := t.before(p.turn * 1000)
	return before < maxSoon && float64(before) < l.speed(p.tier, before)*tickLength.Seconds()
}

// useSoon counts a client that came a little before its turn, and is no longer among those who wait.
func (l *Line) useSoon(p place) {
	l.counts.Called++
	l.flow.soon++
	l.flow.soonLeft--
	l.tiers[p.tier].pass += 1 / l.tiers[p.tier].weight
}

// over reports whether a turn came longer ago than the grace.
func (l *Line) over(p place) bool {
	t := l.track(p)
	return t.come(p.turn*1000) && l.clock.tick()-max(t.passes.when(p.turn*1000), l.held.ended) > l.graceTicks()
}

func (l *Line) graceTicks() int64 { return int64(l.cfg.Grace / tickLength) }

// ours reports whether a ticket was counted here.
func (l *Line) ours(t *Ticket) bool { return slices.Contains(l.issuers, t.Issuer) }

// GiveBack undoes a [Line.Redeem] that has succeeded, since there was no room after all: the ticket is good again. It
// returns when the client is to come again.
func (l *Line) GiveBack(t *Ticket) (pollAfter time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clock.read()
	if l.redeemed.has(t) {
		l.redeemed.remove(t)
		l.counts.GivenBack++
		if !l.redeemed.has(sentBack(t)) { // or one ticket, sent again and again, would count for many who are on their way
			l.calls.sentBack(l.clock.tick())
		}
		if p := l.placeOf(t); !l.ours(t) {
		} else if r := l.track(p); r.come(p.turn * 1000) {
			now := int32(l.clock.age / time.Second)
			l.redeemed.add(sentBack(t), now, now+int32(l.cfg.Grace/time.Second))
		} else { // it was redeemed a little before its turn
			r.add(p.turn*1000, 1)
		}
	}
	return seconds(pollLeast + finalSpread*l.random.Float64())
}

// GiveBackOnce is a [Line.GiveBack] of a ticket that was issued here and was not given back before. It reports whether
// it was one.
func (l *Line) GiveBackOnce(t *Ticket) bool {
	l.mu.Lock()
	again := !l.ours(t) || l.redeemed.has(sentBack(t))
	l.mu.Unlock()
	if again {
		return false
	}
	l.GiveBack(t)
	return true
}

// Again returns when a client without a ticket is to come again whose turn has come, and for which there was no room.
func (l *Line) Again() (pollAfter time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return seconds(pollLeast + finalSpread*l.random.Float64())
}

// sentBack returns what stands for a ticket that has found no room once, among those that were redeemed.
func sentBack(t *Ticket) *Ticket {
	other := Ticket{Issuer: t.Issuer, Serial: t.Serial}
	other.Issuer[0] ^= 0x80
	return &other
}
