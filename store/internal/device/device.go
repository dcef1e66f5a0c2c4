// Package device writes the devices that an account is remembered on as one value, for the stores.
package device

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rushgate/rushgate"
)

// stored is a device as it is written. What is written must be read by every later version.
type stored struct {
	ID       string `json:"id"`
	Label    string `json:"label"`
	Epoch    uint64 `json:"epoch,omitempty"`
	Token    string `json:"token"`
	Previous string `json:"prev,omitempty"`
	Attempt  string `json:"attempt"`
	Salt     string `json:"salt,omitempty"`
	Created  int64  `json:"created"` // Unix milliseconds, as are the others
	Used     int64  `json:"used"`
	Expires  int64  `json:"expires"`
}

// Marshal returns devices as a JSON array, and the empty string if there are none. Equal devices are written alike.
func Marshal(devices []rushgate.Device) (string, error) {
	if len(devices) == 0 {
		return "", nil
	}
	list := make([]stored, len(devices))
	for i, d := range devices {
		list[i] = stored{
			ID: d.ID, Label: d.Label, Epoch: d.Epoch, Token: d.Token, Previous: d.Previous, Attempt: d.Attempt, Salt: d.Salt,
			Created: d.CreatedAt.UnixMilli(), Used: d.UsedAt.UnixMilli(), Expires: d.ExpiresAt.UnixMilli(),
		}
	}
	b, err := json.Marshal(list)
	return string(b), err
}

// errForm says nothing of the value, which holds secrets.
var errForm = errors.New("not a JSON array of devices")

// Unmarshal reads what Marshal has returned. Its errors never repeat what was read.
func Unmarshal(s string) ([]rushgate.Device, error) {
	if s == "" {
		return nil, nil
	}
	var list []stored
	if json.Unmarshal([]byte(s), &list) != nil {
		return nil, errForm
	}
	if len(list) == 0 {
		return nil, errors.New("no devices, which would be written as nothing")
	}
	devices := make([]rushgate.Device, len(list))
	for i, d := range list {
		devices[i] = rushgate.Device{
			ID: d.ID, Label: d.Label, Epoch: d.Epoch, Token: d.Token, Previous: d.Previous, Attempt: d.Attempt, Salt: d.Salt,
			CreatedAt: fromMillis(d.Created), UsedAt: fromMillis(d.Used), ExpiresAt: fromMillis(d.Expires),
		}
	}
	if err := Check(devices); err != nil {
		return nil, err
	}
	return devices, nil
}

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// Normal returns devices as a store gives them back: a copy, with times to the millisecond, and nil if there are none.
func Normal(devices []rushgate.Device) []rushgate.Device {
	if len(devices) == 0 {
		return nil
	}
	devices = slices.Clone(devices)
	for i := range devices {
		d := &devices[i]
		for _, t := range []*time.Time{&d.CreatedAt, &d.UsedAt, &d.ExpiresAt} {
			*t = fromMillis(t.UnixMilli())
		}
	}
	return devices
}

// Check reports the first device of an account that no store keeps. The error never repeats a part of one.
func Check(devices []rushgate.Device) error {
	if len(devices) > rushgate.MaxDevices {
		return fmt.Errorf("account has %d devices, more than %d", len(devices), rushgate.MaxDevices)
	}
	for i := range devices {
		if what := wrong(&devices[i]); what != "" {
			return fmt.Errorf("device %d: %s", i+1, what)
		}
		sameID := func(d rushgate.Device) bool { return d.ID == devices[i].ID }
		if slices.ContainsFunc(devices[:i], sameID) {
			return fmt.Errorf("device %d has the id of another", i+1)
		}
	}
	return nil
}

// wrong says what is the matter with a device, or nothing.
func wrong(d *rushgate.Device) string {
	switch {
	case !rushgate.ValidAttempt(d.ID):
		return fmt.Sprintf("id of %d bytes is none", len(d.ID))
	case !rushgate.ValidDeviceLabel(d.Label):
		return fmt.Sprintf("label of %d bytes is not UTF-8 of 1 to %d bytes without control characters",
			len(d.Label), rushgate.MaxDeviceLabel)
	case d.Epoch > rushgate.MaxEpoch:
		return fmt.Sprintf("epoch %d is greater than %d", d.Epoch, uint64(rushgate.MaxEpoch))
	case !IsHash(d.Token):
		return "token is not a SHA-256 in base64url"
	case d.Previous != "" && !IsHash(d.Previous):
		return "previous token is not a SHA-256 in base64url"
	case !rushgate.ValidAttempt(d.Attempt):
		return fmt.Sprintf("attempt of %d bytes is none", len(d.Attempt))
	case d.Salt != "" && !isBase64(d.Salt, 16):
		return "salt is not 16 bytes in base64url"
	}
	for _, t := range []time.Time{d.CreatedAt, d.UsedAt, d.ExpiresAt} {
		if !t.After(time.UnixMilli(0)) || t.After(rushgate.Forever()) {
			return fmt.Sprintf("time %v is not after 1970 and in the year 9999 at most", t)
		}
	}
	return ""
}

// IsHash reports whether s is a SHA-256 in unpadded base64url.
func IsHash(s string) bool { return isBase64(s, 32) }

// isBase64 reports whether s is the one way to write n bytes.
func isBase64(s string, n int) bool {
	if len(s) != base64.RawURLEncoding.EncodedLen(n) { // the decoder passes over ends of lines
		return false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil && len(b) == n
}
