package recipe

import (
	"encoding/binary"
	"math/bits"
	"strings"
)

// desCrypt is the crypt of Unix's seventh edition: 25 times DES of nothing, under the first eight characters of the
// password with seven bits each, with the salt swapping bits of the expansion. Package crypto/des knows no salt, and no
// library that does was found alive.
func desCrypt(password []byte, salt string) []byte {
	keys := desSchedule(desKey(password))
	return binary.BigEndian.AppendUint64(nil, desRepeat(0, &keys, desSalt(salt), 25))
}

// bsdiCrypt is the crypt of BSD/OS that begins with "_": a password of any length is folded into the key by DES, and
// salt and rounds are 24 bits each.
func bsdiCrypt(password []byte, salt string, rounds int) []byte {
	key := desKey(password)
	for len(password) > 8 {
		password = password[8:]
		keys := desSchedule(key)
		key = desRepeat(key, &keys, 0, 1) ^ desKey(password)
	}
	keys := desSchedule(key)
	return binary.BigEndian.AppendUint64(nil, desRepeat(0, &keys, desSalt(salt), rounds))
}

const cryptAlphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// desKey returns the key of the first eight characters of a password: the eighth bit of each is left to parity.
func desKey(password []byte) (key uint64) {
	for i := range min(len(password), 8) {
		key |= uint64(password[i]<<1) << (56 - 8*i)
	}
	return key
}

// desSalt returns which of the 24 bits of either half of an expansion are swapped for a salt's: the lowest bit of its
// first character is the first bit.
func desSalt(salt string) (swapped uint32) {
	for i := range len(salt) {
		c := strings.IndexByte(cryptAlphabet, salt[i])
		for j := range 6 {
			swapped |= uint32(c>>j&1) << (23 - 6*i - j)
		}
	}
	return swapped
}

// desHalves are the key of a round, 24 bits in each half.
type desHalves [2]uint32

// desSchedule makes the keys of the 16 rounds.
func desSchedule(key uint64) (keys [16]desHalves) {
	cd := permute(key, 64, desPC1[:])
	c, d := uint32(cd>>28), uint32(cd&(1<<28-1))
	rotate := func(x uint32, n int) uint32 { return (x<<n | x>>(28-n)) & (1<<28 - 1) }
	for round := range keys {
		n := 2
		if round == 0 || round == 1 || round == 8 || round == 15 {
			n = 1
		}
		c, d = rotate(c, n), rotate(d, n)
		k := permute(uint64(c)<<28|uint64(d), 56, desPC2[:])
		keys[round] = desHalves{uint32(k >> 24), uint32(k & (1<<24 - 1))}
	}
	return keys
}

// permute returns the bits of x, which has so many, in the order of a table that counts them from 1, the highest first.
func permute(x uint64, size int, table []byte) (out uint64) {
	for _, at := range table {
		out = out<<1 | x>>(size-int(at))&1
	}
	return out
}

// desRepeat encrypts a block again and again. Between two times, the last permutation and the first undo each other.
func desRepeat(block uint64, keys *[16]desHalves, swapped uint32, times int) uint64 {
	block = permute(block, 64, desIP[:])
	l, r := uint32(block>>32), uint32(block)
	for range times {
		for round := range keys {
			l, r = r, l^desRound(r, &keys[round], swapped)
		}
		l, r = r, l
	}
	return permute(uint64(l)<<32|uint64(r), 64, desFP[:])
}

// desRound is the function of a round: each six bits of the expansion choose four bits, which are permuted.
func desRound(r uint32, key *desHalves, swapped uint32) (out uint32) {
	var half desHalves
	for box := range 8 { // six bits from the one before the four that are its own to the one after them
		half[box/4] = half[box/4]<<6 | bits.RotateLeft32(r, 4*box+5)&63
	}
	swap := (half[0] ^ half[1]) & swapped
	for box := range 8 {
		out |= desChosen[box][(half[box/4]^swap^key[box/4])>>(18-6*(box%4))&63]
	}
	return out
}

// desChosen is what each box makes of six bits, permuted.
var desChosen = func() (all [8][64]uint32) {
	for box := range all {
		for in := range all[box] {
			four := uint64(desBoxes[box][in>>4&2|in&1][in>>1&15])
			all[box][in] = uint32(permute(four<<(28-4*box), 32, desP[:]))
		}
	}
	return all
}()

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
	desFP = func() (t [64]byte) { // what undoes the first permutation
		for i, at := range desIP {
			t[at-1] = byte(i + 1)
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
