package rushgate

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// LoginName returns the name under which an account that is imported as s is stored, and for all names but a few (see
// [LoginNames]) that of a player who logs in as s: the canonical form if [ParseUsername] has one, and otherwise s
// itself, byte for byte, if it could be the name of an imported account (see [Record]): UTF-8 of 1 to
// [MaxRecordNameLen] bytes without control characters. A name with an @ in it is stored in lower case. A name
// that was allowed where it comes from, but is too short,
// too long or has a space for today's rules, so goes on working, while no player can register it. The error wraps
// [ErrInvalidUsername].
func LoginName(s string) (string, error) {
	name, other, err := LoginNames(s)
	if other != "" && other == addressOf(s) {
		return other, nil
	}
	return name, err
}

// addressOf returns a name that no player could register in lower case if it has an @, as an e-mail address has, in
// which nobody minds capitals. It is empty if there is nothing to change, or if what came of it could be registered.
func addressOf(s string) string {
	lower := strings.ToLower(s)
	if !strings.Contains(s, "@") || lower == s || len(lower) > MaxRecordNameLen {
		return ""
	}
	for _, name := range []string{s, lower} {
		if _, err := ParseUsername(name); err == nil {
			return ""
		}
	}
	return lower
}

// LoginNames returns the names under which the account of a player who logs in as s may be stored. Other is empty for
// all but two kinds of names: the canonical forms of two characters that s is not written in, such as ﾕｷ in half width:
// accounts of such
// names were imported as they were while names had to have three characters, and keep them, while one that a player
// registers is stored in canonical form; and for names with an @ and capitals, which are stored in lower case, but were
// imported as they were once. The account is then the one of name if there is one, and otherwise that of other.
//
// No two accounts are confused: apart from these, a name that ParseUsername accepts is never looked up as it is, and
// one that it refuses is never the canonical form of another, for canonical forms are accepted.
func LoginNames(s string) (name, other string, err error) {
	canonical, err := ParseUsername(s)
	switch {
	case err == nil && s != canonical && utf8.RuneCountInString(canonical) < MinUsernameLen && len(s) <= MaxRecordNameLen:
		return s, canonical, nil
	case err == nil:
		return canonical, "", nil
	case s == "" || len(s) > MaxRecordNameLen:
		return "", "", err
	case !utf8.ValidString(s) || strings.ContainsRune(s, utf8.RuneError):
		return "", "", fmt.Errorf("%w: it is not UTF-8", ErrInvalidUsername)
	case strings.ContainsFunc(s, unicode.IsControl):
		return "", "", err
	}
	return s, addressOf(s), nil
}
