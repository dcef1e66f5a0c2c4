package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/rushgate/rushgate/internal/identity"
	"github.com/rushgate/rushgate/internal/outbound"
)

const (
	maxKeys = 64 // that a provider may have
	// maxTries is how many keys are tried for a token that names none.
	maxTries = 8
)

// algorithms are those of signatures that anybody can check, and nobody else can make.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// supported returns those of a provider's algorithms that are taken; RS256, which all have to have, if it says nothing.
func supported(all []string) []string {
	if len(all) == 0 {
		return []string{gooidc.RS256}
	}
	return slices.DeleteFunc(slices.Clone(all), func(a string) bool {
		return !slices.Contains(algorithms, jose.SignatureAlgorithm(a))
	})
}

// keySet is what a provider signs with.
type keySet []jose.JSONWebKey

// fetchKeys asks for them.
func (p *Provider) fetchKeys(ctx context.Context) (keySet, error) {
	about, err := p.know(ctx)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, about.keys, http.NoBody)
	if err != nil {
		return nil, identity.ErrGarbage
	}
	resp, err := p.target.Client(outbound.JSONObject).Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, identity.ErrGarbage
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	return parseKeys(b)
}

// parseKeys reads a JWK set (RFC 7517). What is not for signatures, or of an unknown kind, is left out.
func parseKeys(b []byte) (keySet, error) {
	var raw struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(b, &raw); err != nil || len(raw.Keys) > maxKeys {
		return nil, identity.ErrGarbage
	}
	var keys keySet
	for _, one := range raw.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(one) == nil && (key.Use == "" || key.Use == "sig") && sound(key) {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, identity.ErrGarbage
	}
	return keys, nil
}

// sound reports whether a key is a public one, not too weak, and not so large that checking a signature takes long.
func sound(key jose.JSONWebKey) bool {
	switch k := key.Key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen() >= 2048 && k.N.BitLen() <= 8192 && k.E >= 3 && k.E <= 1<<31-1 && key.Valid()
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return key.Valid()
	default:
		return false
	}
}

// keysOfCall has one token's signature checked. The library passes errors on as text: what they were is in err.
type keysOfCall struct {
	provider *Provider
	verified bool
	err      error
}

// VerifySignature implements [gooidc.KeySet].
func (k *keysOfCall) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	payload, err := k.provider.verify(ctx, token)
	k.verified, k.err = err == nil, err
	return payload, err
}

// verify checks a signature. A key that is not known may be new: then the provider is asked for its keys, though no
// more often than keep says, whatever clients show.
func (p *Provider) verify(ctx context.Context, token string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil || len(jws.Signatures) != 1 {
		return nil, identity.ErrRefused
	}
	keys, since, err := p.keys.Get(ctx)
	if err != nil {
		return nil, err
	}
	payload, err := keys.verify(jws)
	if !errors.Is(err, errUnknownKey) {
		return payload, err
	}
	keys, _, err = p.keys.Newer(ctx, since)
	if err != nil {
		return nil, err
	}
	if payload, err = keys.verify(jws); err != nil {
		return nil, identity.ErrRefused
	}
	return payload, nil
}

// errUnknownKey: the token names a key that is not there, or none, and none of those that are there fits.
var errUnknownKey = errors.New("no such key")

func (s keySet) verify(jws *jose.JSONWebSignature) ([]byte, error) {
	head := jws.Signatures[0].Header
	tries, named := 0, false
	for _, key := range s {
		if head.KeyID != "" && key.KeyID != head.KeyID || key.Algorithm != "" && key.Algorithm != head.Algorithm {
			continue
		}
		named = head.KeyID != ""
		if tries++; tries > maxTries {
			break
		}
		if payload, err := jws.Verify(key); err == nil {
			return payload, nil
		}
	}
	if named {
		return nil, identity.ErrRefused
	}
	return nil, errUnknownKey
}
