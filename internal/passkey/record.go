package passkey

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/rushgate/rushgate"
)

const (
	// recordVersion is that of what is stored. Passkeys of a greater one are kept, and good for nothing.
	recordVersion = 1
	// maxName is the greatest length of a passkey's name in bytes.
	maxName = 64
	// maxID and maxKey bound what an authenticator chooses, in bytes, so that all fits into a credential. An RSA key of
	// 2048 bits takes 272.
	maxID, maxKey = 240, 288
)

// record is the secret of a credential of [Kind]; its Subject is what the player calls the passkey.
type record struct {
	Version int    `json:"v"`
	ID      string `json:"id"`  // the authenticator's
	Key     string `json:"key"` // the public one, as COSE has it
	// Count is the counter of the authenticator; 0 for one that has none.
	Count uint32 `json:"count,omitempty"`
	// Synced says that the passkey may be on several devices, which never changes.
	Synced  bool  `json:"synced,omitempty"`
	Created int64 `json:"created"`        // in Unix seconds, as Used
	Used    int64 `json:"used,omitempty"` // last
	// Asked is when the challenge was made that it has answered last, in Unix microseconds, and Attempt the attempt for
	// which it has.
	Asked   int64  `json:"asked,omitempty"`
	Attempt string `json:"attempt,omitempty"`
}

// read reports whether a credential is a passkey that can be used.
func (r *record) read(c *rushgate.Credential) bool {
	return c.Kind == Kind && json.Unmarshal([]byte(c.Secret), r) == nil && r.Version == recordVersion
}

// credential returns a passkey as it is stored.
func (r *record) credential(name string) (c rushgate.Credential, err error) {
	b, err := json.Marshal(r)
	c = rushgate.Credential{Kind: Kind, Subject: name, Secret: string(b)}
	if err == nil && len(c.Kind)+len(c.Subject)+len(c.Secret) > rushgate.MaxCredentialLen {
		err = ErrTooLarge
	}
	return c, err
}

// webauthn returns a passkey in the form that package webauthn has for it.
func (r *record) webauthn() (c webauthn.Credential, err error) {
	if c.ID, err = decode(r.ID); err != nil {
		return c, err
	}
	if c.PublicKey, err = decode(r.Key); err != nil {
		return c, err
	}
	c.Flags = webauthn.CredentialFlags{UserPresent: true, UserVerified: true, BackupEligible: r.Synced}
	c.Authenticator.SignCount = r.Count
	return c, nil
}

// handle is how a player names a passkey in public.
func (r *record) handle() string {
	sum := sha256.Sum256([]byte("rushgate passkey\x00" + r.ID))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// Passkey is what a player is told of one.
type Passkey struct {
	// Handle tells it from the account's others, and nothing else.
	Handle string
	// Name is what the player calls it.
	Name string
	// Created and Used are to the second. Used is the zero time for one that was not.
	Created, Used time.Time
	// Synced says that it may be on several devices.
	Synced bool
}

// Of returns the passkey that a credential is; false if it is none, or cannot be read.
func Of(c rushgate.Credential) (k Passkey, ok bool) {
	var r record
	if !r.read(&c) {
		return k, false
	}
	k = Passkey{Handle: r.handle(), Name: c.Subject, Created: time.Unix(r.Created, 0), Synced: r.Synced}
	if r.Used != 0 {
		k.Used = time.Unix(r.Used, 0)
	}
	return k, true
}

// List returns the passkeys that an account has.
func List(credentials []rushgate.Credential) []Passkey {
	var all []Passkey
	for _, c := range credentials {
		if k, ok := Of(c); ok {
			all = append(all, k)
		}
	}
	return all
}

// Remove takes the passkey of a handle away. The error is [ErrNone] if there is none.
func Remove(credentials []rushgate.Credential, handle string) (after []rushgate.Credential, err error) {
	for i := range credentials {
		var r record
		if r.read(&credentials[i]) && r.handle() == handle {
			return slices.Delete(slices.Clone(credentials), i, i+1), nil
		}
	}
	return nil, ErrNone
}

// ValidName reports whether a player may call a passkey so: UTF-8 of 1 to 64 bytes without control characters.
func ValidName(s string) bool {
	for _, c := range s {
		if unicode.IsControl(c) {
			return false
		}
	}
	return s != "" && len(s) <= maxName && utf8.ValidString(s)
}

// mayAdd returns why an account can have no further passkey, or nil.
func mayAdd(credentials []rushgate.Credential) error {
	n := 0
	for i := range credentials {
		if credentials[i].Kind == Kind {
			n++
		}
	}
	if n >= Most || len(credentials) >= rushgate.MaxCredentials {
		return ErrFull
	}
	return nil
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func decode(s string) ([]byte, error) { return base64.RawURLEncoding.Strict().DecodeString(s) }
