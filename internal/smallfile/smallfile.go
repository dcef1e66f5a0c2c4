// Package smallfile reads the small files that a node is given: certificates, keys, tokens, passwords. One may be a
// pipe, as a shell's <(…) is; a pipe to which nobody writes must not keep a node from saying what it waits for.
package smallfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

const (
	// Patience is how long what is not a regular file may take to be read to its end: as long as who writes to it takes
	// to type the password of a password store.
	Patience = 30 * time.Second
	// lookInterval is how often a pipe is looked at that nobody has opened for writing yet.
	lookInterval = 10 * time.Millisecond
)

// ErrSilent is wrapped by the error about a file that was not there to its end in time. A regular file always is.
var ErrSilent = errors.New("it is not a regular file, and what writes to it has not come to an end")

// Read returns what is in a file, and what kind of file that is: limit bytes of it, and one more if there are more. The
// error names the file, and nothing of what is in it; it wraps that of the system, or [ErrSilent] after [Patience].
func Read(path string, limit int64) ([]byte, fs.FileInfo, error) { return read(path, limit, Patience) }

func read(path string, limit int64, patience time.Duration) ([]byte, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|atOnce, 0)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	end := time.Now().Add(patience)
	_ = f.SetReadDeadline(end) // of which a regular file has no need
	for {
		b, err := io.ReadAll(io.LimitReader(f, limit+1))
		unopened := err == nil && len(b) == 0 && info.Mode()&fs.ModeNamedPipe != 0 // by who is to write
		switch {
		case unopened && time.Now().Before(end):
			time.Sleep(lookInterval)
			continue
		case unopened, errors.Is(err, os.ErrDeadlineExceeded):
			err = fmt.Errorf("%s: %w within %v", path, ErrSilent, patience)
		}
		return b, info, err
	}
}
