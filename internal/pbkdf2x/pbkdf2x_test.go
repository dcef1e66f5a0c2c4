package pbkdf2x

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// forEachKernel runs a test on every kernel that this CPU supports, and names the others.
func forEachKernel(t *testing.T, test func(t *testing.T, k *kernel)) {
	for _, k := range kernels {
		t.Run("kernel="+k.name, func(t *testing.T) {
			if !k.supported {
				t.Skipf("kernel %s is NOT TESTED here: this CPU does not support it", k.name)
			}
			test(t, k)
		})
	}
}

func (k *kernel) derive(lanes []*Lane) { derive(lanes, func(int) *kernel { return k }) }

func newLane(password, salt string, iterations int) *Lane {
	return &Lane{Password: []byte(password), Salt: []byte(salt), Iterations: iterations}
}

// reference is the key by crypto/pbkdf2.
func reference(t interface{ Fatal(...any) }, l *Lane) []byte {
	key, err := pbkdf2.Key(sha256.New, string(l.Password), l.Salt, l.Iterations, KeyLen)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Published vectors: RFC 7914 section 11 (the first half of its 64 bytes), and those that circulate as the SHA-256
// edition of RFC 6070, a NUL byte within password and salt among them.
func TestVectors(t *testing.T) {
	vectors := []struct {
		password, salt string
		iterations     int
		key            string
	}{
		{"passwd", "salt", 1, "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"},
		{"Password", "NaCl", 80000, "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"},
		{"password", "salt", 1, "120fb6cffcf8b32c43e7225256c4f837a86548c92ccc35480805987cb70be17b"},
		{"password", "salt", 2, "ae4d0c95af6b46d32d0adff928f06dd02a303f8ef3c251dfd6e2d85a95474c43"},
		{"password", "salt", 4096, "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a"},
		{"passwordPASSWORDpassword", "saltSALTsaltSALTsaltSALTsaltSALTsalt", 4096,
			"348c89dbcbd32b2f32d814b8116e84cf2b17347ebc1800181c4e2a1fb8dd53e1"},
		{"pass\x00word", "sa\x00lt", 4096, "89b69d0516f829893c696226650a8687"},
	}
	forEachKernel(t, func(t *testing.T, k *kernel) {
		var lanes []*Lane
		for _, v := range vectors {
			lanes = append(lanes, newLane(v.password, v.salt, v.iterations))
		}
		k.derive(lanes)
		for i, v := range vectors {
			if got := hex.EncodeToString(lanes[i].Key[:]); !strings.HasPrefix(got, v.key) {
				t.Errorf("%q, %q, %d: %s, want %s", v.password, v.salt, v.iterations, got, v.key)
			}
		}
	})
}

// Passwords around the block length, where HMAC begins to hash its key, and salts around it.
func TestLengths(t *testing.T) {
	forEachKernel(t, func(t *testing.T, k *kernel) {
		var lanes []*Lane
		for _, p := range []int{0, 1, 31, 32, 55, 56, 63, 64, 65, 127, 128, 129, 256, 1000} {
			for _, s := range []int{0, 1, 16, 51, 52, 63, 64, 65, 200} {
				lanes = append(lanes, newLane(strings.Repeat("p", p), strings.Repeat("s", s), 3))
			}
		}
		k.derive(lanes)
		for _, l := range lanes {
			if !bytes.Equal(l.Key[:], reference(t, l)) {
				t.Errorf("password of %d bytes, salt of %d: wrong key", len(l.Password), len(l.Salt))
			}
		}
	})
}

// randomLanes returns lanes that differ in everything.
func randomLanes(rnd *rand.Rand, n, maxIterations int) []*Lane {
	lanes := make([]*Lane, n)
	for i := range lanes {
		l := &Lane{Password: make([]byte, rnd.IntN(150)), Salt: make([]byte, rnd.IntN(100)),
			Iterations: 1 + rnd.IntN(maxIterations)}
		for _, b := range [][]byte{l.Password, l.Salt} {
			for j := range b {
				b[j] = byte(rnd.Uint32())
			}
		}
		lanes[i] = l
	}
	return lanes
}

// Every kernel agrees with crypto/pbkdf2 for every size of batch from 1 to 64, iterations being mixed.
func TestAgainstTheStandardLibrary(t *testing.T) {
	forEachKernel(t, func(t *testing.T, k *kernel) {
		rnd := rand.New(rand.NewPCG(1, 2))
		for n := 1; n <= 64; n++ {
			lanes := randomLanes(rnd, n, 3*min(k.chunk, 300))
			k.derive(lanes)
			for i, l := range lanes {
				if !bytes.Equal(l.Key[:], reference(t, l)) {
					t.Fatalf("lane %d of %d, %d iterations: wrong key", i, n, l.Iterations)
				}
			}
		}
	})
}

// Whatever kernels take turns on a batch, the keys are the same.
func TestKernelsMayTakeTurns(t *testing.T) {
	supported := slices.DeleteFunc(slices.Clone(kernels), func(k *kernel) bool { return !k.supported })
	rapid.Check(t, func(t *rapid.T) {
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		lanes := randomLanes(rnd, rapid.IntRange(1, 40).Draw(t, "lanes"), 500)
		derive(lanes, func(int) *kernel { return supported[rnd.IntN(len(supported))] })
		for i, l := range lanes {
			if !bytes.Equal(l.Key[:], reference(t, l)) {
				t.Fatalf("lane %d: wrong key", i)
			}
		}
	})
}

func TestDeriveFromManyGoroutines(t *testing.T) {
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			lanes := randomLanes(rand.New(rand.NewPCG(3, uint64(g))), 20, 400)
			Kernel{}.Derive(lanes)
			for i, l := range lanes {
				if !bytes.Equal(l.Key[:], reference(t, l)) {
					t.Errorf("lane %d: wrong key", i)
				}
			}
		})
	}
	wg.Wait()
}

