package token

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"strings"

	"github.com/rushgate/rushgate"
)

const (
	// codeAlphabet is Crockford's base32: digits and letters of which none is taken for another.
	codeAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	// codeLen is how many of them a code has: 60 bits of chance.
	codeLen = 12
	// codeGroup is how many stand together in the text of a code.
	codeGroup = 4
	// maxTypedCode bounds what is looked at of a text that is to be a code, in bytes.
	maxTypedCode = 64
)

// Code is a secret of a short life, which a player reads in one place and types in another. The zero Code is none. It
// does not print what it holds.
type Code struct{ text string }

// NewCode makes a code.
func NewCode() Code {
	var chance [codeLen]byte
	rand.Read(chance[:])
	for i, b := range chance {
		chance[i] = codeAlphabet[int(b)%len(codeAlphabet)] // 256 is a multiple of 32
	}
	return Code{string(chance[:])}
}

// ParseCode reads a code as players type it: in any case, with whatever spaces and hyphens, O for 0, and I or L for 1.
// Whether it is good is not known by that.
func ParseCode(s string) (Code, error) {
	if len(s) > maxTypedCode {
		return Code{}, ErrMalformed
	}
	text := strings.Map(func(r rune) rune {
		switch r {
		case ' ', '-':
			return -1
		case 'o', 'O':
			return '0'
		case 'i', 'I', 'l', 'L':
			return '1'
		}
		if r >= 'a' && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}, s)
	if len(text) != codeLen || strings.Trim(text, codeAlphabet) != "" {
		return Code{}, ErrMalformed
	}
	return Code{text}, nil
}

// Text returns the code as a player is shown it, "7K2M-QX9D-4HPT". It is a secret.
func (c Code) Text() string {
	if c.text == "" {
		return ""
	}
	return c.text[:codeGroup] + "-" + c.text[codeGroup:2*codeGroup] + "-" + c.text[2*codeGroup:]
}

// Hash returns what a store keeps of the code, in 43 characters. It is good for one purpose and one player alone, and
// until the account's epoch is raised.
func (c Code) Hash(purpose string, player rushgate.PlayerID, epoch uint64) string {
	return hash(fmt.Sprintf("rushgate code v1\x00%s\x00%d\x00%d\x00%s", purpose, player, epoch, c.text))
}

// Fits reports whether a hash is that of the code, in a time that does not depend on how much of it is the same.
func (c Code) Fits(hash, purpose string, player rushgate.PlayerID, epoch uint64) bool {
	return subtle.ConstantTimeCompare([]byte(c.Hash(purpose, player, epoch)), []byte(hash)) == 1
}

// String returns nothing of the code.
func (c Code) String() string { return redacted }

// GoString returns nothing of the code.
func (c Code) GoString() string { return redacted }
