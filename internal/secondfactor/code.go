package secondfactor

import (
	"encoding/base32"
	"errors"
	"strings"

	"github.com/pquerna/otp"
)

const (
	digits = otp.DigitsSix
	// recoverySize is the chance in a recovery code, in bytes, and recoveryText the characters that it takes.
	recoverySize = 10
	recoveryText = recoverySize * 8 / 5
	// recoveryGroup is how many of them are written together.
	recoveryGroup = 4
	// MaxCodeText is the most bytes of a code as a player may write it.
	MaxCodeText = 64
)

var base32Text = base32.StdEncoding.WithPadding(base32.NoPadding)

// Code is what a player has typed, in canonical form. Empty, it is none. It is a secret.
type Code string

// ErrCode is the error for what can be no code. It says nothing of the text.
var ErrCode = errors.New("a code has 6 digits, a recovery code 16 letters and digits")

// lookalikes are the characters that recovery codes do not have, and those that a player has meant by them.
var lookalikes = strings.NewReplacer("0", "O", "1", "I", "8", "B")

// ParseCode returns the code that a player has typed: blanks and hyphens mean nothing, nor does the case of letters.
// An empty text is no code, and no error.
func ParseCode(s string) (Code, error) {
	if s == "" {
		return "", nil
	}
	if len(s) > MaxCodeText {
		return "", ErrCode
	}
	s = strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(s))
	if len(s) == recoveryText {
		s = lookalikes.Replace(s)
		if _, err := base32Text.DecodeString(s); err == nil && !strings.ContainsAny(s, "\r\n") {
			return Code(s), nil
		}
		return "", ErrCode
	}
	if len(s) != digits.Length() || strings.Trim(s, "0123456789") != "" {
		return "", ErrCode
	}
	return Code(s), nil
}

// recovers reports whether it is a recovery code, by its form.
func (c Code) recovers() bool { return len(c) == recoveryText }
