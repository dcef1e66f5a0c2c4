package netcode

import (
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// step waits for one datagram or the next thing to do, whichever comes first, and deals with it. It returns a payload
// if one came, valid until the next step, and an error if the connection has ended.
func (c *Client) step() (payload []byte, err error) {
	if c.now >= c.wake {
		if err := c.upkeep(); err != nil {
			return nil, err
		}
	}
	if p := c.early; p != nil {
		c.early = nil
		return c.receive(p)
	}
	n, err := c.conn.Read(c.packet[:])
	c.now = time.Since(c.start)
	if err != nil {
		return nil, c.readFailed(err)
	}
	return c.receive(c.packet[:n])
}

// upkeep ends what has lasted too long, sends what is due and sets the deadline for the next upkeep. Packets that
// arrive or are sent can only make the next upkeep due later, so they leave the deadline alone: setting it is costly.
func (c *Client) upkeep() error {
	c.failures = 0
	silentUntil, timed := c.heard+c.token.Timeout(), c.token.Timeout() > 0
	silent := timed && c.now >= silentUntil
	late := c.now >= c.wake+sendInterval
	if silent && (!late || c.draining) {
		return StateError{StateTimedOut}
	}
	c.draining = silent
	interval := sendInterval
	if c.now >= c.heard+quietAfter && !late {
		interval = faintInterval
	}
	if c.now >= time.Duration(c.lastSent.Load())+interval {
		c.keepAlive()
	}
	next := time.Duration(c.lastSent.Load()) + interval
	switch {
	case silent:
		// The caller did not call Read, or the process stood still: what the server said meanwhile may wait in the socket.
		next = c.now + drainTime
	case timed:
		next = min(next, silentUntil)
	}
	c.wake = next
	_ = c.conn.SetReadDeadline(c.start.Add(next)) // fails only when closed, which Read tells
	return nil
}

// readFailed returns nil for an error that the connection may survive, which is every one that an outsider can cause:
// an ICMP message about a datagram sent before (ECONNREFUSED, EHOSTUNREACH), or on Windows a datagram that is longer
// than the buffer (WSAEMSGSIZE). Which errors those are differs between systems, so only the end of the socket itself
// is final. When such errors become many, it waits for the next wake-up, or a tenth of a second.
func (c *Client) readFailed(err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	case errors.Is(err, net.ErrClosed), errors.Is(err, io.EOF):
		return broken(err)
	}
	if c.failures++; c.failures <= maxReadErrors {
		return nil
	}
	wake := time.NewTimer(min(c.wake-c.now, sendInterval))
	defer wake.Stop()
	select {
	case <-wake.C:
	case <-c.done: // even if reads go on to fail in another way
		return errClosed
	}
	c.now = time.Since(c.start)
	return nil
}

// receive deals with a datagram. Whatever is wrong with it, it is ignored: anybody can send anything. The types that
// the standard has a connected client ignore are those that no case names.
func (c *Client) receive(p []byte) (payload []byte, err error) {
	t, _, data, err := openPacket(p, &c.scratch, c.opener, c.token.ProtocolID, &c.replay)
	if err != nil {
		return nil, nil
	}
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
	c.lastHeard.Store(int64(c.now))
	c.draining = false
}

// keepAlive sends a keep-alive, unless the client has ended.
func (c *Client) keepAlive() {
	_ = c.send(packetKeepAlive, emptyKeepAlive[:]) // the reader learns of the end by itself
}

// emptyKeepAlive is what a client sends: the numbers in a keep-alive matter in the other direction only.
var emptyKeepAlive [keepAliveSize]byte

// send seals and sends one packet over the connection.
func (c *Client) send(t packetType, data []byte) error {
	c.sending.mu.Lock()
	defer c.sending.mu.Unlock()
	if c.sending.ended != nil {
		return c.sending.ended
	}
	c.seal(c.conn, t, data)
	return nil
}

// sendOn is send while there is no connection yet. All sockets share the sequence numbers, as they share the key.
func (c *Client) sendOn(conn net.Conn, t packetType, data []byte) {
	c.sending.mu.Lock()
	defer c.sending.mu.Unlock()
	c.seal(conn, t, data)
}

// seal does the work of both while c.sending.mu is held.
func (c *Client) seal(conn net.Conn, t packetType, data []byte) {
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
	_, _ = conn.Write(p)
	c.lastSent.Store(int64(time.Since(c.start)))
}
