// Package passkey has players prove their accounts with passkeys (WebAuthn Level 3) in place of a password. It is the
// one place that knows the library for that.
//
// What an account has of it stands among its credentials, one for each passkey, and as in package secondfactor all
// functions take these as they are stored and return them as they are to be from then on; who calls writes them, in one
// step with what the passkey was good for. Challenges are sealed with the keys that the nodes of a fleet share, so that
// no node keeps any, and each is good at all of them. An answer is good once: with each passkey is kept for which
// challenge it was used last, and what answers one that was made no later is refused.
//
// A passkey is only taken if the authenticator has verified its user, by a PIN or a fingerprint, say: it stands for the
// password and the second factor.
package passkey

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/line"
)

const (
	// Kind is that of the credentials. It is stored, and never changes.
	Kind = "passkey"
	// Most is how many passkeys an account may have.
	Most = 8
	// Life is for how long a challenge can be answered.
	Life = 5 * time.Minute
	// skew is how far the clocks of nodes may differ.
	skew = time.Minute
)

// Errors of a [Party]. None of them quotes what a client has sent.
var (
	// ErrNoKeys: the keys of the fleet are not known yet.
	ErrNoKeys = errors.New("passkey: the keys of the fleet are not known")
	// ErrForm: it is no answer of an authenticator, or one that was not made for this.
	ErrForm = errors.New("passkey: not the answer of an authenticator")
	// ErrChallenge: it answers no challenge of this fleet and this purpose, or one that is too old.
	ErrChallenge = errors.New("passkey: not an answer to a challenge of now")
	// ErrRefused: the answer is not good: of another page, without a user who was verified, wrongly signed.
	ErrRefused = errors.New("passkey: the answer is not good")
	// ErrKnown: the account has this passkey already.
	ErrKnown = errors.New("passkey: the account has it already")
	// ErrFull: the account has [Most] passkeys, or [rushgate.MaxCredentials] credentials.
	ErrFull = errors.New("passkey: the account has too many")
	// ErrTooLarge: the authenticator's id or key has more bytes than an account can keep.
	ErrTooLarge = errors.New("passkey: id or key is too large")
	// ErrNone: the account has no such passkey.
	ErrNone = errors.New("passkey: there is none")
)

// Party is what passkeys are made for: the relying party of WebAuthn. It is safe for concurrent use.
type Party struct {
	lib     *webauthn.WebAuthn
	origins []string
	ring    atomic.Pointer[line.Keyring]
	decoy   record
}

// New returns the party of pages of some origins, 1 or more, as https://play.example.com: the host of the first is what
// passkeys are made for, and those of the others are it, or below it. Name is what an authenticator calls the game.
func New(name string, origins []string) (*Party, error) {
	id, err := CheckOrigins(origins)
	if err != nil {
		return nil, err
	}
	lib, err := webauthn.New(&webauthn.Config{
		RPID: id, RPDisplayName: name, RPOrigins: origins, AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			RequireResidentKey: protocol.ResidentKeyRequired(), ResidentKey: protocol.ResidentKeyRequirementRequired,
			UserVerification: protocol.VerificationRequired,
		},
		Timeouts: webauthn.TimeoutsConfig{
			Login: webauthn.TimeoutConfig{Timeout: Life}, Registration: webauthn.TimeoutConfig{Timeout: Life},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("passkey: %w", err)
	}
	p := &Party{lib: lib, origins: origins}
	if p.decoy, err = newDecoy(); err != nil {
		return nil, err
	}
	return p, nil
}

// CheckOrigins returns what passkeys for pages of some origins are made for, or what is wrong with them: browsers have
// passkeys for https, for http at localhost, and for names, not for addresses.
func CheckOrigins(origins []string) (id string, err error) {
	for _, origin := range origins {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || origin != u.Scheme+"://"+u.Host {
			return "", fmt.Errorf("%q is no origin, as https://play.example.com", origin)
		}
		host := u.Hostname()
		local := host == "localhost" || strings.HasSuffix(host, ".localhost")
		_, addr := netip.ParseAddr(host)
		switch {
		case u.Scheme != "https" && (u.Scheme != "http" || !local):
			return "", fmt.Errorf("%q: browsers have passkeys for https only, and for http://localhost", origin)
		case addr == nil:
			return "", fmt.Errorf("%q: browsers have no passkeys for addresses, only for names", origin)
		case id == "":
			id = host
		case host != id && !strings.HasSuffix(host, "."+id):
			return "", fmt.Errorf("%q: passkeys are for %s, the host of the first origin, and what is below it", origin, id)
		}
	}
	if id == "" {
		return "", errors.New("no origin")
	}
	return id, nil
}

// Origins are those whose pages have the passkeys.
func (p *Party) Origins() []string { return p.origins }

// SetKeyring has challenges be sealed with other keys.
func (p *Party) SetKeyring(ring *line.Keyring) { p.ring.Store(ring) }

// The purposes of challenges.
const toLogIn = "passkey login"

// toAdd is the purpose of a challenge for which an account was proved. It is good for one passkey: with that the
// account has others, and is the account of another epoch once one of them is removed.
func toAdd(a *rushgate.Account) string {
	var ids []string
	n := 0
	for i := range a.Credentials {
		if a.Credentials[i].Kind != Kind {
			continue
		}
		n++
		var r record
		if r.read(&a.Credentials[i]) {
			ids = append(ids, r.ID)
		}
	}
	slices.Sort(ids)
	sum := sha256.Sum256([]byte(strings.Join(ids, " ")))
	return fmt.Sprintf("passkey of player %d, epoch %d, beside %d: %x", a.ID, a.Epoch, n, sum[:16])
}

// challenge makes one.
func (p *Party) challenge(purpose string, now time.Time) ([]byte, error) {
	ring := p.ring.Load()
	if ring == nil {
		return nil, ErrNoKeys
	}
	b, err := ring.SealChallenge(purpose, now, nil)
	if err != nil {
		return nil, fmt.Errorf("passkey: %w", err)
	}
	return b, nil
}

// asked returns when the challenge was made that an answer repeats.
func (p *Party) asked(purpose, text string, now time.Time) (time.Time, error) {
	ring := p.ring.Load()
	if ring == nil {
		return time.Time{}, ErrNoKeys
	}
	b, err := decode(text)
	if err != nil {
		return time.Time{}, ErrChallenge
	}
	at, err := ring.OpenChallenge(purpose, b)
	if err != nil || now.Sub(at) > Life || at.Sub(now) > skew {
		return time.Time{}, ErrChallenge
	}
	return at, nil
}

// handle is what an authenticator keeps of whose passkey it is: the account's id.
func handle(player rushgate.PlayerID) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(player))
}

// guarded calls a function of the library, and turns a panic into an error: what reaches it, outsiders have written.
func guarded[T any](f func() (T, error)) (v T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %T in the library", ErrForm, p)
		}
	}()
	return f()
}
