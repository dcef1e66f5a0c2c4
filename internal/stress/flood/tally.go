package flood

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/rushgate/rushgate/internal/latency"
)

// Flood is a flood of knocks and what has come of it so far. Its methods may be called from many goroutines.
type Flood struct {
	cfg      Config
	hopeless time.Duration

	mu      sync.Mutex
	begin   time.Time
	stopped time.Time // zero: it was not interrupted
	counts  Counts
	counted Counts
	kinds   map[kind]*answers // at most maxKinds and one for all others
	delay   latency.Histogram // from when a knock was due to when it was made
	cpu     time.Duration
}

// Counts are numbers of knocks. Each one that was due is Unmade or one of the Knocks; each of these is in at most
// one of the others but Late and Full.
type Counts struct {
	Knocks  int // made
	Late    int // of those, how many were made 100 ms late or more
	Unmade  int // due, and not made: the generator was 250 ms late or had no room
	Full    int // of those, for want of room: of files or ports, which knocks without an answer hold
	In      int // answered with a status of 200 to 299
	Refused int // answered with any other
	Gone    int // the connection was refused or ended without a whole answer
	Silent  int // no answer within the client's patience
	Open    int // given up because the flood was interrupted
}

// Since returns what was counted since a.
func (c Counts) Since(a Counts) Counts {
	return Counts{
		c.Knocks - a.Knocks, c.Late - a.Late, c.Unmade - a.Unmade, c.Full - a.Full, c.In - a.In, c.Refused - a.Refused,
		c.Gone - a.Gone, c.Silent - a.Silent, c.Open - a.Open,
	}
}

// Plus returns the sums of both.
func (c Counts) Plus(a Counts) Counts { return c.Since(Counts{}.Since(a)) }

// kind is what tells answers apart.
type kind struct {
	status int
	reason string
}

// maxKinds bounds the kinds that are told apart: they are the server's to choose.
const maxKinds = 32

// answers are those of one kind.
type answers struct {
	count int
	age   latency.Histogram
}

// Answer is a kind of answer.
type Answer struct {
	Status int    // of HTTP; 0 for all kinds beyond the first 32
	Reason string // as the body has it; empty for none
	Count  int
	Age    latency.Summary // from when the knock was due to the whole answer
}

// Result is what became of the knocks.
type Result struct {
	Counts
	Counted Counts // from the end of Config.Warm to that of Config.Length, by when it happened
	// Length is for how long clients have come, CountedLength for how long what happened was Counted: less than was to be
	// of a flood that was interrupted.
	Length, CountedLength time.Duration
	Answers               []Answer        // the most frequent first
	Delay                 latency.Summary // from when a knock was due to when it was made
	// CPU is the CPU time of the generator, for knocks over plain HTTP; of knocks over TLS it is not known.
	CPU time.Duration
}

// Counts returns what has been counted so far.
func (f *Flood) Counts() Counts {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts
}

// Result returns what has become of the knocks so far.
func (f *Flood) Result() Result {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := Result{Counts: f.counts, Counted: f.counted, Delay: f.delay.Detailed(), CPU: f.cpu}
	r.Length, r.CountedLength = f.lengths()
	for k, a := range f.kinds {
		r.Answers = append(r.Answers, Answer{k.status, k.reason, a.count, a.age.Detailed()})
	}
	slices.SortFunc(r.Answers, func(a, b Answer) int {
		return cmp.Or(b.Count-a.Count, a.Status-b.Status, cmp.Compare(a.Reason, b.Reason))
	})
	return r
}

// stop notes that the flood was interrupted.
func (f *Flood) stop(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped.IsZero() {
		f.stopped = now
	}
}

// lengths returns for how long clients have come, and for how long what happened was Counted. f.mu is held.
func (f *Flood) lengths() (length, counted time.Duration) {
	length = f.cfg.Length
	if !f.stopped.IsZero() {
		length = min(length, max(f.stopped.Sub(f.begin), 0))
	}
	return length, max(length-f.cfg.Warm, 0)
}

func (f *Flood) start(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.begin = now
}

// count adds to the counts. f.mu is held.
func (f *Flood) count(now time.Time, c Counts) {
	f.counts = f.counts.Plus(c)
	if at := now.Sub(f.begin); at >= f.cfg.Warm && at < f.cfg.Length {
		f.counted = f.counted.Plus(c)
	}
}

// made counts a knock that was due at one time and made at another.
func (f *Flood) made(due, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, delay := Counts{Knocks: 1}, now.Sub(due)
	if delay >= late {
		c.Late = 1
	}
	f.delay.Record(delay)
	f.count(now, c)
}

// end counts what became of a knock other than an answer.
func (f *Flood) end(now time.Time, c Counts) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count(now, c)
}

// answered counts an answer to a knock that was due at a time.
func (f *Flood) answered(due, now time.Time, status int, reason []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	a := f.kinds[kind{status, string(reason)}] // allocates nothing
	if a == nil {
		k := kind{status, string(reason)}
		if len(f.kinds) >= maxKinds {
			k = kind{}
		}
		if a = f.kinds[k]; a == nil {
			a = new(answers)
			f.kinds[k] = a
		}
	}
	a.count++
	a.age.Record(now.Sub(due))
	if status >= 200 && status < 300 {
		f.count(now, Counts{In: 1})
	} else {
		f.count(now, Counts{Refused: 1})
	}
}
