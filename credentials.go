package rushgate

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
	"golang.org/x/text/width"
)

// Bounds of what a player may choose.
const (
	MinUsernameLen = 3   // characters, after normalisation; two are enough if each fills two columns
	MaxUsernameLen = 32  // characters, after normalisation
	MaxPasswordLen = 256 // bytes, after normalisation
)

// maxUsernameBytes bounds the work that normalisation does on hostile input; a decomposed character takes up to nine
// bytes.
const maxUsernameBytes = 9 * MaxUsernameLen

// ErrInvalidUsername and ErrInvalidPassword are wrapped by the errors of [ParseUsername] and [ParsePassword].
var (
	ErrInvalidUsername = errors.New("invalid username")
	ErrInvalidPassword = errors.New("invalid password")
)

// ParseUsername returns the canonical form of a username: the UsernameCaseMapped profile of PRECIS (RFC 8265), so
// that names which differ only in case or width are one, [MinUsernameLen] to [MaxUsernameLen] characters long. Two
// characters are enough if each fills two columns, as those of most Chinese, Japanese and Korean names do. It says
// which names there can be; those that a player may still choose are fewer, see [NewUsername].
func ParseUsername(s string) (string, error) {
	if len(s) > maxUsernameBytes {
		return "", fmt.Errorf("%w: longer than %d characters", ErrInvalidUsername, MaxUsernameLen)
	}
	name, err := enforce(precis.UsernameCaseMapped, s)
	if err != nil {
		return "", fmt.Errorf("%w: it contains characters that are not allowed in a name", ErrInvalidUsername)
	}
	if n := utf8.RuneCountInString(name); n > MaxUsernameLen || n < MinUsernameLen && !isWidePair(name) {
		return "", fmt.Errorf("%w: it must have %d to %d characters, of which two are enough if each fills two columns",
			ErrInvalidUsername, MinUsernameLen, MaxUsernameLen)
	}
	return name, nil
}

// isWidePair reports whether a name is two characters of two columns each, by Unicode's East Asian Width.
func isWidePair(name string) bool {
	n := 0
	for _, r := range name {
		if k := width.LookupRune(r).Kind(); k != width.EastAsianWide && k != width.EastAsianFullwidth {
			return false
		}
		n++
	}
	return n == 2
}

// ParsePassword returns the form of a password that is hashed: the OpaqueString profile of PRECIS (RFC 8265), 1 to
// [MaxPasswordLen] bytes. Its errors never contain the password.
func ParsePassword(s string) (string, error) {
	if len(s) > 2*MaxPasswordLen {
		return "", fmt.Errorf("%w: longer than %d bytes", ErrInvalidPassword, MaxPasswordLen)
	}
	pw, err := enforce(precis.OpaqueString, s)
	if err != nil {
		return "", fmt.Errorf("%w: it contains characters that are not allowed", ErrInvalidPassword)
	}
	if len(pw) > MaxPasswordLen {
		return "", fmt.Errorf("%w: longer than %d bytes", ErrInvalidPassword, MaxPasswordLen)
	}
	return pw, nil
}

// LoginPassword returns the forms in which the password that a client logs in with may have been hashed. Canonical is
// that of [ParsePassword], and exact the client's very bytes if they are others, for an account that comes from a
// system which hashed what it was sent; either is empty if there is no such form, never both. A password that
// ParsePassword refuses for its characters, such as one with a tab or a new emoji, has an exact form only: it cannot be
// registered, but goes on working where it was hashed. Exact is UTF-8 without NUL, of at most twice [MaxPasswordLen]
// bytes, or MaxPasswordLen without a canonical form. The error wraps [ErrInvalidPassword] and never contains the
// password.
//
// Which forms there are depends on the password alone, so that deriving a key for each tells nothing of the account.
func LoginPassword(s string) (canonical, exact string, err error) {
	canonical, err = ParsePassword(s)
	switch {
	case err == nil && s == canonical:
		return canonical, "", nil
	case err == nil:
		return canonical, s, nil
	case s == "" || len(s) > MaxPasswordLen:
		return "", "", err
	case !utf8.ValidString(s) || strings.ContainsRune(s, utf8.RuneError):
		return "", "", err
	case strings.ContainsRune(s, 0): // HMAC pads its key with NULs: what ends in one hashes like what does not
		return "", "", err
	}
	return "", s, nil
}

// enforce applies a profile until its output no longer changes, as RFC 8264 section 7 asks: the rules are not
// idempotent for every string, and an identity that depends on how often it was normalised is none.
func enforce(profile *precis.Profile, s string) (string, error) {
	// U+FFFD stands for what could not be decoded, here or before: different passwords would become one.
	if !utf8.ValidString(s) || strings.ContainsRune(s, utf8.RuneError) {
		return "", errors.New("not UTF-8")
	}
	for range 4 {
		out, err := profile.String(s)
		if err != nil {
			return "", err
		}
		if out == s {
			return s, nil
		}
		s = out
	}
	return "", errors.New("no stable form")
}
