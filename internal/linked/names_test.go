package linked

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rushgate/rushgate"
)

// Names by chance are names that players could choose, and those of guests are known again.
func TestNamesByChance(t *testing.T) {
	for range 200 {
		guest, player := GuestName(), PlayerName()
		for _, name := range []string{guest, player} {
			if canonical, err := rushgate.NewUsername(name); err != nil || canonical != name {
				t.Fatalf("%q becomes %q: %v", name, canonical, err)
			}
		}
		if !IsGuestName(guest) || IsGuestName(player) {
			t.Fatalf("%q, %q", guest, player)
		}
	}
	for _, name := range []string{"", "guest-", "guest-abcdefg", "guest-abcdefgh2", "guest-ABCDEFGH", "guest-abcdefg1", "ada"} {
		if IsGuestName(name) {
			t.Errorf("%q is a guest's", name)
		}
	}
}

// What a player is called elsewhere becomes a name here, with digits if that is taken, or none if it cannot be one.
func TestNamesFrom(t *testing.T) {
	for called, want := range map[string]string{"Ada": "ada", strings.Repeat("x", 32): strings.Repeat("x", 32), "二人": "二人"} {
		names := NamesFrom(called)
		second := names(1)
		if names(0) != want || second == want || names(2) != "" || utf8.RuneCountInString(second) > rushgate.MaxUsernameLen {
			t.Errorf("%q: %q, %q, %q", called, names(0), second, names(2))
		}
	}
	for _, called := range []string{"", "admin", "a\x00b", "Ada Lovelace!", strings.Repeat("x", 1000)} {
		if names := NamesFrom(called); names(0) != "" || names(1) != "" {
			t.Errorf("%q: %q", called, names(0))
		}
	}
}
