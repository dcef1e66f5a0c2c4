//go:build !unix

package handover

import (
	"net"
	"os"
)

// supported says whether descriptors can be given to another process.
const supported = false

func send(*net.UnixConn, []byte, []File) error { return ErrUnsupported }

// fileReader reads from a connection.
type fileReader struct{ conn *net.UnixConn }

// Read implements [io.Reader].
func (r *fileReader) Read(b []byte) (int, error) { return r.conn.Read(b) }

func (r *fileReader) take() []*os.File { return nil }
