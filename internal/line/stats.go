package line

import (
	"errors"
	"time"
)

// Counts are what has happened since the start. None ever becomes less.
type Counts struct {
	Issued     int64 `json:"issued"`     // tickets
	Remembered int64 `json:"remembered"` // turns given to clients that know nothing of tickets
	Called     int64 `json:"called"`     // turns that have come while players waited, or were used a little before
	Redeemed   int64 `json:"redeemed"`   // turns that were used, of other nodes too
	GivenBack  int64 `json:"given_back"` // those of Redeemed for which there was no room after all
	TooMany    int64 `json:"too_many"`   // wishes for a place for which there was none

	// Those that were refused, by cause.
	NotYet    int64 `json:"not_yet"`
	Used      int64 `json:"used"`
	Expired   int64 `json:"expired"`
	NotHolder int64 `json:"not_holder"`
	Future    int64 `json:"future"`
	WrongLine int64 `json:"wrong_line"`

	// Forgotten is how many words of redeemed tickets gave way too early; their tickets could be used again.
	Forgotten int64 `json:"forgotten"`
}

func (c *Counts) refuse(err error) {
	switch {
	case errors.Is(err, ErrNotYet):
		c.NotYet++
	case errors.Is(err, ErrUsed):
		c.Used++
	case errors.Is(err, ErrExpired):
		c.Expired++
	case errors.Is(err, ErrNotHolder):
		c.NotHolder++
	case errors.Is(err, ErrFuture):
		c.Future++
	case errors.Is(err, ErrWrongLine):
		c.WrongLine++
	}
}

// Stats is the state of a line at one moment.
type Stats struct {
	Counts
	Promises Promises `json:"promises"`
	Waiting  []int    `json:"waiting"` // by tier
	// Outstanding is how many have been called within the last 30 s and have not come.
	Outstanding int     `json:"outstanding"`
	NoShows     float64 `json:"no_shows"`       // the share of those called who do not come within 30 s
	Lag         float64 `json:"lag_s"`          // how long players take to come once called
	Pace        float64 `json:"pace_per_s"`     // how many are called per second, about
	Arrivals    float64 `json:"arrivals_per_s"` // how many turns are given per second
	// Oldest is how long ago the turn was that comes next, by tier; 0 if nobody waits.
	Oldest []time.Duration `json:"-"`
	// Opens is when the line begins to move, if it has yet to.
	Opens time.Time `json:"-"`
}

// Stats returns the state of the line.
func (l *Line) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clock.read()
	s := Stats{
		Counts: l.counts, Outstanding: l.calls.outstanding(), NoShows: l.calls.noShows(),
		Lag: l.calls.lag() * tickLength.Seconds(), Pace: l.flow.short.rate(l.flow.pace / (1 - l.calls.noShows())),
		Arrivals: l.flow.arrivals, Promises: l.promises.stats(),
	}
	s.Forgotten = l.redeemed.forgotten
	if l.early() {
		s.Opens = time.UnixMilli(l.opening())
	}
	for i := range l.tiers {
		t := &l.tiers[i]
		var oldest time.Duration
		if t.waiting() > 0 {
			oldest = max(time.Duration(l.clock.turn-t.serving())*time.Microsecond, 0)
		}
		s.Waiting = append(s.Waiting, t.waiting())
		s.Oldest = append(s.Oldest, oldest)
	}
	return s
}
