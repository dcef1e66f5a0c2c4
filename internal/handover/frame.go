package handover

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"github.com/rushgate/rushgate/internal/packed"
)

// A message is a header of 16 bytes and what follows it:
//
//	magic     4 bytes, "RGHO"
//	kind      1 byte
//	files     1 byte, how many descriptors came with the header
//	reserved  2 bytes, 0
//	length    4 bytes, big endian, of what follows
//	checksum  4 bytes, big endian, CRC-32C of what follows
const (
	magic      = "RGHO"
	headerSize = 16
)

// kind is what a message says.
type kind uint8

const (
	sayHello kind = iota + 1
	sayOffer
	sayAble
	sayState
	sayLoaded
	sayGo
	sayDone
	sayNo
	sayConns
	kinds // how many there are, and one
)

var kindNames = [kinds]string{
	sayHello: "hello", sayOffer: "offer", sayAble: "able", sayState: "state", sayLoaded: "loaded", sayGo: "go",
	sayDone: "done", sayNo: "no", sayConns: "connections",
}

// String returns the word for it.
func (k kind) String() string {
	if k > 0 && k < kinds {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

const (
	// MaxState bounds the state, in bytes: some 20 KiB for each of 10,000 players.
	MaxState = 256 << 20
	// maxWords bounds every other message, in bytes.
	maxWords = 64 << 10
	// maxFiles is how many descriptors come with one message: Linux takes 253.
	maxFiles = 128
	// maxParts bounds the parts of a state, and maxPartName the length of a part's name in bytes.
	maxParts    = 64
	maxPartName = 64
)

// most returns how long a message of a kind may be.
func (k kind) most() uint32 {
	switch k {
	case sayState:
		return MaxState
	case sayHello, sayOffer, sayNo:
		return maxWords
	default:
		return 0
	}
}

// files returns how many descriptors may come with a message of a kind.
func (k kind) files() int {
	switch k {
	case sayOffer:
		return 16
	case sayConns:
		return maxFiles
	default:
		return 0
	}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendHeader appends the header of a message.
func appendHeader(dst []byte, k kind, files int, body []byte) []byte {
	dst = append(dst, magic...)
	dst = append(dst, byte(k), byte(files), 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(body)))
	return binary.BigEndian.AppendUint32(dst, crc32.Checksum(body, castagnoli))
}

// message is one that has come.
type message struct {
	kind  kind
	files int // how many descriptors it says have come with it
	body  []byte
}

// readMessage reads a message. It takes no more memory than what has come, and a little: the length that a header names
// is not believed before the bytes are there.
func readMessage(r io.Reader) (message, error) {
	var h [headerSize]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return message{}, err
	}
	m := message{kind: kind(h[4]), files: int(h[5])}
	length, sum := binary.BigEndian.Uint32(h[8:]), binary.BigEndian.Uint32(h[12:])
	switch {
	case string(h[:4]) != magic || h[6] != 0 || h[7] != 0:
		return message{}, errors.New("what has come is no message of a hand-over")
	case m.kind == 0 || m.kind >= kinds:
		return message{}, fmt.Errorf("a message of %v is not known here", m.kind)
	case length > m.kind.most():
		return message{}, fmt.Errorf("%v has %d bytes, and may have %d", m.kind, length, m.kind.most())
	case m.files > m.kind.files():
		return message{}, fmt.Errorf("%v comes with %d descriptors, and may come with %d", m.kind, m.files, m.kind.files())
	}
	var body bytes.Buffer
	if _, err := io.CopyN(&body, r, int64(length)); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return message{}, err
	}
	m.body = body.Bytes()
	if crc32.Checksum(m.body, castagnoli) != sum {
		return message{}, fmt.Errorf("%v has arrived damaged: its checksum does not match", m.kind)
	}
	return m, nil
}

// appendParts encodes a state.
func appendParts(dst []byte, parts []Part) ([]byte, error) {
	if len(parts) > maxParts {
		return nil, fmt.Errorf("the state has %d parts, and may have %d", len(parts), maxParts)
	}
	size := binary.MaxVarintLen64
	for i := range parts {
		if !named(parts, i) {
			return nil, fmt.Errorf("the name %.80q of a part of the state is empty, too long, or there twice", parts[i].Name)
		}
		size += len(parts[i].Name) + len(parts[i].Data) + 2*binary.MaxVarintLen64
	}
	dst = packed.Append(slices.Grow(dst, size), func(c *packed.Codec) { describe(c, &parts) })
	if len(dst) > MaxState {
		return nil, fmt.Errorf("the state has %d bytes, and may have %d", len(dst), MaxState)
	}
	return dst, nil
}

// parseParts decodes a state.
func parseParts(b []byte) (parts []Part, err error) {
	err = packed.Parse(b, func(c *packed.Codec) { describe(c, &parts) })
	for i := range parts {
		if err == nil && !named(parts, i) {
			err = errors.New("a part has no name, or that of another")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the state is not in the form that is known here: %w", err)
	}
	return parts, nil
}

// describe is the form of a state: a count, then for each part its name and its data.
func describe(c *packed.Codec, parts *[]Part) {
	packed.Slice(c, parts, maxParts, 2, func(p *Part) {
		c.String(&p.Name, maxPartName)
		c.Bytes(&p.Data, MaxState)
	})
}

// named reports whether a part has a name that no part before it has.
func named(parts []Part, i int) bool {
	name := parts[i].Name
	return name != "" && len(name) <= maxPartName &&
		!slices.ContainsFunc(parts[:i], func(p Part) bool { return p.Name == name })
}
