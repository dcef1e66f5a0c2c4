package redis

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/credential"
	"github.com/rushgate/rushgate/store/internal/device"
	"github.com/rushgate/rushgate/store/internal/number"
)

// recordVersion is the version of the layout, in field v.
const recordVersion = "1"

// numbersField holds the numbers of a character that have no field of their own. Records from before have none.
const numbersField = "numbers"

// accountFields and characterFields are read in this order; admit.lua returns the latter. What versions 4
// and 5 of the account have added comes last.
var (
	accountFields = []string{
		"id", "username", "password_hash", "attempt", "created_at", "account_version", "zone",
		"epoch", "disabled_until", "disabled_reason", "credentials", "devices_revision", "devices",
	}
	characterFields = []string{
		"id", "username", "zone", "x", "y", "hp", "xp", "level", "deaths", "playtime_ms", "character_created_at", "data",
		numbersField,
	}
)

// newRecord returns field and value of a record that has never had a lease. What version 4 of the account has added is
// left out while it is zero.
func newRecord(a *rushgate.Account, c *rushgate.Character) ([]string, error) {
	fields := []string{
		"v", recordVersion,
		"id", formatID(a.ID),
		"username", a.Username,
		"password_hash", a.PasswordHash,
		"attempt", a.Attempt,
		"created_at", formatTime(a.CreatedAt),
		"account_version", strconv.Itoa(cmp.Or(a.Version, rushgate.AccountVersion)),
		"character_created_at", formatTime(c.CreatedAt),
		"fence", "0",
		"saved", "0",
	}
	if a.Epoch != 0 {
		fields = append(fields, "epoch", formatEpoch(a.Epoch))
	}
	if a.Disabled != (rushgate.Disabled{}) {
		fields = append(fields, "disabled_until", formatEnd(a.Disabled.Until), "disabled_reason", a.Disabled.Reason)
	}
	if len(a.Credentials) > 0 {
		credentials, err := credential.Marshal(a.Credentials)
		if err != nil {
			return nil, err
		}
		fields = append(fields, "credentials", credentials)
	}
	state := characterState(c)
	if rest := len(state) - 2; state[rest+1] == "{}" {
		state = state[:rest]
	}
	return append(fields, state...), nil
}

// characterState returns field and value of what saves change, the numbers without fields of their own last.
func characterState(c *rushgate.Character) []string {
	four := number.FourOf(c.Numbers)
	return []string{
		"zone", c.Zone,
		"x", formatFloat(c.X),
		"y", formatFloat(c.Y),
		"hp", strconv.FormatInt(four.HP, 10),
		"xp", strconv.FormatInt(four.XP, 10),
		"level", strconv.FormatInt(four.Level, 10),
		"deaths", strconv.FormatInt(four.Deaths, 10),
		"playtime_ms", strconv.FormatInt(c.Playtime.Milliseconds(), 10),
		"data", string(c.Data),
		numbersField, number.MarshalRest(c.Numbers),
	}
}

func formatID(id rushgate.PlayerID) string { return strconv.FormatUint(uint64(id), 10) }
func formatEpoch(epoch uint64) string      { return strconv.FormatUint(epoch, 10) }
func formatFloat(f float64) string         { return strconv.FormatFloat(f, 'g', -1, 64) }
func formatTime(t time.Time) string        { return strconv.FormatInt(t.UnixMilli(), 10) }

