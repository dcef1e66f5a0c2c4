package admin

import (
	"fmt"
	"math"
	"time"
)

// Line is what a node measures of the line before its door, at one moment. Totals count from the start of the node.
type Line struct {
	Waiting int           // places whose turn has not come
	Called  int           // whose turn has come, and whose players are on their way
	Front   time.Duration // how long those who are called next have waited; 0: none waits
	Pace    float64       // how many are called per second while players wait
	NoShows float64       // the share of those called who do not come, 0 to 1
	Opens   time.Time     // when it begins to move, if it has yet to

	// Refused says that a newcomer would not come in now, Low and High between which it would be told that it will.
	Refused   bool
	Low, High time.Duration

	// Kept and Judged are totals of players let in within the interval that they were told first, and of those of whom
	// that is known; KeptShare is their quotient for those let in last, 0 to 1.
	Kept, Judged int64
	KeptShare    float64
}

// LineSample is the line's part of a [Sample].
type LineSample struct {
	Waiting int     `json:"waiting"`
	Called  int     `json:"called"`
	FrontS  float64 `json:"front_s"`
	Pace    float64 `json:"pace_per_s"`
	NoShows float64 `json:"no_shows"`
	OpensMS int64   `json:"opens_ms,omitempty"` // ms since 1970; 0: it is open

	Refused bool  `json:"newcomers_refused"`
	LowMS   int64 `json:"told_low_ms"`
	HighMS  int64 `json:"told_high_ms"`
	// Told is the interval in words, or that there is none to tell.
	Told string `json:"told"`

	Kept   int64 `json:"promises_kept"`
	Judged int64 `json:"promises_judged"`
	// KeptShare is as in [Line]; absent as long as none is known.
	KeptShare *float64 `json:"promises_kept_share,omitempty"`
}

func (l *Line) sample() LineSample {
	s := LineSample{
		Waiting: l.Waiting, Called: l.Called, FrontS: rounded(l.Front.Seconds()), Pace: rounded(l.Pace), NoShows: l.NoShows,
		Refused: l.Refused, LowMS: l.Low.Milliseconds(), HighMS: l.High.Milliseconds(), Told: l.told(),
		Kept: l.Kept, Judged: l.Judged,
	}
	if !l.Opens.IsZero() {
		s.OpensMS = l.Opens.UnixMilli()
	}
	if l.Judged > 0 {
		s.KeptShare = &l.KeptShare
	}
	return s
}

// linePoint is the line's part of a point. The times are in milliseconds, and absent while there is nothing to tell.
type linePoint struct {
	Waiting int     `json:"lw"`
	Called  int     `json:"lc"`
	Front   float64 `json:"lf,omitempty"`
	High    float64 `json:"lh,omitempty"`
}

func (s *LineSample) point() linePoint {
	return linePoint{Waiting: s.Waiting, Called: s.Called, Front: s.FrontS * 1000, High: float64(s.HighMS)}
}

// told returns what a newcomer is told.
func (l *Line) told() string {
	if !l.Refused {
		return "come in"
	}
	return between(l.Low, l.High)
}

// between writes an interval in the unit that fits its end, widened to whole ones.
func between(low, high time.Duration) string {
	unit, _ := unitOf(high)
	from := max(low, 0) / unit
	switch {
	case from == 0:
		return "up to " + atMost(high)
	case from*unit >= high:
		return atMost(high)
	}
	return fmt.Sprintf("%d to %s", from, atMost(high))
}

// atMost writes a time in a unit that fits, rounded up.
func atMost(d time.Duration) string {
	unit, name := unitOf(d)
	return fmt.Sprintf("%d %s", max(int64(math.Ceil(d.Seconds()/unit.Seconds())), 1), name)
}

// unitOf returns the unit in which a time of about 3 or more is written.
func unitOf(d time.Duration) (unit time.Duration, name string) {
	switch {
	case d > 3*24*time.Hour:
		return 24 * time.Hour, "days"
	case d > 3*time.Hour:
		return time.Hour, "h"
	case d > 3*time.Minute:
		return time.Minute, "min"
	}
	return time.Second, "s"
}
