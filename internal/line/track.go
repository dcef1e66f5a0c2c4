package line

// Turns are counted in slices of a tenth of a second, 256 slices to a page, and 1280 pages to a ring: nine hours. Only
// pages in which players wait are there. All positions are in microseconds since 1970.
const (
	sliceLength = 100_000
	pageSlices  = 256
	ringPages   = 1280
	pageLength  = sliceLength * pageSlices
	// reach is how far behind the watermark a turn can be counted.
	reach = (ringPages - 1) * pageLength
)

// track counts the turns that were given and have not come, and moves a watermark over them.
type track struct {
	mark    int64 // the watermark: turns before it have come
	newest  int64 // just behind the last turn that was counted
	waiting int   // turns that have not come
	front   int64 // the first slice that has any; unknown if less than 0
	pages   [ringPages]*page
	spare   *page
	passes  passes
}

type page struct {
	waiting [pageSlices]uint32
	sum     int
}

func newTrack(mark int64) track { return track{mark: mark, newest: mark, front: -1} }

// come reports whether a turn has come.
func (t *track) come(turn int64) bool { return turn < t.mark }

// at returns the page of a slice, or nil.
func (t *track) at(slice int64) *page { return t.pages[slice/pageSlices%ringPages] }

// add counts n turns. It reports false if the turn is out of reach, and counts nothing.
func (t *track) add(turn int64, n int) bool {
	turn = max(turn, t.mark)
	slice := turn / sliceLength
	if turn-t.mark/pageLength*pageLength >= reach {
		return false
	}
	p := t.at(slice)
	if p == nil {
		if p = t.spare; p == nil {
			p = new(page)
		}
		t.spare = nil
		t.pages[slice/pageSlices%ringPages] = p
	}
	if n > int(^uint32(0)-p.waiting[slice%pageSlices]) {
		return false
	}
	p.waiting[slice%pageSlices] += uint32(n)
	p.sum += n
	if t.waiting == 0 || t.front >= 0 && slice < t.front {
		t.front = slice
	}
	t.waiting += n
	t.newest = max(t.newest, turn+1000)
	return true
}

// has reports whether any wait of a turn's slice.
func (t *track) has(turn int64) bool {
	slice := turn / sliceLength
	p := t.at(slice)
	return p != nil && p.waiting[slice%pageSlices] > 0
}

// remove takes one turn that was counted and has not come out of the count, and reports whether there was one.
func (t *track) remove(turn int64) bool {
	if !t.has(turn) {
		return false
	}
	slice := turn / sliceLength
	p := t.at(slice)
	p.waiting[slice%pageSlices]--
	p.sum--
	t.waiting--
	if slice == t.front && p.waiting[slice%pageSlices] == 0 {
		t.front = -1
	}
	return true
}

// next returns about where the next turn is that has not come. There must be one.
func (t *track) next() int64 {
	if t.front < 0 {
		slice := t.mark / sliceLength
		for {
			p := t.at(slice)
			if p == nil || p.sum == 0 {
				slice = (slice/pageSlices + 1) * pageSlices
				continue
			}
			if p.waiting[slice%pageSlices] > 0 {
				break
			}
			slice++
		}
		t.front = slice
	}
	return max(t.mark, t.front*sliceLength)
}

// advance moves the watermark over up to n turns, but not beyond limit, and returns over how many. Within a slice it
// moves as far as the share of the slice's turns that it has passed.
func (t *track) advance(n int, limit int64) (called int) {
	for called < n && t.waiting > 0 {
		from := t.next()
		slice := t.front
		end := min((slice+1)*sliceLength, t.newest, limit)
		if end <= from {
			break
		}
		p := t.at(slice)
		left := int(p.waiting[slice%pageSlices])
		take := min(left, n-called)
		t.moveTo(from + (end-from)*int64(take)/int64(left))
		p.waiting[slice%pageSlices] -= uint32(take)
		p.sum -= take
		t.waiting -= take
		called += take
		if take == left {
			t.front = -1
		}
	}
	t.release(t.mark)
	return called
}

