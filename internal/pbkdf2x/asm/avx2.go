package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// avx2 has eight lanes. Its sixteen registers hold the state; the message is on the stack. It has neither rotations nor
// functions of three words, so these are put together from what it has.
type avx2 struct{ words Mem }

var (
	yState = []reg.VecPhysical{reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7}
	yTemp  = []reg.VecPhysical{reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15}
)

func (avx2) size() int                          { return 32 }
func (avx2) state() []reg.VecPhysical           { return yState }
func (avx2) load(src Mem, dst reg.VecPhysical)  { VMOVDQU(src, dst) }
func (avx2) store(src reg.VecPhysical, dst Mem) { VMOVDQU(src, dst) }
func (avx2) add(dst, x reg.VecPhysical)         { VPADDD(x, dst, dst) }
func (avx2) addMem(dst reg.VecPhysical, x Mem)  { VPADDD(x, dst, dst) }
func (avx2) xorMem(dst reg.VecPhysical, x Mem)  { VPXOR(x, dst, dst) }

func (v avx2) word(i int) Mem                     { return v.words.Offset(32 * i) }
func (v avx2) setWord(i int, x reg.VecPhysical)   { VMOVDQU(x, v.word(i)) }
func (v avx2) addWord(dst reg.VecPhysical, i int) { VPADDD(v.word(i), dst, dst) }

func (avx2) addConst(dst reg.VecPhysical, c uint32) {
	VPBROADCASTD(constant(c), yTemp[0])
	VPADDD(yTemp[0], dst, dst)
}

// addChoose adds g ^ (e & (f ^ g)).
func (avx2) addChoose(dst, e, f, g reg.VecPhysical) {
	VPXOR(f, g, yTemp[0])
	VPAND(e, yTemp[0], yTemp[0])
	VPXOR(g, yTemp[0], yTemp[0])
	VPADDD(yTemp[0], dst, dst)
}

// addMajority adds b ^ ((a ^ b) & (b ^ c)).
func (avx2) addMajority(dst, a, b, c reg.VecPhysical) {
	VPXOR(a, b, yTemp[0])
	VPXOR(b, c, yTemp[1])
	VPAND(yTemp[0], yTemp[1], yTemp[0])
	VPXOR(b, yTemp[0], yTemp[0])
	VPADDD(yTemp[0], dst, dst)
}

func (avx2) addBigSigma(dst, x reg.VecPhysical, r1, r2, r3 int) {
	VPADDD(xorOf(x, yTemp[2:5], []int{r1, r2, r3}), dst, dst)
}

// xorOf returns a register with rotations of x to the right by each of rotations, and x shifted by each of shifts,
// combined by exclusive or. temp are three registers.
func xorOf(x reg.VecPhysical, temp []reg.VecPhysical, rotations []int, shifts ...int) reg.VecPhysical {
	sum := temp[0]
	for i, r := range rotations {
		if i == 0 {
			VPSRLD(Imm(uint64(r)), x, sum)
		} else {
			VPSRLD(Imm(uint64(r)), x, temp[1])
			VPXOR(temp[1], sum, sum)
		}
		VPSLLD(Imm(uint64(32-r)), x, temp[2])
		VPXOR(temp[2], sum, sum)
	}
	for _, s := range shifts {
		VPSRLD(Imm(uint64(s)), x, temp[1])
		VPXOR(temp[1], sum, sum)
	}
	return sum
}

func (v avx2) schedule(i int, fresh bool, c uint32, words []int, sigmas []smallSigma) {
	dst := yTemp[5]
	if fresh {
		VPBROADCASTD(constant(c), dst)
	} else {
		VMOVDQU(v.word(i), dst)
	}
	for _, w := range words {
		VPADDD(v.word(w), dst, dst)
	}
	for _, s := range sigmas {
		VMOVDQU(v.word(s.word), yTemp[6])
		VPADDD(xorOf(yTemp[6], yTemp[2:5], []int{s.r1, s.r2}, s.shift), dst, dst)
	}
	if c != 0 && !fresh {
		v.addConst(dst, c)
	}
	VMOVDQU(dst, v.word(i))
}

func (v avx2) clear() {
	for _, registers := range [][]reg.VecPhysical{yState, yTemp} {
		for _, r := range registers {
			VPXOR(r, r, r)
		}
	}
	for i := range 16 {
		VMOVDQU(yTemp[0], v.word(i))
	}
}
