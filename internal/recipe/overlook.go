package recipe

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// slip types a password otherwise, as people do.
type slip int

const (
	end      slip = iota // another end
	capitals             // other capitals
	blanks               // other blanks
	foreign              // other characters beyond ASCII
)

// overlooked are the slips that make no difference to a function, or may not.
var overlooked = map[string]slip{
	"cut": end, "cut_utf16": end, "descrypt": end, "bcrypt": end, "bcrypt_2x": end, "bcrypt_text": end,
	"lower": capitals, "upper": capitals, "asciilower": capitals, "asciiupper": capitals,
	"trim": blanks, "mysql323": blanks,
	"ascii": foreign, "ascii16": foreign, "latin1": foreign,
}

// Overlooks reports whether a reading, by its number, makes the same of a password and of one that is typed otherwise
// where people do: with another end, other capitals, other blanks, other characters beyond ASCII. Made is what it makes
// of the password. For most recipes that costs nothing, and for others as much again for each of these.
//
// Which of them is the player's nobody can tell: what replaces the hash by one of the password as it was typed this
// time may take a slip for the password.
func (r *Recipe) Overlooks(reading int, password string, made []byte) bool {
	slips := make(map[slip]bool)
	r.readings[reading].walk(func(n *node) {
		if n.kind != call {
			return
		}
		// What has one size, whatever the password, is a digest, which may be cut.
		if s, ok := overlooked[n.call.name]; ok && n.parts[0].size() < 0 {
			slips[s] = true
		}
	})
	for _, s := range slices.Sorted(maps.Keys(slips)) {
		if other := s.of(password); other != password && bytes.Equal(r.Make(reading, other), made) {
			return true
		}
	}
	return false
}

// of returns a password with the slip; the same where there is none to be made.
func (s slip) of(password string) string {
	switch s {
	case end:
		return password + "x"
	case capitals:
		return strings.Map(func(c rune) rune {
			if unicode.IsUpper(c) {
				return unicode.ToLower(c)
			}
			return unicode.ToUpper(c)
		}, password)
	case blanks:
		return strings.NewReplacer(" ", "", "\t", "").Replace(password)
	case foreign:
		return strings.Map(func(c rune) rune {
			switch {
			case c < utf8.RuneSelf:
				return c
			case c == '一':
				return '二'
			}
			return '一'
		}, password)
	}
	return password
}
