package udpknock

import (
	"bytes"
	"encoding/binary"
	"time"
)

// Sizes of the messages in bytes, and the longest ticket that they carry.
const (
	KnockSize  = 256
	CookieSize = 32
	AnswerSize = 144

	MaxTicket = 96
)

// Magic begins every message: a byte that no netcode packet has in its place, "RGK", and the version.
const Magic = "\xffRGK\x01"

// The kinds of messages, the byte after Magic.
const (
	kindKnock  = 1
	kindCookie = 2
	kindAnswer = 3
)

// Where the fields of a message are; docs/protocol.md has the tables. The numbers of an ANSWER are little-endian.
const (
	atKind    = len(Magic)
	atVerdict = 6 // of an ANSWER
	atLength  = 7 // of the ticket
	atNonce   = 8
	atCookie  = 16
	atHolder  = 32 // of a KNOCK
	atPlace   = 32 // of an ANSWER, and so are the next
	atLow     = 36
	atHigh    = 40
	atAfter   = 44
	atTicket  = 48
)

// Nonce is what a client has chosen for one question, and what tells it the answers to it from others.
type Nonce [8]byte

// Holder is the hash of a secret that a client has chosen, see HolderOf of package line: a ticket is worthless to
// others who see it.
type Holder [16]byte

// Cookie proves that a client hears what is sent to its address and port. All zeros are no cookie.
type Cookie [16]byte

// Knock is a client's message.
type Knock struct {
	Nonce  Nonce
	Holder Holder
	Cookie Cookie
	Ticket []byte // sealed, up to [MaxTicket] bytes; empty without one. Of a message that was parsed, it is a part.
}

// AppendKnock appends the [KnockSize] bytes of k, or nothing if its ticket is longer than [MaxTicket].
func AppendKnock(dst []byte, k *Knock) []byte {
	if len(k.Ticket) > MaxTicket {
		return dst
	}
	dst, b := extend(dst, KnockSize)
	begin(b, kindKnock, k.Nonce)
	b[atLength] = byte(len(k.Ticket))
	copy(b[atCookie:], k.Cookie[:])
	copy(b[atHolder:], k.Holder[:])
	copy(b[atTicket:], k.Ticket)
	return dst
}

// ParseKnock reads a KNOCK; what is none in every byte is not ok.
func ParseKnock(b []byte) (k Knock, ok bool) {
	if !begins(b, kindKnock, KnockSize) || b[6] != 0 {
		return Knock{}, false
	}
	n := int(b[atLength])
	if n > MaxTicket || !zeros(b[atTicket+n:]) {
		return Knock{}, false
	}
	k.Nonce, k.Cookie, k.Holder = Nonce(b[atNonce:]), Cookie(b[atCookie:]), Holder(b[atHolder:])
	k.Ticket = b[atTicket : atTicket+n : atTicket+n]
	return k, true
}

// AppendCookie appends the [CookieSize] bytes of the COOKIE that answers a nonce.
func AppendCookie(dst []byte, nonce Nonce, c Cookie) []byte {
	dst, b := extend(dst, CookieSize)
	begin(b, kindCookie, nonce)
	copy(b[atCookie:], c[:])
	return dst
}

// ParseCookie reads a COOKIE; what is none in every byte is not ok.
func ParseCookie(b []byte) (nonce Nonce, c Cookie, ok bool) {
	if !begins(b, kindCookie, CookieSize) || b[6] != 0 || b[7] != 0 {
		return Nonce{}, Cookie{}, false
	}
	nonce, c = Nonce(b[atNonce:]), Cookie(b[atCookie:])
	if c == (Cookie{}) {
		return Nonce{}, Cookie{}, false
	}
	return nonce, c, true
}

// Verdict is what became of a knock.
type Verdict uint8

// The verdicts.
const (
	ComeIn  Verdict = 1 // the client's turn has come: it is to log in over HTTP, with the ticket if it was given one
	Wait    Verdict = 2 // the client has a place in the line
	Refused Verdict = 3 // the node lets no players in, and knows of no line: it is going down, for example
)

// Reply is what the node says to a client. Durations have whole milliseconds on their way, up to 2^32 - 1, which stands
// for all that are longer.
type Reply struct {
	Verdict Verdict

	// Ticket is the client's ticket from now on, sealed, up to [MaxTicket] bytes; empty if there is none. One of
	// [ComeIn] is for the login; [Refused] has none.
	Ticket []byte

	// Place is the place in the line, 1 for the next; 0 where it is not known. Of [Wait] only.
	Place uint32

	// ETALow and ETAHigh are the least and the longest time that the client will wait. Of [Wait] only.
	ETALow, ETAHigh time.Duration

	// After is how long the client should wait before it asks again. Not of [ComeIn].
	After time.Duration
}