// formatEnd and fromMillis keep the zero time, which stands for "never", as 0.
func formatEnd(t time.Time) string {
	if t.IsZero() {
		return "0"
	}
	return formatTime(t)
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// reader takes the values of fields one after the other and keeps the first error.
type reader struct {
	fields []string
	values []rueidis.RedisMessage
	next   int
	err    error
}

// newReader reports also whether there is a record: every one has an id, which comes first.
func newReader(fields []string, values []rueidis.RedisMessage, err error) (r *reader, exists bool) {
	if err == nil && len(values) != len(fields) {
		err = fmt.Errorf("%d values for %d fields", len(values), len(fields))
	}
	r = &reader{fields: fields, values: values, err: err}
	return r, err != nil || !values[0].IsNil()
}

func (r *reader) text() string {
	if r.err != nil {
		return ""
	}
	s, err := r.values[r.next].ToString()
	if err != nil {
		r.fail(err)
	}
	r.next++
	return s
}

// optional is text for a field that may be missing, which stands for the default.
func (r *reader) optional(value string) string {
	if r.err == nil && r.values[r.next].IsNil() {
		r.next++
		return value
	}
	return r.text()
}

// fail names the field, and not what is in it.
func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = fmt.Errorf("field %s: %w", r.fields[r.next], err)
	}
}

func parse[T any](r *reader, f func(string) (T, error)) T { return parseText(r, r.text(), f) }

// parseText parses what has just been read.
func parseText[T any](r *reader, s string, f func(string) (T, error)) T {
	if r.err != nil {
		var none T
		return none
	}
	v, err := f(s)
	if err != nil {
		r.next--
		r.fail(err)
	}
	return v
}

func parseUint(s string) (uint64, error) { return strconv.ParseUint(s, 10, 64) }
func parseInt(s string) (int64, error)   { return strconv.ParseInt(s, 10, 64) }

func (r *reader) id() rushgate.PlayerID { return rushgate.PlayerID(parse(r, parseUint)) }
func (r *reader) int() int              { return parse(r, strconv.Atoi) }
func (r *reader) int64() int64          { return parse(r, parseInt) }

func (r *reader) float() float64 {
	return parse(r, func(s string) (float64, error) { return strconv.ParseFloat(s, 64) })
}

func (r *reader) time() time.Time { return time.UnixMilli(r.int64()).UTC() }

func (r *reader) bytes() []byte {
	if s := r.text(); s != "" {
		return []byte(s)
	}
	return nil
}

// readAccount returns the zero Account if there is no record.
func readAccount(values []rueidis.RedisMessage, err error) (rushgate.Account, error) {
	r, exists := newReader(accountFields, values, err)
	if !exists {
		return rushgate.Account{}, nil
	}
	a := rushgate.Account{
		ID:           r.id(),
		Username:     r.text(),
		PasswordHash: r.text(),
		Attempt:      r.text(),
		CreatedAt:    r.time(),
		Version:      r.int(),
		Zone:         r.text(),
		Epoch:        parseText(r, r.optional("0"), parseUint),
		Disabled: rushgate.Disabled{
			Until:  fromMillis(parseText(r, r.optional("0"), parseInt)),
			Reason: r.optional(""),
		},
		Credentials: parseText(r, r.optional(""), credential.Unmarshal),
		Devices: rushgate.Devices{
			Revision: parseText(r, r.optional("0"), parseUint),
			List:     parseText(r, r.optional(""), device.Unmarshal),
		},
	}
	if r.err != nil {
		return rushgate.Account{}, damagedRecord(r.err)
	}
	return a, nil
}

// readCharacter returns the zero Character if there is no record.
func readCharacter(values []rueidis.RedisMessage, err error) (rushgate.Character, error) {
	r, exists := newReader(characterFields, values, err)
	if !exists {
		return rushgate.Character{}, nil
	}
	c := rushgate.Character{
		ID:   r.id(),
		Name: r.text(),
		Zone: r.text(),
		X:    r.float(),
		Y:    r.float(),
	}
	four := number.Four{HP: r.int64(), XP: r.int64(), Level: r.int64(), Deaths: r.int64()}
	c.Playtime = time.Duration(r.int64()) * time.Millisecond
	c.CreatedAt = r.time()
	c.Data = r.bytes()
	c.Numbers = parseText(r, r.optional(""), func(rest string) (rushgate.Numbers, error) {
		return number.Join(four, rest)
	})
	if r.err != nil {
		return rushgate.Character{}, damagedRecord(r.err)
	}
	return c, nil
}
