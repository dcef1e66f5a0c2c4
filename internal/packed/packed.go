// Package packed writes values as bytes and reads them back: the state of a part of a node on its way into another
// process. One function describes both ways, so that they cannot differ. What is read may be anything: a fault is kept,
// all that is read after it is zero, and no more memory is taken than a small multiple of the bytes there are.
package packed

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"
)

// ErrMalformed is wrapped by the error of [Parse] for bytes that are not as [Append] writes them.
var ErrMalformed = errors.New("packed: malformed")

// Codec writes or reads values one after the other, as [Append] or [Parse] has it. One goroutine may use it.
type Codec struct {
	b       []byte // what was written, or is yet to be read
	reading bool
	err     error
}

// Append appends to dst the values that describe names, and returns the extended slice.
func Append(dst []byte, describe func(*Codec)) []byte {
	c := Codec{b: dst}
	describe(&c)
	return c.b
}

// Parse reads the values that describe names from b, which must hold nothing else. What was read keeps no reference to
// b. The error wraps [ErrMalformed], or is the one of [Codec.Fail].
func Parse(b []byte, describe func(*Codec)) error {
	c := Codec{b: b, reading: true}
	describe(&c)
	if c.err == nil && len(c.b) > 0 {
		c.malformed("more bytes than belong to it")
	}
	return c.err
}

// Reading reports whether values are read, and not written.
func (c *Codec) Reading() bool { return c.reading }

// Fail refuses what is read for an error, the first that there is. Without one, and while values are written, it does
// nothing.
func (c *Codec) Fail(err error) {
	if c.reading && c.err == nil && err != nil {
		c.err, c.b = err, nil
	}
}

func (c *Codec) malformed(what string) { c.Fail(fmt.Errorf("%w: %s", ErrMalformed, what)) }

// Header begins the values with what they are of, a few letters, and the version of their layout. It returns the
// version: newest is what is written, and what is read may be any from oldest on.
func (c *Codec) Header(of string, oldest, newest uint64) (found uint64) {
	name, found := of, newest
	c.String(&name, len(of))
	if c.Uint64(&found); c.err != nil {
		return newest
	}
	switch {
	case name != of:
		c.malformed("not of a " + of)
	case found < oldest || found > newest:
		c.Fail(fmt.Errorf("%w: version %d of a %s, want %d to %d", ErrMalformed, found, of, oldest, newest))
	}
	return found
}

// Uint64 takes one to ten bytes.
func (c *Codec) Uint64(v *uint64) {
	if !c.reading {
		c.b = binary.AppendUvarint(c.b, *v)
		return
	}
	read, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.malformed("a number that is cut off or too large")
	}
	*v = 0
	if c.err == nil {
		*v, c.b = read, c.b[n:]
	}
}

// Int64 takes one to ten bytes.
func (c *Codec) Int64(v *int64) {
	u := uint64(*v)<<1 ^ uint64(*v>>63)
	if c.Uint64(&u); c.reading {
		*v = int64(u>>1) ^ -int64(u&1)
	}
}

// Unsigned is a whole number that is not negative.
type Unsigned interface {
	~uint8 | ~uint16 | ~uint32 | ~uint64
}

// Signed is a whole number.
type Signed interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64
}

// Uint takes one to ten bytes.
func Uint[T Unsigned](c *Codec, v *T) {
	u := uint64(*v)
	c.Uint64(&u)
	if c.reading {
		if *v = T(u); uint64(*v) != u {
			*v = 0
			c.malformed("a number out of range")
		}
	}
}

// Int takes one to ten bytes.
func Int[T Signed](c *Codec, v *T) {
	i := int64(*v)
	c.Int64(&i)
	if c.reading {
		if *v = T(i); int64(*v) != i {
			*v = 0
			c.malformed("a number out of range")
		}
	}
}

// Float64 takes eight bytes and keeps every bit.
func (c *Codec) Float64(v *float64) {
	if !c.reading {
		c.b = binary.LittleEndian.AppendUint64(c.b, math.Float64bits(*v))
		return
	}
	*v = 0
	if b := c.take(8); b != nil {
		*v = math.Float64frombits(binary.LittleEndian.Uint64(b))
	}
}

// Bool takes a byte.
func (c *Codec) Bool(v *bool) {
	b := [1]byte{}
	if *v {
		b[0] = 1
	}
	c.Raw(b[:])
	if c.reading {
		if *v = b[0] == 1; b[0] > 1 {
			c.malformed("a truth that is neither")
		}
	}
}

// Raw takes as many bytes as v has, which are read into v.
func (c *Codec) Raw(v []byte) {
	if !c.reading {
		c.b = append(c.b, v...)
		return
	}
	clear(v)
	copy(v, c.take(len(v)))
}

