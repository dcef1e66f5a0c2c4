package recipe

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"
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

// desCrypt is the crypt of Unix's seventh edition: 25 times DES of nothing, under the first eight characters of the
// password with seven bits each, with the salt swapping bits of the expansion. Package crypto/des knows no salt, and no
// library that does was found alive.
func desCrypt(password []byte, salt string) []byte {
	var key [64]byte // a bit each
	for i := range min(len(password), 8) {
		for j := range 7 {
			key[8*i+j] = password[i] >> (6 - j) & 1
		}
	}
	e := desExpansion
	for i := range 2 {
		c := bytes.IndexByte([]byte(cryptAlphabet), salt[i])
		for j := range 6 {
			if c>>j&1 == 1 {
				e[6*i+j], e[6*i+j+24] = e[6*i+j+24], e[6*i+j]
			}
		}
	}
	keys := desSchedule(&key)
	var block [64]byte
	for range 25 {
		block = desBlock(&block, &keys, &e)
	}
	out := make([]byte, 8)
	for i, bit := range block {
		out[i/8] |= bit << (7 - i%8)
	}
	return out
}

const cryptAlphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// desSchedule makes the keys of the 16 rounds.
func desSchedule(key *[64]byte) (keys [16][48]byte) {
	var c, d uint32 // 28 bits each, the first one highest
	for i := range 28 {
		c = c<<1 | uint32(key[desPC1[i]-1])
		d = d<<1 | uint32(key[desPC1[28+i]-1])
	}
	rotate := func(x uint32, n int) uint32 { return (x<<n | x>>(28-n)) & (1<<28 - 1) }
	for round := range 16 {
		n := 2
		if round == 0 || round == 1 || round == 8 || round == 15 {
			n = 1
		}
		c, d = rotate(c, n), rotate(d, n)
		cd := uint64(c)<<28 | uint64(d)
		for i, at := range desPC2 {
			keys[round][i] = byte(cd >> (56 - at) & 1)
		}
	}
	return keys
}

// desBlock encrypts a block of a bit for each byte.
func desBlock(block *[64]byte, keys *[16][48]byte, e *[48]byte) (out [64]byte) {
	var l, r [32]byte
	for i := range 32 {
		l[i], r[i] = block[desIP[i]-1], block[desIP[32+i]-1]
	}
	for round := range 16 {
		var f [32]byte
		for box := range 8 {
			var in uint8
			for i := range 6 {
				in = in<<1 | (r[e[6*box+i]-1] ^ keys[round][6*box+i])
			}
			v := desBoxes[box][in>>4&2|in&1][in>>1&15]
			for i := range 4 {
				f[4*box+i] = v >> (3 - i) & 1
			}
		}
		var next [32]byte
		for i := range 32 {
			next[i] = l[i] ^ f[desP[i]-1]
		}
		l, r = r, next
	}
	var swapped [64]byte
	copy(swapped[:], r[:])
	copy(swapped[32:], l[:])
	for i := range 64 {
		out[desIP[i]-1] = swapped[i]
	}
	return out
}

