//go:build !purego

package pbkdf2x

import "golang.org/x/sys/cpu"

//go:generate go run -C asm . -out ../kernels_amd64.s -stubs ../stubs_amd64.go -pkg pbkdf2x

// The kernels' chunks were chosen by BenchmarkDerive: at 3.5 GHz each is 100 to 130 µs.
func vectorKernels() []*kernel {
	avx2 := cpu.X86.HasAVX2
	avx512 := cpu.X86.HasAVX512F && avx2
	return []*kernel{
		{name: "avx512", width: 16, chunk: 224, supported: avx512, iterate: runAVX512},
		{name: "avx2", width: 8, chunk: 192, supported: avx2, iterate: runAVX2},
		{name: "shani", width: 2, chunk: 1408, supported: hasSHANI() && cpu.X86.HasAVX, iterate: runSHANI},
	}
}

// hasSHANI asks for the SHA extensions, which package cpu does not tell of: Intel SDM, CPUID leaf 7, EBX bit 29.
func hasSHANI() bool {
	if highest, _, _, _ := cpuid(0, 0); highest < 7 {
		return false
	}
	_, ebx, _, _ := cpuid(7, 0)
	return ebx&(1<<29) != 0
}

func runAVX512(lanes []*Lane, n int) {
	var m [32][16]uint32
	inColumns(lanes, func(i int) []uint32 { return m[i][:] }, func() { iterateAVX512(&m, n) })
	clear(m[:])
}

func runAVX2(lanes []*Lane, n int) {
	var m [32][8]uint32
	inColumns(lanes, func(i int) []uint32 { return m[i][:] }, func() { iterateAVX2(&m, n) })
	clear(m[:])
}

// inColumns iterates lanes as the columns of a matrix, in whose rows word i of all lanes stands. What is left of a row
// when there are fewer lanes computes on zeros.
func inColumns(lanes []*Lane, row func(i int) []uint32, iterate func()) {
	for i := range 8 {
		inner, outer, u, t := row(i), row(8+i), row(16+i), row(24+i)
		for j, l := range lanes {
			inner[j], outer[j], u[j], t[j] = l.inner[i], l.outer[i], l.u[i], l.t[i]
		}
	}
	iterate()
	for i := range 8 {
		u, t := row(16+i), row(24+i)
		for j, l := range lanes {
			l.u[i], l.t[i] = u[j], t[j]
		}
	}
}

// runSHANI brings the states into the order of the SHA instructions.
func runSHANI(lanes []*Lane, n int) {
	var m [2][8][4]uint32
	for j, l := range lanes {
		for i, s := range [2]*[8]uint32{&l.inner, &l.outer} {
			m[j][2*i] = [4]uint32{s[5], s[4], s[1], s[0]}
			m[j][2*i+1] = [4]uint32{s[7], s[6], s[3], s[2]}
		}
		m[j][4], m[j][5] = [4]uint32(l.u[:4]), [4]uint32(l.u[4:])
		m[j][6], m[j][7] = [4]uint32(l.t[:4]), [4]uint32(l.t[4:])
	}
	iterateSHANI(&m, n)
	for j, l := range lanes {
		copy(l.u[:4], m[j][4][:])
		copy(l.u[4:], m[j][5][:])
		copy(l.t[:4], m[j][6][:])
		copy(l.t[4:], m[j][7][:])
	}
	clear(m[:])
}
