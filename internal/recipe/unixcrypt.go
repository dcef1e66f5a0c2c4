package recipe

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"hash"
)

// phpass hashes a password with its salt, and then the result with the password again and again.
func phpass(newHash func() hash.Hash, password, salt []byte, log2 int) []byte {
	h := newHash()
	h.Write(salt)
	h.Write(password)
	sum := h.Sum(nil)
	for range 1 << log2 {
		h.Reset()
		h.Write(sum)
		h.Write(password)
		sum = h.Sum(sum[:0])
	}
	return sum
}

// mysql323 is what PASSWORD() made before MySQL 4.1: two words of 31 bits.
func mysql323(password []byte) []byte {
	a, b, add := uint32(1345345333), uint32(0x12345671), uint32(7)
	for _, c := range password {
		if c == ' ' || c == '\t' {
			continue
		}
		a ^= ((a&63)+add)*uint32(c) + a<<8
		b += b<<8 ^ a
		add += uint32(c)
	}
	const mask = 1<<31 - 1
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, a&mask), b&mask)
}

// md5Crypt is the crypt of FreeBSD that begins with $1$, and Apache's, which differs in the magic only.
func md5Crypt(password, salt, magic []byte) []byte {
	salt = salt[:min(len(salt), 8)]
	h := md5.New()
	sum := func(parts ...[]byte) []byte {
		h.Reset()
		for _, p := range parts {
			h.Write(p)
		}
		return h.Sum(nil)
	}
	first := bytes.Join([][]byte{password, magic, salt}, nil)
	second := sum(password, salt, password)
	first = append(first, repeated(second, len(password))...)
	for n := len(password); n > 0; n >>= 1 {
		if n&1 == 1 {
			first = append(first, 0)
		} else {
			first = append(first, password[0])
		}
	}
	out := sum(first)
	for i := range 1000 {
		out = sum(cryptRound(i, out, password, salt)...)
	}
	return out
}

// cryptRound returns what a round of the crypts over MD5 and SHA-2 hashes.
func cryptRound(i int, last, password, salt []byte) [][]byte {
	parts := [][]byte{last}
	if i&1 == 1 {
		parts[0] = password
	}
	if i%3 != 0 {
		parts = append(parts, salt)
	}
	if i%7 != 0 {
		parts = append(parts, password)
	}
	if i&1 == 1 {
		return append(parts, last)
	}
	return append(parts, password)
}

// repeated returns n bytes of b, over and over.
func repeated(b []byte, n int) []byte {
	out := bytes.Repeat(b, n/len(b))
	return append(out, b[:n%len(b)]...)
}

// shaCrypt is the crypt that begins with $5$ or $6$ (U. Drepper, 2007).
func shaCrypt(a algorithm, password, salt []byte, rounds int) []byte {
	salt = salt[:min(len(salt), 16)]
	h := a.new()
	sum := func(parts ...[]byte) []byte {
		h.Reset()
		for _, p := range parts {
			h.Write(p)
		}
		return h.Sum(nil)
	}
	second := sum(password, salt, password)
	first := bytes.Join([][]byte{password, salt, repeated(second, len(password))}, nil)
	for n := len(password); n > 0; n >>= 1 {
		if n&1 == 1 {
			first = append(first, second...)
		} else {
			first = append(first, password...)
		}
	}
	out := sum(first)
	p := repeated(sum(bytes.Repeat(password, len(password))), len(password))
	s := repeated(sum(bytes.Repeat(salt, 16+int(out[0]))), len(salt))
	for i := range rounds {
		out = sum(cryptRound(i, out, p, s)...)
	}
	return out
}

// sha1Crypt is the crypt of NetBSD (S. Gerraty, 2004): HMAC-SHA-1 under the password again and again.
func sha1Crypt(password, salt []byte, rounds int) []byte {
	mac := hmac.New(sha1.New, password)
	sum := fmt.Appendf(nil, "%s$sha1$%d", salt, rounds)
	for range rounds {
		mac.Reset()
		mac.Write(sum)
		sum = mac.Sum(sum[:0])
	}
	return sum
}
