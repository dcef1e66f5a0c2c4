package client

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/udpknock"
	"github.com/rushgate/rushgate/netcode"
)

const (
	// udpPatience is for how long UDP alone is tried. A network that lets a challenge through within it is given
	// responsePatience to finish; one that does not is taken for one that lets no UDP through.
	udpPatience      = 1500 * time.Millisecond
	responsePatience = 3 * time.Second
	// probePatience is how long an answer to a probe may take.
	probePatience = 500 * time.Millisecond
	// maxProbes bounds how many addresses of a server are probed.
	maxProbes = 4
)

// roads is what a Realtime knows of the ways to its server. It belongs to the one goroutine that makes a connection.
type roads struct {
	addresses []netip.AddrPort // of the newest connect token, for probes: connections are made to those of a fresh one
	fallen    bool             // the connection is over a WebSocket, since UDP did not work
	noSocket  bool             // WebSockets do not work
}

// approach is an attempt to make connections, until there is one.
type approach struct {
	// committed is set when the server may give up the connection before, in favour of the one that is being made.
	committed atomic.Bool
}

func (rt *Realtime) mayFallBack() bool { return !rt.opts.UDPOnly && !rt.roads.noSocket }

// connect makes the first connection, with the connect token that came with the session if that is still good. After a
// WebSocket it is not.
func (rt *Realtime) connect(ctx context.Context) (connection, error) {
	s, a := rt.session, new(approach)
	token := s.connectToken()
	if !s.grant.channel.takeToken() || !s.fresh(token) || rt.opts.WebSocket {
		return rt.connectAnew(ctx, a, true)
	}
	return rt.dialOrFallBack(ctx, a, token)
}

// fresh reports whether the connect token that came with the session can still be used.
func (s Session) fresh(token []byte) bool {
	t, err := netcode.ParseConnectToken(token)
	return err == nil && time.Since(s.grant.since) <= t.Lifetime()-tokenReserve
}

// connectAnew makes a connection over a WebSocket or with a new connect token. The server ends the connection before
// it, if it still has one, when the new one stands. A connection over a WebSocket that was made for want of UDP is made
// over one again unless UDP is known to be alive.
func (rt *Realtime) connectAnew(ctx context.Context, a *approach, alive bool) (connection, error) {
	if rt.opts.WebSocket || rt.roads.fallen && !alive {
		return rt.webSocket(ctx, a)
	}
	token, err := rt.session.client.renew(ctx, rt.session)
	switch {
	case errors.Is(err, ErrNoChannel) && rt.mayFallBack():
		return rt.webSocket(ctx, a)
	case err != nil:
		return nil, err
	}
	return rt.dialOrFallBack(ctx, a, token)
}

// dialOrFallBack makes a connection over UDP, or else, where it may, over a WebSocket.
func (rt *Realtime) dialOrFallBack(ctx context.Context, a *approach, token []byte) (connection, error) {
	if !rt.mayFallBack() {
		return rt.dial(ctx, a, token, 0)
	}
	conn, err := rt.dial(ctx, a, token, udpPatience)
	if err == nil {
		rt.roads.fallen = false
		return conn, nil
	}
	if ctx.Err() != nil || !unanswered(err) {
		return nil, err
	}
	ws, wsErr := rt.webSocket(ctx, a)
	if wsErr == nil {
		rt.roads.fallen = true
		return ws, nil
	}
	if _, refused := errors.AsType[*rushgate.Refusal](wsErr); refused || ctx.Err() != nil {
		return nil, wsErr
	}
	if rt.roads.noSocket = errors.Is(wsErr, ErrNoChannel) || errors.Is(wsErr, ErrBadAnswer); !rt.roads.noSocket {
		return nil, err
	}
	if token, err = rt.session.client.renew(ctx, rt.session); err != nil { // UDP may be slow, and had little time
		return nil, err
	}
	return rt.dial(ctx, a, token, 0)
}

// webSocket makes a connection over a WebSocket to the node that has the session.
func (rt *Realtime) webSocket(ctx context.Context, a *approach) (connection, error) {
	for hop := 0; ; hop++ {
		conn, err := rt.openWebSocket(ctx, a)
		switch {
		case err == nil:
			return conn, nil
		case errors.Is(err, ErrNoAnswer):
			rt.session.follow("")
			return nil, err
		case errors.Is(err, rushgate.RateLimited): // the server has heard of the session, and knows it
			rt.session.grant.heardOf()
			return nil, err
		case hop == maxHops || !rt.session.followed(err):
			return nil, err
		}
	}
}

// unanswered reports whether nothing was heard by UDP.
func unanswered(err error) bool {
	return errors.Is(err, netcode.StateError{State: netcode.StateRequestTimedOut}) ||
		errors.Is(err, netcode.StateError{State: netcode.StateDisconnected})
}

// dial makes a connection over UDP. If patience is not 0, it gives up when nothing has answered in that time.
func (rt *Realtime) dial(ctx context.Context, a *approach, token []byte, patience time.Duration) (connection, error) {
	if t, err := netcode.ParseConnectToken(token); err == nil {
		rt.roads.addresses = t.Addresses
	}
	tryCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	if patience > 0 {
		limit := time.AfterFunc(patience, func() {
			if !a.committed.Load() {
				cancel()
			}
		})
		defer limit.Stop()
		last := time.AfterFunc(patience+responsePatience, cancel)
		defer last.Stop()
	}
	conn, err := netcode.Dial(tryCtx, token, netcode.ClientOptions{Dial: rt.opts.Dial, OnState: func(s netcode.State) {
		if s == netcode.StateSendingResponse {
			a.committed.Store(true)
		}
	}})
	switch {
	case err == nil:
		return conn, nil
	case tryCtx.Err() != nil && ctx.Err() == nil:
		err = netcode.StateError{State: netcode.StateRequestTimedOut}
	}
	return nil, wrap(err)
}

// sign is what is heard of a server by UDP.
type sign int

const (
	silent  sign = iota // nothing
	refused             // by its machine: there is no server at the port
	answered
)

// probe asks for a sign of the server by UDP. It returns as soon as there is one of life, and after probePatience.
func (rt *Realtime) probe(ctx context.Context) sign {
	addresses := rt.roads.addresses[:min(len(rt.roads.addresses), maxProbes)]
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	dial := rt.opts.Dial
	if dial == nil {
		dial = func(ctx context.Context, server netip.AddrPort) (net.Conn, error) {
			return dialKnock(ctx, server.String())
		}
	}
	answers := make(chan sign)
	for _, server := range addresses {
		go func() { answers <- probeAt(ctx, dial, server) }()
	}
	best, refusals := silent, 0
	for range addresses {
		switch <-answers {
		case answered:
			best = answered
			cancel() // the others
		case refused:
			refusals++
		}
	}
	if best == silent && refusals > 0 && refusals == len(addresses) {
		return refused
	}
	return best
}

func probeAt(
	ctx context.Context, dial func(context.Context, netip.AddrPort) (net.Conn, error), to netip.AddrPort,
) sign {
	conn, err := dial(ctx, to)
	if err != nil {
		return silent
	}
	defer conn.Close()
	err = udpknock.Probe(ctx, conn)
	if err == nil {
		return answered
	}
	if broken, ok := errors.AsType[*net.OpError](err); ok && broken.Op == "read" && ctx.Err() == nil {
		return refused
	}
	return silent
}