// AppendAnswer appends the [AnswerSize] bytes of the ANSWER to a nonce, or nothing if r has what its verdict has not, a
// ticket that is too long, or an unknown verdict. Of the times, those below zero are sent as zero, and an ETAHigh below
// ETALow as ETALow.
func AppendAnswer(dst []byte, nonce Nonce, c Cookie, r *Reply) []byte {
	low := uint32(min(max(r.ETALow, 0)/time.Millisecond, maxMillis))
	high := max(low, millis(r.ETAHigh))
	if !fits(r.Verdict, len(r.Ticket), r.Place, high, millis(r.After)) {
		return dst
	}
	dst, b := extend(dst, AnswerSize)
	begin(b, kindAnswer, nonce)
	b[atVerdict], b[atLength] = byte(r.Verdict), byte(len(r.Ticket))
	copy(b[atCookie:], c[:])
	binary.LittleEndian.PutUint32(b[atPlace:], r.Place)
	binary.LittleEndian.PutUint32(b[atLow:], low)
	binary.LittleEndian.PutUint32(b[atHigh:], high)
	binary.LittleEndian.PutUint32(b[atAfter:], millis(r.After))
	copy(b[atTicket:], r.Ticket)
	return dst
}

// ParseAnswer reads an ANSWER, whose ticket is then a part of b; what is none in every byte is not ok.
func ParseAnswer(b []byte) (nonce Nonce, c Cookie, r Reply, ok bool) {
	if !begins(b, kindAnswer, AnswerSize) {
		return Nonce{}, Cookie{}, Reply{}, false
	}
	nonce, c = Nonce(b[atNonce:]), Cookie(b[atCookie:])
	v, n := Verdict(b[atVerdict]), int(b[atLength])
	place := binary.LittleEndian.Uint32(b[atPlace:])
	low, high := binary.LittleEndian.Uint32(b[atLow:]), binary.LittleEndian.Uint32(b[atHigh:])
	after := binary.LittleEndian.Uint32(b[atAfter:])
	if c == (Cookie{}) || low > high || !fits(v, n, place, high, after) || !zeros(b[atTicket+n:]) {
		return Nonce{}, Cookie{}, Reply{}, false
	}
	return nonce, c, Reply{
		Verdict: v, Ticket: b[atTicket : atTicket+n : atTicket+n], Place: place,
		ETALow: ofMillis(low), ETAHigh: ofMillis(high), After: ofMillis(after),
	}, true
}

// fits reports whether an answer of a verdict can have these fields.
func fits(v Verdict, ticket int, place, high, after uint32) bool {
	switch v {
	case ComeIn:
		return ticket <= MaxTicket && place == 0 && high == 0 && after == 0
	case Wait:
		return ticket <= MaxTicket
	case Refused:
		return ticket == 0 && place == 0 && high == 0
	default:
		return false
	}
}

const maxMillis = 1<<32 - 1

// millis returns d in milliseconds, rounded up: who comes when told to is not to come too early.
func millis(d time.Duration) uint32 {
	d = max(d, 0)
	ms := d / time.Millisecond
	if d%time.Millisecond > 0 {
		ms++
	}
	return uint32(min(ms, maxMillis))
}

func ofMillis(ms uint32) time.Duration { return time.Duration(ms) * time.Millisecond }

// extend appends n zeros to dst, and returns them too.
func extend(dst []byte, n int) (all, added []byte) {
	dst = append(dst, make([]byte, n)...) // which the compiler turns into no allocation where dst has room
	return dst, dst[len(dst)-n:]
}

// begin writes what all messages begin with.
func begin(b []byte, kind byte, nonce Nonce) {
	copy(b, Magic)
	b[atKind] = kind
	copy(b[atNonce:], nonce[:])
}

// begins reports whether b is as long as a message of a kind, and begins like one.
func begins(b []byte, kind byte, size int) bool {
	return len(b) == size && string(b[:len(Magic)]) == Magic && b[atKind] == kind
}

var none [KnockSize]byte

func zeros(b []byte) bool { return bytes.Equal(b, none[:len(b)]) }
