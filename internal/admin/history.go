package admin

import (
	"context"
	"encoding/json"
	"sync"
	"time"
)

const (
	// SampleInterval is the time between two samples of a [History].
	SampleInterval = time.Second
	// CheckInterval is the time between two questions of a [History] whether the store takes writes, as long as it seems
	// to. A question costs the store a write.
	CheckInterval = 10 * time.Second
	// HistoryLength is how many samples a [History] keeps: those of the last 15 minutes.
	HistoryLength = 900
)

// History is the recent past of a node: a sample a second, the last [HistoryLength] of them. Its methods may be called
// from many goroutines.
type History struct {
	read   func() Reading
	writes func(context.Context) bool

	mu      sync.Mutex
	ring    [HistoryLength]json.RawMessage // points, that of sample n at n modulo the length
	taken   int64                          // samples so far; they count from 1
	now     json.RawMessage                // the last sample
	changed chan struct{}                  // closed with the next sample

	startOnce, stopOnce sync.Once
	state               State // the last one; written before quit is closed
	quit                chan struct{}
	loop                sync.WaitGroup
}

// NewHistory returns a history of what read returns, which is called once in a [SampleInterval], by one goroutine.
// writes reports whether the store takes writes, and heeds its context; it is called every [CheckInterval], and in
// every [SampleInterval] from when calls of the store have failed until it does. The history has yet to be started.
func NewHistory(read func() Reading, writes func(context.Context) bool) *History {
	return &History{read: read, writes: writes, changed: make(chan struct{}), quit: make(chan struct{})}
}

// Start begins to take samples. It is idempotent; starting a stopped history does nothing.
func (h *History) Start() {
	h.startOnce.Do(func() { h.loop.Go(h.run) })
}

// Stop ends that, and the streams of those who look on, and returns when no more samples are taken. It is idempotent
// and may be called on a history that was never started.
func (h *History) Stop() { h.stop(Stopped) }

// HandOver is Stop for a node in whose place another process goes on.
func (h *History) HandOver() { h.stop(HandedOver) }

func (h *History) stop(last State) {
	h.stopOnce.Do(func() {
		h.startOnce.Do(func() {})
		h.state = last
		close(h.quit)
	})
	h.loop.Wait()
}

func (h *History) run() {
	timer := time.NewTimer(SampleInterval)
	defer timer.Stop()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var asked chan bool // has the answer to the question under way; nil: there is none
	earlier := sampled{at: time.Now(), reading: h.read()}
	due := earlier.at.Add(SampleInterval)
	checked := earlier.at
	for {
		select {
		case writes := <-asked:
			asked = nil
			if writes && earlier.away {
				earlier.forgive()
			}
			earlier.away, earlier.doubtful = !writes, !writes
		case <-timer.C:
			now := sampled{at: time.Now(), reading: h.read()}
			due = nextSample(due, time.Now())
			timer.Reset(time.Until(due))
			sample := now.since(&earlier)
			h.add(&sample)
			earlier = now
			if asked == nil && (now.doubtful || now.at.Sub(checked) >= CheckInterval) {
				asked, checked = make(chan bool, 1), now.at
				h.loop.Go(func() { asked <- h.writes(ctx) })
			}
		case <-h.quit:
			return
		}
	}
}

// nextSample returns when the sample after the one that was due at a time is to be taken, which was taken by now: a
// whole number of intervals later, and in half an interval at the earliest. A process that comes late to a sample does
// not make up for it with samples of moments, of whose few events no rate can be made.
func nextSample(due, now time.Time) time.Time {
	late := now.Add(SampleInterval / 2).Sub(due)
	return due.Add(SampleInterval * (1 + max(late-1, 0)/SampleInterval))
}

func (h *History) add(s *Sample) {
	// Encoded once and not for each who looks on. Both hold nothing that cannot be JSON.
	now, _ := json.Marshal(s)
	point, _ := json.Marshal(s.point())
	h.mu.Lock()
	defer h.mu.Unlock()
	h.taken++
	h.ring[h.taken%HistoryLength] = point
	h.now = now
	close(h.changed)
	h.changed = make(chan struct{})
}

// update is what a page that has the samples up to one needs to see the rest.
type update struct {
	last   int64             // the number of the newest sample
	points []json.RawMessage // oldest first
	now    json.RawMessage   // nil before the first sample
	more   <-chan struct{}   // closed when there is another sample
}

// latest returns the newest sample, and nil before the first.
func (h *History) latest() json.RawMessage {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

// after returns the samples that came after one by its number: all that are kept for 0, and for a number that none has
// had.
func (h *History) after(seen int64) update {
	h.mu.Lock()
	defer h.mu.Unlock()
	if seen < 0 || seen > h.taken {
		seen = 0
	}
	u := update{last: h.taken, now: h.now, more: h.changed}
	for n := max(seen+1, h.taken-HistoryLength+1); n <= h.taken; n++ {
		u.points = append(u.points, h.ring[n%HistoryLength])
	}
	return u
}
