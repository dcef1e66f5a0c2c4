package rushgate

import (
	_ "embed"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// DefaultPasswordLen and MaxMinPasswordLen are the least number of characters of a new password where nothing else is
// said, and the most that can be asked for.
const (
	DefaultPasswordLen = 8
	MaxMinPasswordLen  = 64
)

// commonPasswords holds those that are tried first wherever passwords are guessed, one a line, in lower case: words,
// names and games with the numbers that players put behind them, and walks over keyboards. The list is the project's
// own.
//
//go:embed commonpasswords.txt
var commonPasswords string

var isCommon = func() map[string]bool {
	common := make(map[string]bool)
	for line := range strings.Lines(commonPasswords) {
		common[strings.TrimSpace(line)] = true
	}
	return common
}()

// NewPassword returns the form of a new password that is hashed, as [ParsePassword] does, if it is worth hashing: it
// has at least minLen characters after normalisation, is none of the commonest, in whatever case and width, is not one
// character again and again, and not the username. A minLen below 1 stands for [DefaultPasswordLen]. The error wraps
// [ErrInvalidPassword], names the rule, and never contains the password.
//
// Passwords that there are already are not held to this: a login takes what [LoginPassword] does.
func NewPassword(s, username string, minLen int) (string, error) {
	pw, err := ParsePassword(s)
	if err != nil {
		return "", err
	}
	if minLen < 1 {
		minLen = DefaultPasswordLen
	}
	if utf8.RuneCountInString(pw) < minLen {
		return "", fmt.Errorf("%w: it must have at least %d characters", ErrInvalidPassword, minLen)
	}
	if isUsername(pw, username) {
		return "", fmt.Errorf("%w: it must not be the username", ErrInvalidPassword)
	}
	if isCommon[strings.ToLower(strings.TrimSpace(norm.NFKC.String(pw)))] || isOneCharacter(pw) {
		return "", fmt.Errorf("%w: it is one of the commonest, which are guessed first", ErrInvalidPassword)
	}
	return pw, nil
}

// isUsername reports whether a password is a name, in whatever case and width.
func isUsername(pw, username string) bool {
	if strings.EqualFold(pw, username) {
		return true
	}
	name, err := LoginName(pw)
	return err == nil && name == username
}

func isOneCharacter(pw string) bool {
	_, size := utf8.DecodeRuneInString(pw)
	return strings.Trim(pw, pw[:size]) == "" && len(pw) > size
}
