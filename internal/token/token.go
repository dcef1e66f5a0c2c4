// Package token has the secrets that stand for a password: two keep a player from typing it again, one replaces it.
//
// A [Session] token proves a session, on every node and across restarts, for as long as that session lasts. A [Resume]
// token opens a new session on a device that the account is remembered on, and is replaced by another with each use.
// Of both a store has the hash alone. They are text in the alphabet of unpadded base64url (RFC 4648 section 5) with
// dots between, so that they fit into a header, a cookie and JSON as they are:
//
//	rgs1.<username>.<26 characters of chance>
//	rgr1.<username>.<device, 26 characters of chance>.<secret, 43 characters>
//
// A [Code] is for players to read and type, once: in place of a password that is lost, or to prove an address.
//
// No type prints what it holds: a token that finds its way to a log or an error shows as "[secret]".
package token

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/rushgate/rushgate"
)

const (
	// MaxSession and MaxResume are the greatest lengths of the tokens in bytes.
	MaxSession = len(sessionPrefix) + maxName + 1 + chance
	MaxResume  = len(resumePrefix) + maxName + 1 + chance + 1 + secretText

	// SaltSize is the length in bytes of what a store keeps beside the hash of a resume token, see [Resume.Next].
	SaltSize = 16

	sessionPrefix = "rgs1."
	resumePrefix  = "rgr1."
	// chance is the length of what [rand.Text] returns: 130 bits in the alphabet of base32.
	chance     = 26
	secretSize = 32
	secretText = (secretSize*8 + 5) / 6
	maxName    = (rushgate.MaxRecordNameLen*8 + 5) / 6
	// derivation tells the secrets of resume tokens from all else that an HMAC could be made of.
	derivation = "rushgate resume v1"
)

// ErrMalformed is the error for what is no token. It says nothing of the text.
var ErrMalformed = errors.New("token: malformed")

// base64url is strict but for line breaks, which it passes over: see [decode].
var base64url = base64.RawURLEncoding.Strict()

// Session is the token of a session. The zero Session is none.
type Session struct {
	name, text string
}

// NewSession makes a token for a session of the account of a canonical username, of 1 to [rushgate.MaxRecordNameLen]
// bytes.
func NewSession(name string) Session {
	return Session{name, sessionPrefix + base64url.EncodeToString([]byte(name)) + "." + rand.Text()}
}

// ParseSession reads a token. Whether there is such a session, or such an account, is not known by that.
func ParseSession(s string) (Session, error) {
	rest, ok := strings.CutPrefix(s, sessionPrefix)
	encoded, random, found := strings.Cut(rest, ".")
	if !ok || !found || len(s) > MaxSession || !isChance(random) {
		return Session{}, ErrMalformed
	}
	name, err := decodeName(encoded)
	return Session{name, s}, err
}

// Name returns the canonical username of the account.
func (s Session) Name() string { return s.name }

// Text returns the token as the client has it. It is a secret.
func (s Session) Text() string { return s.text }

// Hash returns what a store knows the session by, in 43 characters.
func (s Session) Hash() string { return hash(s.text) }

// String returns nothing of the token.
func (s Session) String() string { return redacted }

// GoString returns nothing of the token.
func (s Session) GoString() string { return redacted }

// Resume is the token of a device that an account is remembered on. The zero Resume is none.
type Resume struct {
	name, device string
	secret       [secretSize]byte
}

// NewResume makes the first token of a new device for the account of a canonical username, of 1 to
// [rushgate.MaxRecordNameLen] bytes.
func NewResume(name string) Resume {
	r := Resume{name: name, device: rand.Text()}
	rand.Read(r.secret[:])
	return r
}

// ParseResume reads a token. Whether it is good is not known by that.
func ParseResume(s string) (r Resume, err error) {
	rest, ok := strings.CutPrefix(s, resumePrefix)
	if !ok || len(s) > MaxResume {
		return Resume{}, ErrMalformed
	}
	parts := strings.Split(rest, ".")
	if len(parts) != 3 || !isChance(parts[1]) {
		return Resume{}, ErrMalformed
	}
	if r.name, err = decodeName(parts[0]); err != nil {
		return Resume{}, err
	}
	if err := decode(r.secret[:], parts[2]); err != nil {
		return Resume{}, err
	}
	r.device = parts[1]
	return r, nil
}

// Name returns the canonical username of the account.
func (r Resume) Name() string { return r.name }

// Device returns the id of the device, 26 characters. It is half of a secret: for stores, and to compare.
func (r Resume) Device() string { return r.device }

// Text returns the token as the client has it. It is a secret.
func (r Resume) Text() string {
	return resumePrefix + base64url.EncodeToString([]byte(r.name)) + "." + r.device + "." +
		base64url.EncodeToString(r.secret[:])
}

// Hash returns what a store keeps of the token, in 43 characters.
func (r Resume) Hash() string { return hash(r.Text()) }

// Next returns the token that takes the place of r when a client uses it in an attempt. It is made of r, of the
// attempt, and of a salt that the store keeps: so the same try, made again because its answer was lost, has the same
// answer on every node, and no node has to keep that. Without r it cannot be found out.
func (r Resume) Next(salt [SaltSize]byte, attempt string) Resume {
	mac := hmac.New(sha256.New, r.secret[:])
	mac.Write([]byte(derivation))
	mac.Write(salt[:])
	mac.Write([]byte(attempt))
	next := Resume{name: r.name, device: r.device}
	mac.Sum(next.secret[:0])
	return next
}

// String returns nothing of the token.
func (r Resume) String() string { return redacted }

// GoString returns nothing of the token.
func (r Resume) GoString() string { return redacted }

// redacted is what a token shows as.
const redacted = "[secret]"

// NewSalt returns a salt for [Resume.Next].
func NewSalt() (salt [SaltSize]byte) {
	rand.Read(salt[:])
	return salt
}

// EncodeSalt returns a salt as a store keeps it.
func EncodeSalt(salt [SaltSize]byte) string { return base64url.EncodeToString(salt[:]) }

// DecodeSalt reads a salt that a store has kept.
func DecodeSalt(s string) (salt [SaltSize]byte, err error) {
	return salt, decode(salt[:], s)
}

// decode fills dst. Of all texts that stand for the same bytes it takes one.
func decode(dst []byte, s string) error {
	if len(s) != base64url.EncodedLen(len(dst)) {
		return ErrMalformed
	}
	if n, err := base64url.Decode(dst, []byte(s)); err != nil || n != len(dst) {
		return ErrMalformed
	}
	return nil
}

// Same reports whether two hashes, or two ids of devices, are the same, in a time that does not depend on where they
// differ.
func Same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64url.EncodeToString(sum[:])
}

// decodeName returns the username in a token: of a length and an encoding that a stored one may have.
func decodeName(encoded string) (string, error) {
	if encoded == "" || len(encoded) > maxName {
		return "", ErrMalformed
	}
	name := make([]byte, base64url.DecodedLen(len(encoded)))
	// A store that cannot have a NUL in a name need not be asked for one.
	if err := decode(name, encoded); err != nil || !utf8.Valid(name) || bytes.IndexByte(name, 0) >= 0 {
		return "", ErrMalformed
	}
	return string(name), nil
}

// isChance reports whether s is of the form that [rand.Text] has.
func isChance(s string) bool {
	if len(s) != chance {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}
