package client

import (
	"context"
	"encoding/base64"
	"net"
	"slices"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/internal/udpknock"
)

const (
	// maxKnockAddrs is how many addresses of those that a server names a client tries.
	maxKnockAddrs = 4
	// knockDialTime is how long the lookup of a name may take.
	knockDialTime = 2 * time.Second
	// maxRefusedPause is how long a client pauses that was refused by UDP, before it asks over HTTP.
	maxRefusedPause = time.Minute
	// maxLies is after how many contradictions between UDP and HTTP a call no longer asks by UDP: one may come of two
	// nodes of a fleet of which one is ahead.
	maxLies = 2
)

// knocker asks by UDP, as long as it gets answers, at one address after the other. What it hears is no more than
// likely: see [Options].KnockAddr.
type knocker struct {
	dial  func(ctx context.Context, addr string) (net.Conn, error)
	addrs []string // the first is the one in use
	over  bool     // UDP is of no use to this call
	asker *udpknock.Asker

	saidIn bool // it was last said that the turn has come
	lies   int
}

// dialKnock makes a socket that takes datagrams from one address only.
func dialKnock(ctx context.Context, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, knockDialTime)
	defer cancel()
	return new(net.Dialer).DialContext(ctx, "udp", addr)
}

func (k *knocker) usable() bool { return !k.over && len(k.addrs) > 0 }

// learn takes the addresses that the server names, if there is none yet.
func (k *knocker) learn(addrs []string) {
	if len(k.addrs) > 0 {
		return
	}
	for _, a := range addrs[:min(len(addrs), maxKnockAddrs)] {
		if validAddress(a) {
			k.addrs = append(k.addrs, a)
		}
	}
}

// next gives up the address in use.
func (k *knocker) next() {
	k.close()
	if k.addrs = k.addrs[1:]; len(k.addrs) == 0 {
		k.over = true
	}
}

func (k *knocker) close() {
	if k.asker != nil {
		k.asker.Conn.Close()
		k.asker = nil
	}
}

// judge is told that a try was refused with a place, and whether with a ticket in whose place UDP had brought another.
func (k *knocker) judge(replaced bool) {
	if k.saidIn || replaced {
		k.lies++
	}
	k.saidIn = false
	k.over = k.over || k.lies >= maxLies
}

// ask asks once. Without an answer at any address it is not ok; the error is that of ctx.
func (k *knocker) ask(ctx context.Context, p *place) (r udpknock.Reply, ok bool, err error) {
	ticket, err := base64.RawURLEncoding.DecodeString(p.best())
	if err != nil { // a ticket of another kind than those of today
		k.over = true
		return r, false, nil
	}
	for k.usable() {
		if k.asker == nil {
			conn, err := k.dial(ctx, k.addrs[0])
			if err == nil {
				k.asker = &udpknock.Asker{Conn: conn}
			}
		}
		if k.asker != nil {
			if r, err = k.asker.Ask(ctx, udpknock.Holder(line.HolderOf([]byte(p.secret))), ticket); err == nil {
				return r, true, nil
			}
		}
		if ctx.Err() != nil {
			return r, false, ctx.Err()
		}
		k.next()
	}
	return r, false, nil
}

// askByUDP asks by UDP. Without an answer it is not ok; the error is that of ctx.
func (w *waiting) askByUDP(ctx context.Context) (a advice, ok bool, err error) {
	r, ok, err := w.udp.ask(ctx, &w.place)
	if err != nil {
		return a, false, w.ended(err)
	}
	if !ok {
		return a, false, nil
	}
	a = advice{byUDP: true, reason: rushgate.ServerBusy, after: r.After}
	if r.Verdict == udpknock.Wait && len(r.Ticket) == 0 && !w.place.held() {
		w.udp.over = true // a wait for nothing
		return a, false, nil
	}
	another := len(r.Ticket) > 0 && w.hear(base64.RawURLEncoding.EncodeToString(r.Ticket))
	switch {
	case r.Verdict == udpknock.ComeIn:
		a.come, w.udp.saidIn = true, true
	case r.Verdict == udpknock.Refused:
		a.try, a.after = true, min(r.After, maxRefusedPause)
	case another && w.place.ticket != "":
		a.try, a.after = true, leastPoll // the place that HTTP has given is lost, or so it is said: let HTTP judge
	default:
		a.waits, a.place, a.low, a.high = true, int(min(r.Place, 1<<31-1)), r.ETALow, r.ETAHigh
	}
	return a, true, nil
}

// hear takes a ticket that came by UDP, and reports whether it is another than the client had.
func (w *waiting) hear(ticket string) (another bool) {
	if ticket == w.place.best() || ticket == w.place.heard {
		return false
	}
	w.place.heard = ticket
	return true
}

// knockAddrs returns at which addresses to ask by UDP: where the game says, or where the server said before.
func (c *Client) knockAddrs() []string {
	switch c.opts.KnockAddr {
	case "":
	case NoKnocks:
		return nil
	default:
		return []string{c.opts.KnockAddr}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.heardAddrs)
}

// noteKnockAddrs keeps what a call has found out about UDP for the next one.
func (c *Client) noteKnockAddrs(k *knocker) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heardAddrs = nil
	if k.usable() {
		c.heardAddrs = k.addrs
	}
}
