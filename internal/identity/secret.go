package identity

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"

	"github.com/rushgate/rushgate/internal/smallfile"
)

// maxSecret is how many bytes the file of a secret has at most.
const maxSecret = 4 << 10

// ErrSecret is wrapped by the errors of [ReadSecret] about what the file holds or who may read it.
var ErrSecret = errors.New("not fit for a secret")

// Secret is what proves the game to a provider. It is shown to nobody else: neither [fmt] nor a log writes it.
type Secret string

// Format writes how long it is.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "a secret of %d bytes", len(s)) }

// MarshalText is for what would write it otherwise, such as a log in JSON.
func (s Secret) MarshalText() ([]byte, error) { return fmt.Append(nil, s), nil }

// ReadSecret reads a file that everybody on the machine must not be able to read, without line breaks at its end. The
// error wraps [ErrSecret] or is that of the file; it tells nothing of what is in it.
func ReadSecret(path string) (Secret, error) {
	b, info, err := smallfile.Read(path, maxSecret)
	if err != nil {
		return "", err
	}
	if mode := info.Mode().Perm(); mode&0o007 != 0 && runtime.GOOS != "windows" {
		return "", fmt.Errorf("%w: %s is open to everybody on this machine (mode %#o); chmod 600 it", ErrSecret, path, mode)
	}
	b = bytes.TrimRight(b, "\r\n")
	if len(b) == 0 || len(b) > maxSecret || bytes.ContainsRune(b, 0) {
		return "", fmt.Errorf("%w: %s is empty, or too large", ErrSecret, path)
	}
	return Secret(b), nil
}
