package netcode

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// UDPOptions tune the socket of ListenUDP. The zero value has the defaults.
type UDPOptions struct {
	// ReadBuffer and WriteBuffer are the sizes in bytes asked of the operating system for datagrams that wait to be
	// read and to be sent; 0 means 4 MiB. The system may grant less, and that is no error: on Linux the limits are
	// net.core.rmem_max and net.core.wmem_max, 208 KiB unless they are raised. See UDPConn.ReadBuffer.
	ReadBuffer, WriteBuffer int
}

// DefaultSocketBuffer holds, if it is granted, what 1000 players send in 150 ms at 60 datagrams a second. Linux counts
// the memory that datagrams occupy, so that 4 MiB are full with 10,000 small ones, or 3600 of the largest; the 208 KiB
// that are usual there with 500 or 180.
const DefaultSocketBuffer = 4 << 20

// deadlineSlack is how late a read may end for lack of datagrams. Within it the socket's timer stays as it is, because
// to change it costs about as much as to receive a datagram.
const deadlineSlack = time.Millisecond

// UDPConn is the Conn of the real network, a UDP socket. On Linux a batch is one system call, recvmmsg or sendmmsg;
// elsewhere every datagram is one, and ReadBatch returns a single one.
type UDPConn struct {
	conn     *net.UDPConn
	local    netip.AddrPort
	deadline time.Time // of the socket's read timer
	datagrams
}

var _ Conn = (*UDPConn)(nil)

// ListenUDP listens on addr, "host:port" as net.ListenPacket takes it. An empty host or "[::]" is every address of this
// machine, IPv6 and IPv4, and "0.0.0.0" every IPv4 address; port 0 is one that the system chooses, see LocalAddr.
//
// Clients talk to one address and take answers from no other. On Linux a socket for every address reports where each
// datagram arrived, and the Server answers from there. Elsewhere the system chooses the address that answers come from;
// on a machine that has several there, listen on the public address itself.
func ListenUDP(addr string, opts UDPOptions) (*UDPConn, error) {
	network := "udp"
	if a, err := netip.ParseAddrPort(addr); err == nil && a.Addr().Is4() {
		network = "udp4" // with "udp", 0.0.0.0 would be the IPv6 addresses too
	}
	pc, err := new(net.ListenConfig).ListenPacket(context.Background(), network, addr)
	if err != nil {
		return nil, fmt.Errorf("netcode: %w", err)
	}
	return NewUDPConn(pc.(*net.UDPConn), opts)
}

// NewUDPConn is ListenUDP for a socket that is there, such as one that another process has handed over. The connection
// owns it from now on, and closes it if there is an error.
func NewUDPConn(conn *net.UDPConn, opts UDPOptions) (*UDPConn, error) {
	c := &UDPConn{conn: conn}
	_ = c.conn.SetReadBuffer(bufferSize(opts.ReadBuffer))
	_ = c.conn.SetWriteBuffer(bufferSize(opts.WriteBuffer))
	c.local = plainIPv4(c.conn.LocalAddr().(*net.UDPAddr).AddrPort())
	if err := c.init(c.conn); err != nil {
		_ = c.conn.Close()
		return nil, fmt.Errorf("netcode: %w", err)
	}
	return c, nil
}

// bufferSize is the size to ask for; the socket refuses what is out of range.
func bufferSize(n int) int {
	if n == 0 {
		return DefaultSocketBuffer
	}
	return n
}

// ReadBuffer returns the size in bytes that the system granted for datagrams that wait to be read, in the terms of
// UDPOptions.ReadBuffer; 0 where it is not known, which is everywhere but on Linux.
func (c *UDPConn) ReadBuffer() int { return c.readBuffer }

// LocalAddr returns the address the socket is bound to, with the port that the system chose.
func (c *UDPConn) LocalAddr() netip.AddrPort { return c.local }

// SyscallConn returns the socket as the system knows it, to hand it over to another process, say.
func (c *UDPConn) SyscallConn() (syscall.RawConn, error) { return c.conn.SyscallConn() }

// Close closes the socket. Calls of ReadBatch and WriteBatch that wait return an error that wraps net.ErrClosed.
func (c *UDPConn) Close() error {
	if err := c.conn.Close(); err != nil && !isClosed(err) {
		return fmt.Errorf("netcode: %w", err)
	}
	return nil
}

// waitRead calls read, which blocks until there is a datagram or the socket's timer ends, until it succeeds or the
// deadline has passed. The timer may end too early, and is set again only then: a caller that asks for "100 ms from
// now" a thousand times a second sets it ten times a second.
func (c *UDPConn) waitRead(deadline time.Time, read func() error) error {
	if !deadline.IsZero() && (c.deadline.IsZero() || c.deadline.Sub(deadline) > deadlineSlack) {
		if err := c.setDeadline(deadline); err != nil {
			return err
		}
	}
	for {
		err := read()
		if !isTimeout(err) || !deadline.IsZero() && !time.Now().Before(deadline) {
			return err
		}
		if err := c.setDeadline(deadline); err != nil {
			return err
		}
	}
}

func (c *UDPConn) setDeadline(deadline time.Time) error {
	c.deadline = deadline
	return c.conn.SetReadDeadline(deadline)
}

// readError is the error of ReadBatch. The end of the wait is no event worth an allocation.
func readError(err error) error {
	if isTimeout(err) {
		return os.ErrDeadlineExceeded
	}
	return fmt.Errorf("netcode: %w", err)
}

func isClosed(err error) bool { return errors.Is(err, net.ErrClosed) }

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// plainIPv4 returns the 4-byte form of an IPv4 address that an IPv6 socket shows in its 16-byte form.
func plainIPv4(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
