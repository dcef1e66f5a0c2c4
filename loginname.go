package rushgate

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// LoginName returns the name under which the account of a player who logs in as s is stored: the canonical form if
// [ParseUsername] has one, and otherwise s itself, byte for byte, if it could be the name of an imported account (see
// [Record]): UTF-8 of 1 to [MaxRecordNameLen] bytes without control characters. A name that was allowed where it comes
// from, but is too short, too long or has a space for today's rules, so goes on working, while no player can register
// it. The error wraps [ErrInvalidUsername].
//
// The two cannot be confused: a name that ParseUsername accepts is never looked up as it is, and one that it refuses
// is never the canonical form of another, for canonical forms are accepted.
func LoginName(s string) (string, error) {
	name, err := ParseUsername(s)
	if err == nil {
		return name, nil
	}
	switch {
	case s == "" || len(s) > MaxRecordNameLen:
		return "", err
	case !utf8.ValidString(s) || strings.ContainsRune(s, utf8.RuneError):
		return "", fmt.Errorf("%w: it is not UTF-8", ErrInvalidUsername)
	case strings.ContainsFunc(s, unicode.IsControl):
		return "", err
	}
	return s, nil
}
