package protocol

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
)

// dissect writes a message as text: a line for each field, its bytes in hexadecimal and what they mean. It reads
// messages by itself, so that the text in testdata does not depend on [Decoder], and panics on those that are
// malformed.
func dissect(b []byte) string {
	d := &dissector{b: b}
	d.u8("version %d")
	switch Kind(d.u8("kind %d")) {
	case KindIntent:
		d.intent()
	case KindSnapshot:
		d.snapshot()
	case KindUnreliable:
		d.messages()
	case KindReliable:
		d.reliable()
	}
	if len(d.b) > 0 {
		panic(fmt.Sprintf("%d bytes left", len(d.b)))
	}
	return d.text.String()
}

type dissector struct {
	b    []byte
	text strings.Builder
}

func (d *dissector) line(n int, format string, args ...any) {
	fmt.Fprintf(&d.text, "%-30s # %s\n", strings.TrimSpace(fmt.Sprintf("% x", d.b[:n])), fmt.Sprintf(format, args...))
	d.b = d.b[n:]
}

func (d *dissector) note(format string, args ...any) { fmt.Fprintf(&d.text, "# "+format+"\n", args...) }

func (d *dissector) u8(format string) uint8 {
	v := d.b[0]
	d.line(1, format, v)
	return v
}

func (d *dissector) u32(format string) {
	d.line(4, format, binary.LittleEndian.Uint32(d.b))
}

func (d *dissector) uvarint(format string) uint64 {
	v, n := binary.Uvarint(d.b)
	d.line(n, format, v)
	return v
}

func (d *dissector) svarint(format string) {
	v, n := binary.Varint(d.b)
	d.line(n, format, v)
}

func (d *dissector) intent() {
	d.u32("seq %d")
	d.u32("ack: tick %d")
	for _, axis := range []string{"x", "y"} {
		v := int16(binary.LittleEndian.Uint16(d.b))
		d.line(2, "move %s %d/32767", axis, v)
	}
	d.u8("action %d")
	d.uvarint("target %d")
}

func (d *dissector) snapshot() {
	d.u32("tick %d")
	d.u8("base: %d ticks older, 0 for none")
	d.u32("intent %d")
	d.note("own")
	d.line(2, "zone %d", binary.LittleEndian.Uint16(d.b))
	d.svarint("x %d/64")
	d.svarint("y %d/64")
	d.svarint("hp %d")
	for _, field := range []string{"max hp", "level", "xp", "deaths"} {
		d.uvarint(field + " %d")
	}
	d.u8("flags %d")
	count := d.uvarint("count %d")
	for i := range count {
		d.note("entity %d of %d", i+1, count)
		if ref := d.uvarint("ref %d"); ref == 0 {
			d.added()
		} else {
			d.changed()
		}
	}
}

func (d *dissector) added() {
	d.uvarint("id %d")
	d.u8("kind %d")
	d.u8("flags %d")
	d.uvarint("level %d")
	d.svarint("x: own %+d/64")
	d.svarint("y: own %+d/64")
	d.svarint("hp %d")
	d.uvarint("max hp %d")
	if n := d.u8("length of name %d"); n > 0 {
		d.line(int(n), "%q", d.b[:n])
	}
}

func (d *dissector) changed() {
	mask := d.b[0]
	d.line(1, "changed %04b", mask)
	if mask&1 != 0 {
		d.svarint("x: baseline %+d/64")
		d.svarint("y: baseline %+d/64")
	}
	if mask&2 != 0 {
		d.svarint("hp %d")
	}
	if mask&4 != 0 {
		d.u8("flags %d")
	}
	if mask&8 != 0 {
		d.uvarint("level %d")
		d.uvarint("max hp %d")
	}
}

func (d *dissector) reliable() {
	d.u8("flags %d")
	d.u32("from %d")
	d.u32("to %d")
	d.uvarint("ack %d")
	d.uvarint("first %d")
	d.messages()
}

// messages writes game messages, those that are long in lines of 32 bytes.
func (d *dissector) messages() {
	for len(d.b) > 0 {
		n := int(d.uvarint("length %d"))
		for at := 0; n-at > 32; at += 32 {
			d.line(32, "bytes %d to %d", at, at+31)
		}
		if rest := (n-1)%32 + 1; n > 32 {
			d.line(rest, "the last %d", rest)
		} else {
			d.line(n, "%q", d.b[:n])
		}
	}
}

var comment = regexp.MustCompile(`#.*|\s+`)

// assemble is the reverse of dissect: the bytes of a text.
func assemble(text string) ([]byte, error) {
	return hex.DecodeString(comment.ReplaceAllString(text, ""))
}
