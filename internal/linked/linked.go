// Package linked has what an account keeps, among its credentials, of the identities that open it in place of a
// password: devices that play as guests, and accounts at providers, which package identity has proved.
package linked

import (
	"crypto/sha256"
	"encoding/base64"

	"github.com/rushgate/rushgate"
)

// Kinds of [rushgate.Credential] that are identities.
const (
	// Guest is a device that plays as a guest. Secret is the SHA-256 of what the device knows, in unpadded base64url.
	Guest = "guest"
	// Federated is an account at a provider: Provider is its issuer, Subject what it calls the player.
	Federated = "federated"
)

// OfGuest returns the credential of a device that knows a secret of 256 bits.
func OfGuest(secret [32]byte) rushgate.Credential {
	sum := sha256.Sum256(secret[:])
	return rushgate.Credential{Kind: Guest, Secret: base64.RawURLEncoding.EncodeToString(sum[:])}
}

// OfProvider returns the credential of a player whom a provider, by the URL as it calls itself, calls subject.
func OfProvider(issuer, subject string) rushgate.Credential {
	return rushgate.Credential{Kind: Federated, Provider: issuer, Subject: subject}
}

// Key returns by what the account is found that has a credential, and whether the credential is an identity.
func Key(c rushgate.Credential) (key rushgate.IdentityKey, ok bool) {
	switch c.Kind {
	case Guest:
		return rushgate.NewIdentityKey(c.Kind, "", c.Secret), true
	case Federated:
		return rushgate.NewIdentityKey(c.Kind, c.Provider, c.Subject), true
	}
	return rushgate.IdentityKey{}, false
}

// Keys returns those of all identities among credentials.
func Keys(credentials []rushgate.Credential) (keys []rushgate.IdentityKey) {
	for _, c := range credentials {
		if key, ok := Key(c); ok {
			keys = append(keys, key)
		}
	}
	return keys
}
