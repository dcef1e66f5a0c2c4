package access

import (
	"net/netip"
	"slices"
	"time"

	"github.com/rushgate/rushgate"
)

// Rules are what a fleet has decided, as of one moment. They do not change, and may be read from many goroutines; no
// decision allocates.
type Rules struct {
	// State is the mode. It must not be changed.
	State

	bans    []Ban
	devices map[Device][]*Ban
	ranges  ranges
	staff   []string
	allowed []string
	listed  map[string]uint8 // names as the door knows them, by list

	numbers numbers
}

// List is one of the lists of accounts.
type List uint8

// The lists.
const (
	Staff   List = 1 << iota // those whom [rushgate.ModeStaff] lets in
	Allowed                  // those whom [rushgate.ModeAllowlist] lets in, besides staff
)

// open are the rules where nothing was ever decided.
var open = newRules(mode{}, nil, lists{})

func newRules(m mode, bans []Ban, l lists) *Rules {
	r := &Rules{
		State: m.State, bans: bans, devices: make(map[Device][]*Ban), staff: l.staff, allowed: l.allowed,
		listed: make(map[string]uint8, len(l.staff)+len(l.allowed)),
	}
	if r.Mode == "" {
		r.Mode = rushgate.ModeOpen
	}
	for i := range bans {
		if b := &bans[i]; b.Range.IsValid() {
			r.ranges.add(b)
		} else {
			r.devices[b.Device] = append(r.devices[b.Device], b)
		}
	}
	r.ranges.build()
	for list, names := range map[List][]string{Staff: l.staff, Allowed: l.allowed} {
		for _, name := range names {
			r.listed[name] |= uint8(list)
			// The door knows an account that was brought in from elsewhere by the name that a player would get today.
			if first, other, err := rushgate.LoginNames(name); err == nil {
				r.listed[first] |= uint8(list)
				if other != "" {
					r.listed[other] |= uint8(list)
				}
			}
		}
	}
	return r
}

// Closed reports whether nobody may come in.
func (r *Rules) Closed() bool { return r.Mode == rushgate.ModeClosed }

// Choosy reports whether only accounts on a list may come in.
func (r *Rules) Choosy() bool {
	return r.Mode == rushgate.ModeStaff || r.Mode == rushgate.ModeAllowlist
}

// Lets reports whether the mode lets in an account, by a name that it may log in with in canonical form.
func (r *Rules) Lets(name string) bool {
	switch r.Mode {
	case rushgate.ModeOpen:
		return true
	case rushgate.ModeStaff:
		return r.listed[name]&uint8(Staff) != 0
	case rushgate.ModeAllowlist:
		return r.listed[name] != 0
	}
	return false
}

// Refusal is what a player is told whom the mode does not let in, with the time to come back.
func (r *Rules) Refusal(retryAfter time.Duration) rushgate.Refusal {
	return rushgate.Refusal{
		Reason: rushgate.ServerBusy, RetryAfter: retryAfter, Mode: r.Mode, Text: r.Message, OpensAt: r.OpensAt,
	}
}

// Banned returns the ban that keeps out the account of a name, at a time, that comes from an address and a device; nil
// if there is none. The name is empty for who has none yet, and the device may be the zero one.
func (r *Rules) Banned(addr netip.Addr, d Device, name string, now time.Time) *Ban {
	if b := r.ranges.find(addr, name, now); b != nil {
		return b
	}
	if d == (Device{}) || len(r.devices) == 0 {
		return nil
	}
	for _, b := range r.devices[d] {
		if b.concerns(name, now) {
			return b
		}
	}
	return nil
}

// Bans returns the bans, the newest first. They must not be changed. Some may have ended.
func (r *Rules) Bans() []Ban { return r.bans }

// Counts returns how many bans there are of ranges and of devices.
func (r *Rules) Counts() (ranges, devices int) {
	for i := range r.bans {
		if r.bans[i].Range.IsValid() {
			ranges++
		} else {
			devices++
		}
	}
	return ranges, devices
}

// Names returns the names on a list, sorted.
func (r *Rules) Names(l List) []string {
	if l == Staff {
		return slices.Clone(r.staff)
	}
	return slices.Clone(r.allowed)
}

// Mentions reports whether a name is on a list, or excepted from a ban: whoever has it would be treated by that.
func (r *Rules) Mentions(name string) bool {
	return r.listed[name] != 0 || slices.ContainsFunc(r.bans, func(b Ban) bool { return slices.Contains(b.Except, name) })
}

// KeepsOut reports whether there is a reason to look through the players inside: a ban, or a mode that sends out.
func (r *Rules) KeepsOut() bool { return len(r.bans) > 0 || r.Out }
