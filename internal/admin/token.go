package admin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/rushgate/rushgate/internal/smallfile"
)

const (
	// MinTokenLen is the least number of characters of a [Token].
	MinTokenLen = 32
	// maxTokenFile bounds the file of one, in bytes.
	maxTokenFile = 4 << 10
)

// ErrToken is wrapped by the errors of [LoadToken] about what the file holds or who may read it.
var ErrToken = errors.New("not fit for a token")

// Token is what the operator has to know. Only its SHA-256 is kept, so there is nothing in it to be leaked. Its methods
// may be called from many goroutines.
type Token struct {
	mu   sync.Mutex
	sum  [sha256.Size]byte
	over context.Context // ends when another token takes the place of this one
	end  context.CancelFunc
}

// Replace has t be what next is from now on. If that is another token, browsers that have logged in with the former one
// have to do so again. It reports whether it is.
func (t *Token) Replace(next *Token) (changed bool) {
	sum := next.current()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sum == sum {
		return false
	}
	t.end()
	t.sum = sum
	t.over, t.end = context.WithCancel(context.Background())
	return true
}

func (t *Token) current() [sha256.Size]byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sum
}

// LoadToken reads a token from a file, which everybody on the machine must not be able to read: at least [MinTokenLen]
// printable ASCII characters without spaces, and perhaps a line break. The error tells nothing of what is in the file.
func LoadToken(path string) (*Token, error) {
	text, err := ReadToken(path)
	if err != nil {
		return nil, err
	}
	return newToken(text), nil
}

// ReadToken is as [LoadToken], for who has to show the token: it returns the secret itself.
func ReadToken(path string) (string, error) {
	b, info, err := smallfile.Read(path, maxTokenFile)
	if err != nil {
		return "", fmt.Errorf("admin: token: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o007 != 0 && runtime.GOOS != "windows" {
		return "", fmt.Errorf("admin: token: %s is open to everybody on this machine (mode %#o): %w; chmod 600 it",
			path, mode, ErrToken)
	}
	text, err := parseToken(b)
	if err != nil {
		return "", fmt.Errorf("admin: token: %s: %w", path, err)
	}
	return text, nil
}

func newToken(text string) *Token {
	t := &Token{sum: sha256.Sum256([]byte(text))}
	t.over, t.end = context.WithCancel(context.Background())
	return t
}

func parseToken(b []byte) (string, error) {
	if len(b) > maxTokenFile {
		return "", fmt.Errorf("%w: larger than %d bytes", ErrToken, maxTokenFile)
	}
	b = bytes.TrimRight(b, "\r\n")
	for _, c := range b {
		if c <= ' ' || c > '~' { // could not stand in a header
			return "", fmt.Errorf("%w: it has characters other than printable ASCII without spaces", ErrToken)
		}
	}
	if len(b) < MinTokenLen {
		return "", fmt.Errorf("%w: %d characters, want at least %d", ErrToken, len(b), MinTokenLen)
	}
	return string(b), nil
}

// matches reports whether s is the token, in a time that tells nothing of it, and until when that is so.
func (t *Token) matches(s string) (over context.Context, right bool) {
	sum := sha256.Sum256([]byte(s))
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.over, subtle.ConstantTimeCompare(sum[:], t.sum[:]) == 1
}