// Bytes takes its bytes, limit at most when they are read, and one to ten more. Empty ones are read as nil.
func (c *Codec) Bytes(v *[]byte, limit int) {
	if !c.reading {
		c.b = binary.AppendUvarint(c.b, uint64(len(*v)))
		c.b = append(c.b, *v...)
		return
	}
	*v = nil
	if b := c.take(c.Count(0, limit, 1)); len(b) > 0 {
		*v = append([]byte(nil), b...)
	}
}

// String is as [Codec.Bytes].
func (c *Codec) String(v *string, limit int) {
	if !c.reading {
		c.b = binary.AppendUvarint(c.b, uint64(len(*v)))
		c.b = append(c.b, *v...)
		return
	}
	*v = string(c.take(c.Count(0, limit, 1)))
}

// Count takes the number n of items that follow, and returns it: what is read is at most limit, and no more than there
// are bytes for, if each item takes least of them.
func (c *Codec) Count(n, limit, least int) int {
	u := uint64(n)
	if c.Uint64(&u); !c.reading {
		return n
	}
	if u > uint64(max(limit, 0)) || u > uint64(len(c.b)/max(least, 1)) {
		c.malformed("more items than there may be")
		return 0
	}
	return int(u)
}

// Slice takes the items of a slice as item describes them: limit at most when they are read, each of least bytes or
// more.
func Slice[T any](c *Codec, s *[]T, limit, least int, item func(*T)) {
	n := c.Count(len(*s), limit, least)
	if c.reading {
		*s = nil
		if n > 0 {
			*s = make([]T, n)
		}
	}
	for i := range *s {
		if item(&(*s)[i]); c.err != nil {
			*s = nil
			return
		}
	}
}

// Instant takes a moment by how far it is from now, which may be another moment when it is read: a clock goes on where
// it was. The zero time stays what it is.
func (c *Codec) Instant(t *time.Time, now time.Time) {
	zero := t.IsZero()
	if c.Bool(&zero); zero {
		*t = time.Time{}
		return
	}
	from := t.Sub(now)
	if Int(c, &from); c.reading {
		*t = now.Add(from)
	}
}

// Time takes a time of day to the nanosecond; it is read as UTC.
func (c *Codec) Time(t *time.Time) {
	seconds, nanos := t.Unix(), int64(t.Nanosecond())
	c.Int64(&seconds)
	if c.Int64(&nanos); !c.reading {
		return
	}
	if nanos < 0 || nanos >= int64(time.Second) {
		c.malformed("a time out of range")
		return
	}
	*t = time.Unix(seconds, nanos).UTC()
}

// AddrPort takes up to 20 bytes, and those of the zone, if there is one.
func (c *Codec) AddrPort(a *netip.AddrPort) {
	addr, port := a.Addr(), a.Port()
	c.Addr(&addr)
	if Uint(c, &port); c.reading {
		*a = netip.AddrPortFrom(addr, port)
	}
}

// Prefix takes up to 18 bytes. One that is not valid is read as the zero Prefix.
func (c *Codec) Prefix(p *netip.Prefix) {
	addr, bits := p.Addr(), p.Bits()
	c.Addr(&addr)
	if Int(c, &bits); c.reading {
		*p = netip.Prefix{}
		if addr.IsValid() {
			*p = netip.PrefixFrom(addr, bits)
		}
	}
}

// maxZone is how long the zone of an address may be when it is read: longer than the name of any network interface.
const maxZone = 64

// Addr takes up to 17 bytes, and those of the zone, if there is one.
func (c *Codec) Addr(a *netip.Addr) {
	size := uint8(a.BitLen() / 8)
	zoned := a.Zone() != ""
	if zoned {
		size++
	}
	Uint(c, &size)
	switch size {
	case 0:
		*a = netip.Addr{}
	case 4:
		var b [4]byte
		if !c.reading {
			b = a.As4()
		}
		if c.Raw(b[:]); c.reading {
			*a = netip.AddrFrom4(b)
		}
	case 16, 17:
		var b [16]byte
		var zone string
		if !c.reading {
			b, zone = a.As16(), a.Zone()
		}
		c.Raw(b[:])
		if size == 17 {
			c.String(&zone, maxZone)
		}
		if c.reading {
			*a = netip.AddrFrom16(b).WithZone(zone)
		}
	default:
		*a = netip.Addr{}
		c.malformed("an address that is none")
	}
}

// take returns the next n bytes of what is read, or nil.
func (c *Codec) take(n int) []byte {
	if n > len(c.b) {
		c.malformed("cut off")
	}
	if c.err != nil {
		return nil
	}
	b := c.b[:n]
	c.b = c.b[n:]
	return b
}
