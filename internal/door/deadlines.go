package door

import (
	"container/heap"
	"time"
)

// deadlines are moments at which something is to be done about keys, in whatever order they are added.
type deadlines[K any] struct{ entries deadlineHeap[K] }

type deadline[K any] struct {
	at  time.Time
	key K
}

func (d *deadlines[K]) add(at time.Time, key K) { heap.Push(&d.entries, deadline[K]{at, key}) }

func (d *deadlines[K]) len() int { return len(d.entries) }

// next takes the earliest deadline that has come, if any.
func (d *deadlines[K]) next(now time.Time) (deadline[K], bool) {
	if len(d.entries) == 0 || now.Before(d.entries[0].at) {
		return deadline[K]{}, false
	}
	e := heap.Pop(&d.entries).(deadline[K])
	if len(d.entries) == 0 {
		d.entries = nil // give the passed ones' memory back
	}
	return e, true
}

// deadlineHeap is a [heap.Interface].
type deadlineHeap[K any] []deadline[K]

func (h deadlineHeap[K]) Len() int           { return len(h) }
func (h deadlineHeap[K]) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h deadlineHeap[K]) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *deadlineHeap[K]) Push(x any)        { *h = append(*h, x.(deadline[K])) }

func (h *deadlineHeap[K]) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
