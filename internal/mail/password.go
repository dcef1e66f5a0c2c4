package mail

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"

	"github.com/rushgate/rushgate/internal/smallfile"
)

// maxPassword bounds the file of a password, in bytes.
const maxPassword = 4 << 10

// ErrPassword is wrapped by the errors of [LoadPassword] about what the file holds or who may read it.
var ErrPassword = errors.New("not fit for the password of a mail server")

// LoadPassword reads the password of a mail server's user from a file, which everybody on the machine must not be able
// to read: one line. The error tells nothing of what is in the file.
func LoadPassword(path string) (string, error) {
	b, info, err := smallfile.Read(path, maxPassword)
	if err != nil {
		return "", fmt.Errorf("mail: password: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o007 != 0 && runtime.GOOS != "windows" {
		return "", fmt.Errorf("mail: password: %s is open to everybody on this machine (mode %#o): %w; chmod 600 it",
			path, mode, ErrPassword)
	}
	b = bytes.TrimRight(b, "\r\n")
	if len(b) == 0 || len(b) > maxPassword || bytes.ContainsAny(b, "\r\n\x00") {
		return "", fmt.Errorf("mail: password: %s: %w: it holds no line, or several, or too long a one", path, ErrPassword)
	}
	return string(b), nil
}
