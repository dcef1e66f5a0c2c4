package adapter

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
)

// maxLocalPart is how long the part of an e-mail address before the '@' may be (RFC 5321, section 4.5.3.1.1).
const maxLocalPart = 64

// credentials reads the body of a registration or login; ok is false if it has no name or no password.
func (t *transport) credentials(body []byte) (who credentials, attempt string, ok bool) {
	var b struct {
		Username string `json:"username"`
		Password string `json:"password"`
		Attempt  string `json:"attempt_id"`
	}
	if json.Unmarshal(body, &b) != nil || b.Username == "" || b.Password == "" {
		return credentials{}, "", false
	}
	email := localPart(b.Username) + "@" + t.domain
	return credentials{name: b.Username, email: email, password: b.Password}, b.Attempt, true
}

// localPart returns what stands before the '@' in a player's e-mail address: the name in lower case if every server
// accepts that, and otherwise a hash of it.
func localPart(name string) string {
	lower := strings.ToLower(name)
	plain := lower != "" && len(lower) <= maxLocalPart
	for i, c := range []byte(lower) {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		case (c == '-' || c == '_') && i > 0 && i < len(lower)-1:
		default:
			plain = false
		}
	}
	if plain {
		return lower
	}
	sum := sha256.Sum256([]byte(name))
	return "x-" + hex.EncodeToString(sum[:])[:40] // longer than what a registered name has, so never equal to one
}
