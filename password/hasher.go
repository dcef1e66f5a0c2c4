package password

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"github.com/rushgate/rushgate/internal/pbkdf2x"
)

// Job is one password to hash or to verify, made by [New], [Verify], [Decoy] or [Harden]. The result fields are set by
// [Hasher.Run].
type Job struct {
	kind     jobKind
	password string
	stored   string

	// Skip, if not nil, is asked before the derivation and again about every tenth of a millisecond of it; true leaves
	// the job undone with [ErrSkipped]. (What is not PBKDF2 of this package asks only before.)
	Skip func() bool

	// Hash is the new hash, after a job of [New] or [Harden].
	Hash string
	// Match reports that the password is right, after a job of [Verify].
	Match bool
	// Rehash reports that the password is right and its hash is not what [New] would make now.
	Rehash bool
	// Err is nil, or [ErrSkipped], or wraps [ErrMalformedHash] (the stored hash cannot be read) or [ErrUnknownPepper],
	// or is the context's error.
	Err error
}

type jobKind uint8

const (
	jobNew jobKind = iota
	jobVerify
	jobDecoy
	jobHarden
)

var (
	// ErrSkipped is the result of a job whose Skip said so.
	ErrSkipped = errors.New("skipped")
	// ErrUnknownPepper is wrapped by the error for a hash made with a pepper that the hasher does not have.
	ErrUnknownPepper = errors.New("unknown pepper")
	// ErrPepperChanged is wrapped by the error of [Hasher.RenewPepper] for an id that has another key than before.
	ErrPepperChanged = errors.New("the pepper has another key than before; a new key needs a new id")
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

// Config says how a [Hasher] makes new hashes. The zero value works.
type Config struct {
	// Iterations is the cost, [MinIterations] to [MaxIterations]; 0 means [DefaultIterations].
	Iterations int
	// Kernel is the way in which keys are derived, one of [Kernels]; "" means "auto", the one that is fastest for each
	// batch.
	Kernel string
	// Pepper keys passwords before they are hashed; nil means that they are hashed as they are.
	Pepper *Pepper
}

// Hasher derives keys. It lets at most as many batches run at once as there are cores; the others wait their turn.
// All methods may be called from many goroutines.
type Hasher struct {
	cfg        Config // but for the pepper
	pepper     atomic.Pointer[Pepper]
	kernel     pbkdf2x.Kernel
	turns      chan struct{}
	foreign    chan struct{} // the turn of hashes from other systems, which take much memory and do not yield
	iterations atomic.Int64
}

// NewHasher returns a Hasher. It fails for a cost out of range, and for a kernel that does not exist or that the CPU
// does not support.
func NewHasher(cfg Config) (*Hasher, error) {
	if cfg.Iterations == 0 {
		cfg.Iterations = DefaultIterations
	}
	if cfg.Iterations < MinIterations || cfg.Iterations > MaxIterations {
		return nil, fmt.Errorf("password: %d iterations, want %d to %d", cfg.Iterations, MinIterations, MaxIterations)
	}
	kernel, err := pbkdf2x.Named(cmp.Or(cfg.Kernel, pbkdf2x.Auto))
	if err != nil {
		return nil, fmt.Errorf("password: %w", err)
	}
	h := &Hasher{
		cfg: cfg, kernel: kernel, turns: make(chan struct{}, runtime.GOMAXPROCS(0)), foreign: make(chan struct{}, 1),
	}
	h.pepper.Store(cfg.Pepper)
	return h, nil
}

// RenewPepper goes on with a pepper that was loaded anew: its first key is for new hashes from now on. The keys that
// the hasher has besides stay, for hashes that name them; their ids are kept, in order. An error, which wraps
// [ErrPepperChanged], means that an id has another key than before: the hashes that name it could not be verified any
// more, so everything stays as it was. RenewPepper reports whether anything has changed; nil changes nothing. It may be
// called at any time, but by one goroutine at once.
func (h *Hasher) RenewPepper(next *Pepper) (changed bool, kept []string, err error) {
	before := h.pepper.Load()
	if next == nil {
		return false, nil, nil
	}
	all, kept, err := before.with(next)
	if err != nil {
		return false, nil, err
	}
	h.pepper.Store(all)
	return before == nil || before.current != all.current || len(before.keys) != len(all.keys), kept, nil
}

// Iterations returns how many iterations of PBKDF2 have been done since the start.
func (h *Hasher) Iterations() int64 { return h.iterations.Load() }

// Run works through a batch and sets each job's results. When ctx ends, the jobs not yet done get its error, those in
// the middle of a PBKDF2 derivation within a millisecond. Hashes from other systems come last, see [Foreign].
//
// A PBKDF2 hash that costs less than the hasher's own is made up for when the password is wrong: how long a refusal
// takes must not tell an unknown user from one whose hash is an old one. Costlier hashes, and those from other systems,
// cannot be hidden like that.
func (h *Hasher) Run(ctx context.Context, jobs []*Job) {
	var works []*work
	foreign := make(map[*Job]stored)
	for _, j := range jobs {
		begun, other := h.begin(ctx, j)
		if works = append(works, begun...); other != nil {
			foreign[j] = other
		}
	}
	h.deriveInTurn(ctx, works)
	for _, j := range jobs {
		if s, ok := foreign[j]; ok {
			h.verifyForeign(ctx, j, s)
		}
	}
}

// work is a job with a PBKDF2 derivation under way. A hash of another system that can be read in several ways has one
// for each.
type work struct {
	job    *Job
	target *pbkdf2Hash
	lane   pbkdf2x.Lane
	// concluded: the job has its results, whatever becomes of the iterations that are made up for
	concluded bool
	old       bool // the target is of another system's digest
}

// begin prepares a job's derivations. It returns neither for a job that is finished, and a parsed hash for one that is
// verified alone.
func (h *Hasher) begin(ctx context.Context, j *Job) ([]*work, stored) {
	target := newPBKDF2Hash(h.cfg.Iterations, h.pepper.Load().currentID())
	if j.kind == jobVerify {
		parsed, err := parse(j.stored)
		if err != nil {
			j.Err = err
			return nil, nil
		}
		if h.alone(parsed) {
			return nil, parsed
		}
		if old, ok := parsed.(*oldHash); ok {
			return h.beginOld(ctx, j, old), nil
		}
		target = parsed.(*pbkdf2Hash)
	}
	if w := h.prepare(ctx, j, target, j.password); w != nil {
		return []*work{w}, nil
	}
	return nil, nil
}

// beginOld prepares the derivations of a hash over another system's digest.
func (h *Hasher) beginOld(ctx context.Context, j *Job, old *oldHash) []*work {
	if j.Err = ctx.Err(); j.Err != nil {
		return nil
	}
	var works []*work
	for _, digest := range old.digests(j.password) {
		w := h.prepare(ctx, j, old.over, digest)
		if w == nil {
			return nil
		}
		w.old = true
		works = append(works, w)
	}
	return works
}

// prepare makes the work of a PBKDF2 derivation, or sets the job's error.
func (h *Hasher) prepare(ctx context.Context, j *Job, target *pbkdf2Hash, password string) *work {
	secret, ok := h.pepper.Load().apply(target.pepper, password)
	if !ok {
		j.Err = fmt.Errorf("%w %q", ErrUnknownPepper, target.pepper)
		return nil
	}
	w := &work{job: j, target: target}
	w.lane = pbkdf2x.Lane{
		Password: secret, Salt: target.salt, Iterations: target.iterations,
		Stop: func() bool { return ctx.Err() != nil || j.Skip != nil && j.Skip() },
	}
	w.lane.More = func() int { return h.conclude(w) }
	return w
}

// deriveInTurn derives the keys of a batch when its turn has come.
func (h *Hasher) deriveInTurn(ctx context.Context, works []*work) {
	if len(works) == 0 {
		return
	}
	select {
	case h.turns <- struct{}{}:
		defer func() { <-h.turns }()
	case <-ctx.Done(): // every lane's Stop says so
	}
	h.derive(ctx, works)
}

func (h *Hasher) derive(ctx context.Context, works []*work) {
	lanes := make([]*pbkdf2x.Lane, len(works))
	for i, w := range works {
		lanes[i] = &w.lane
	}
	h.kernel.Derive(lanes)
	for _, w := range works {
		clear(w.lane.Password)
		if w.lane.Stopped && !w.concluded && !w.job.Match {
			if w.job.Err = ctx.Err(); w.job.Err == nil {
				w.job.Err = ErrSkipped
			}
		}
	}
}

// conclude sets a job's results from its key, and returns how many iterations are to be made up for.
func (h *Hasher) conclude(w *work) (makeUp int) {
	j := w.job
	w.concluded = true
	switch j.kind {
	case jobNew, jobHarden:
		w.target.key = w.lane.Key[:]
		j.Hash = j.stored + w.target.String()
	case jobVerify:
		match := w.target.matches(w.lane.Key[:])
		j.Match = j.Match || match
		j.Rehash = j.Rehash || match && (w.old || !h.current(w.target))
		if !match {
			makeUp = max(h.cfg.Iterations-w.target.iterations, 0)
		}
	case jobDecoy: // the work was the purpose
	}
	h.iterations.Add(int64(w.target.iterations + makeUp))
	return makeUp
}

// current reports whether a hash is what New would make now.
func (h *Hasher) current(s stored) bool {
	p, ok := s.(*pbkdf2Hash)
	return ok && !p.legacy && p.iterations == h.cfg.Iterations && p.pepper == h.pepper.Load().currentID()
}

// NeedsRehash reports whether a stored hash is not what [New] would make now: another form, cost or pepper. A hash that
// cannot be read needs it too.
func (h *Hasher) NeedsRehash(hash string) bool {
	s, err := parse(hash)
	return err != nil || !h.current(s)
}

// slowFactor is how many times its own iterations a hasher verifies in a batch with others.
const slowFactor = 8

// Slow reports whether verifying a stored hash takes much longer than verifying the hasher's own: most from other
// systems, see [Foreign], but not those that [Harden] has made of hashes that take next to nothing, and one of many
// times the iterations. [Hasher.Run] verifies these one at a time, so that they had better not be in a batch with
// others. A hash that cannot be read takes no time.
func (h *Hasher) Slow(hash string) bool {
	s, err := parse(hash)
	return err == nil && h.alone(s)
}

// alone reports whether a hash is verified apart from all others.
func (h *Hasher) alone(s stored) bool {
	switch s := s.(type) {
	case *pbkdf2Hash:
		return s.iterations > slowFactor*h.cfg.Iterations
	case *oldHash:
		return s.slow() || s.over.iterations > slowFactor*h.cfg.Iterations
	}
	return true
}

// verifyForeign verifies a slow hash, one at a time.
func (h *Hasher) verifyForeign(ctx context.Context, j *Job, s stored) {
	select {
	case h.foreign <- struct{}{}:
		defer func() { <-h.foreign }()
	case <-ctx.Done():
	}
	if j.Err = ctx.Err(); j.Err != nil {
		return
	}
	if j.Skip != nil && j.Skip() {
		j.Err = ErrSkipped
		return
	}
	switch s := s.(type) {
	case *pbkdf2Hash:
		if w := h.prepare(ctx, j, s, j.password); w != nil {
			h.derive(ctx, []*work{w})
		}
	case *oldHash:
		h.verifyOld(ctx, j, s)
	case *argonHash:
		key := argon2.IDKey([]byte(j.password), s.salt, s.passes, s.memory, s.threads, uint32(len(s.key)))
		j.Match = subtle.ConstantTimeCompare(key, s.key) == 1
		j.Rehash = j.Match
	case bcryptHash:
		// bcrypt repeats a password after its terminating NUL, and takes no notice of what is beyond its length: such a
		// password is let in as ever, but must not become the one that is hashed from now on.
		j.Match = !strings.ContainsRune(j.password, 0) && bcrypt.CompareHashAndPassword([]byte(s), []byte(j.password)) == nil
		j.Rehash = j.Match && len(j.password) < bcryptPasswordLen
	}
}

// verifyOld verifies the hash of another system that takes its time.
func (h *Hasher) verifyOld(ctx context.Context, j *Job, s *oldHash) {
	if s.over != nil {
		h.derive(ctx, h.beginOld(ctx, j, s))
		return
	}
	for _, digest := range s.digests(j.password) {
		if subtle.ConstantTimeCompare([]byte(digest), s.digest) == 1 {
			j.Match = true
		}
	}
	j.Rehash = j.Match
}

// Measure returns how long one hash at the hasher's cost takes on this machine now, in a batch of n on one core: the
// best of a few tries, since whatever else is running only ever adds. It derives a part of each hash only, for a server
// measures while its players wait for it to start.
func (h *Hasher) Measure(n int) time.Duration {
	const tries, part, least = 5, 16, 2000
	sample, err := NewHasher(Config{
		Iterations: max(h.cfg.Iterations/part, min(h.cfg.Iterations, least)), Kernel: h.cfg.Kernel,
	})
	if err != nil {
		panic("password: the settings of a hasher are refused: " + err.Error())
	}
	best := time.Duration(1<<63 - 1)
	for range tries {
		jobs := make([]*Job, n)
		for i := range jobs {
			j := Decoy("measure")
			jobs[i] = &j
		}
		start := time.Now()
		sample.Run(context.Background(), jobs)
		best = min(best, time.Since(start))
	}
	return time.Duration(float64(best) / float64(n) * float64(h.cfg.Iterations) / float64(sample.cfg.Iterations))
}
