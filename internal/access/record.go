package access

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/rushgate/rushgate"
)

// The values that a fleet shares, by name. The first is small, and says of the others which revision they have: so
// nodes read one short value all the time, and the others when there is something new.
const (
	modeName = "access"
	bansName = "bans"
	listName = "allowlist"
)

// SharedNames returns the names of the values that a fleet shares which have the mode, the bans and the lists.
func SharedNames() []string { return []string{modeName, bansName, listName} }

// version is that of the layout of all three. A value of another one is left alone.
const version = 1

var (
	// ErrNewer says that a newer version of the node has written a value.
	ErrNewer = errors.New("access: written by a newer version")
	// ErrBadValue says that a value cannot be read.
	ErrBadValue = errors.New("access: not a value of this kind")
)

// numbers are the revisions of the bans and the lists.
type numbers struct{ bans, lists uint64 }

// mode is the first value.
type mode struct {
	State
	numbers
}

// lists are the names on the lists, sorted.
type lists struct{ staff, allowed []string }

type modeRecord struct {
	Version int           `json:"version"`
	Mode    rushgate.Mode `json:"mode"`
	Message string        `json:"message,omitempty"`
	OpensAt int64         `json:"opens_at,omitempty"` // times are in milliseconds since 1970; 0: none
	Out     bool          `json:"out,omitempty"`
	By      string        `json:"by,omitempty"`
	At      int64         `json:"at,omitempty"`
	Bans    uint64        `json:"bans,omitempty"`
	Lists   uint64        `json:"lists,omitempty"`
}

type bansRecord struct {
	Version  int         `json:"version"`
	Revision uint64      `json:"revision"`
	Bans     []banRecord `json:"bans"`
}

type banRecord struct {
	ID     string   `json:"id"`
	Range  string   `json:"range,omitempty"`
	Device string   `json:"device,omitempty"`
	Except []string `json:"except,omitempty"`
	Text   string   `json:"text,omitempty"`
	Until  int64    `json:"until,omitempty"` // absent: for ever
	By     string   `json:"by,omitempty"`
	At     int64    `json:"at"`
	Reason string   `json:"reason,omitempty"`
}

type listsRecord struct {
	Version  int      `json:"version"`
	Revision uint64   `json:"revision"`
	Staff    []string `json:"staff,omitempty"`
	Allowed  []string `json:"allowed,omitempty"`
}

// millis is a time as it is stored, 0 for the zero time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func ofMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func (m *mode) marshal() []byte {
	return marshal(modeRecord{
		Version: version, Mode: m.Mode, Message: m.Message, OpensAt: millis(m.OpensAt), Out: m.Out, By: m.By,
		At: millis(m.At), Bans: m.bans, Lists: m.lists,
	})
}

func parseMode(b []byte) (m mode, err error) {
	var in modeRecord
	if err := unmarshal(b, &in); err != nil {
		return m, err
	}
	m = mode{
		State{
			Mode: in.Mode, Message: in.Message, OpensAt: ofMillis(in.OpensAt), Out: in.Out, By: in.By, At: ofMillis(in.At),
		}, numbers{in.Bans, in.Lists},
	}
	return m, bad(m.Check())
}

func marshalBans(revision uint64, bans []Ban) []byte {
	out := bansRecord{version, revision, make([]banRecord, len(bans))}
	for i, b := range bans {
		r := &out.Bans[i]
		*r = banRecord{
			ID: b.ID, Device: b.Device.String(), Except: b.Except, Text: b.Text, By: b.By, At: millis(b.At), Reason: b.Reason,
		}
		if b.Range.IsValid() {
			r.Range = b.Range.String()
		}
		if b.Until.Before(rushgate.Forever()) {
			r.Until = millis(b.Until)
		}
	}
	return marshal(out)
}

func parseBans(value []byte) (revision uint64, bans []Ban, err error) {
	var in bansRecord
	if err := unmarshal(value, &in); err != nil {
		return 0, nil, err
	}
	if len(in.Bans) > MaxBans {
		return 0, nil, fmt.Errorf("%w: %d bans", ErrBadValue, len(in.Bans))
	}
	bans = make([]Ban, len(in.Bans))
	ids, of := make(map[string]bool, len(bans)), make(map[string]bool, len(bans))
	for i := range in.Bans {
		if bans[i], err = in.Bans[i].ban(); err != nil {
			return 0, nil, bad(err)
		}
		b := &bans[i]
		if ids[b.ID] || of[b.subject()] {
			return 0, nil, fmt.Errorf("%w: two bans of the same", ErrBadValue)
		}
		ids[b.ID], of[b.subject()] = true, true
	}
	return in.Revision, bans, nil
}

// subject is what the ban is of: no two bans are of the same.
func (b *Ban) subject() string {
	if b.Range.IsValid() {
		return b.Range.String()
	}
	return b.Device.String()
}

func (r *banRecord) ban() (b Ban, err error) {
	b = Ban{
		ID: r.ID, Except: r.Except, Text: r.Text, Until: ofMillis(r.Until), By: r.By, At: ofMillis(r.At), Reason: r.Reason,
	}
	if r.Until == 0 {
		b.Until = rushgate.Forever()
	}
	if r.Range != "" {
		if b.Range, err = netip.ParsePrefix(r.Range); err != nil {
			return b, ErrBadValue
		}
	}
	if r.Device != "" {
		if b.Device, err = ParseDevice(r.Device); err != nil {
			return b, err
		}
	}
	return b, b.Check()
}

func marshalLists(revision uint64, l lists) []byte {
	return marshal(listsRecord{version, revision, l.staff, l.allowed})
}

func parseLists(value []byte) (revision uint64, l lists, err error) {
	var in listsRecord
	if err := unmarshal(value, &in); err != nil {
		return 0, l, err
	}
	l = lists{in.Staff, in.Allowed}
	return in.Revision, l, bad(l.check())
}

func (l *lists) check() error {
	if len(l.staff)+len(l.allowed) > MaxListed {
		return fmt.Errorf("%w: the lists have %d names at most", ErrFull, MaxListed)
	}
	for _, names := range [][]string{l.staff, l.allowed} {
		for i, name := range names {
			if err := checkName(name); err != nil {
				return err
			}
			if i > 0 && names[i-1] >= name {
				return fmt.Errorf("%w: a list that is not sorted, or has a name twice", ErrInvalid)
			}
		}
	}
	return nil
}

// marshal writes a value. All that comes here can be.
func marshal(v any) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// unmarshal reads a value of this version, and nothing else.
func unmarshal(b []byte, v any) error {
	if len(b) > rushgate.MaxSharedLen {
		return ErrBadValue
	}
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(b, &head); err != nil || head.Version < version {
		return ErrBadValue // what is in it is not for the log
	}
	if head.Version > version {
		return fmt.Errorf("%w (%d)", ErrNewer, head.Version)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return ErrBadValue
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return ErrBadValue
	}
	return nil
}

// bad is what is said of a stored value that does not pass a check.
func bad(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrBadValue, err)
}

// newestFirst sorts bans as they are stored.
func newestFirst(bans []Ban) {
	slices.SortStableFunc(bans, func(a, b Ban) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.ID, b.ID)) })
}
