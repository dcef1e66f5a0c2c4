package secondfactor

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/rushgate/rushgate"
)

// RecoveryCodes is how many an account is given.
const RecoveryCodes = 10

// recoveryRecord is the secret of a credential of kindRecovery. Of the codes it has hashes: a code is 80 bits of
// chance, which nobody finds by trying.
type recoveryRecord struct {
	Salt  string   `json:"salt"`
	Codes []string `json:"codes"`
	// Used is the hash of the last code that was used, Attempt the one that has used it, and At when, in Unix seconds.
	Used    string `json:"used,omitempty"`
	Attempt string `json:"attempt,omitempty"`
	At      int64  `json:"at,omitempty"`
	// Since is when they were made, in Unix seconds; 0 if that was by an older version.
	Since int64 `json:"since,omitempty"`
}

func (r *recoveryRecord) read(c rushgate.Credential) bool {
	return json.Unmarshal([]byte(c.Secret), r) == nil
}

// hash returns what is kept of a code.
func (r *recoveryRecord) hash(code Code) string {
	sum := sha256.Sum256([]byte("rushgate recovery code\x00" + r.Salt + "\x00" + string(code)))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// checkRecovery judges a code by those that the account has left, of which it looks at all.
func checkRecovery(c rushgate.Credential, code Code, attempt string, now time.Time) (v Verdict, used string) {
	var r recoveryRecord
	if !r.read(c) {
		return Wrong, ""
	}
	hash, at := r.hash(code), -1
	for i, known := range r.Codes {
		if subtle.ConstantTimeCompare([]byte(known), []byte(hash)) == 1 {
			at = i
		}
	}
	again := subtle.ConstantTimeCompare([]byte(r.Used), []byte(hash)) == 1
	switch age := now.Sub(time.Unix(r.At, 0)); {
	case at >= 0:
		r.Codes = slices.Delete(r.Codes, at, at+1)
		r.Used, r.Attempt, r.At = hash, attempt, now.Unix()
		return Recovery, stored(r)
	case again && attempt != "" && attempt == r.Attempt && age >= -repeatLife && age <= repeatLife:
		return Repeated, ""
	}
	return Wrong, ""
}

// newRecovery makes codes, as the player is shown them, and the credential that knows them.
func newRecovery(chance io.Reader, now time.Time) (codes []string, c rushgate.Credential, err error) {
	var bytes [16 + RecoveryCodes*recoverySize]byte
	if chance == nil {
		chance = rand.Reader
	}
	if _, err := io.ReadFull(chance, bytes[:]); err != nil {
		return nil, c, fmt.Errorf("secondfactor: recovery codes: %w", err)
	}
	r := recoveryRecord{Salt: base64.RawURLEncoding.EncodeToString(bytes[:16]), Since: now.Unix()}
	for part := range slices.Chunk(bytes[16:], recoverySize) {
		text := base32Text.EncodeToString(part)
		r.Codes = append(r.Codes, r.hash(Code(text)))
		codes = append(codes, grouped(text))
	}
	return codes, rushgate.Credential{Kind: kindRecovery, Secret: stored(r)}, nil
}

// grouped returns a code with hyphens, as it is easier to read and to type.
func grouped(code string) string {
	var groups []string
	for part := range slices.Chunk([]byte(code), recoveryGroup) {
		groups = append(groups, string(part))
	}
	return strings.Join(groups, "-")
}
