package linked

import (
	"crypto/rand"
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/rushgate/rushgate"
)

const (
	// GuestPrefix is what the names of guests begin with.
	GuestPrefix  = "guest-"
	playerPrefix = "player-"

	// nameAlphabet has no characters that are taken for each other.
	nameAlphabet = "abcdefghjkmnpqrstuvwxyz23456789"
	chanceLen    = 8
)

// GuestName returns a name for a guest: by chance, so that hardly any two are the same.
func GuestName() string { return GuestPrefix + chance() }

// PlayerName returns such a name for a player whom a provider vouches for.
func PlayerName() string { return playerPrefix + chance() }

func chance() string {
	var b [chanceLen]byte
	_, _ = rand.Read(b[:]) // which never fails
	for i := range b {
		b[i] = nameAlphabet[int(b[i])%len(nameAlphabet)] // hardly uneven, and no secret
	}
	return string(b[:])
}

// IsGuestName reports whether a name is of the form of those of [GuestName].
func IsGuestName(name string) bool {
	chance, ok := strings.CutPrefix(name, GuestPrefix)
	return ok && len(chance) == chanceLen && strings.Trim(chance, nameAlphabet) == ""
}

// NamesFrom returns the names for the account of a player who is called something elsewhere, to be tried in turn: what
// the player is called there, if that can be a name here, then with digits, and then nothing.
func NamesFrom(called string) func(n int) string {
	name, err := rushgate.NewUsername(called)
	return func(n int) string {
		switch {
		case err != nil || n > 1:
			return ""
		case n == 0:
			return name
		}
		with, err := rushgate.NewUsername(withDigits(name))
		if err != nil {
			return ""
		}
		return with
	}
}

// withDigits appends four digits by chance to a name, which is made shorter if it has to be.
func withDigits(name string) string {
	var b [2]byte
	_, _ = rand.Read(b[:])
	digits := strconv.Itoa(1000 + int(binary.BigEndian.Uint16(b[:]))%9000)
	short := []rune(name)
	return string(short[:min(len(short), rushgate.MaxUsernameLen-len(digits))]) + digits
}
