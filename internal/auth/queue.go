package auth

import (
	"context"
	"errors"
	"sync"
)

// ErrQueueClosed is returned by [Queue.PopBatch] once the queue is closed and empty.
var ErrQueueClosed = errors.New("auth: queue closed")

// minRing is the least capacity of the ring, so that a queue hovering around empty does not keep resizing.
const minRing = 16

// Queue is a first-in first-out queue for any number of producers and consumers. Push and pop cost O(1) amortised at
// any depth. It has no bound of its own: what is pushed has a seat, and the door bounds those.
type Queue[T any] struct {
	// wake holds a token whenever items may be waiting and no consumer has been told; one that takes it and leaves items
	// behind puts it back, so that one push wakes one consumer.
	wake   chan struct{}
	closed chan struct{}

	mu       sync.Mutex
	ring     []T // length is a power of two
	head     int // index of the oldest item
	count    int
	isClosed bool
}

// NewQueue returns an empty queue.
func NewQueue[T any]() *Queue[T] {
	return &Queue[T]{wake: make(chan struct{}, 1), closed: make(chan struct{}), ring: make([]T, minRing)}
}

// TryPush appends an item. It returns false when the queue is closed.
func (q *Queue[T]) TryPush(item T) bool {
	q.mu.Lock()
	if q.isClosed {
		q.mu.Unlock()
		return false
	}
	if q.count == len(q.ring) {
		q.resize(2 * len(q.ring))
	}
	q.ring[(q.head+q.count)&(len(q.ring)-1)] = item
	q.count++
	q.mu.Unlock()
	q.signal()
	return true
}

// PopBatch takes the oldest items, at least one and at most limit. It waits for the first and never for more. It
// returns the context's error when ctx ends first, and [ErrQueueClosed] when the queue is closed and empty.
func (q *Queue[T]) PopBatch(ctx context.Context, limit int) ([]T, error) {
	for {
		if err := ctx.Err(); err != nil {
			if q.Len() > 0 {
				q.signal() // the token may have been taken for this consumer, who leaves without an item
			}
			return nil, err
		}
		items, closed := q.take(limit)
		if len(items) > 0 {
			return items, nil
		}
		if closed {
			return nil, ErrQueueClosed
		}
		select {
		case <-q.wake:
		case <-q.closed:
		case <-ctx.Done():
		}
	}
}

// Drain takes everything, oldest first, and leaves the queue empty.
func (q *Queue[T]) Drain() []T {
	items, _ := q.take(0)
	return items
}

// Len returns the number of items in the queue.
func (q *Queue[T]) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.count
}

// Close refuses further pushes. What is in the queue can still be taken. It is idempotent.
func (q *Queue[T]) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.isClosed {
		q.isClosed = true
		close(q.closed)
	}
}

// take removes up to limit items (all if limit is 0) and reports whether the queue is closed.
func (q *Queue[T]) take(limit int) ([]T, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.count
	if limit > 0 {
		n = min(n, limit)
	}
	if n == 0 {
		return nil, q.isClosed
	}
	items := make([]T, n)
	var zero T
	for i := range items {
		at := (q.head + i) & (len(q.ring) - 1)
		items[i] = q.ring[at]
		q.ring[at] = zero // what has left the queue must not be kept alive by it
	}
	q.head = (q.head + n) & (len(q.ring) - 1)
	q.count -= n
	if q.count > 0 {
		q.signal()
	}
	// A quarter, not a half: pushes and pops around the threshold must not copy each time.
	if size := len(q.ring); size > minRing && q.count <= size/4 {
		for size > minRing && q.count <= size/4 {
			size /= 2
		}
		q.resize(size)
	}
	return items, q.isClosed
}

func (q *Queue[T]) resize(size int) {
	ring := make([]T, size)
	n := copy(ring, q.ring[q.head:min(q.head+q.count, len(q.ring))])
	copy(ring[n:], q.ring[:q.count-n])
	q.ring, q.head = ring, 0
}

func (q *Queue[T]) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}
