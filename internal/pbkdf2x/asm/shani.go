package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// stream is one of the two lanes of the SHA-NI kernel. The instructions want the state as two registers, F E B A and
// H G D C from the low word up, and the message four words to a register.
type stream struct {
	feba, hgdc reg.VecPhysical
	msg        [4]reg.VecPhysical
}

var (
	streams = [2]stream{
		{reg.X1, reg.X2, [4]reg.VecPhysical{reg.X3, reg.X4, reg.X5, reg.X6}},
		{reg.X7, reg.X8, [4]reg.VecPhysical{reg.X9, reg.X10, reg.X11, reg.X12}},
	}
	xRound = reg.X0 // what SHA256RNDS2 takes its message and constants from
	xTemp  = [2]reg.VecPhysical{reg.X13, reg.X14}
)

// The memory of one lane: vectors of four words.
const (
	xInner = 0 // feba, hgdc
	xOuter = 2
	xU     = 4 // words 0 to 3, 4 to 7
	xT     = 6
	xLane  = 8 * 16 // bytes
)

// shani writes the kernel for two lanes. Each instruction of a lane waits for the one before; two lanes at once fill
// the time.
func shani() {
	TEXT("iterateSHANI", NOSPLIT, "func(l *[2][8][4]uint32, n int)")
	Doc("iterateSHANI runs n iterations, 1 or more, of each of two lanes.")
	Pragma("noescape")
	lanes := Load(Param("l"), reg.RAX).(reg.GPPhysical)
	passes := Load(Param("n"), reg.RCX).(reg.GPPhysical)
	at := func(base reg.GPPhysical, lane, i int) Mem { return Mem{Base: base, Disp: lane*xLane + i*16} }

	VZEROUPPER() // the SHA instructions are of the old encoding
	ADDQ(passes, passes)
	for lane, s := range streams {
		VMOVDQU(at(lanes, lane, xU), s.msg[0])
		VMOVDQU(at(lanes, lane, xU+1), s.msg[1])
	}
	initial := reg.RBX
	MOVQ(lanes, initial)
	Label("pass")
	for lane, s := range streams {
		VMOVDQU(at(initial, lane, 0), s.feba)
		VMOVDQU(at(initial, lane, 1), s.hgdc)
		VMOVDQU(xVector("padding0", padding[:4]), s.msg[2])
		VMOVDQU(xVector("padding4", padding[4:]), s.msg[3])
	}
	for group := range 16 {
		for _, s := range streams {
			fourRounds(s, group)
		}
	}
	for lane, s := range streams {
		VPADDD(at(initial, lane, 0), s.feba, s.feba)
		VPADDD(at(initial, lane, 1), s.hgdc, s.hgdc)
		// The digest is the next message: a b c d, e f g h.
		VPSHUFD(Imm(0x1B), s.feba, xTemp[0])
		VPSHUFD(Imm(0x1B), s.hgdc, xTemp[1])
		VPUNPCKLQDQ(xTemp[1], xTemp[0], s.msg[0])
		VPUNPCKHQDQ(xTemp[1], xTemp[0], s.msg[1])
	}
	ADDQ(Imm(2*16), initial)
	DECQ(passes)
	TESTQ(U32(1), passes)
	JNZ(LabelRef("pass"))
	for lane, s := range streams {
		for i := range 2 {
			VPXOR(at(lanes, lane, xT+i), s.msg[i], xTemp[i])
			VMOVDQU(xTemp[i], at(lanes, lane, xT+i))
		}
	}
	MOVQ(lanes, initial)
	TESTQ(passes, passes)
	JNZ(LabelRef("pass"))
	for lane, s := range streams {
		VMOVDQU(s.msg[0], at(lanes, lane, xU))
		VMOVDQU(s.msg[1], at(lanes, lane, xU+1))
	}
	for _, r := range []reg.VecPhysical{reg.X0, reg.X1, reg.X2, reg.X3, reg.X4, reg.X5, reg.X6, reg.X7,
		reg.X8, reg.X9, reg.X10, reg.X11, reg.X12, reg.X13, reg.X14} {
		VPXOR(r, r, r)
	}
	RET()
}

// fourRounds writes rounds 4*group to 4*group+3 of a stream, and its share of the message schedule.
func fourRounds(s stream, group int) {
	now, next, before := s.msg[group%4], s.msg[(group+1)%4], s.msg[(group+3)%4]
	VPADDD(xVector(fmt.Sprintf("k%02d", group), k[4*group:4*group+4]), now, xRound)
	SHA256RNDS2(xRound, s.feba, s.hgdc)
	if group >= 3 && group <= 14 {
		VPALIGNR(Imm(4), before, now, xTemp[0])
		VPADDD(xTemp[0], next, next)
		SHA256MSG2(now, next)
	}
	VPSHUFD(Imm(0x0E), xRound, xRound)
	SHA256RNDS2(xRound, s.hgdc, s.feba)
	if group >= 1 && group <= 12 {
		SHA256MSG1(now, before)
	}
}

var xVectors = map[string]Mem{}

// xVector returns four words in memory.
func xVector(name string, words []uint32) Mem {
	m, ok := xVectors[name]
	if !ok {
		m = GLOBL(name, RODATA|NOPTR)
		for i, w := range words {
			DATA(4*i, U32(w))
		}
		xVectors[name] = m
	}
	return m
}
