// Command asm writes the assembly of package pbkdf2x: run `go generate` there.
//
// Each kernel runs the inner loop of PBKDF2-HMAC-SHA256 (RFC 8018 section 5.2) for several lanes, each lane a password
// of its own: u = HMAC(password, u); t ^= u. An HMAC with a prepared key is two compressions, the first from the state
// after the inner pad, the second from the state after the outer pad.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
)

func main() {
	ConstraintExpr("!purego")
	kernel("iterateAVX512", "func(l *[32][16]uint32, n int)",
		"iterateAVX512 runs n iterations, 1 or more, of each of sixteen lanes.", func() unit { return avx512{} })
	kernel("iterateAVX2", "func(l *[32][8]uint32, n int)",
		"iterateAVX2 runs n iterations, 1 or more, of each of eight lanes.", func() unit {
			return avx2{words: AllocLocal(16 * 32)}
		})
	shani()
	cpuid()
	GLOBL("constants", RODATA|NOPTR)
	for i, w := range constants.words {
		DATA(4*i, operand.U32(w))
	}
	Generate()
}
