package protocol

import (
	"encoding/binary"

	"github.com/rushgate/rushgate"
)

// Kind is the second byte of a message: what it is.
type Kind uint8

// The kinds. Others may come without another [Version], and are to be dropped.
const (
	// KindIntent is an [Intent].
	KindIntent Kind = 1
	// KindSnapshot is a snapshot, which an [Encoder] writes and a [Decoder] reads.
	KindSnapshot Kind = 2
	// KindUnreliable is some game messages that may be lost, see [AppendUnreliable].
	KindUnreliable Kind = 3
	// KindReliable is some game messages, or none, of those that may not: a [Reliable].
	KindReliable Kind = 4
)

// KindOf returns the kind of a message, by its first two bytes; 0 if it has none, or is of another [Version].
func KindOf(b []byte) Kind {
	if len(b) < 2 || b[0] != Version {
		return 0
	}
	return Kind(b[1])
}

// MaxNumber is the greatest number that a reliable game message can have. JavaScript's numbers hold it.
const MaxNumber = 1<<53 - 1

// Reliable is what a message of [KindReliable] says besides its game messages. Each end of a conversation has an id,
// and counts what it says to the other end from 1.
type Reliable struct {
	// From is the id of the end that says this, never 0. It is drawn at random, and another one only when that end has
	// lost what it knew.
	From uint32
	// To is the id of the other end, as far as this one has heard of it; 0 for not yet. An end that has another id heeds
	// nothing but From.
	To uint32
	// Ack is the number of the newest game message that has been handed over, and with it all before; 0 for none, and if
	// To is 0.
	Ack uint64
	// First is the number of the first game message in this, or of the next one if there is none in it; 1 to [MaxNumber].
	First uint64
	// Lost says that of what comes before First nothing will be sent (again): what has not arrived is lost.
	Lost bool
	// Messages are those in it. [AppendReliable] does not look at them.
	Messages Messages
}

const flagLost = 1

// AppendReliable appends a message without game messages to dst, at most 27 bytes; [AppendMessage] adds those.
func AppendReliable(dst []byte, r Reliable) []byte {
	dst = append(dst, Version, byte(KindReliable), 0)
	if r.Lost {
		dst[len(dst)-1] = flagLost
	}
	dst = binary.LittleEndian.AppendUint32(dst, r.From)
	dst = binary.LittleEndian.AppendUint32(dst, r.To)
	dst = binary.AppendUvarint(dst, r.Ack)
	return binary.AppendUvarint(dst, r.First)
}

// ParseReliable reads a whole message. Its game messages share the memory of b. An error wraps [ErrMalformed] or
// [ErrVersion].
func ParseReliable(b []byte) (Reliable, error) {
	r := reader{b: b}
	r.header(KindReliable)
	flags := r.u8("flags")
	if flags > flagLost {
		r.fail("flags", "unknown bits")
	}
	m := Reliable{Lost: flags == flagLost, From: r.u32("from"), To: r.u32("to")}
	if m.From == 0 {
		r.fail("from", "zero")
	}
	m.Ack = r.uvarint("ack", MaxNumber)
	if m.To == 0 && m.Ack != 0 {
		r.fail("ack", "of an end that is not known")
	}
	if m.First = r.uvarint("first", MaxNumber); m.First == 0 {
		r.fail("first", "zero")
	}
	m.Messages = r.messages(MaxNumber - m.First + 1)
	if err := r.end(); err != nil {
		return Reliable{}, err
	}
	return m, nil
}

// AppendUnreliable begins a message of [KindUnreliable]; [AppendMessage] has to add one game message or more.
func AppendUnreliable(dst []byte) []byte { return append(dst, Version, byte(KindUnreliable)) }

// ParseUnreliable reads a whole message. The game messages, one at least, share the memory of b. An error wraps
// [ErrMalformed] or [ErrVersion].
func ParseUnreliable(b []byte) (Messages, error) {
	r := reader{b: b}
	r.header(KindUnreliable)
	if r.err == nil && len(r.b) == 0 {
		r.fail("length", "truncated")
	}
	m := r.messages(MaxNumber)
	if err := r.end(); err != nil {
		return Messages{}, err
	}
	return m, nil
}

// AppendMessage adds a game message of 1 to [rushgate.MaxMessage] bytes to a message of [KindUnreliable] or
// [KindReliable] that is b, or b from its last part on. It returns false, and b as it was, if that would be longer than
// [MaxSnapshot], the most that a packet holds, or if the length of data is out of range. One game message always fits.
func AppendMessage(b, data []byte) ([]byte, bool) {
	if len(data) == 0 || len(data) > rushgate.MaxMessage || len(b)+uvarintLen(len(data))+len(data) > MaxSnapshot {
		return b, false
	}
	b = binary.AppendUvarint(b, uint64(len(data)))
	return append(b, data...), true
}

// Messages are the game messages of a message that was read. The zero value has none.
type Messages struct{ b []byte } // which were read before, so nothing in it is wrong

// Next returns the next one, which shares the memory of what was read, and false if there is none.
func (m *Messages) Next() (data []byte, ok bool) {
	length, n := binary.Uvarint(m.b)
	if n <= 0 {
		return nil, false
	}
	data = m.b[n : n+int(length) : n+int(length)]
	m.b = m.b[n+int(length):]
	return data, true
}

// Empty reports whether there is none.
func (m *Messages) Empty() bool { return len(m.b) == 0 }

// messages reads game messages up to the end, most of them at most.
func (r *reader) messages(most uint64) Messages {
	all := Messages{r.b}
	for ; len(r.b) > 0; most-- {
		if most == 0 {
			r.fail("first", "too large for what follows")
			break
		}
		n := r.uvarint("length", rushgate.MaxMessage)
		if n == 0 {
			r.fail("length", "zero")
			break
		}
		r.take("message", int(n))
	}
	return all
}
