// Package porttest finds ports of this machine for servers that a test stops and starts again, or has another program
// start, to which it can give no socket.
package porttest

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// The ports lie below those that systems give to outgoing connections and to listeners that name none, 32768 and above
// on Linux. Each has a guard above it, on which the test listens for as long as it has the port.
const (
	first = 10_000
	ports = 5_000
	// Neighbour is by how much a port and its neighbour differ, which no other test gets either.
	Neighbour = 2 * ports
)

// Take returns a port of 127.0.0.1 that is free for TCP and UDP, and so is its neighbour, [Neighbour] above it. No
// other test gets either until this one has ended, also none of another process.
func Take(tb testing.TB) int {
	tb.Helper()
	for range 1000 {
		port := first + rand.IntN(ports)
		guard, err := net.Listen("tcp", addr(port+ports))
		if err != nil {
			continue
		}
		if isFree(port) && isFree(port+Neighbour) {
			tb.Cleanup(func() { _ = guard.Close() })
			return port
		}
		_ = guard.Close()
	}
	tb.Fatal("no free port")
	return 0
}

// Addr is [Take], and returns the port with its address.
func Addr(tb testing.TB) string {
	tb.Helper()
	return addr(Take(tb))
}

func addr(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func isFree(port int) bool {
	l, err := net.Listen("tcp", addr(port))
	if err != nil {
		return false
	}
	_ = l.Close()
	c, err := net.ListenPacket("udp", addr(port))
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}
