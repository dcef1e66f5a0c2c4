package line

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// ErrBadState is wrapped by the error of [New] for a state that cannot be read. A line without one begins anew: tickets
// are good all the same, but all of them have come.
var ErrBadState = errors.New("line: not a saved state")

const (
	stateVersion = 1
	stateSum     = 8
	maxIssuers   = 8
	maxPasses    = 64
	// StateEvery is how often a state is to be saved: what was given out meanwhile is made up for when it is read.
	StateEvery = time.Second
)

// Counts are saved the coarser the farther away they are: by slice for half a minute from the watermark on, by 16
// slices for an hour, and by 128.
var grains = [...]struct{ width, until int64 }{{1, 300}, {16, 36_000}, {128, ringPages * pageSlices}}

// state is what is saved of a line.
type state struct {
	turn        int64 // the clock, in microseconds
	issuers     []Issuer
	noShows     uint64 // in millionths
	lag         uint64 // in thousandths of a tick
	arrivals    uint64 // per 1000 seconds
	outstanding uint64
	tracks      []savedTrack // two for each tier
}

type savedTrack struct {
	mark, newest int64
	passes       []pass // with ages in ticks, back from when the state was saved
	counts       [len(grains)][]savedCount
}

// savedCount is how many wait in a slice that is so wide, by its number.
type savedCount struct{ slice, n int64 }

// State returns what a next run needs to honour every ticket and keep the order, some kilobytes that tell nothing of
// players: about 10 KB while a million wait, 20 KB for each tier at the very most. It is to be saved every
// [StateEvery].
func (l *Line) State() []byte {
	l.mu.Lock()
	s := l.save()
	l.mu.Unlock()
	return s.marshal()
}

func (l *Line) save() *state {
	l.clock.read()
	s := &state{
		turn: l.clock.turn, issuers: l.issuers, noShows: uint64(l.calls.noShows() * 1e6),
		lag: uint64(l.calls.lag() * 1000), arrivals: uint64(l.flow.arrivals * 1000),
		outstanding: uint64(l.calls.outstanding()),
	}
	for i := range l.tiers {
		t := &l.tiers[i]
		s.tracks = append(s.tracks, l.saveTrack(&t.plain), l.saveTrack(&t.ahead))
	}
	return s
}

func (l *Line) saveTrack(t *track) savedTrack {
	s := savedTrack{mark: t.mark, newest: t.newest}
	now := l.clock.tick()
	apart := l.graceTicks()/(maxPasses-3) + 1
	for i, p := range t.passes {
		// The last of those that are over, and then one every so often, and the newest. A turn whose own pass is left out
		// takes the next, which is later.
		over := now-p.tick > l.graceTicks() && i+1 < len(t.passes) && now-t.passes[i+1].tick > l.graceTicks()
		n := len(s.passes)
		if over || n > 0 && i+1 < len(t.passes) && s.passes[n-1].tick-(now-p.tick) < apart {
			continue
		}
		s.passes = append(s.passes, pass{p.mark, now - p.tick})
	}
	first, grain := t.mark/sliceLength, 0
	t.each(func(slice int64, n int) {
		for slice >= grainEnd(first, grain) {
			grain++
		}
		counts := &s.counts[grain]
		number := slice / grains[grain].width
		if k := len(*counts); k > 0 && (*counts)[k-1].slice == number {
			(*counts)[k-1].n += int64(n)
			return
		}
		*counts = append(*counts, savedCount{number, int64(n)})
	})
	return s
}

// grainEnd returns the first slice beyond those of a grain, which is the first of the next grain's slices.
func grainEnd(first int64, grain int) int64 {
	coarsest := grains[len(grains)-1].width
	return (first + grains[grain].until + coarsest) / coarsest * coarsest
}

