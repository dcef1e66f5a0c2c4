//go:build !linux || netcode_portable

package netcode

import (
	"fmt"
	"net"
	"time"
)

// The tag netcode_portable selects this file on Linux too, so that it can be tested there.

// datagrams reads and writes one datagram at a time.
type datagrams struct {
	readBuffer int
	buf        []byte // one byte longer than the caller's buffer, which is how a longer datagram shows
}

func (*datagrams) init(*net.UDPConn) error { return nil }

// ReadBatch implements Conn. It returns one datagram at a time. With a deadline in the past it waits for
// a millisecond, because the standard library cannot read from a socket without any waiting.
func (c *UDPConn) ReadBatch(ms []Message, deadline time.Time) (int, error) {
	if len(ms) == 0 {
		return 0, nil
	}
	if soonest := time.Now().Add(deadlineSlack); !deadline.IsZero() && deadline.Before(soonest) {
		deadline = soonest
	}
	m := &ms[0]
	if len(c.buf) < len(m.Buf)+1 {
		c.buf = make([]byte, len(m.Buf)+1)
	}
	buf := c.buf[:len(m.Buf)+1]
	err := c.waitRead(deadline, func() error {
		n, addr, err := c.conn.ReadFromUDPAddrPort(buf)
		if isTooLong(err) {
			n, err = len(buf), nil
		}
		m.N, m.Addr = n, plainIPv4(addr)
		return err
	})
	if err != nil {
		return 0, readError(err)
	}
	copy(m.Buf, buf[:m.N])
	return 1, nil
}

// WriteBatch implements Conn.
func (c *UDPConn) WriteBatch(ms []Message) (int, error) {
	sent := 0
	for i := range ms {
		_, err := c.conn.WriteToUDPAddrPort(ms[i].Buf[:ms[i].N], ms[i].Addr)
		if isClosed(err) {
			return sent, fmt.Errorf("netcode: %w", err)
		}
		if err == nil {
			sent++
		}
	}
	return sent, nil
}
