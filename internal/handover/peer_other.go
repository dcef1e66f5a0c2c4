//go:build !linux && !darwin

package handover

import (
	"net"
	"os"
)

// peerOf says that the process at the other end may be there, which the permissions of the socket see to.
func peerOf(*net.UnixConn) (peer, error) { return peer{uid: os.Geteuid()}, nil }
