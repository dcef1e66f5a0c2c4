// Package access owns what the operators of a fleet have decided about who may come in: the mode of the doors, and the
// bans of address ranges and devices. It is kept in the values that all nodes on a store share, which a [Keeper] reads
// and changes; what it has read last is a [Rules], which does not change and is read without a lock, in the way of
// every login. Bans of accounts are the ledger's (package account), and are part of the account.
package access

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rushgate/rushgate"
)

const (
	// MaxMessage is the greatest length of [State].Message in bytes.
	MaxMessage = 256
	// MaxBans is how many bans of ranges and devices there may be. Long texts leave room for fewer.
	MaxBans = 2000
	// MaxExcept is how many accounts a ban may leave alone.
	MaxExcept = 32
	// MaxListed is how many names the list of staff and the allowlist may have together.
	MaxListed = 5000
	// MaxReason is the greatest length of [Ban].Reason in bytes, MaxActor that of the name of an operator.
	MaxReason = 512
	MaxActor  = 128

	// leastBits4 and leastBits6 bound how wide a range may be: to keep out more than a 256th of all there is the mode.
	// mostBits6 is how narrow a range of IPv6 can be: a client that has one address of such a network has all of them, and
	// the door knows it by no less.
	leastBits4, leastBits6, mostBits6 = 8, 16, 64
)

var (
	// ErrInvalid is wrapped by errors about a mode, a ban or a list that cannot be; they are for the operator to read.
	ErrInvalid = errors.New("that cannot be")
	// ErrUnknownBan says that there is no ban of an id.
	ErrUnknownBan = errors.New("there is no such ban; it may have ended")
	// ErrFull says that there is no room for more bans or names.
	ErrFull = errors.New("there is no room for more")
)

// State is a mode, and what players are told of it. The zero State is that of open doors.
type State struct {
	// Mode is one of those of package rushgate; empty stands for [rushgate.ModeOpen].
	Mode rushgate.Mode
	// Message is what players are told who may not come in, UTF-8 of at most [MaxMessage] bytes without control
	// characters. It may be empty.
	Message string
	// OpensAt is when the operator means to open, to the millisecond; zero if that is not said. The doors do not open by
	// themselves.
	OpensAt time.Time
	// Out has players leave who are inside and might not come in.
	Out bool
	// By is the operator who has set the mode, and At when; zero if nobody has.
	By string
	At time.Time
}

// Check returns an error that wraps [ErrInvalid] for a state that no node can have.
func (s *State) Check() error {
	switch s.Mode {
	case rushgate.ModeOpen, rushgate.ModeClosed, rushgate.ModeStaff, rushgate.ModeAllowlist:
	default:
		return fmt.Errorf("%w: a mode is one of open, closed, staff, allowlist", ErrInvalid)
	}
	if s.Mode == rushgate.ModeOpen && (s.Message != "" || !s.OpensAt.IsZero() || s.Out) {
		return fmt.Errorf("%w: doors that are open have no message and no time, and send nobody out", ErrInvalid)
	}
	if err := checkTime("the time of opening", s.OpensAt); err != nil {
		return err
	}
	return errors.Join(checkText("the message", s.Message, MaxMessage), checkText("an operator", s.By, MaxActor))
}

// Device stands for a device_id that a client has sent: the beginning of its SHA-256. The zero Device is none. What
// players' clients have chosen themselves is kept nowhere.
type Device [16]byte

// DeviceOf returns the Device of a device_id, and the zero one for an empty text.
func DeviceOf(id string) (d Device) {
	if id == "" {
		return d
	}
	sum := sha256.Sum256([]byte(id))
	copy(d[:], sum[:])
	return d
}

// ParseDevice reads what [Device.String] writes.
func ParseDevice(s string) (d Device, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(d) || Device(b) == (Device{}) {
		return d, fmt.Errorf("%w: a device is %d hexadecimal digits, as lists of players show them", ErrInvalid, 2*len(d))
	}
	return Device(b), nil
}

// String returns a device as operators see it, and nothing for none.
func (d Device) String() string {
	if d == (Device{}) {
		return ""
	}
	return hex.EncodeToString(d[:])
}

// Ban keeps out who comes from a range of addresses, or from a device.
type Ban struct {
	// ID names the ban. [Keeper.Ban] makes it.
	ID string
	// Range is the network that the ban is of: IPv4 from /8 on, IPv6 from /16 to /64. The zero prefix: it is of a Device.
	Range  netip.Prefix
	Device Device
	// Except are canonical names of accounts that a ban of a range does not concern, MaxExcept at most.
	Except []string
	// Text is what players are told, at most [rushgate.MaxDisabledReason] bytes of one line. It may be empty.
	Text string
	// Until is when the ban ends by itself, to the millisecond; [rushgate.Forever] for never.
	Until time.Time
	// By is the operator, At when it was, and Reason what only operators see.
	By     string
	At     time.Time
	Reason string
}

