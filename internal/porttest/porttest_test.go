package porttest

import (
	"net"
	"testing"
)

// Nobody gets a port twice while it is another test's, whether a server is on it or not.
func TestPortsAreOfOneTest(t *testing.T) {
	taken := make(map[int]bool)
	for range 100 {
		port := Take(t)
		if taken[port] {
			t.Fatalf("port %d is given twice", port)
		}
		taken[port] = true
	}
}

// A server can be started again on the port of a test, and others get it when the test has ended.
func TestPortsAreGivenBack(t *testing.T) {
	var at string
	t.Run("a test", func(t *testing.T) {
		at = Addr(t)
		for range 2 {
			l, err := net.Listen("tcp", at)
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
	_, port, err := net.SplitHostPort(at)
	if err != nil {
		t.Fatal(err)
	}
	n, err := net.LookupPort("tcp", port)
	if err != nil {
		t.Fatal(err)
	}
	guard, err := net.Listen("tcp", addr(n+ports))
	if err != nil {
		t.Fatalf("the port is still kept: %v", err)
	}
	_ = guard.Close()
}
