package client

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/rushgate/rushgate"
)

const (
	guestPath       = "/v1/guest"
	guestSecretSize = 32
)

// ErrNotGuest is wrapped by the error of [ParseGuest] for a text that is no secret.
var ErrNotGuest = errors.New("not the secret of a guest")

// Guest is the secret by which a device plays as a guest, see [Client.Guest]: 256 bits of chance, made by [NewGuest]
// and kept by the game. It is as secret as a password. The zero value is none.
//
// However a Guest is printed, logged or marshalled, it shows nothing; only Text does.
type Guest struct {
	text func() string // a function, since fmt prints what fields hold, but never what a function returns
}

// NewGuest makes a secret. Once there is one on a device, the game keeps it: another is another player.
func NewGuest() Guest {
	var secret [guestSecretSize]byte
	_, _ = rand.Read(secret[:]) // which never fails
	text := base64.RawURLEncoding.EncodeToString(secret[:])
	return Guest{func() string { return text }}
}

// ParseGuest reads what [Guest.Text] returned; "" is the zero value. The error wraps [ErrNotGuest], and does not repeat
// the text.
func ParseGuest(text string) (Guest, error) {
	if text == "" {
		return Guest{}, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != guestSecretSize || base64.RawURLEncoding.EncodeToString(b) != text {
		return Guest{}, fmt.Errorf("client: %w", ErrNotGuest)
	}
	return Guest{func() string { return text }}, nil
}

// Text returns the secret as text of 43 characters of A-Z, a-z, 0-9, '-' and '_', for [ParseGuest]; "" for the zero
// value. Who has the text can be the player.
func (g Guest) Text() string {
	if g.IsZero() {
		return ""
	}
	return g.text()
}

// IsZero reports whether there is no secret.
func (g Guest) IsZero() bool { return g.text == nil }

// String says whether there is a secret.
func (g Guest) String() string {
	if g.IsZero() {
		return "no guest"
	}
	return "[secret of a guest]"
}

// GoString is [Guest.String].
func (g Guest) GoString() string { return g.String() }

// Guest opens a session of the player whom the secret of this device stands for, without a name or a password. The
// first time the server makes an account, which it calls by chance. It ends a session that the account has already, as
// [Client.Takeover] does, and waits and tries again as [Client.Login] does, but for the server's line before the door.
// A try whose answer was lost leaves no second account behind.
//
// The server deletes the account when it was not used for as long as its operator has decided, unless something else
// opens it by then, too; the same secret then opens a new one. [rushgate.RateLimited] says that too many guests have
// come from the same address, and Refusal.RetryAfter when to come back. A server that takes no guests, for which see
// [Status].Guests, answers with [rushgate.MissingCredentials].
func (c *Client) Guest(ctx context.Context, secret Guest) (*Session, error) {
	if secret.IsZero() {
		return nil, &rushgate.Refusal{Reason: rushgate.MissingCredentials, Cause: ErrNotGuest}
	}
	return c.show(ctx, entry{op: "enter as a guest", path: guestPath, takeover: true}, secret.Text())
}
