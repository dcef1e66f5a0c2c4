package rushgate

import (
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxDevices is how many devices of an account are remembered.
	MaxDevices = 8
	// MaxDeviceLabel is the greatest length of [Device].Label in bytes.
	MaxDeviceLabel = 64
)

// Device is one that a player need not type a password on: it holds a token that proves the account once, and is given
// the next one for it. A store keeps hashes of the tokens only.
type Device struct {
	// ID tells the device from the account's others: 1 to [MaxAttemptLen] of the characters of an attempt_id. It is half
	// of the token, and therefore a secret: never logged, never shown.
	ID string
	// Label is what the player calls the device, see [ValidDeviceLabel].
	Label string
	// Epoch is that of the account when the device was remembered. Another one ends it. At most [MaxEpoch].
	Epoch uint64
	// Token is the SHA-256 of the secret of the token that proves the account now, in unpadded base64url (43 characters).
	Token string
	// Previous is that of the token which Token has replaced, or empty if Token is the first.
	Previous string
	// Attempt is the attempt_id of the request that was answered with the present token, see [ValidAttempt].
	Attempt string
	// Salt is what the present token was derived with, 16 bytes in unpadded base64url (22 characters), or empty if it was
	// not derived from another.
	Salt string
	// CreatedAt is when the device was remembered, UsedAt when its token was last used, and ExpiresAt until when the
	// present one may be: to the millisecond, after 1970 and [Forever] at most.
	CreatedAt, UsedAt, ExpiresAt time.Time
}

// Devices are those of an account. They change all at once, under a revision.
type Devices struct {
	// Revision counts the changes, from 0 for an account that has never had a device to less than 2^63.
	Revision uint64
	// List has at most [MaxDevices] devices, of which no two have the same ID.
	List []Device
}

// ValidDeviceLabel reports whether a player may call a device so: UTF-8 of 1 to [MaxDeviceLabel] bytes without control
// characters.
func ValidDeviceLabel(s string) bool {
	for _, c := range s {
		if unicode.IsControl(c) {
			return false
		}
	}
	return s != "" && len(s) <= MaxDeviceLabel && utf8.ValidString(s)
}
