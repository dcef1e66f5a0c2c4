package auth

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/token"
)

// verdict is what there is to say of a resume token.
type verdict uint8

// The verdicts.
const (
	// notKnown: there is no such device.
	notKnown verdict = iota
	// over: the token was the device's, and its time is up, or the account's epoch is another.
	over
	// rotated: the token is good, and another takes its place.
	rotated
	// repeated: the token was good, and is shown once more by the same attempt, whose answer was lost.
	repeated
	// reused: the token was replaced, or never was the device's: two have had it, or have tried.
	reused
)

// presented is what comes of a resume token that was shown.
type presented struct {
	verdict verdict
	next    token.Resume      // what the client is told, if the token was rotated or repeated
	devices []rushgate.Device // of the account from now on, if the token was rotated or reused; never nil then
	attempt string            // that has opened the session of the device, if the token was reused
}

// usage is by whom, and when, the devices of an account are used.
type usage struct {
	attempt string
	epoch   uint64 // of the account
	now     time.Time
	life    time.Duration // of a token that is not used
	salt    [token.SaltSize]byte
}

// present judges a resume token by the devices of its account, which it leaves as they are. It looks at all of them,
// and compares in a time that does not depend on what they hold.
func present(devices []rushgate.Device, t token.Resume, u usage) presented {
	i := find(devices, t.Device())
	if i < 0 {
		return presented{verdict: notKnown}
	}
	d := devices[i]
	hash := t.Hash()
	isToken, isPrevious := token.Same(d.Token, hash), token.Same(d.Previous, hash)
	if !u.current(&d) {
		if isToken || isPrevious {
			return presented{verdict: over}
		}
		return presented{verdict: notKnown}
	}
	if isToken {
		return rotate(devices, i, t, u)
	}
	if isPrevious && d.Attempt == u.attempt {
		if salt, err := token.DecodeSalt(d.Salt); err == nil {
			if next := t.Next(salt, u.attempt); token.Same(next.Hash(), d.Token) {
				return presented{verdict: repeated, next: next}
			}
		}
	}
	return presented{verdict: reused, attempt: d.Attempt, devices: without(devices, i, u)}
}

// rotate has another token take the place of the one that is good.
func rotate(devices []rushgate.Device, i int, t token.Resume, u usage) presented {
	next := t.Next(u.salt, u.attempt)
	d := devices[i]
	d.Previous, d.Token, d.Attempt, d.Salt = d.Token, next.Hash(), u.attempt, token.EncodeSalt(u.salt)
	d.UsedAt, d.ExpiresAt = u.times()
	return presented{verdict: rotated, next: next, devices: append(without(devices, i, u), d)}
}

// forget takes the device of a token away. It reports false if there is nothing to take away: no such device.
func forget(devices []rushgate.Device, t token.Resume, u usage) (left []rushgate.Device, ok bool) {
	i := find(devices, t.Device())
	if i < 0 {
		return nil, false
	}
	return without(devices, i, u), true
}

// remember adds a device, whose first token is t, to those of an account. The one that an earlier try of the same
// attempt has added goes: its token was never told, or is not the client's any more. If there are too many, the one
// that was used least recently goes.
func remember(devices []rushgate.Device, t token.Resume, label string, u usage) []rushgate.Device {
	kept := slices.DeleteFunc(without(devices, -1, u), func(d rushgate.Device) bool { return d.Attempt == u.attempt })
	for len(kept) >= rushgate.MaxDevices {
		oldest := 0
		for i := range kept {
			if kept[i].UsedAt.Before(kept[oldest].UsedAt) {
				oldest = i
			}
		}
		kept = slices.Delete(kept, oldest, oldest+1)
	}
	d := rushgate.Device{ID: t.Device(), Label: label, Epoch: u.epoch, Token: t.Hash(), Attempt: u.attempt}
	d.UsedAt, d.ExpiresAt = u.times()
	d.CreatedAt = d.UsedAt
	return append(kept, d)
}

// without returns the devices that go on, but for the one at i. They are the caller's to change.
func without(devices []rushgate.Device, i int, u usage) []rushgate.Device {
	kept := make([]rushgate.Device, 0, len(devices)+1)
	for k := range devices {
		if k != i && u.current(&devices[k]) {
			kept = append(kept, devices[k])
		}
	}
	return kept
}

// find returns where the device of an id is, or -1.
func find(devices []rushgate.Device, id string) int {
	at := -1
	for i := range devices {
		if token.Same(devices[i].ID, id) {
			at = i
		}
	}
	return at
}

// current reports whether a device is neither expired nor ended by the account's epoch.
func (u *usage) current(d *rushgate.Device) bool {
	return d.Epoch == u.epoch && u.now.Before(d.ExpiresAt)
}

// times are when a device was used and until when it may be, as a store keeps them.
func (u *usage) times() (used, expires time.Time) {
	used = u.now.Truncate(time.Millisecond)
	return used, used.Add(u.life)
}

// usage is how a job uses the devices of its account, now.
func (p *Pool) usage(j *job) usage {
	return usage{
		attempt: j.attempt, epoch: j.account.Epoch, now: time.Now(), life: p.cfg.Remember, salt: token.NewSalt(),
	}
}

// remember has a job's admission remember the device that it comes from, if the client has asked for that.
func (p *Pool) remember(j *job) {
	if j.Remember == "" || p.cfg.Remember == 0 || forgetsDevices(&j.account) {
		return
	}
	if j.device == (token.Resume{}) {
		j.device = token.NewResume(cmp.Or(j.account.Username, j.Username))
	}
	j.admission.Devices = remember(j.account.Devices.List, j.device, j.Remember, p.usage(j))
}

// rememberAgain prepares the admissions of jobs whose accounts have other devices, or other credentials, than when they
// were loaded, and returns those that are to be made. It answers the others.
func (p *Pool) rememberAgain(ctx context.Context, jobs []*job) (open []*job) {
	if len(jobs) == 0 {
		return nil
	}
	names := make([]string, len(jobs))
	for i, j := range jobs {
		names[i] = j.admission.Account.Username
	}
	accounts, err := p.loadAccounts(ctx, names)
	if err != nil {
		p.storeFailed(jobs, "load", err)
		return nil
	}
	for i, j := range jobs {
		if err := accounts[i].Err; err != nil {
			p.fail(j, fmt.Errorf("auth: load: %w", err))
			continue
		}
		if !p.judgeAgain(j, accounts[i].Credentials) {
			continue
		}
		// Whatever else has changed is for the store to judge: the player has proved to own the account as it was.
		j.account.Devices = accounts[i].Devices
		j.admission.Account.Devices = j.account.Devices
		p.remember(j)
		open = append(open, j)
	}
	return open
}
