package netcode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"
)

const (
	// dialStagger is the time between the starts at two addresses of a token, as RFC 8305 has it for TCP.
	dialStagger = 250 * time.Millisecond

	// responsePatience is how long a server that has challenged the client has the client to itself: if it has not let
	// the client in by then, the other addresses are tried again beside it.
	responsePatience = time.Second
)

// Dial connects to the first server of a connect token that answers and lets the client in. The addresses are tried one
// after the other, 250 ms apart, and then all at once; where one has failed the next begins at once. A server that
// answers with a challenge has the client to itself for a second; if it denies the client, or falls silent, the others
// have their turn again. At each address Dial waits for a challenge, and then for the connection, each time for the
// token's timeout, and it gives up when all addresses have failed or the token's lifetime has passed since the call;
// clocks of clients are often wrong, so the time of day does not matter. The context bounds Dial only, not the
// connection.
//
// The error wraps a StateError. Its state is what happened at the address that failed last, or StateTokenExpired, or
// StateInvalidToken; it is StateDisconnected beside the error of ctx or of ClientOptions.Dial. If the address that
// failed last did not answer the request, or there was no socket for it, but another has denied the client or has
// challenged it, the state is StateDenied or StateResponseTimedOut: a server that is full says more than one that may
// not be there. A token is good for one Dial, because its keys must not seal twice from the same sequence number on.
//
// There is a socket for each address at most. All but that of the connection are closed when Dial returns, and those of
// addresses that have failed before.
func Dial(ctx context.Context, token []byte, opts ClientOptions) (*Client, error) {
	t, err := ParseConnectToken(token)
	if err != nil {
		if opts.OnState != nil {
			opts.OnState(StateInvalidToken)
		}
		return nil, fmt.Errorf("%w: %w", StateError{StateInvalidToken}, err)
	}
	c := newClient(t, opts)
	d := &dialing{client: c, ctx: ctx, waiting: slices.Clone(t.Addresses), arrivals: make(chan arrival),
		stopped: make(chan struct{})}
	winner, err := d.run()
	d.stop(winner)
	if err != nil {
		return nil, c.end(err, false)
	}
	c.conn, c.replay = winner.conn, winner.replay
	c.early = winner.early
	c.begin()
	if err := ctx.Err(); err != nil { // it has ended in the last moment
		return nil, c.end(broken(err), true)
	}
	// Until the server hears from the connected client, it sends each payload with a keep-alive before it.
	c.keepAlive()
	return c, nil
}

// dialing is a Dial under way. It belongs to the goroutine of Dial; each socket has a goroutine that reads.
type dialing struct {
	client *Client
	ctx    context.Context

	waiting []netip.AddrPort // that are yet to be tried
	nextAt  time.Duration    // when the next of them is due
	refused []netip.AddrPort // for which there was no socket beside the others
	tries   []*try           // those that may lead to a connection, in the order of their beginning
	chosen  *try             // has the client to itself; nil: none
	since   time.Duration    // when it was chosen

	last, answered error         // of the address that failed last, and of the last one that had answered
	wake           time.Duration // when something is due
	grace          time.Duration // until then no silence is believed: what was said meanwhile may wait to be read

	arrivals chan arrival
	stopped  chan struct{} // closed when no arrival is taken any more
	readers  sync.WaitGroup
}

// try is what there is of one address. Its times count from the client's start, as all do.
type try struct {
	server     netip.AddrPort
	conn       net.Conn
	challenged bool
	responses  int  // sent
	patience   bool // it was chosen, and may be again when there is no other
	heard      time.Duration
	sent       time.Duration
	replay     replayWindow
	response   [challengePacketSize]byte // the challenge, which is returned as it is
	early      []byte                    // read too late for Dial; the reader's until that has ended
}

// arrival is what a reader has read, or why it reads no more.
type arrival struct {
	try    *try
	packet []byte
	err    error
}