// Kind returns what a ban is of: "range" or "device".
func (b *Ban) Kind() string {
	if b.Range.IsValid() {
		return "range"
	}
	return "device"
}

// Refusal is what a player is answered who has proved to own an account.
func (b *Ban) Refusal() *rushgate.Refusal {
	return &rushgate.Refusal{Reason: rushgate.AccountDisabled, Until: b.Until, Text: b.Text}
}

// concerns reports whether the ban is in force at a time for the account of a name, which may be empty.
func (b *Ban) concerns(name string, now time.Time) bool {
	return now.Before(b.Until) && (name == "" || !slices.Contains(b.Except, name))
}

// Check returns an error that wraps [ErrInvalid] for a ban that cannot be.
func (b *Ban) Check() error {
	switch {
	case b.Range.IsValid() == (b.Device != Device{}):
		return fmt.Errorf("%w: a ban is either of a range of addresses or of a device", ErrInvalid)
	case len(b.Except) > MaxExcept:
		return fmt.Errorf("%w: a ban leaves %d accounts alone, at most %d can be", ErrInvalid, len(b.Except), MaxExcept)
	case len(b.Except) > 0 && !b.Range.IsValid():
		return fmt.Errorf("%w: only a ban of a range leaves accounts alone", ErrInvalid)
	case b.Until.IsZero() || b.At.IsZero() || !rushgate.ValidAttempt(b.ID):
		return fmt.Errorf("%w: a ban without id, beginning or end", ErrInvalid)
	}
	if b.Range.IsValid() {
		if err := checkRange(b.Range); err != nil {
			return err
		}
	}
	for _, name := range b.Except {
		if err := checkName(name); err != nil {
			return err
		}
	}
	return cmp.Or(checkTime("the end of a ban", b.Until), checkTime("the time of a ban", b.At),
		checkText("the text of a ban", b.Text, rushgate.MaxDisabledReason),
		checkText("the reason of a ban", b.Reason, MaxReason),
		checkText("an operator", b.By, MaxActor))
}

// ParseRange reads a network in CIDR notation, or one address, which stands for what the door knows it by. Those of
// IPv4 may be written as IPv6 has them. The error wraps [ErrInvalid].
func ParseRange(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		a, addrErr := netip.ParseAddr(s)
		if addrErr != nil || a.Zone() != "" {
			return p, fmt.Errorf("%w: a range is a network like 203.0.113.0/24 or 2001:db8::/48, or an address", ErrInvalid)
		}
		if a = a.Unmap(); a.Is4() {
			p = netip.PrefixFrom(a, a.BitLen())
		} else {
			p = netip.PrefixFrom(a, mostBits6)
		}
	}
	if p = p.Masked(); p.Addr().Is4In6() {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p, checkRange(p)
}

func checkRange(p netip.Prefix) error {
	mapped := netip.MustParsePrefix("::ffff:0:0/96")
	switch {
	case p != p.Masked() || p.Addr().Is4In6() || p.Overlaps(mapped):
		return fmt.Errorf("%w: a network has no bits beyond its length, and none holds all of IPv4", ErrInvalid)
	case p.Addr().Is4() && p.Bits() < leastBits4, p.Addr().Is6() && p.Bits() < leastBits6:
		return fmt.Errorf("%w: a range of IPv4 is a /%d at most, one of IPv6 a /%d; to keep out more, close the doors",
			ErrInvalid, leastBits4, leastBits6)
	case p.Addr().Is6() && p.Bits() > mostBits6:
		return fmt.Errorf("%w: a range of IPv6 is a /%d at least: one client has all addresses of it", ErrInvalid, mostBits6)
	}
	return nil
}

// checkName accepts what can be the canonical name of an account, an imported one too.
func checkName(name string) error {
	if name == "" || len(name) > rushgate.MaxRecordNameLen || !plain(name) {
		return fmt.Errorf("%w: no account can have the name %.40q", ErrInvalid, name)
	}
	return nil
}

func checkText(what, s string, most int) error {
	if len(s) > most || !plain(s) {
		return fmt.Errorf("%w: %s is one line of at most %d bytes of UTF-8, without control characters",
			ErrInvalid, what, most)
	}
	return nil
}

// plain reports whether a text has one line, and nothing that would turn a terminal's or a page's text around.
func plain(s string) bool {
	for _, c := range s {
		if c == utf8.RuneError || unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) ||
			c == '\u2028' || c == '\u2029' {
			return false
		}
	}
	return true
}

func checkTime(what string, t time.Time) error {
	if !t.IsZero() && (t.Before(time.UnixMilli(0)) || t.After(rushgate.Forever())) {
		return fmt.Errorf("%w: %s is before 1970 or after the year 9999", ErrInvalid, what)
	}
	return nil
}
