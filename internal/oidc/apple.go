package oidc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// appleKey makes the secrets that Apple wants: a token signed with a key of the developer's, good for a short time.
type appleKey struct {
	team, id string
	key      *ecdsa.PrivateKey
}

// appleSecretLife is for how long a secret is good, which is made for one call.
const appleSecretLife = 5 * time.Minute

// parseAppleKey reads the .p8 file that Apple gives developers. The error tells nothing of what is in it.
func parseAppleKey(b []byte) (*ecdsa.PrivateKey, error) {
	wrong := fmt.Errorf("%w: not a P-256 key in PKCS #8, PEM", ErrSettings)
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, wrong
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, wrong
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, wrong
	}
	return key, nil
}

// secret returns the client's secret of now.
func (k *appleKey) secret(client string, now time.Time) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: k.key},
		(&jose.SignerOptions{}).WithHeader("kid", k.id))
	if err != nil {
		return "", err
	}
	claims, err := json.Marshal(map[string]any{
		"iss": k.team, "iat": now.Unix(), "exp": now.Add(appleSecretLife).Unix(),
		"aud": presets["apple"].issuer, "sub": client,
	})
	if err != nil {
		return "", err
	}
	jws, err := signer.Sign(claims)
	if err != nil {
		return "", err
	}
	return jws.CompactSerialize()
}

// Format writes nothing of the key.
func (k appleKey) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "a key: %v", k.key != nil) }

// posted reports whether the answer comes as a form that the provider has the browser post.
func (s *Settings) posted() bool {
	return s.Issuer == presets["apple"].issuer &&
		(slices.Contains(s.Scopes, "name") || slices.Contains(s.Scopes, "email"))
}
