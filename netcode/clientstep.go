package netcode

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// step waits for one datagram or the next thing to do, whichever comes first, and deals with it. It returns a payload
// if one came, valid until the next step, and an error if the connection, or the attempt at one, has ended.
func (c *Client) step(ctx context.Context) (payload []byte, err error) {
	if c.now >= c.wake {
		if err := c.upkeep(); err != nil {
			return nil, err
		}
	}
	// After the deadline is set, because the end of ctx shows as a deadline in the past.
	if err := ctx.Err(); err != nil {
		return nil, broken(err)
	}
	n, err := c.conn.Read(c.packet[:])
	c.now = time.Since(c.start)
	if err != nil {
		return nil, c.readFailed(ctx, err)
	}
	return c.receive(c.packet[:n])
}

// upkeep ends what has lasted too long, sends what is due and sets the deadline for the next upkeep. Packets that
// arrive or are sent can only make the next upkeep due later, so they leave the deadline alone: setting it is costly.
func (c *Client) upkeep() error {
	c.failures = 0
	state, expires := c.State(), c.token.Lifetime()
	if state != StateConnected && c.now >= expires {
		return StateError{StateTokenExpired}
	}
	silentUntil, timed := c.heard+c.token.Timeout(), c.token.Timeout() > 0
	silent := timed && c.now >= silentUntil
	late := c.now >= c.wake+sendInterval
	if silent && (!late || c.draining) {
		return StateError{timeoutOf(state)}
	}
	c.draining = silent
	if c.now >= time.Duration(c.lastSent.Load())+sendInterval {
		c.transmit(whatToSend(state))
	}
	next := time.Duration(c.lastSent.Load()) + sendInterval
	switch {
	case silent:
		// The caller did not call Read, or the process stood still: what the server said meanwhile may wait in the socket.
		next = c.now + drainTime
	case timed:
		next = min(next, silentUntil)
	}
	if state != StateConnected {
		next = min(next, expires)
	}
	c.wake = next
	_ = c.conn.SetReadDeadline(c.start.Add(next)) // fails only when closed, which Read tells
	return nil
}

// timeoutOf returns the state that follows when s has waited too long.
func timeoutOf(s State) State {
	switch s {
	case StateSendingRequest:
		return StateRequestTimedOut
	case StateSendingResponse:
		return StateResponseTimedOut
	default:
		return StateTimedOut
	}
}

// whatToSend returns the packet that s repeats.
func whatToSend(s State) packetType {
	switch s {
	case StateSendingRequest:
		return packetRequest
	case StateSendingResponse:
		return packetResponse
	default:
		return packetKeepAlive
	}
}

// readFailed returns nil for an error that the connection may survive, which is every one that an outsider can cause:
// an ICMP message about a datagram sent before (ECONNREFUSED, EHOSTUNREACH), or on Windows a datagram that is longer
// than the buffer (WSAEMSGSIZE). Which errors those are differs between systems, so only the end of the socket itself
// is final. When such errors become many, it waits for the next wake-up.
func (c *Client) readFailed(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	case errors.Is(err, net.ErrClosed), errors.Is(err, io.EOF):
		return broken(err)
	}
	if c.failures++; c.failures <= maxReadErrors {
		return nil
	}
	wake := time.NewTimer(c.wake - c.now)
	defer wake.Stop()
	select {
	case <-wake.C:
	case <-ctx.Done():
	case <-c.done: // even if reads go on to fail in another way
		return errClosed
	}
	c.now = time.Since(c.start)
	return nil
}

// receive deals with a datagram. Whatever is wrong with it, it is ignored: anybody can send anything. The types that
// the standard has clients ignore are those that no case names.
func (c *Client) receive(p []byte) (payload []byte, err error) {
	t, _, data, err := openPacket(p, &c.scratch, c.opener, c.token.ProtocolID, &c.replay)
	if err != nil {
		return nil, nil
	}
	switch state := c.State(); {
	case state == StateConnected:
		return c.receiveConnected(t, data)
	case t == packetDenied:
		return nil, StateError{StateDenied}
	case state == StateSendingRequest && t == packetChallenge:
		copy(c.response[:], data)
		c.enter(StateSendingResponse)
	case state == StateSendingResponse && t == packetKeepAlive:
		k := parseKeepAlive(data)
		c.index, c.maxClients = int(k.index), int(k.maxClients)
		c.enter(StateConnected)
	}
	return nil, nil
}

func (c *Client) receiveConnected(t packetType, data []byte) (payload []byte, err error) {
	switch t {
	case packetPayload:
		c.hear()
		return data, nil
	case packetKeepAlive:
		c.hear()
	case packetDisconnect:
		return nil, StateError{StateDisconnected}
	}
	return nil, nil
}

// hear begins the time in which the server has to be heard again.
func (c *Client) hear() {
	c.heard = c.now
	c.draining = false
}

// transmit sends a packet that the protocol asks for, unless the client has ended.
func (c *Client) transmit(t packetType) {
	var data []byte
	switch t {
	case packetResponse:
		data = c.response[:]
	case packetKeepAlive:
		data = emptyKeepAlive[:]
	}
	_ = c.send(t, data) // the reader learns of the end by itself
}

// emptyKeepAlive is what a client sends: the numbers in a keep-alive matter in the other direction only.
var emptyKeepAlive [keepAliveSize]byte

// send seals and sends one packet.
func (c *Client) send(t packetType, data []byte) error {
	c.sending.mu.Lock()
	defer c.sending.mu.Unlock()
	if c.sending.ended != nil {
		return c.sending.ended
	}
	c.seal(t, data)
	return nil
}

// seal does the work of send while c.sending.mu is held.
func (c *Client) seal(t packetType, data []byte) {
	s := &c.sending
	p := s.packet[:0]
	if t == packetRequest {
		r := c.token.request()
		p = appendRequest(p, c.token.ProtocolID, &r)
	} else {
		p = sealPacket(p, &s.scratch, c.sealer, c.token.ProtocolID, t, s.sequence, data)
		s.sequence++
	}
	// An error is a lost datagram. It may even be the refusal of an earlier one; the timeout is what tells.
	_, _ = c.conn.Write(p)
	c.lastSent.Store(int64(time.Since(c.start)))
}
