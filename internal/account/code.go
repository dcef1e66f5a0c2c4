package account

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/token"
)

// The kinds of credentials that this package keeps in accounts. In those of e-mail the Subject is the address, as
// package mail reads it; the Secret of the last two is a [challenge].
const (
	// Email is the address at which the player has proved to be.
	Email = "email"
	// EmailPending is one of which that is still to be proved. Without a Subject, there is none: how many codes were sent
	// within the hour is kept.
	EmailPending = "email-pending"
	// Recovery is a code with which the player may choose a password without knowing the one before.
	Recovery = "recovery"
)

const (
	// CodeTTL is for how long a code is good that was sent by mail, and HandedTTL for one that an operator hands out, who
	// has to reach the player first.
	CodeTTL   = 15 * time.Minute
	HandedTTL = time.Hour
	// CodeTries is how often a code may be got wrong, until it is good no more.
	CodeTries = 5
	// codeLeeway is by how much the clock of the node that reads a code may be behind that of the one that made it.
	codeLeeway = 5 * time.Minute
	// CodesPerHour is how many codes an account is sent within an hour, for each purpose.
	CodesPerHour = 5
)

// Errors of what has to do with codes and addresses.
var (
	// ErrNoAddress says that there is no address to send to: none was proved, or none is to be.
	ErrNoAddress = errors.New("the account has no such e-mail address")
	// ErrTooMany says that the account was sent too many codes within the hour.
	ErrTooMany = errors.New("the account was sent too many codes")
	// ErrWrongCode says that a code is not, or no longer, the one that was sent.
	ErrWrongCode = errors.New("that is not the code")
)

// challenge is what is kept of a code: enough to tell it, and not to find it out.
type challenge struct {
	Hash  string `json:"hash,omitempty"` // empty: there is none, or it was got wrong too often
	Until int64  `json:"until,omitempty"`
	At    int64  `json:"at,omitempty"`    // when it was made; absent in what older nodes have made
	Tries int    `json:"tries,omitempty"` // that are left
	// Last tells the last wrong try from any other: two that are made of the same account would be one change to a store,
	// and use up one try.
	Last string `json:"last,omitempty"`
	// Since is when the first of Sent was, in an hour; times are in milliseconds of Unix time.
	Since int64 `json:"since,omitempty"`
	Sent  int   `json:"sent,omitempty"`
}

// readChallenge returns that of a credential. What cannot be read is as good as none.
func readChallenge(c rushgate.Credential) (out challenge) {
	if json.Unmarshal([]byte(c.Secret), &out) != nil {
		return challenge{}
	}
	return out
}

func (c challenge) String() string   { return "[secret]" }
func (c challenge) GoString() string { return "[secret]" }

// text is the challenge as the Secret of a credential.
func (c challenge) text() string {
	text, err := json.Marshal(c)
	if err != nil {
		panic(err) // there are only strings and numbers
	}
	return string(text)
}

// counter is what is left of a challenge once its code is good no more: how many were sent, for as long as that counts.
func (c *challenge) counter(now time.Time) challenge {
	if !c.counts(now) {
		return challenge{}
	}
	return challenge{Since: c.Since, Sent: c.Sent}
}

// counts reports whether the hour that codes are counted in goes on.
func (c *challenge) counts(now time.Time) bool {
	age := now.Sub(time.UnixMilli(c.Since))
	return age >= 0 && age < time.Hour
}

// renew makes another code for an account, which is good for a while. If counted, it is one of those of an hour.
func (c *challenge) renew(a *rushgate.Account, kind string, ttl time.Duration, counted bool) (token.Code, error) {
	now := time.Now()
	if !c.counts(now) {
		c.Since, c.Sent = now.UnixMilli(), 0
	}
	if counted {
		if c.Sent >= CodesPerHour {
			return token.Code{}, ErrTooMany
		}
		c.Sent++
	}
	code := token.NewCode()
	c.Hash, c.Tries, c.Last = code.Hash(kind, a.ID, a.Epoch), CodeTries, ""
	c.At, c.Until = now.UnixMilli(), now.Add(ttl).UnixMilli()
	return code, nil
}

// try holds a code against the challenge, and uses one of its tries up. What is left of the challenge is to be stored
// before anybody hears of it.
func (c *challenge) try(a *rushgate.Account, kind string, code token.Code) (right bool) {
	if c.Hash == "" || c.Tries < 1 || !c.inTime(time.Now()) {
		c.Hash = ""
		return false
	}
	right = code.Fits(c.Hash, kind, a.ID, a.Epoch)
	if c.Tries--; c.Tries == 0 || right {
		c.Hash = ""
	}
	c.Last = rand.Text()
	return right
}

// inTime reports whether a code is good at a time, which is not before it was made: a clock that is set back by a year
// must not make it good for as long.
func (c *challenge) inTime(now time.Time) bool {
	return now.Before(time.UnixMilli(c.Until)) && (c.At == 0 || now.After(time.UnixMilli(c.At).Add(-codeLeeway)))
}

// find returns the credential of a kind, of which an account has one at most.
func find(credentials []rushgate.Credential, kind string) (c rushgate.Credential, found bool) {
	i := slices.IndexFunc(credentials, func(c rushgate.Credential) bool { return c.Kind == kind })
	if i < 0 {
		return rushgate.Credential{Kind: kind}, false
	}
	return credentials[i], true
}

// without returns credentials but for those of some kinds. It is never nil.
func without(credentials []rushgate.Credential, kinds ...string) []rushgate.Credential {
	left := make([]rushgate.Credential, 0, len(credentials)+1)
	for _, c := range credentials {
		if !slices.Contains(kinds, c.Kind) {
			left = append(left, c)
		}
	}
	return left
}

// withoutCodes returns credentials without the codes that were sent, and the address that waits for one. How many were
// sent within the hour stays: or who takes an address away, and wants it again, could have it sent any number.
func withoutCodes(credentials []rushgate.Credential) []rushgate.Credential {
	left := without(credentials, EmailPending, Recovery)
	for _, kind := range []string{EmailPending, Recovery} {
		sent, _ := find(credentials, kind)
		c := readChallenge(sent)
		if c = c.counter(time.Now()); c.Sent > 0 {
			left = append(left, rushgate.Credential{Kind: kind, Secret: c.text()})
		}
	}
	return left
}

// with returns credentials with one in place of those of its kind.
func with(credentials []rushgate.Credential, c rushgate.Credential) []rushgate.Credential {
	return append(without(credentials, c.Kind), c)
}