// The tables of FIPS 46-3.
var (
	desIP = func() (t [64]byte) {
		for i := range 64 {
			row, column := i/8, i%8
			first := 2*(row%4) + 2 // 58, 60, 62, 64, 57, 59, 61, 63
			if row >= 4 {
				first--
			}
			t[i] = byte(56 - 8*column + first)
		}
		return t
	}()
	desExpansion = func() (t [48]byte) {
		for i := range 48 {
			t[i] = byte((i/6*4+i%6+31)%32 + 1)
		}
		return t
	}()
	desP = [32]byte{
		16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10,
		2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25,
	}
	desPC1 = [56]byte{
		57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44, 36,
		63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12, 4,
	}
	desPC2 = [48]byte{
		14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2,
		41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
	}
	desBoxes = [8][4][16]byte{
		{
			{14, 4, 13, 1, 2, 15, 11, 8, 3, 10, 6, 12, 5, 9, 0, 7}, {0, 15, 7, 4, 14, 2, 13, 1, 10, 6, 12, 11, 9, 5, 3, 8},
			{4, 1, 14, 8, 13, 6, 2, 11, 15, 12, 9, 7, 3, 10, 5, 0}, {15, 12, 8, 2, 4, 9, 1, 7, 5, 11, 3, 14, 10, 0, 6, 13},
		}, {
			{15, 1, 8, 14, 6, 11, 3, 4, 9, 7, 2, 13, 12, 0, 5, 10}, {3, 13, 4, 7, 15, 2, 8, 14, 12, 0, 1, 10, 6, 9, 11, 5},
			{0, 14, 7, 11, 10, 4, 13, 1, 5, 8, 12, 6, 9, 3, 2, 15}, {13, 8, 10, 1, 3, 15, 4, 2, 11, 6, 7, 12, 0, 5, 14, 9},
		}, {
			{10, 0, 9, 14, 6, 3, 15, 5, 1, 13, 12, 7, 11, 4, 2, 8}, {13, 7, 0, 9, 3, 4, 6, 10, 2, 8, 5, 14, 12, 11, 15, 1},
			{13, 6, 4, 9, 8, 15, 3, 0, 11, 1, 2, 12, 5, 10, 14, 7}, {1, 10, 13, 0, 6, 9, 8, 7, 4, 15, 14, 3, 11, 5, 2, 12},
		}, {
			{7, 13, 14, 3, 0, 6, 9, 10, 1, 2, 8, 5, 11, 12, 4, 15}, {13, 8, 11, 5, 6, 15, 0, 3, 4, 7, 2, 12, 1, 10, 14, 9},
			{10, 6, 9, 0, 12, 11, 7, 13, 15, 1, 3, 14, 5, 2, 8, 4}, {3, 15, 0, 6, 10, 1, 13, 8, 9, 4, 5, 11, 12, 7, 2, 14},
		}, {
			{2, 12, 4, 1, 7, 10, 11, 6, 8, 5, 3, 15, 13, 0, 14, 9}, {14, 11, 2, 12, 4, 7, 13, 1, 5, 0, 15, 10, 3, 9, 8, 6},
			{4, 2, 1, 11, 10, 13, 7, 8, 15, 9, 12, 5, 6, 3, 0, 14}, {11, 8, 12, 7, 1, 14, 2, 13, 6, 15, 0, 9, 10, 4, 5, 3},
		}, {
			{12, 1, 10, 15, 9, 2, 6, 8, 0, 13, 3, 4, 14, 7, 5, 11}, {10, 15, 4, 2, 7, 12, 9, 5, 6, 1, 13, 14, 0, 11, 3, 8},
			{9, 14, 15, 5, 2, 8, 12, 3, 7, 0, 4, 10, 1, 13, 11, 6}, {4, 3, 2, 12, 9, 5, 15, 10, 11, 14, 1, 7, 6, 0, 8, 13},
		}, {
			{4, 11, 2, 14, 15, 0, 8, 13, 3, 12, 9, 7, 5, 10, 6, 1}, {13, 0, 11, 7, 4, 9, 1, 10, 14, 3, 5, 12, 2, 15, 8, 6},
			{1, 4, 11, 13, 12, 3, 7, 14, 10, 15, 6, 8, 0, 5, 9, 2}, {6, 11, 13, 8, 1, 4, 10, 7, 9, 5, 0, 15, 14, 2, 3, 12},
		}, {
			{13, 2, 8, 4, 6, 15, 11, 1, 10, 9, 3, 14, 5, 0, 12, 7}, {1, 15, 13, 8, 10, 3, 7, 4, 12, 5, 6, 11, 0, 14, 9, 2},
			{7, 11, 4, 1, 9, 12, 14, 2, 0, 6, 10, 13, 15, 3, 5, 8}, {2, 1, 14, 7, 4, 10, 8, 13, 15, 12, 9, 0, 3, 5, 6, 11},
		},
	}
)