func (s *state) marshal() []byte {
	b := []byte{stateVersion}
	b = binary.AppendUvarint(b, uint64(s.turn))
	b = append(b, byte(len(s.issuers)))
	for _, i := range s.issuers {
		b = append(b, i[:]...)
	}
	for _, v := range [...]uint64{s.noShows, s.lag, s.arrivals, s.outstanding} {
		b = binary.AppendUvarint(b, v)
	}
	b = append(b, byte(len(s.tracks)))
	for i := range s.tracks {
		b = s.tracks[i].append(b)
	}
	sum := sha256.Sum256(b)
	return append(b, sum[:stateSum]...)
}

func (s *savedTrack) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(s.mark))
	b = binary.AppendUvarint(b, uint64(s.newest))
	b = append(b, byte(len(s.passes)))
	var last int64
	for _, p := range s.passes {
		b = binary.AppendUvarint(b, uint64(p.mark-last))
		b = binary.AppendUvarint(b, uint64(p.tick))
		last = p.mark
	}
	for _, counts := range s.counts {
		b = binary.AppendUvarint(b, uint64(len(counts)))
		last = 0
		for _, c := range counts {
			b = binary.AppendUvarint(b, uint64(c.slice-last))
			b = binary.AppendUvarint(b, uint64(c.n))
			last = c.slice
		}
	}
	return b
}

// stateReader reads a state. After the first fault it returns zeros.
type stateReader struct {
	b     []byte
	fault string
}

func (r *stateReader) fail(fault string) {
	if r.fault == "" {
		r.fault, r.b = fault, nil
	}
}

// number reads one that is at most limit.
func (r *stateReader) number(limit int64) int64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > uint64(limit) {
		r.fail("a number that is cut off or out of range")
		return 0
	}
	r.b = r.b[n:]
	return int64(v)
}

func (r *stateReader) byte(limit int) int {
	if len(r.b) == 0 || int(r.b[0]) > limit {
		r.fail("a byte that is missing or out of range")
		return 0
	}
	v := int(r.b[0])
	r.b = r.b[1:]
	return v
}

func parseState(b []byte) (*state, error) {
	if len(b) < 1+stateSum || b[0] != stateVersion {
		return nil, fmt.Errorf("%w: not of version %d", ErrBadState, stateVersion)
	}
	body := b[:len(b)-stateSum]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:stateSum], b[len(body):]) {
		return nil, fmt.Errorf("%w: damaged", ErrBadState)
	}
	r := &stateReader{b: body[1:]}
	s := r.state()
	if r.fault == "" && (len(r.b) > 0 || !bytes.Equal(s.marshal(), b)) {
		r.fail("not as it is written")
	}
	if r.fault != "" {
		return nil, fmt.Errorf("%w: %s", ErrBadState, r.fault)
	}
	return s, nil
}

// CheckState returns how many wait in a state that [Line.State] has returned. The error wraps [ErrBadState], and tells
// of what [New] would refuse.
func CheckState(b []byte) (waiting int64, err error) {
	s, err := parseState(b)
	if err != nil {
		return 0, err
	}
	for i := range s.tracks {
		for _, counts := range s.tracks[i].counts {
			for _, c := range counts {
				waiting += c.n
			}
		}
	}
	return waiting, nil
}

func (r *stateReader) state() *state {
	s := &state{turn: r.number(maxMillis * 1000)}
	for range r.byte(maxIssuers) {
		if len(r.b) < len(Issuer{}) {
			r.fail("an issuer that is cut off")
			return s
		}
		s.issuers = append(s.issuers, Issuer(r.b))
		r.b = r.b[len(Issuer{}):]
	}
	s.noShows, s.lag = uint64(r.number(1e6)), uint64(r.number(1000*callsKept))
	s.arrivals, s.outstanding = uint64(r.number(1<<40)), uint64(r.number(1<<40))
	n := r.byte(2 * MaxTiers)
	if n%2 != 0 || n == 0 {
		r.fail("tracks that are missing")
	}
	for range n {
		s.tracks = append(s.tracks, r.track())
	}
	return s
}