// run returns the try that has led to a connection.
func (d *dialing) run() (*try, error) {
	c := d.client
	if err := d.ctx.Err(); err != nil {
		return nil, broken(err)
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	c.now = time.Since(c.start)
	for {
		if err := d.upkeep(); err != nil {
			return nil, err
		}
		timer.Reset(max(0, d.wake-time.Since(c.start)))
		var got arrival
		select {
		case <-d.ctx.Done():
			return nil, broken(d.ctx.Err())
		case got = <-d.arrivals:
		case <-timer.C:
		}
		if c.now = time.Since(c.start); c.now >= d.wake+sendInterval {
			d.grace = c.now + drainTime // the process stood still
		}
		if got.try != nil && d.take(got) {
			return got.try, nil
		}
	}
}

// stop closes all sockets but that of the winner, which may be nil, and returns when nothing reads any more. Servers
// that may have given the client a slot are told that it leaves.
func (d *dialing) stop(winner *try) {
	close(d.stopped)
	for _, a := range d.tries {
		if a == winner {
			_ = a.conn.SetReadDeadline(time.Unix(1, 0)) // fails only when closed, which Read tells
			continue
		}
		if a.responses > 0 {
			for range disconnectPackets {
				d.client.sendOn(a.conn, packetDisconnect, nil)
			}
		}
		_ = a.conn.Close()
	}
	d.readers.Wait()
}

// read hands what a socket receives to the goroutine of Dial, until the end of either.
func (d *dialing) read(a *try) {
	buf := make([]byte, maxPacket+1) // a datagram that is too long must not be cut to a packet that opens
	for failures := 0; ; {
		n, err := a.conn.Read(buf)
		got := arrival{try: a}
		switch {
		case err == nil:
			got.packet = slices.Clone(buf[:n])
		case errors.Is(err, os.ErrDeadlineExceeded): // set by stop alone
			return
		case errors.Is(err, net.ErrClosed), errors.Is(err, io.EOF):
			got.err = err
		default:
			if failures++; failures > maxReadErrors {
				failures = 0
				d.pause()
			}
			if d.over() {
				return
			}
			continue
		}
		select {
		case d.arrivals <- got:
		case <-d.stopped:
			a.early = got.packet
			return
		}
		if got.err != nil {
			return
		}
	}
}

// pause keeps a reader whose socket goes on failing from spinning.
func (d *dialing) pause() {
	t := time.NewTimer(sendInterval)
	defer t.Stop()
	select {
	case <-t.C:
	case <-d.stopped:
	}
}

func (d *dialing) over() bool {
	select {
	case <-d.stopped:
		return true
	default:
		return false
	}
}

// upkeep begins what is due, ends what has lasted too long, sends, and says when it is to be called again. The error is
// that of Dial.
func (d *dialing) upkeep() error {
	if len(d.tries) > 0 && d.expired() {
		return StateError{StateTokenExpired}
	}
	now := d.client.now
	if now >= d.grace {
		d.endSilent()
	}
	if d.chosen != nil && now >= d.since+responsePatience && d.others() {
		d.release()
	}
	for d.begin() {
	}
	if len(d.tries) == 0 {
		return d.failure()
	}
	d.tell()
	if d.expired() {
		return StateError{StateTokenExpired}
	}
	d.send()
	return nil
}

func (d *dialing) expired() bool { return d.client.now >= d.client.token.Lifetime() }

// begin tries the next address if that is due, and reports whether it has: there may be another one due then.
func (d *dialing) begin() bool {
	c := d.client
	if d.chosen != nil {
		return false
	}
	if len(d.tries) == 0 && len(d.waiting) == 0 { // where the same local address was in use, it no longer is
		d.waiting, d.refused = d.refused, nil
	}
	if len(d.waiting) == 0 || len(d.tries) > 0 && c.now < d.nextAt {
		return false
	}
	server := d.waiting[0]
	d.waiting = d.waiting[1:]
	conn, err := c.opts.Dial(d.ctx, server)
	switch {
	case err == nil:
	case len(d.tries) > 0:
		d.refused = append(d.refused, server)
		return true
	default:
		d.last = fmt.Errorf("%w (server %v)", broken(err), server)
		return d.ctx.Err() == nil
	}
	c.now = time.Since(c.start)
	d.nextAt = c.now + dialStagger
	a := &try{server: server, conn: conn, heard: c.now, sent: c.now - sendInterval}
	d.tries = append(d.tries, a)
	d.readers.Go(func() { d.read(a) })
	return true
}

// others reports whether there is more than the try that is chosen.
func (d *dialing) others() bool { return len(d.tries) > 1 || len(d.waiting) > 0 }

// endSilent ends the tries at which nothing was heard for the token's timeout.
func (d *dialing) endSilent() {
	timeout := d.client.token.Timeout()
	for _, a := range slices.Clone(d.tries) {
		if timeout > 0 && d.active(a) && d.client.now >= a.heard+timeout {
			d.fail(a, StateError{a.timeout()})
		}
	}
}

// active reports whether it is the turn of a try.
func (d *dialing) active(a *try) bool { return d.chosen == nil || d.chosen == a }

// timeout returns how a try ends that has waited too long.
func (a *try) timeout() State {
	if a.challenged {
		return StateResponseTimedOut
	}
	return StateRequestTimedOut
}

// tell tells the application what the client is doing now.
func (d *dialing) tell() {
	state := StateSendingResponse
	for _, a := range d.tries {
		if d.active(a) && !a.challenged {
			state = StateSendingRequest
		}
	}
	d.client.setState(state)
}

// send sends what is due, and sets when something is due next.
func (d *dialing) send() {
	c := d.client
	next := c.token.Lifetime()
	if d.chosen == nil && len(d.waiting) > 0 {
		next = min(next, d.nextAt)
	}
	if d.chosen != nil && d.others() {
		next = min(next, d.since+responsePatience)
	}
	for _, a := range d.tries {
		if !d.active(a) {
			continue
		}
		if c.now >= a.sent+sendInterval {
			d.sendOf(a)
		}
		next = min(next, a.sent+sendInterval)
		if timeout := c.token.Timeout(); timeout > 0 {
			next = min(next, max(a.heard+timeout, d.grace))
		}
	}
	d.wake = next
}

// sendOf sends the packet that a try repeats.
func (d *dialing) sendOf(a *try) {
	a.sent = d.client.now
	if !a.challenged {
		d.client.sendOn(a.conn, packetRequest, nil)
		return
	}
	a.responses++
	d.client.sendOn(a.conn, packetResponse, a.response[:])
}

// take deals with what has arrived, and reports whether the client is connected. Whatever is wrong with a datagram, it
// is ignored: anybody can send anything.
func (d *dialing) take(got arrival) (connected bool) {
	a, c := got.try, d.client
	if !slices.Contains(d.tries, a) { // it has failed meanwhile
		return false
	}
	if got.err != nil {
		d.fail(a, broken(got.err))
		return false
	}
	t, _, data, err := openPacket(got.packet, &c.scratch, c.opener, c.token.ProtocolID, &a.replay)
	switch {
	case err != nil:
	case t == packetDenied:
		d.fail(a, StateError{StateDenied})
	case t == packetChallenge && !a.challenged:
		copy(a.response[:], data)
		a.challenged = true
		if d.chosen == nil {
			d.choose(a)
		}
	case t == packetKeepAlive && a.responses > 0:
		k := parseKeepAlive(data)
		c.index, c.maxClients = int(k.index), int(k.maxClients)
		return true
	}
	return false
}

// choose has a server that has challenged the client alone from now on.
func (d *dialing) choose(a *try) {
	now := d.client.now
	d.chosen, d.since = a, now
	a.patience, a.heard, a.sent = true, now, now-sendInterval
}

// release has the others have their turn again, whose time has stood still meanwhile.
func (d *dialing) release() {
	now := d.client.now
	for _, a := range d.tries {
		if a != d.chosen {
			a.heard += now - d.since
		}
	}
	d.chosen, d.nextAt = nil, now
	for _, a := range d.tries {
		if a.challenged && !a.patience {
			d.choose(a)
			return
		}
	}
}

// fail ends a try.
func (d *dialing) fail(a *try, why error) {
	_ = a.conn.Close()
	if d.chosen == a {
		d.release()
	}
	d.tries = slices.DeleteFunc(d.tries, func(b *try) bool { return a == b })
	d.last = fmt.Errorf("%w (server %v)", why, a.server)
	d.nextAt = d.client.now
	switch {
	case errors.Is(why, StateError{StateDenied}):
		d.answered = d.last
	case errors.Is(why, StateError{StateResponseTimedOut}) && !errors.Is(d.answered, StateError{StateDenied}):
		d.answered = d.last
	}
}

// failure is the error of Dial when all addresses have failed.
func (d *dialing) failure() error {
	switch {
	case d.ctx.Err() != nil:
		return broken(d.ctx.Err())
	case d.answered != nil && (errors.Is(d.last, StateError{StateRequestTimedOut}) ||
		errors.Is(d.last, StateError{StateDisconnected})):
		return d.answered
	default:
		return d.last
	}
}
