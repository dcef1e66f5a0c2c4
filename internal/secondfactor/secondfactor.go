// Package secondfactor has what a player may prove an account with beside the password: the codes of an authenticator
// app (TOTP, RFC 6238: SHA-1, six digits, 30 seconds), and recovery codes for the day when that is lost.
//
// What an account has of it stands among its credentials, and all functions take these as they are stored and return
// them as they are to be from then on; who calls writes them, in one step with what the code was good for. So each code
// is good once: of two that come at the same time, the store takes one. Time and chance are the caller's.
package secondfactor

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/pquerna/otp/hotp"

	"github.com/rushgate/rushgate"
)

const (
	// Period is how long a code of an authenticator is shown.
	Period = 30 * time.Second
	// skew is how many periods a code may be too old, or too young: clocks differ, and players type slowly.
	skew = 1
	// ahead is by how much the clock may have been ahead when a code was used that no code from before is good after. By
	// more, the player would be kept out for as long.
	ahead = 24 * time.Hour
	// repeatLife is for how long an attempt that has used a recovery code may show it again: its answer was lost.
	repeatLife = 2 * time.Minute
	// periodSeconds is Period as the counter of RFC 6238 has it.
	periodSeconds = int64(Period / time.Second)
)

// The kinds of credentials. They are stored, and never change.
const (
	kindTOTP     = "totp"
	kindSetup    = "totp-setup" // that is to be confirmed
	kindRecovery = "recovery-codes"
)

// Ask says when an account that has a second factor asks for it. It is stored, and part of the wire.
type Ask string

// When an account can ask.
const (
	// NewDevices: at each login with the password, and not of a remembered device that resumes.
	NewDevices Ask = "new-devices"
	// Always: at each login; the account remembers no devices.
	Always Ask = "always"
)

// ErrAsk is the error for an [Ask] that there is not.
var ErrAsk = errors.New("secondfactor: neither new-devices nor always")

// Status is what an account has.
type Status struct {
	// Active reports that a code is asked for.
	Active bool
	// Ask says when; empty if it is not.
	Ask Ask
	// RecoveryCodes is how many are left.
	RecoveryCodes int
}

// Of returns what an account with such credentials has. One whose stored form cannot be read asks all the same.
func Of(credentials []rushgate.Credential) (s Status) {
	for _, c := range credentials {
		switch c.Kind {
		case kindTOTP:
			s.Active, s.Ask = true, NewDevices
			var r totpRecord
			if r.read(c) && r.Ask == Always {
				s.Ask = Always
			}
		case kindRecovery:
			var r recoveryRecord
			if r.read(c) {
				s.RecoveryCodes = len(r.Codes)
			}
		}
	}
	return s
}

// Since returns since when there is a credential of this package by which an account can be proved, the zero time if
// that is not known, and whether it is one.
func Since(c rushgate.Credential) (at time.Time, isProof bool) {
	var since int64
	switch c.Kind {
	case kindTOTP:
		var r totpRecord
		if r.read(c) {
			since = r.Since
		}
	case kindRecovery:
		var r recoveryRecord
		if r.read(c) {
			since = r.Since
		}
	default:
		return at, false
	}
	if since <= 0 {
		return at, true
	}
	return time.Unix(since, 0), true
}

// Unconfirmed reports whether credentials of a kind are of what is being set up, and prove nothing yet.
func Unconfirmed(kind string) bool { return kind == kindSetup }

// Verdict is what there is to say of a code.
type Verdict uint8

// The verdicts.
const (
	// Wrong: it is no code of the account's, or was used before.
	Wrong Verdict = iota
	// Authenticator: it is the authenticator's.
	Authenticator
	// Recovery: it is a recovery code.
	Recovery
	// Repeated: the same attempt has used it, whose answer was lost.
	Repeated
)

// Check judges a code that comes with an attempt, whose id may be empty: such a code is never a repeated one. After is
// what the credentials are to be if the code is to be used up; nil if it was wrong, or is used up already. How long
// Check takes depends on what the account has, and not on the code.
func Check(
	credentials []rushgate.Credential, code Code, attempt string, now time.Time,
) (v Verdict, after []rushgate.Credential) {
	for i, c := range credentials {
		var used string
		switch {
		case c.Kind == kindTOTP && !code.recovers():
			v, used = checkTOTP(c, code, attempt, now)
		case c.Kind == kindRecovery && code.recovers():
			v, used = checkRecovery(c, code, attempt, now)
		}
		if used != "" {
			after = slices.Clone(credentials)
			after[i].Secret = used
		}
		if v != Wrong {
			return v, after
		}
	}
	return Wrong, nil
}

// totpRecord is the secret of a credential of kindTOTP.
type totpRecord struct {
	Key string `json:"key"` // in base32
	Ask Ask    `json:"ask,omitempty"`
	// Last is the step of the last code that was used, and Attempt the one that has used it.
	Last    int64  `json:"last,omitempty"`
	Attempt string `json:"attempt,omitempty"`
	// Since is when it was confirmed, in Unix seconds; 0 if it was by an older version.
	Since int64 `json:"since,omitempty"`
}

func (r *totpRecord) read(c rushgate.Credential) bool {
	return json.Unmarshal([]byte(c.Secret), r) == nil
}

// checkTOTP judges a code by the account's key. Used is what the credential's secret is to be, if the code is to be
// used up.
func checkTOTP(c rushgate.Credential, code Code, attempt string, now time.Time) (v Verdict, used string) {
	var r totpRecord
	if !r.read(c) {
		return Wrong, ""
	}
	step, ok := match(r.Key, code, now)
	if r.Last > now.Add(ahead).Unix()/periodSeconds { // it was used by a clock that was wrong by then
		r.Last, r.Attempt = 0, ""
	}
	switch {
	case ok && step > r.Last:
		r.Last, r.Attempt = step, attempt
		return Authenticator, stored(r)
	case ok && step == r.Last && attempt != "" && attempt == r.Attempt:
		return Repeated, ""
	}
	return Wrong, ""
}

// match returns the step that a code is of, among those that are good now.
func match(key string, code Code, now time.Time) (step int64, ok bool) {
	current := now.Unix() / periodSeconds
	for s := max(current-skew, 0); s <= current+skew; s++ {
		want, err := hotp.GenerateCodeCustom(key, uint64(s), hotp.ValidateOpts{Digits: digits})
		if err == nil && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			step, ok = s, true
		}
	}
	return step, ok
}

// stored returns a record as a credential keeps it.
func stored(record any) string {
	b, err := json.Marshal(record)
	if err != nil { // only types of this package come here, and all of them can be marshalled
		panic(err)
	}
	return string(b)
}