func (r *stateReader) track() (s savedTrack) {
	s.mark, s.newest = r.number(maxMillis*1000), r.number(maxMillis*1000)
	n, last := r.byte(maxPasses), int64(0)
	if n == 0 {
		r.fail("a watermark that has never been anywhere")
	}
	for i := range n {
		p := pass{mark: last + r.number(maxMillis*1000-last), tick: r.number(1 << 40)}
		if i > 0 && (p.mark <= last || p.tick > s.passes[i-1].tick) {
			r.fail("passes out of order")
		}
		s.passes, last = append(s.passes, p), p.mark
	}
	first := s.mark / sliceLength
	total := int64(0)
	for grain := range grains {
		width, last := grains[grain].width, int64(-1)
		for range r.number(ringPages * pageSlices) {
			slice := max(last, 0) + r.number(maxMillis)
			c := savedCount{slice, r.number(1 << 40)}
			total += c.n
			from := first
			if grain > 0 {
				from = grainEnd(first, grain-1)
			}
			if slice <= last || slice*width < from || slice*width >= grainEnd(first, grain) || c.n == 0 ||
				total > 1<<40 || slice*width*sliceLength >= s.newest {
				r.fail("counts out of order")
			}
			if r.fault != "" {
				return s
			}
			s.counts[grain] = append(s.counts[grain], c)
			last = slice
		}
	}
	if total > 0 && s.newest-s.mark > reach {
		r.fail("turns out of reach")
	}
	return s
}

// restore goes on from a saved state. How long ago it was saved is not known, since the wall clock may have been set:
// graces run on from there.
func (l *Line) restore(s *state) {
	l.issuers = append(l.issuers, s.issuers...)
	l.issuers = l.issuers[:min(len(l.issuers), maxIssuers)]
	l.calls.gone, l.calls.seen = float64(s.noShows)/1e6*shareMemory, shareMemory
	l.calls.setLag(float64(s.lag) / 1000)
	l.flow.arrivals = float64(s.arrivals) / 1000
	l.calls.call(int(s.outstanding), l.clock.tick())
	for i := range s.tracks {
		number := i / 2
		if number >= len(l.tiers) { // there are fewer tiers than there were
			number = 0
		}
		t := &l.tiers[number].plain
		if i%2 != 0 {
			t = &l.tiers[number].ahead
		}
		l.restoreTrack(t, &s.tracks[i], number == i/2)
	}
	l.makeUp(s.turn)
}

// restoreTrack puts what was saved of a track into one of the line, which takes its watermark if it is its own.
func (l *Line) restoreTrack(t *track, s *savedTrack, own bool) {
	if l.clock.turn-s.mark >= reach-Horizon.Microseconds() {
		return // whose tickets those were has long gone, or may come at once
	}
	if own {
		t.mark, t.newest, t.passes = s.mark, s.mark, nil
		for _, p := range s.passes {
			t.passes = append(t.passes, pass{p.mark, l.clock.tick() - p.tick})
		}
	}
	for grain, counts := range s.counts {
		width := grains[grain].width
		for _, c := range counts {
			first := c.slice * width
			parts := min(width, (s.newest-1)/sliceLength-first+1)
			for i := range parts {
				if n := c.n/parts + min(max(c.n%parts-i, 0), 1); n > 0 {
					t.add((first+i)*sliceLength, int(n))
				}
			}
		}
	}
	t.newest = min(max(t.newest, s.newest), t.mark+reach) // all that look for turns go through what lies in between
}

// makeUp counts those who were given turns after the state was saved: about as many as in the time before. If nobody
// waited there are none.
func (l *Line) makeUp(saved int64) {
	waiting := l.waiting()
	if waiting == 0 {
		return
	}
	for i := range l.tiers {
		t := &l.tiers[i]
		owed, part := 0.0, float64(t.plain.waiting)/float64(waiting)
		for turn := saved; turn < min(saved+StateEvery.Microseconds(), l.clock.turn); turn += sliceLength {
			owed += l.flow.arrivals * sliceLength / 1e6 * part
			if n := int(owed); n > 0 && t.plain.add(turn, n) {
				owed -= float64(n)
			}
		}
	}
}