// Lanes may share their inputs, and inputs may begin anywhere in memory.
func TestAliasingAndAlignment(t *testing.T) {
	forEachKernel(t, func(t *testing.T, k *kernel) {
		buf := bytes.Repeat([]byte("0123456789abcdef"), 20)
		original := slices.Clone(buf)
		var lanes []*Lane
		for offset := range 20 {
			lanes = append(lanes, &Lane{Password: buf[offset : offset+33], Salt: buf[offset+1 : offset+17], Iterations: 5})
			lanes = append(lanes, &Lane{Password: buf[offset : offset+80], Salt: buf[offset : offset+80], Iterations: 5})
		}
		k.derive(lanes)
		if !bytes.Equal(buf, original) {
			t.Fatal("the inputs were changed")
		}
		for i, l := range lanes {
			if !bytes.Equal(l.Key[:], reference(t, l)) {
				t.Errorf("lane %d: wrong key", i)
			}
		}
	})
}

// A lane whose caller has gone is given up within a chunk; the others are not disturbed.
func TestStop(t *testing.T) {
	forEachKernel(t, func(t *testing.T, k *kernel) {
		lanes := randomLanes(rand.New(rand.NewPCG(4, 4)), 20, 1000)
		asked := 0
		lanes[3].Iterations = 1 << 40 // would never end
		lanes[3].Stop = func() bool { asked++; return asked > 3 }
		lanes[7].Stop = func() bool { return true }
		lanes[9].Stop = func() bool { return false }
		k.derive(lanes)
		for i, l := range lanes {
			switch {
			case i == 3 || i == 7:
				if !l.Stopped || l.Key != [KeyLen]byte{} {
					t.Errorf("lane %d: stopped %v, key %x", i, l.Stopped, l.Key)
				}
			case l.Stopped || !bytes.Equal(l.Key[:], reference(t, l)):
				t.Errorf("lane %d: stopped %v or wrong key", i, l.Stopped)
			}
		}
		if asked != 4 {
			t.Errorf("asked %d times, want once a chunk until the answer was yes", asked)
		}
	})
}

// Further iterations are passed, and leave the key as it was.
func TestMore(t *testing.T) {
	forEachKernel(t, func(t *testing.T, k *kernel) {
		lanes := randomLanes(rand.New(rand.NewPCG(6, 6)), 20, 1000)
		done := 0
		counting := *k
		counting.iterate = func(lanes []*Lane, n int) {
			for _, l := range lanes {
				if l == lanes[0] && l.More != nil && l.hasKey {
					done += n
				}
			}
			k.iterate(lanes, n)
		}
		cheap := lanes[0]
		cheap.Iterations = 10
		cheap.More = func() int {
			if !bytes.Equal(cheap.Key[:], reference(t, cheap)) {
				t.Error("asked for more before the key was there")
			}
			return 4990
		}
		lanes[1].More = func() int { return -5 }
		derive(lanes, func(int) *kernel { return &counting })
		if done != 4990 {
			t.Errorf("%d further iterations, want 4990", done)
		}
		for i, l := range lanes {
			if !bytes.Equal(l.Key[:], reference(t, l)) {
				t.Errorf("lane %d: wrong key", i)
			}
		}
	})
}

// No kernel is ever given more than a chunk, and others may run after each.
func TestChunks(t *testing.T) {
	forEachKernel(t, func(t *testing.T, k *kernel) {
		yields, chunks := 0, 0
		yield = func() { yields++ }
		defer func() { yield = runtime.Gosched }()
		watched := *k
		watched.iterate = func(lanes []*Lane, n int) {
			if chunks++; n < 1 || n > k.chunk || len(lanes) > k.width {
				t.Errorf("%d iterations of %d lanes at once, chunk %d, width %d", n, len(lanes), k.chunk, k.width)
			}
			k.iterate(lanes, n)
		}
		derive(randomLanes(rand.New(rand.NewPCG(7, 7)), 40, 5000), func(int) *kernel { return &watched })
		if yields != chunks || chunks < 40/k.width {
			t.Errorf("%d chunks and %d yields", chunks, yields)
		}
		if k.chunk > 2000 {
			t.Errorf("a chunk of %d iterations", k.chunk)
		}
	})
}

