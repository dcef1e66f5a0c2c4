package protocol

import (
	"encoding/binary"
	"fmt"
	"math"
)

// appendSigned appends v in zigzag form: 0, -1, 1, -2… become the uvarints 0, 1, 2, 3….
func appendSigned(dst []byte, v int64) []byte {
	return binary.AppendUvarint(dst, uint64(v<<1)^uint64(v>>63))
}

// reader takes a message apart. After the first error everything reads as zero and err stays what it is.
type reader struct {
	b   []byte // what is left
	err error
}

func (r *reader) fail(field, problem string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s: %s", ErrMalformed, field, problem)
	}
	r.b = nil
}

// take returns the next n bytes, nil if there are fewer.
func (r *reader) take(field string, n int) []byte {
	if len(r.b) < n {
		r.fail(field, "truncated")
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) u8(field string) uint8 {
	if len(r.b) == 0 {
		r.fail(field, "truncated")
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *reader) u16(field string) uint16 {
	b := r.take(field, 2)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint16(b)
}

func (r *reader) u32(field string) uint32 {
	b := r.take(field, 4)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint32(b)
}

// uvarint reads an unsigned number of at most limit.
func (r *reader) uvarint(field string, limit uint64) uint64 {
	v, n := uint64(0), 1
	if len(r.b) > 0 && r.b[0] < 0x80 { // nearly always
		v = uint64(r.b[0])
	} else if v, n = binary.Uvarint(r.b); n <= 0 {
		if n == 0 {
			r.fail(field, "truncated")
		} else {
			r.fail(field, "more than 64 bits")
		}
		return 0
	}
	if v > limit {
		r.fail(field, "out of range")
		return 0
	}
	r.b = r.b[n:]
	return v
}

// signed reads a svarint that, added to base, lies within lowest and highest, and returns the sum.
func (r *reader) signed(field string, base int32, lowest, highest int64) int32 {
	v := r.uvarint(field, 1<<32) // 2^31, the greatest difference of two positions, and any int32
	sum := int64(base) + (int64(v>>1) ^ -int64(v&1))
	if sum < lowest || sum > highest {
		r.fail(field, "out of range")
		return 0
	}
	return int32(sum)
}

// position reads a coordinate relative to base.
func (r *reader) position(field string, base int32) int32 {
	return r.signed(field, base, -maxFixed, maxFixed)
}

func (r *reader) hp() int32 { return r.signed("hp", 0, math.MinInt32, math.MaxInt32) }

// header reads version and kind.
func (r *reader) header(kind Kind) {
	if v := r.u8("version"); r.err == nil && v != Version {
		r.err = fmt.Errorf("%w: %d", ErrVersion, v)
		r.b = nil
		return
	}
	if k := r.u8("kind"); Kind(k) != kind {
		r.fail("kind", "not the one expected")
	}
}

// end requires that nothing is left, and returns the error of the whole message.
func (r *reader) end() error {
	if r.err == nil && len(r.b) > 0 {
		r.fail("end", "trailing bytes")
	}
	return r.err
}
