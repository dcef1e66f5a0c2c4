package password

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

// Job is one password to hash or to verify, made by [New], [Verify] or [Decoy]. The result fields are set by
// [Hasher.Run].
type Job struct {
	kind     jobKind
	password string
	stored   string

	// Skip, if not nil, is asked right before the derivation; true leaves the job undone with [ErrSkipped].
	Skip func() bool

	// Hash is the new hash, after a job of [New].
	Hash string
	// Match reports that the password is right, after a job of [Verify].
	Match bool
	// Err is nil, or [ErrSkipped], or wraps [ErrMalformedHash] (the stored hash cannot be read), or is the context's
	// error.
	Err error
}

// ErrSkipped is the result of a job whose Skip said so.
var ErrSkipped = errors.New("skipped")

type jobKind uint8

const (
	jobNew jobKind = iota
	jobVerify
	jobDecoy
)

// New is a job that hashes a password with a fresh salt at the hasher's cost.
func New(password string) Job { return Job{kind: jobNew, password: password} }

// Verify is a job that checks a password against a stored hash.
func Verify(password, stored string) Job {
	return Job{kind: jobVerify, password: password, stored: stored}
}

// Decoy is a job that costs what verifying a current hash costs and never matches: an unknown user must take as long
// as a known one.
func Decoy(password string) Job { return Job{kind: jobDecoy, password: password} }

// Hasher derives keys. It lets at most as many batches run at once as there are cores; the others wait their turn.
// All methods may be called from many goroutines.
type Hasher struct {
	iterations int
	turns      chan struct{}
	derived    atomic.Int64
}

// Derivations returns how many keys have been derived since the start.
func (h *Hasher) Derivations() int64 { return h.derived.Load() }

// NewHasher returns a Hasher whose new hashes cost the given number of iterations. It fails outside [MinIterations]
// to [MaxIterations].
func NewHasher(iterations int) (*Hasher, error) {
	if iterations < MinIterations || iterations > MaxIterations {
		return nil, fmt.Errorf("password: %d iterations, want %d to %d", iterations, MinIterations, MaxIterations)
	}
	return &Hasher{iterations: iterations, turns: make(chan struct{}, runtime.GOMAXPROCS(0))}, nil
}

// Run works through a batch and sets each job's results. When ctx ends, the jobs not yet done get its error.
func (h *Hasher) Run(ctx context.Context, jobs []*Job) {
	select {
	case h.turns <- struct{}{}:
		defer func() { <-h.turns }()
	case <-ctx.Done():
	}
	for _, j := range jobs {
		if err := ctx.Err(); err != nil {
			j.Err = err
			continue
		}
		h.run(j)
	}
}

func (h *Hasher) run(j *Job) {
	if j.Skip != nil && j.Skip() {
		j.Err = ErrSkipped
		return
	}
	target := newHash(h.iterations)
	if j.kind == jobVerify {
		if target, j.Err = parseHash(j.stored); j.Err != nil {
			return
		}
	}
	key, err := pbkdf2.Key(sha256.New, j.password, target.salt, target.iterations, KeyLen)
	if err != nil {
		j.Err = fmt.Errorf("password: derive: %w", err)
		return
	}
	h.derived.Add(1)
	switch j.kind {
	case jobNew:
		target.key = key
		j.Hash = target.String()
	case jobVerify:
		j.Match = target.matches(key)
	case jobDecoy: // the work was the purpose
	}
}

// Measure returns how long one hash at the hasher's cost takes on this machine now: the best of a few, since whatever
// else is running only ever adds.
func (h *Hasher) Measure() time.Duration {
	const tries, enough = 3, 200 * time.Millisecond
	best, begin := time.Duration(1<<63-1), time.Now()
	for range tries {
		start := time.Now()
		h.run(&Job{kind: jobDecoy, password: "measure"})
		if best = min(best, time.Since(start)); time.Since(begin) > enough {
			break
		}
	}
	return best
}
