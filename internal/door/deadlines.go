package door

import (
	"container/heap"
	"time"
)

// deadlines are moments at which something is to be done about keys, in whatever order they are added.
type deadlines[K any] struct {
	entries deadlineHeap[K]
	// stood, if not nil, returns for how much of the time since a moment the process stood still: a deadline is put off by
	// that, since clients could not come meanwhile.
	stood func(since time.Time) time.Duration
}

type deadline[K any] struct {
	at         time.Time
	key        K
	since, due time.Time // when it was added; when it is looked at again
}

func (d *deadlines[K]) add(at time.Time, key K, now time.Time) {
	heap.Push(&d.entries, deadline[K]{at: at, key: key, since: now, due: at})
}

// next takes the earliest deadline that has come, if any.
func (d *deadlines[K]) next(now time.Time) (deadline[K], bool) {
	for {
		if len(d.entries) == 0 || now.Before(d.entries[0].due) {
			return deadline[K]{}, false
		}
		e := &d.entries[0]
		if d.stood == nil {
			break
		}
		due := e.at.Add(d.stood(e.since))
		if !now.Before(due) {
			break
		}
		e.due = due
		heap.Fix(&d.entries, 0)
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
func (h deadlineHeap[K]) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h deadlineHeap[K]) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *deadlineHeap[K]) Push(x any)        { *h = append(*h, x.(deadline[K])) }

func (h *deadlineHeap[K]) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
