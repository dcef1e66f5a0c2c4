package outbound

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// Keep says for how long an answer is good that all want alike.
type Keep struct {
	Fresh time.Duration // it is taken as it is
	Stale time.Duration // and after that still if there is no newer one to be had
	Again time.Duration // after which it is asked for again, whether that failed or not
}

// Shared is an answer that many callers want alike, such as a provider's keys: one asks for it, the others wait for
// what that one gets, and it is kept. It is safe for concurrent use.
type Shared[T any] struct {
	fetch func(context.Context) (T, error)
	keep  Keep

	flight singleflight.Group
	mu     sync.Mutex
	value  T
	have   bool
	since  time.Time // when the value was asked for
	tried  time.Time // when one was asked for last
	err    error     // what came of that
}

// NewShared returns an answer that is not there yet. Fetch must end by itself: it is not told of callers that give up.
func NewShared[T any](keep Keep, fetch func(context.Context) (T, error)) *Shared[T] {
	return &Shared[T]{fetch: fetch, keep: keep}
}

// Get returns the answer, and when it was asked for. The error is that of the fetch, or of the context.
func (s *Shared[T]) Get(ctx context.Context) (value T, since time.Time, err error) {
	s.mu.Lock()
	value, since = s.value, s.since
	fresh, usable := s.good(s.keep.Fresh), s.good(s.keep.Stale)
	s.mu.Unlock()
	if fresh {
		return value, since, nil
	}
	newer, at, err := s.Newer(ctx, since)
	if err != nil && usable && ctx.Err() == nil {
		return value, since, nil
	}
	return newer, at, err
}

// good reports whether there is a value that is not older than that. It is called with the lock.
func (s *Shared[T]) good(age time.Duration) bool { return s.have && time.Since(s.since) < age }

// Newer returns an answer that was asked for later than at a time, as Get does. It asks no more often than once in
// [Keep].Again; before that the error is what came of the last time, or an [*Early].
func (s *Shared[T]) Newer(ctx context.Context, than time.Time) (value T, since time.Time, err error) {
	s.mu.Lock()
	value, since = s.value, s.since
	newer := s.have && s.since.After(than)
	s.mu.Unlock()
	if newer {
		return value, since, nil
	}
	done := s.flight.DoChan("", func() (any, error) { return nil, s.refresh(context.WithoutCancel(ctx)) })
	select {
	case <-ctx.Done():
		return value, since, ctx.Err()
	case result := <-done:
		s.mu.Lock()
		defer s.mu.Unlock()
		if result.Err == nil || s.have && s.since.After(than) { // by another caller, in between
			return s.value, s.since, nil
		}
		return value, since, result.Err
	}
}

// Early is the error of an answer that was asked for a moment ago. After is when it can be asked for again.
type Early struct{ After time.Duration }

// Error returns the text.
func (e *Early) Error() string { return "it has been asked for a moment ago" }

// refresh asks, unless that has been done a moment ago. One goroutine calls it at a time.
func (s *Shared[T]) refresh(ctx context.Context) error {
	now := time.Now()
	s.mu.Lock()
	tried, err := s.tried, s.err
	s.mu.Unlock()
	if rest := s.keep.Again - now.Sub(tried); !tried.IsZero() && rest > 0 {
		if err == nil {
			err = &Early{rest}
		}
		return err
	}
	value, err := s.fetch(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tried, s.err = now, err; err == nil {
		s.value, s.have, s.since = value, true, now
	}
	return err
}
