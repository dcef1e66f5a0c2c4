package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// unit is a vector unit with one 32-bit word of each lane in a register. All operations that add, add lane by lane.
type unit interface {
	// size is that of a vector in bytes.
	size() int
	// state are the registers of the eight state words.
	state() []reg.VecPhysical
	load(src Mem, dst reg.VecPhysical)
	store(src reg.VecPhysical, dst Mem)
	add(dst, x reg.VecPhysical)
	addMem(dst reg.VecPhysical, x Mem)
	addConst(dst reg.VecPhysical, c uint32)
	addChoose(dst, e, f, g reg.VecPhysical)
	addMajority(dst, a, b, c reg.VecPhysical)
	// addBigSigma adds the three rotations of x to the right, combined by exclusive or.
	addBigSigma(dst, x reg.VecPhysical, r1, r2, r3 int)

	// Message words live where the unit sees fit; i is an index modulo 16.
	setWord(i int, x reg.VecPhysical)
	addWord(dst reg.VecPhysical, i int)
	// schedule computes word i anew as the sum of its old value (unless fresh), constant c, words and small sigmas.
	schedule(i int, fresh bool, c uint32, words []int, sigmas []smallSigma)

	xorMem(dst reg.VecPhysical, x Mem)
	clear()
}

// smallSigma is two rotations of a message word to the right and a shift, combined by exclusive or.
type smallSigma struct{ word, r1, r2, shift int }

// message is what is known of a message word here, when the code is written.
type message struct {
	known bool
	value uint32
}

// kernel writes the function that iterates as many lanes as the unit has. The memory it works on holds, a vector for
// each of eight words: the state after the inner pad, that after the outer pad, u and t.
func kernel(name, signature, doc string, newUnit func() unit) {
	TEXT(name, NOSPLIT, signature)
	v := newUnit() // in the function, where it may have memory on the stack
	Doc(doc)
	Pragma("noescape")
	lanes := Load(Param("l"), reg.RAX).(reg.GPPhysical)
	passes := Load(Param("n"), reg.RCX).(reg.GPPhysical)
	at := func(base reg.GPPhysical, i int) Mem { return Mem{Base: base, Disp: i * v.size()} }
	s := v.state()

	LEAQ(Mem{Symbol: Symbol{Name: "constants", Static: true}, Base: reg.StaticBase}, reg.RDX)
	ADDQ(passes, passes) // an iteration is two compressions
	for i := range 8 {
		v.load(at(lanes, 16+i), s[i])
		v.setWord(i, s[i])
	}
	initial := reg.RBX // the inner state, then the outer, in turns
	MOVQ(lanes, initial)
	Label("pass")
	for i := range 8 {
		v.load(at(initial, i), s[i])
	}
	compress(v)
	for i := range 8 {
		v.addMem(s[i], at(initial, i))
		v.setWord(i, s[i])
	}
	ADDQ(U32(uint32(8*v.size())), initial)
	DECQ(passes)
	TESTQ(U32(1), passes)
	JNZ(LabelRef("pass"))
	for i := range 8 {
		v.store(s[i], at(lanes, 16+i))
		v.xorMem(s[i], at(lanes, 24+i))
		v.store(s[i], at(lanes, 24+i))
	}
	MOVQ(lanes, initial)
	TESTQ(passes, passes)
	JNZ(LabelRef("pass"))
	v.clear()
	VZEROUPPER()
	RET()
}

// compress writes the rounds (FIPS 180-4 section 6.2.2) on message words 0 to 7 and the padding.
func compress(v unit) {
	var words [16]message
	for i, p := range padding {
		words[8+i] = message{known: true, value: p}
	}
	s := append([]reg.VecPhysical(nil), v.state()...)
	for t := range 64 {
		w := words[t%16]
		if next := t + 1; next >= 16 && next < 64 {
			schedule(v, &words, next) // a round ahead, so that no round waits for its word
		}
		round(v, s, t, w)
		s = append([]reg.VecPhysical{s[7]}, s[:7]...)
	}
}

// round writes round t. The state moves up by one; what was h is the new a.
func round(v unit, s []reg.VecPhysical, t int, w message) {
	a, b, c, d, e, f, g, h := s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]
	v.addConst(h, k[t]+w.value)
	if !w.known {
		v.addWord(h, t%16)
	}
	// What takes longest to compute is added last: the next round waits for d.
	v.addChoose(h, e, f, g)
	v.addBigSigma(h, e, 6, 11, 25)
	v.add(d, h)
	v.addMajority(h, a, b, c)
	v.addBigSigma(h, a, 2, 13, 22)
}

// schedule writes the computation of message word t from those before it, doing what can be done here at once.
func schedule(v unit, words *[16]message, t int) {
	old, minus7 := words[t%16], words[(t+9)%16]
	minus15, minus2 := words[(t+1)%16], words[(t+14)%16]
	c := old.value + minus7.value
	var add []int
	if !minus7.known {
		add = append(add, (t+9)%16)
	}
	var sigmas []smallSigma
	if minus15.known {
		c += sigma0(minus15.value)
	} else {
		sigmas = append(sigmas, smallSigma{(t + 1) % 16, 7, 18, 3})
	}
	if minus2.known {
		c += sigma1(minus2.value)
	} else {
		sigmas = append(sigmas, smallSigma{(t + 14) % 16, 17, 19, 10})
	}
	v.schedule(t%16, old.known, c, add, sigmas)
	words[t%16] = message{}
}
