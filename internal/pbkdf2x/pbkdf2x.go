// Package pbkdf2x derives keys with PBKDF2-HMAC-SHA256 (RFC 8018) for many passwords at once.
//
// The passwords of a batch are lanes that share vector registers: with AVX-512 sixteen of them cost little more than
// one. Derivations run in chunks of about a tenth of a millisecond with a [runtime.Gosched] between them, so that a
// goroutine which has become runnable meanwhile waits for one chunk at most, where the scheduler alone would let it
// wait for ten milliseconds.
package pbkdf2x

import (
	"crypto/hmac"
	"crypto/sha256"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/rushgate/rushgate/internal/cpuclock"
)

// KeyLen is the length of a derived key in bytes: that of one SHA-256.
const KeyLen = sha256.Size

// Lane is one key to derive.
type Lane struct {
	// Password and Salt may be of any length.
	Password, Salt []byte
	// Iterations is 1 or more.
	Iterations int
	// Stop, if not nil, is asked before the derivation and again with every chunk; true gives it up.
	Stop func() bool

	// More, if not nil, is called once, with Key set; a positive result is a number of further iterations that the lane
	// has to pass as if they were its own, without changing Key. A caller can so make up for a lane that was cheap,
	// without that being seen by the time that the batch takes.
	More func() int

	// Key is the result.
	Key [KeyLen]byte
	// Stopped reports that the derivation was given up: Key is zero.
	Stopped bool

	started   bool
	hasKey    bool
	remaining int
	state
}

// state is what iterations work on. All of it is secret.
type state struct {
	inner, outer [8]uint32 // SHA-256 after the block of the key with the inner and with the outer pad (RFC 2104)
	u, t         [8]uint32 // U_i, and the exclusive or of all U so far
}

// Derive derives the keys of a batch of any size. Lanes may differ in everything. It takes lanes in order. It panics if
// Iterations is less than 1.
//
// Derive may be called from many goroutines. It occupies a core until it returns; callers see to it that no more
// calls than there are cores run at once.
func (k Kernel) Derive(lanes []*Lane) { derive(lanes, k.choose) }

// yield lets others run between two chunks.
var yield = runtime.Gosched

var cpuTime atomic.Int64 // in nanoseconds

// CPUTime returns the CPU time that derivations have taken since the start of the process.
func CPUTime() time.Duration { return time.Duration(cpuTime.Load()) }

// derive works with the kernel that pick names for a number of open lanes.
func derive(lanes []*Lane, pick func(open int) *kernel) {
	defer wipe(lanes)
	open := make([]*Lane, 0, len(lanes))
	open = append(open, lanes...)
	for open = begin(open); len(open) > 0; open = begin(open) {
		k := pick(len(open))
		now := open[:min(k.width, len(open))]
		n := k.chunk
		for _, l := range now {
			l.start()
			n = min(n, l.remaining)
		}
		if n > 0 {
			watch := cpuclock.Start()
			k.iterate(now, n)
			cpuTime.Add(int64(watch.Elapsed()))
			yield()
		}
		for _, l := range now {
			if l.remaining -= n; l.remaining == 0 {
				l.finish()
			}
		}
	}
}

// begin returns the lanes that are still open: neither derived nor given up.
func begin(lanes []*Lane) []*Lane {
	open := lanes[:0]
	for _, l := range lanes {
		switch {
		case l.started && l.remaining == 0:
		case l.Stop != nil && l.Stop():
			l.Stopped = true
		default:
			open = append(open, l)
		}
	}
	return open
}

// start computes the key's pads and the first iteration, whose message is longer than the others'.
func (l *Lane) start() {
	if l.started {
		return
	}
	if l.Iterations < 1 {
		panic("pbkdf2x: fewer than one iteration")
	}
	l.started, l.remaining = true, l.Iterations-1
	key := l.key()
	l.inner, l.outer = paddedState(key, innerPad), paddedState(key, outerPad)
	mac := hmac.New(sha256.New, l.Password)
	mac.Write(l.Salt)
	mac.Write([]byte{0, 0, 0, 1}) // the only block of a key no longer than the hash
	var first [sha256.Size]byte
	mac.Sum(first[:0])
	getWords(&l.u, &first)
	l.t = l.u
	clear(first[:])
}

// finish takes the key, and begins what else is asked of the lane.
func (l *Lane) finish() {
	if l.hasKey {
		return
	}
	putWords(&l.Key, &l.t)
	l.hasKey = true
	if l.More != nil {
		l.remaining = max(l.More(), 0)
	}
}

// The pads of RFC 2104.
const innerPad, outerPad = 0x36, 0x5c

// key returns the key of the HMAC: the password, or its hash if it is longer than a block.
func (l *Lane) key() []byte {
	if len(l.Password) <= sha256.BlockSize {
		return l.Password
	}
	sum := sha256.Sum256(l.Password)
	return sum[:]
}

func paddedBlock(key []byte, pad byte) (block [sha256.BlockSize]byte) {
	copy(block[:], key)
	for i := range block {
		block[i] ^= pad
	}
	return block
}

// paddedState returns the state of SHA-256 after the block of a key.
func paddedState(key []byte, pad byte) [8]uint32 {
	block := paddedBlock(key, pad)
	s := initial
	compress(&s, &block)
	clear(block[:])
	return s
}

// wipe clears what the lanes were computed from. Kernels clear their registers and buffers; what the standard library
// leaves on the heap while it takes in key and salt is out of reach.
func wipe(lanes []*Lane) {
	for _, l := range lanes {
		l.state = state{}
		l.started, l.hasKey = false, false
	}
}
