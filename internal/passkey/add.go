package passkey

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/rushgate/rushgate"
)

// user is an account as the library wants it.
type user struct {
	handle      []byte
	name        string
	credentials []webauthn.Credential
}

func (u *user) WebAuthnID() []byte                         { return u.handle }
func (u *user) WebAuthnName() string                       { return u.name }
func (u *user) WebAuthnDisplayName() string                { return u.name }
func (u *user) WebAuthnCredentials() []webauthn.Credential { return u.credentials }

// algorithms are those of the keys that are taken: what browsers have, and nothing of more bytes than an account keeps.
var algorithms = []protocol.CredentialParameter{
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgES256},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgEdDSA},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgRS256},
}

// BeginAdd returns what a client gives its browser to make a passkey for an account: the publicKey of
// navigator.credentials.create, as JSON. The error is [ErrFull] or [ErrNoKeys].
func (p *Party) BeginAdd(a *rushgate.Account, now time.Time) (json.RawMessage, error) {
	if err := mayAdd(a.Credentials); err != nil {
		return nil, err
	}
	challenge, err := p.challenge(toAdd(a), now)
	if err != nil {
		return nil, err
	}
	var known []protocol.CredentialDescriptor
	for i := range a.Credentials {
		var r record
		if !r.read(&a.Credentials[i]) {
			continue
		}
		if id, err := decode(r.ID); err == nil {
			known = append(known, protocol.CredentialDescriptor{Type: protocol.PublicKeyCredentialType, CredentialID: id})
		}
	}
	creation, _, err := p.lib.BeginRegistration(&user{handle: handle(a.ID), name: a.Username},
		webauthn.WithExclusions(known), webauthn.WithCredentialParameters(algorithms),
		func(o *protocol.PublicKeyCredentialCreationOptions) error {
			o.Challenge = challenge
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("passkey: %w", err)
	}
	return json.Marshal(creation.Response)
}

// Add adds the passkey that a client's browser has made for an account, under a name for which [ValidName] holds. The
// error is one of this package's.
func (p *Party) Add(
	a *rushgate.Account, name string, answer json.RawMessage, now time.Time,
) (after []rushgate.Credential, err error) {
	if err := mayAdd(a.Credentials); err != nil {
		return nil, err
	}
	made, err := p.made(a, answer, now)
	if err != nil {
		return nil, err
	}
	if len(made.ID) > maxID || len(made.PublicKey) > maxKey {
		return nil, ErrTooLarge
	}
	r := record{
		Version: recordVersion, ID: encode(made.ID), Key: encode(made.PublicKey), Count: made.Authenticator.SignCount,
		Synced: made.Flags.BackupEligible, Created: now.Unix(),
	}
	for i := range a.Credentials {
		var known record
		if known.read(&a.Credentials[i]) && known.ID == r.ID {
			return nil, ErrKnown
		}
	}
	c, err := r.credential(name)
	if err != nil {
		return nil, err
	}
	return append(slices.Clone(a.Credentials), c), nil
}

// made returns the passkey of an answer.
func (p *Party) made(a *rushgate.Account, answer json.RawMessage, now time.Time) (*webauthn.Credential, error) {
	parsed, err := guarded(func() (*protocol.ParsedCredentialCreationData, error) {
		var c protocol.CredentialCreationResponse
		if err := json.Unmarshal(answer, &c); err != nil {
			return nil, err
		}
		c.ClientExtensionResults = protocol.AuthenticationExtensionsClientOutputs{} // none was asked for
		return c.Parse()
	})
	if err != nil {
		return nil, ErrForm
	}
	challenge := parsed.Response.CollectedClientData.Challenge
	if _, err := p.asked(toAdd(a), challenge, now); err != nil {
		return nil, err
	}
	made, err := guarded(func() (*webauthn.Credential, error) {
		return p.lib.CreateCredential(&user{handle: handle(a.ID)}, webauthn.SessionData{
			Challenge: challenge, UserID: handle(a.ID), UserVerification: protocol.VerificationRequired, CredParams: algorithms,
		}, parsed)
	})
	if err != nil {
		return nil, ErrRefused
	}
	return made, nil
}
