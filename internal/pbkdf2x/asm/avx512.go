package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// avx512 has sixteen lanes and room for the whole message in registers.
type avx512 struct{}

var (
	zState = []reg.VecPhysical{reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7}
	zWords = []reg.VecPhysical{reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
		reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23}
	zTemp = []reg.VecPhysical{reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31}
)

// Truth tables for VPTERNLOGD, whose index is dst<<2 | second<<1 | third.
const (
	tableXor      = 0x96
	tableChoose   = 0xCA // dst ? second : third
	tableMajority = 0xE8
)

func (avx512) size() int                                { return 64 }
func (avx512) state() []reg.VecPhysical                 { return zState }
func (avx512) load(src Mem, dst reg.VecPhysical)        { VMOVDQU32(src, dst) }
func (avx512) store(src reg.VecPhysical, dst Mem)       { VMOVDQU32(src, dst) }
func (avx512) add(dst, x reg.VecPhysical)               { VPADDD(x, dst, dst) }
func (avx512) addMem(dst reg.VecPhysical, x Mem)        { VPADDD(x, dst, dst) }
func (avx512) addConst(dst reg.VecPhysical, c uint32)   { VPADDD_BCST(constant(c), dst, dst) }
func (avx512) xorMem(dst reg.VecPhysical, x Mem)        { VPXORD(x, dst, dst) }
func (avx512) setWord(i int, x reg.VecPhysical)         { VMOVDQA32(x, zWords[i]) }
func (avx512) addWord(dst reg.VecPhysical, i int)       { VPADDD(zWords[i], dst, dst) }
func (avx512) addChoose(dst, e, f, g reg.VecPhysical)   { logic(tableChoose, dst, e, f, g) }
func (avx512) addMajority(dst, a, b, c reg.VecPhysical) { logic(tableMajority, dst, a, b, c) }

// logic adds a function of three words, given by its truth table.
func logic(table uint64, dst, x, y, z reg.VecPhysical) {
	VMOVDQA32(x, zTemp[3])
	VPTERNLOGD(Imm(table), z, y, zTemp[3])
	VPADDD(zTemp[3], dst, dst)
}

func (avx512) addBigSigma(dst, x reg.VecPhysical, r1, r2, r3 int) {
	VPRORD(Imm(uint64(r1)), x, zTemp[0])
	VPRORD(Imm(uint64(r2)), x, zTemp[1])
	VPRORD(Imm(uint64(r3)), x, zTemp[2])
	VPTERNLOGD(Imm(tableXor), zTemp[2], zTemp[1], zTemp[0])
	VPADDD(zTemp[0], dst, dst)
}

func (avx512) schedule(i int, fresh bool, c uint32, words []int, sigmas []smallSigma) {
	dst := zWords[i]
	add := func(x reg.VecPhysical) {
		if fresh {
			VMOVDQA32(x, dst)
			fresh = false
			return
		}
		VPADDD(x, dst, dst)
	}
	for _, w := range words {
		add(zWords[w])
	}
	for _, s := range sigmas {
		x := zWords[s.word]
		VPRORD(Imm(uint64(s.r1)), x, zTemp[4])
		VPRORD(Imm(uint64(s.r2)), x, zTemp[5])
		VPSRLD(Imm(uint64(s.shift)), x, zTemp[6])
		VPTERNLOGD(Imm(tableXor), zTemp[6], zTemp[5], zTemp[4])
		add(zTemp[4])
	}
	if c != 0 {
		VPADDD_BCST(constant(c), dst, dst)
	}
}

func (avx512) clear() {
	for _, registers := range [][]reg.VecPhysical{zState, zWords, zTemp} {
		for _, r := range registers {
			VPXORD(r, r, r)
		}
	}
}

// constants are the words added to all lanes, in one table: near enough to its base that an instruction needs one byte
// to point there.
var constants = table{index: map[uint32]int{}}

type table struct {
	words []uint32
	index map[uint32]int
}

func constant(c uint32) Mem {
	i, ok := constants.index[c]
	if !ok {
		i = len(constants.words)
		constants.index[c] = i
		constants.words = append(constants.words, c)
	}
	return Mem{Base: reg.RDX, Disp: 4 * i}
}
