package line

// tier is a line within the line. While players of several tiers wait, each is served at the share that its weight has
// in theirs (start-time fair queueing); what one does not use goes to the others.
type tier struct {
	weight float64
	// pass is how far the tier has come: by one divided by its weight for each who is called. The tier that has come the
	// least is next. A tier in which players wait again begins where the others are.
	pass   float64
	active bool
	plain  track // turns that are the time when they were given
	ahead  track // turns that lie ahead of that, or were drawn
}

func newTier(weight int, mark, tick int64) tier {
	t := tier{weight: float64(weight), plain: newTrack(mark), ahead: newTrack(mark)}
	t.plain.passes.note(mark, tick, 0)
	t.ahead.passes.note(mark, tick, 0)
	return t
}

func (t *tier) waiting() int { return t.plain.waiting + t.ahead.waiting }

// before returns how many of the tier wait whose turns are earlier.
func (t *tier) before(turn int64) int { return t.plain.before(turn) + t.ahead.before(turn) }

// advance calls up to n players in the order of their turns. Turns that lie ahead are called before their time if no
// others wait.
func (t *tier) advance(n int, now int64) (called int) {
	for called < n && t.plain.waiting > 0 && t.ahead.waiting > 0 {
		next := &t.plain
		if t.ahead.next() < t.plain.next() {
			next = &t.ahead
		}
		if next.advance(1, now) == 0 {
			return called
		}
		called++
	}
	if t.ahead.waiting == 0 {
		return called + t.plain.advance(n-called, now)
	}
	return called + t.ahead.advance(n-called, maxMillis*1000)
}

// keepUp moves the watermarks to where nobody waits before them, and remembers where they are.
func (t *tier) keepUp(now, tick, keep int64) {
	if t.plain.waiting == 0 {
		t.plain.moveTo(now)
		t.plain.release(t.plain.mark)
	}
	if t.ahead.waiting == 0 {
		// All turns that were given have come, also those that a coarse count, as a saved state has it, put before where
		// they are: none would be called any more, and its player would wait until its time. And those who come from
		// elsewhere are not to overtake.
		t.ahead.moveTo(max(t.plain.mark, t.ahead.newest))
		t.ahead.release(t.ahead.mark)
	}
	t.plain.passes.note(t.plain.mark, tick, keep)
	t.ahead.passes.note(t.ahead.mark, tick, keep)
}

// call calls up to n players of all tiers.
func (l *Line) call(n int) (called int) {
	now := l.clock.millis() * 1000
	for called < n {
		next, alone := l.nextTier()
		if next == nil {
			break
		}
		step := 1
		if alone {
			step = n - called
		}
		got := next.advance(step, now)
		if got == 0 { // its next turn is of this very moment
			break
		}
		called += got
		next.pass += float64(got) / next.weight
		l.virtual = next.pass
	}
	return called
}

// nextTier returns the tier that is served next, and whether it is the only one in which players wait.
func (l *Line) nextTier() (next *tier, alone bool) {
	alone = true
	for i := range l.tiers {
		t := &l.tiers[i]
		if t.waiting() == 0 {
			t.active = false
			continue
		}
		if !t.active {
			t.active, t.pass = true, max(t.pass, l.virtual)
		}
		alone = next == nil
		if next == nil || t.pass < next.pass {
			next = t
		}
	}
	return next, alone
}

// part returns which part of the pace a tier has while the others are as now.
func (l *Line) part(tier int) float64 {
	sum := 0.0
	for i := range l.tiers {
		if i == tier || l.tiers[i].waiting() > 0 {
			sum += l.tiers[i].weight
		}
	}
	return l.tiers[tier].weight / sum
}