func TestCheapestDependsOnTheNumberOfLanes(t *testing.T) {
	wide, pair, one := &kernel{name: "wide", width: 16}, &kernel{name: "pair", width: 2}, &kernel{name: "one", width: 1}
	costs := []kernelCost{{wide, 160}, {pair, 26}, {one, 20}}
	for open, want := range map[int]*kernel{1: one, 2: pair, 8: pair, 12: pair, 13: wide, 16: wide, 64: wide} {
		if got := cheapest(costs, open); got != want {
			t.Errorf("%d open lanes: %s, want %s", open, got.name, want.name)
		}
	}
}

func TestDeriveLeavesNoSecrets(t *testing.T) {
	lanes := randomLanes(rand.New(rand.NewPCG(5, 5)), 20, 1000)
	lanes[3].Stop = func() bool { return lanes[3].started }
	Kernel{}.Derive(lanes)
	for i, l := range lanes {
		if l.state != (state{}) {
			t.Errorf("lane %d keeps its state", i)
		}
	}
}

func TestNamed(t *testing.T) {
	for _, k := range kernels {
		got, err := Named(k.name)
		if (err == nil) != k.supported {
			t.Errorf("Named(%q) = %v, supported %v", k.name, err, k.supported)
		}
		if err == nil && (got.choose(1) != k || got.Choice(100) != k.name) {
			t.Errorf("Named(%q) is not heeded", k.name)
		}
	}
	if _, err := Named("abacus"); err == nil || !strings.Contains(err.Error(), "abacus") {
		t.Errorf("an unknown kernel: %v", err)
	}
	if got, err := Named(Auto); err != nil || got != (Kernel{}) {
		t.Errorf("Named(Auto) = %v, %v", got, err)
	}
	if names := Names(); names[0] != Auto || names[len(names)-1] != "portable" {
		t.Errorf("names %q", names)
	}
}

func FuzzDerive(f *testing.F) {
	f.Add([]byte("password"), []byte("salt"), uint16(1), uint16(4096), uint8(1))
	f.Add([]byte(""), []byte(""), uint16(2), uint16(3), uint8(16))
	f.Add(bytes.Repeat([]byte("p"), 65), []byte("s"), uint16(224), uint16(225), uint8(17))
	f.Add([]byte("pass\x00word"), []byte("sa\x00lt"), uint16(193), uint16(192), uint8(64))
	f.Fuzz(func(t *testing.T, password, salt []byte, i1, i2 uint16, n uint8) {
		iterations := [2]int{1 + int(i1)%2000, 1 + int(i2)%2000}
		ref := [2]*Lane{{Password: password, Salt: salt, Iterations: iterations[0]},
			{Password: password, Salt: salt, Iterations: iterations[1]}}
		want := [2][]byte{reference(t, ref[0]), reference(t, ref[1])}
		for _, k := range kernels {
			if !k.supported {
				continue
			}
			lanes := make([]*Lane, 1+n%64)
			for i := range lanes {
				lanes[i] = &Lane{Password: password, Salt: salt, Iterations: iterations[i%2]}
			}
			k.derive(lanes)
			for i, l := range lanes {
				if !bytes.Equal(l.Key[:], want[i%2]) {
					t.Fatalf("kernel %s, lane %d of %d: wrong key", k.name, i, len(lanes))
				}
			}
		}
	})
}

// BenchmarkDerive compares the kernels with crypto/pbkdf2 in one run: ns/lane-iteration is the price of one iteration
// of one password, and x-stdlib how many times that goes into the price of crypto/pbkdf2.
func BenchmarkDerive(b *testing.B) {
	const iterations = 20_000
	var stdlib float64
	report := func(b *testing.B, lanes int) {
		price := float64(b.Elapsed().Nanoseconds()) / float64(b.N) / float64(lanes) / iterations
		if stdlib == 0 {
			stdlib = price
		}
		b.ReportMetric(price, "ns/lane-iteration")
		b.ReportMetric(stdlib/price, "x-stdlib")
	}
	b.Run("kernel=stdlib/batch=1", func(b *testing.B) {
		l := newLane("correct horse", "0123456789abcdef", iterations)
		for b.Loop() {
			reference(b, l)
		}
		report(b, 1)
	})
	auto := &kernel{name: Auto, supported: true}
	for _, k := range append(slices.Clone(kernels), auto) {
		for _, n := range []int{1, 2, 4, 8, 12, 16, 32} {
			b.Run(fmt.Sprintf("kernel=%s/batch=%d", k.name, n), func(b *testing.B) {
				if !k.supported {
					b.Skip("this CPU does not support it")
				}
				lanes := make([]*Lane, n)
				for b.Loop() {
					for i := range lanes {
						lanes[i] = newLane("correct horse", "0123456789abcdef", iterations)
					}
					if k == auto {
						Kernel{}.Derive(lanes)
					} else {
						k.derive(lanes)
					}
				}
				report(b, n)
			})
		}
	}
}