// moveTo moves the watermark, which never goes back. Nobody may wait in between.
func (t *track) moveTo(mark int64) {
	if mark <= t.mark {
		return
	}
	for p := t.mark / pageLength; p < mark/pageLength && p < t.mark/pageLength+ringPages; p++ {
		t.drop(p)
	}
	t.mark = mark
}

// release drops the page that the watermark is in if nobody waits any more.
func (t *track) release(mark int64) {
	if t.waiting == 0 {
		t.drop(mark / pageLength)
	}
}

func (t *track) drop(number int64) {
	if p := t.pages[number%ringPages]; p != nil && p.sum == 0 {
		t.pages[number%ringPages], t.spare = nil, p
	}
}

// before returns how many wait whose turns are earlier than a turn.
func (t *track) before(turn int64) int {
	if turn <= t.mark || t.waiting == 0 {
		return 0
	}
	if turn >= t.newest {
		return t.waiting
	}
	slice, n := turn/sliceLength, 0
	for number := t.mark / pageLength; number < slice/pageSlices; number++ {
		if p := t.pages[number%ringPages]; p != nil {
			n += p.sum
		}
	}
	p := t.at(slice)
	if p == nil {
		return n
	}
	for _, w := range p.waiting[:slice%pageSlices] {
		n += int(w)
	}
	from, end := max(t.mark, slice*sliceLength), min((slice+1)*sliceLength, t.newest)
	if end > from && turn > from {
		n += int(int64(p.waiting[slice%pageSlices]) * (turn - from) / (end - from))
	}
	return n
}

// find returns the turn before which so many wait, or about.
func (t *track) find(n int) int64 {
	for number := t.mark / pageLength; number <= t.newest/pageLength; number++ {
		p := t.pages[number%ringPages]
		if p == nil {
			continue
		}
		if n >= p.sum {
			n -= p.sum
			continue
		}
		for i, w := range p.waiting {
			if n < int(w) {
				start := number*pageLength + int64(i)*sliceLength
				from, end := max(t.mark, start), min(start+sliceLength, t.newest)
				return from + max(end-from, 0)*int64(n)/int64(w)
			}
			n -= int(w)
		}
	}
	return t.newest
}

// each calls f for each slice in which players wait, in order.
func (t *track) each(f func(slice int64, n int)) {
	for number := t.mark / pageLength; t.waiting > 0 && number <= t.newest/pageLength; number++ {
		p := t.pages[number%ringPages]
		if p == nil || p.sum == 0 {
			continue
		}
		for i, w := range p.waiting {
			if w > 0 {
				f(number*pageSlices+int64(i), int(w))
			}
		}
	}
}

// pass says that the watermark had come to a turn at a tick of the age.
type pass struct{ mark, tick int64 }

// passes remember when the watermark was where: in order, the oldest first.
type passes []pass

// note takes note of the watermark, and forgets what was longer ago than keep ticks, but for the last of it: turns
// before that have come longer ago.
func (p *passes) note(mark, tick, keep int64) {
	old := *p
	if n := len(old); n > 0 {
		if old[n-1].mark >= mark {
			return
		}
		if old[n-1].tick == tick && n > 1 {
			old[n-1].mark = mark
			return
		}
	}
	gone := 0
	for gone+1 < len(old) && old[gone+1].tick < tick-keep {
		gone++
	}
	if gone > len(old)/2 || gone > 0 && len(old) == cap(old) {
		old = old[:copy(old, old[gone:])]
	}
	*p = append(old, pass{mark, tick})
}

// when returns the tick at which a turn came, that of the oldest pass at the earliest. The turn must have come.
func (p passes) when(turn int64) int64 {
	low, high := 0, len(p)-1 // the first pass with mark > turn is in [low, high]
	for low < high {
		if mid := (low + high) / 2; p[mid].mark > turn {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return p[low].tick
}
