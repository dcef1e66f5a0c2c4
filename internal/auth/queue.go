package auth

import (
	"container/heap"
	"context"
	"errors"
	"sync"
)

// ErrQueueClosed is returned by [Queue.PopBatch] once the queue is closed and empty.
var ErrQueueClosed = errors.New("auth: queue closed")

// minRoom is the least capacity that is kept, so that a queue hovering around empty does not keep resizing.
const minRoom = 16

// Queue is a queue for any number of producers and consumers, in the order of turns, and of those with the same turn in
// the order in which they came. Push and pop cost the logarithm of its depth. It has no bound of its own: what is
// pushed has a seat, and the door bounds those.
type Queue[T any] struct {
	// wake holds a token whenever items may be waiting and no consumer has been told; one that takes it and leaves items
	// behind puts it back, so that one push wakes one consumer.
	wake   chan struct{}
	closed chan struct{}
	turn   func(T) int64

	mu       sync.Mutex
	waiting  turnHeap[T]
	pushed   uint64 // how many were, ever
	isClosed bool
}

// NewQueue returns an empty queue. Turn returns an item's turn, and always the same; nil means that all are the same.
func NewQueue[T any](turn func(T) int64) *Queue[T] {
	if turn == nil {
		turn = func(T) int64 { return 0 }
	}
	return &Queue[T]{wake: make(chan struct{}, 1), closed: make(chan struct{}), turn: turn}
}

// TryPush adds an item. It returns false when the queue is closed.
func (q *Queue[T]) TryPush(item T) bool {
	q.mu.Lock()
	if q.isClosed {
		q.mu.Unlock()
		return false
	}
	heap.Push(&q.waiting, inTurn[T]{q.turn(item), q.pushed, item})
	q.pushed++
	q.mu.Unlock()
	q.signal()
	return true
}

// PopBatch takes the first items, at least one and at most limit. It waits for the first and never for more. It
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

// Drain takes everything, in order, and leaves the queue empty.
func (q *Queue[T]) Drain() []T {
	items, _ := q.take(0)
	return items
}

// Len returns the number of items in the queue.
func (q *Queue[T]) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
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
	n := len(q.waiting)
	if limit > 0 {
		n = min(n, limit)
	}
	if n == 0 {
		return nil, q.isClosed
	}
	items := make([]T, n)
	for i := range items {
		items[i] = heap.Pop(&q.waiting).(inTurn[T]).item
	}
	if left := len(q.waiting); left > 0 {
		q.signal()
	}
	// A quarter, not a half: pushes and pops around the threshold must not copy each time.
	if left := len(q.waiting); cap(q.waiting) > minRoom && left <= cap(q.waiting)/4 {
		q.waiting = append(make(turnHeap[T], 0, max(minRoom, 2*left)), q.waiting...)
	}
	return items, q.isClosed
}

// inTurn is an item with its turn and how many had been pushed before it.
type inTurn[T any] struct {
	turn   int64
	number uint64
	item   T
}

// turnHeap is a [heap.Interface].
type turnHeap[T any] []inTurn[T]

func (h turnHeap[T]) Len() int      { return len(h) }
func (h turnHeap[T]) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *turnHeap[T]) Push(x any)   { *h = append(*h, x.(inTurn[T])) }

func (h turnHeap[T]) Less(i, j int) bool {
	if h[i].turn != h[j].turn {
		return h[i].turn < h[j].turn
	}
	return h[i].number < h[j].number
}

func (h *turnHeap[T]) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = inTurn[T]{} // what has left the queue must not be kept alive by it
	*h = old[:len(old)-1]
	return last
}

func (q *Queue[T]) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}
