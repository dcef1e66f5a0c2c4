package linked

import (
	"encoding/hex"
	"testing"

	"github.com/rushgate/rushgate"
)

// What leads to an account is stored: the keys must stay what they are.
func TestKeysStayWhatTheyAre(t *testing.T) {
	keys := make(map[rushgate.IdentityKey]bool)
	for _, c := range []rushgate.Credential{
		OfGuest([32]byte{1}), OfGuest([32]byte{2}),
		OfProvider("https://a.example", "1"),
		OfProvider("https://a.example", "11"),
		OfProvider("https://a.example1", "1"),
	} {
		key, ok := Key(c)
		if !ok || keys[key] {
			t.Errorf("%+v: %x, %v", c, key, ok)
		}
		keys[key] = true
	}
	a, _ := Key(OfProvider("https://a.example", "1"))
	const want = "ec3611b27d2c1d4937226061ac1cd9ccaf04ccc90f93d234f50105d2925dac80"
	if got := hex.EncodeToString(a[:]); got != want { // of an implementation of its own
		t.Errorf("%s, want %s", got, want)
	}
	if _, ok := Key(rushgate.Credential{Kind: "passkey"}); ok {
		t.Error("a passkey is an identity")
	}
}
