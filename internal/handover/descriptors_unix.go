//go:build unix

package handover

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// supported says whether descriptors can be given to another process.
const supported = true

// send writes the header of a message together with descriptors.
func send(conn *net.UnixConn, header []byte, files []File) error {
	return withDescriptors(files, nil, func(fds []int) error {
		var rights []byte
		if len(fds) > 0 {
			rights = unix.UnixRights(fds...)
		}
		n, _, err := conn.WriteMsgUnix(header, rights, nil)
		if err == nil && n < len(header) {
			err = io.ErrShortWrite
		}
		return err
	})
}

// withDescriptors calls f with the descriptors of files, which stay open until it returns.
func withDescriptors(files []File, fds []int, f func(fds []int) error) error {
	if len(files) == 0 {
		return f(fds)
	}
	var inner error
	err := files[0].Control(func(fd uintptr) { inner = withDescriptors(files[1:], append(fds, int(fd)), f) })
	return errors.Join(err, inner)
}

// fileReader reads from a connection, and keeps the descriptors that come with the bytes.
type fileReader struct {
	conn   *net.UnixConn
	rights []byte
	files  []*os.File
}

// Read implements [io.Reader]. More descriptors than one message may have are an error.
func (r *fileReader) Read(b []byte) (int, error) {
	if r.rights == nil {
		r.rights = make([]byte, unix.CmsgSpace(4*maxFiles))
	}
	n, size, flags, _, err := r.conn.ReadMsgUnix(b, r.rights)
	if err != nil {
		return 0, err // n is -1
	}
	if size > 0 {
		err = r.keep(r.rights[:size])
	}
	switch {
	case err != nil:
	case flags&unix.MSG_CTRUNC != 0 || len(r.files) > maxFiles:
		err = errors.New("more descriptors have come than may come, or than this process may have open")
	case n == 0 && len(b) > 0:
		err = io.EOF
	}
	return n, err
}

// keep takes descriptors out of control messages.
func (r *fileReader) keep(rights []byte) error {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return fmt.Errorf("what came with a message cannot be read: %w", err)
	}
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			continue // not descriptors
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			r.files = append(r.files, os.NewFile(uintptr(fd), "handed over"))
		}
	}
	return nil
}

// take returns the descriptors that have come since it was last called.
func (r *fileReader) take() []*os.File {
	files := r.files
	r.files = nil
	return files
}
