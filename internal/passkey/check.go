package passkey

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/rushgate/rushgate"
)

// BeginLogin returns what a client gives its browser to have the player choose a passkey: the publicKey of
// navigator.credentials.get, as JSON. It is the same for all. The error is [ErrNoKeys].
func (p *Party) BeginLogin(now time.Time) (json.RawMessage, error) {
	challenge, err := p.challenge(toLogIn, now)
	if err != nil {
		return nil, err
	}
	assertion, _, err := p.lib.BeginDiscoverableLogin(
		webauthn.WithChallenge(challenge), webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return nil, fmt.Errorf("passkey: %w", err)
	}
	return json.Marshal(assertion.Response)
}

// Assertion is an answer that claims to be of a player. Nothing of that is proved but that it answers a challenge of
// this fleet.
type Assertion struct {
	parsed    *protocol.ParsedCredentialAssertionData
	challenge string
	asked     time.Time // when the challenge was made
	player    rushgate.PlayerID
}

// Player is whose account the answer claims to be for.
func (a *Assertion) Player() rushgate.PlayerID { return a.player }

// Read reads an answer, at no more cost than that of its bytes. The error is [ErrForm], [ErrChallenge] or [ErrNoKeys].
func (p *Party) Read(answer json.RawMessage, now time.Time) (*Assertion, error) {
	parsed, err := guarded(func() (*protocol.ParsedCredentialAssertionData, error) {
		var c protocol.CredentialAssertionResponse
		if err := json.Unmarshal(answer, &c); err != nil {
			return nil, err
		}
		c.ClientExtensionResults = protocol.AuthenticationExtensionsClientOutputs{} // none was asked for
		return c.Parse()
	})
	if err != nil || len(parsed.Response.UserHandle) != 8 {
		return nil, ErrForm
	}
	player := rushgate.PlayerID(binary.BigEndian.Uint64(parsed.Response.UserHandle))
	if player <= 0 {
		return nil, ErrForm
	}
	a := &Assertion{parsed: parsed, challenge: parsed.Response.CollectedClientData.Challenge, player: player}
	if a.asked, err = p.asked(toLogIn, a.challenge, now); err != nil {
		return nil, err
	}
	return a, nil
}

// Verdict is what there is to say of an answer.
type Verdict uint8

// The verdicts.
const (
	// Wrong: the account has no such passkey, or the answer is not good, or not any more.
	Wrong Verdict = iota
	// Cloned: the authenticator's counter has not gone on, so that there may be two of it.
	Cloned
	// Good: it is the account's.
	Good
	// Repeated: the same attempt has shown it, whose answer was lost.
	Repeated
)

// Check judges an answer by the credentials of the account that it claims to be for, nil if there is none, for an
// attempt, whose id may be empty: such an answer is never a repeated one. After is what the credentials are to be with
// what it is good for; nil if it is not good, or was used already. It costs one look at a signature, whether there is
// such a passkey or not: some 0.1 ms.
func (p *Party) Check(
	credentials []rushgate.Credential, a *Assertion, attempt string, now time.Time,
) (v Verdict, after []rushgate.Credential) {
	at, r := find(credentials, encode(a.parsed.RawID))
	if at < 0 {
		r = p.decoy
		r.ID = encode(a.parsed.RawID)
	}
	shown, err := p.verify(&r, a)
	if err != nil || at < 0 {
		return Wrong, nil
	}
	asked := a.asked.UnixMicro()
	again := asked == r.Asked && attempt != "" && attempt == r.Attempt
	count := a.parsed.Response.AuthenticatorData.Counter
	switch {
	case again && count == r.Count:
		return Repeated, nil
	case asked <= r.Asked:
		return Wrong, nil
	case shown.Authenticator.CloneWarning:
		return Cloned, nil
	}
	r.Count, r.Used, r.Asked, r.Attempt = count, now.Unix(), asked, attempt
	used, err := r.credential(credentials[at].Subject)
	if err != nil {
		return Wrong, nil
	}
	after = slices.Clone(credentials)
	after[at] = used
	return Good, after
}

// find returns where the passkey of an id is, or -1.
func find(credentials []rushgate.Credential, id string) (at int, r record) {
	for i := range credentials {
		var known record
		if known.read(&credentials[i]) && known.ID == id {
			return i, known
		}
	}
	return -1, r
}

// verify has the library look at an answer of a passkey.
func (p *Party) verify(r *record, a *Assertion) (*webauthn.Credential, error) {
	known, err := r.webauthn()
	if err != nil {
		return nil, err
	}
	// Whether a passkey may be on several devices is part of what is signed; that of the decoy may be either.
	if r.Created == 0 {
		known.Flags.BackupEligible = a.parsed.Response.AuthenticatorData.Flags.HasBackupEligible()
	}
	return guarded(func() (*webauthn.Credential, error) {
		owner := &user{handle: handle(a.player), credentials: []webauthn.Credential{known}}
		session := webauthn.SessionData{Challenge: a.challenge, UserVerification: protocol.VerificationRequired}
		_, shown, err := p.lib.ValidatePasskeyLogin(
			func(_, _ []byte) (webauthn.User, error) { return owner, nil }, session, a.parsed)
		return shown, err
	})
}

// newDecoy returns what stands for a passkey where there is none. Nobody has its private key.
func newDecoy() (record, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return record{}, fmt.Errorf("passkey: %w", err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		return record{}, fmt.Errorf("passkey: %w", err)
	}
	x, y := point[1:33], point[33:]
	// A map of CBOR: key type EC2, algorithm ES256, curve P-256, and the coordinates (RFC 9053 section 7.1.1).
	cose := append([]byte{0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20}, x...)
	cose = append(append(cose, 0x22, 0x58, 0x20), y...)
	return record{Version: recordVersion, Key: encode(cose)}, nil
}
