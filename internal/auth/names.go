package auth

import (
	"crypto/rand"
	"strconv"
	"strings"

	"github.com/rushgate/rushgate"
)

const (
	// GuestPrefix is what the names of guests begin with, see [ChanceName].
	GuestPrefix  = "guest-"
	playerPrefix = "player-"

	// nameAlphabet has no characters that are taken for each other.
	nameAlphabet = "abcdefghjkmnpqrstuvwxyz23456789"
	chanceLen    = 8
)

// ChanceName returns a name of a prefix and eight characters by chance, so that hardly any two are the same.
func ChanceName(prefix string) string {
	var b [chanceLen]byte
	_, _ = rand.Read(b[:]) // which never fails
	for i := range b {
		b[i] = nameAlphabet[b[i]%byte(len(nameAlphabet))]
	}
	return prefix + string(b[:])
}

// IsGuestName reports whether a name is one that [ChanceName] gives guests.
func IsGuestName(name string) bool {
	chance, ok := strings.CutPrefix(name, GuestPrefix)
	return ok && len(chance) == chanceLen && strings.Trim(chance, nameAlphabet) == ""
}

// NamesFrom returns the names for an account whose player is called something elsewhere, see [Shown].Names: that, if it
// can be a name here, then with digits, and then names by chance.
func NamesFrom(proposal string) func(n int) string {
	name, err := rushgate.NewUsername(proposal)
	return func(n int) string {
		switch {
		case err != nil || n > 1:
			return ""
		case n == 0:
			return name
		}
		var b [2]byte
		_, _ = rand.Read(b[:])
		digits := strconv.Itoa(1000 + (int(b[0])<<8|int(b[1]))%9000)
		short := []rune(name)
		short = short[:min(len(short), rushgate.MaxUsernameLen-len(digits))]
		with, err := rushgate.NewUsername(string(short) + digits)
		if err != nil {
			return ""
		}
		return with
	}
}
