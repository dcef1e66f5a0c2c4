package auth

import (
	"container/list"
	"sync"
	"time"
)

// The limiter's rule and its bounds.
const (
	// FailureLimit failures of one origin within FailureWindow lock it out for LockoutTime after the last of them.
	FailureLimit  = 5
	FailureWindow = 60 * time.Second
	LockoutTime   = 300 * time.Second

	// DefaultLimiterSize is how many origins with recent failures, and how many that are locked out, are remembered.
	DefaultLimiterSize = 1 << 16
)

// Limiter locks out origins that keep failing. Its memory is bounded: it remembers a fixed number of origins with
// recent failures, the least recent giving way, and apart from them a fixed number of lockouts, so that failures from
// many addresses push out other failures but never a lockout. A lockout gives way only to another lockout, the one
// that would end first: to undo one, an attacker has to fail [FailureLimit] times from each of as many other origins
// as the limiter holds before it ends. All methods may be called from many goroutines.
type Limiter struct {
	size int

	mu       sync.Mutex
	failing  map[Origin]*list.Element // of *failures
	recent   *list.List               // *failures, least recent first
	locked   map[Origin]*list.Element // of *lockout
	lockouts *list.List               // *lockout, first to end first
	total    int64
}

// failures holds the times of an origin's last failures, a ring whose oldest entry is at index next.
type failures struct {
	origin Origin
	at     [FailureLimit]time.Time
	next   int
}

type lockout struct {
	origin Origin
	until  time.Time
}

// NewLimiter returns a limiter that remembers up to size origins of either kind; 0 means [DefaultLimiterSize].
func NewLimiter(size int) *Limiter {
	if size <= 0 {
		size = DefaultLimiterSize
	}
	return &Limiter{
		size:     size,
		failing:  make(map[Origin]*list.Element),
		recent:   list.New(),
		locked:   make(map[Origin]*list.Element),
		lockouts: list.New(),
	}
}

// LockedFor returns how long an origin remains locked out, and 0 if it is not.
func (l *Limiter) LockedFor(o Origin) time.Duration {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.endLockouts(now)
	if e, ok := l.locked[o]; ok {
		return e.Value.(*lockout).until.Sub(now)
	}
	return 0
}

// Failure records that a request of an origin has failed.
func (l *Limiter) Failure(o Origin) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.endLockouts(now)
	f := l.touch(o)
	f.at[f.next] = now
	f.next = (f.next + 1) % FailureLimit
	if oldest := f.at[f.next]; !oldest.IsZero() && now.Sub(oldest) <= FailureWindow {
		l.lock(o, now.Add(LockoutTime))
	}
}

// Success forgets an origin's failures and ends its lockout.
func (l *Limiter) Success(o Origin) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e, ok := l.failing[o]; ok {
		l.recent.Remove(e)
		delete(l.failing, o)
	}
	if e, ok := l.locked[o]; ok {
		l.lockouts.Remove(e)
		delete(l.locked, o)
	}
}

// LimiterStats is the limiter's state at one moment.
type LimiterStats struct {
	Failing  int   `json:"failing"`  // origins with remembered failures
	Locked   int   `json:"locked"`   // origins locked out now
	Lockouts int64 `json:"lockouts"` // lockouts since the start
}

// Stats returns the limiter's present state.
func (l *Limiter) Stats() LimiterStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.endLockouts(time.Now())
	return LimiterStats{Failing: len(l.failing), Locked: len(l.locked), Lockouts: l.total}
}

// touch returns an origin's failures as the most recent of all, making room first if the origin is new.
func (l *Limiter) touch(o Origin) *failures {
	if e, ok := l.failing[o]; ok {
		l.recent.MoveToBack(e)
		return e.Value.(*failures)
	}
	if len(l.failing) >= l.size {
		oldest := l.recent.Front()
		delete(l.failing, l.recent.Remove(oldest).(*failures).origin)
	}
	f := &failures{origin: o}
	l.failing[o] = l.recent.PushBack(f)
	return f
}

func (l *Limiter) lock(o Origin, until time.Time) {
	if e, ok := l.locked[o]; ok {
		e.Value.(*lockout).until = until
		l.lockouts.MoveToBack(e)
		return
	}
	if len(l.locked) >= l.size {
		first := l.lockouts.Front()
		delete(l.locked, l.lockouts.Remove(first).(*lockout).origin)
	}
	l.locked[o] = l.lockouts.PushBack(&lockout{o, until})
	l.total++
}

// endLockouts drops the lockouts that are over. All last equally long, so the list is in order of their end.
func (l *Limiter) endLockouts(now time.Time) {
	for e := l.lockouts.Front(); e != nil && !now.Before(e.Value.(*lockout).until); e = l.lockouts.Front() {
		delete(l.locked, l.lockouts.Remove(e).(*lockout).origin)
	}
}
