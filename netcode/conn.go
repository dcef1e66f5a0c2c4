package netcode

import (
	"net/netip"
	"time"
)

// Message is one datagram, received or to be sent.
type Message struct {
	// Buf is the room for a received datagram, or holds the one to be sent.
	Buf []byte

	// N is the number of bytes of Buf that the datagram takes. A received datagram longer than Buf has lost its end
	// and is reported with N = len(Buf)+1, so that it can be told apart and ignored.
	N int

	// Addr is the address of the other side. IPv4 addresses have their 4-byte form whatever the socket is.
	Addr netip.AddrPort

	// Local is the address of this machine that a received datagram was sent to, where the network tells, and the one
	// that a datagram to be sent should come from. The zero value leaves the choice to the system. A Server answers
	// from the address at which a client's connection request arrived.
	Local netip.Addr
}

// Conn is what a Server needs of a network. UDPConn is the one for the real network.
type Conn interface {
	// ReadBatch fills the messages from the front with datagrams that have arrived and returns how many. It waits
	// for the first of them until deadline, then returns 0 and an error that wraps os.ErrDeadlineExceeded. With a
	// deadline in the past it takes what is there without waiting; the zero deadline is none. After Close the error
	// wraps net.ErrClosed. One goroutine at a time.
	ReadBatch(ms []Message, deadline time.Time) (int, error)

	// WriteBatch sends all messages and returns how many were sent. A message that the network refuses, for one
	// destination say, is skipped and not counted, without an error; after Close the error wraps net.ErrClosed.
	// Any number of goroutines.
	WriteBatch(ms []Message) (int, error)

	// LocalAddr returns the address that the network gave.
	LocalAddr() netip.AddrPort

	// Close wakes the goroutines that wait in ReadBatch and WriteBatch. It is idempotent.
	Close() error
}
