package admin

import (
	"time"

	"github.com/rushgate/rushgate/internal/latency"
)

// Resumes is what a node measures of the lane of requests with tokens in place of passwords: of devices that are
// remembered, and of sessions that go on. Totals count from the start of the node.
type Resumes struct {
	InLane int     // now, those in hand included
	Pace   float64 // how many can be worked off per second, estimated; the lane has room for a second of work

	// Totals by how requests have ended.
	Admitted, Busy, Failed int64
	Reused                 int64           // total of tokens shown twice, for which a device was forgotten
	Wait                   latency.Summary // time in the lane, with Buckets
}

// ResumesSample is the lane's part of a [Sample].
type ResumesSample struct {
	InLane   int      `json:"in_lane"`
	Pace     float64  `json:"pace_per_s"`
	Admitted Count    `json:"admitted"`
	Busy     Count    `json:"busy"`
	Failed   Count    `json:"failed"`
	Reused   Count    `json:"reused"`
	Wait     Interval `json:"wait"`
}

// since returns the sample that lies between an earlier reading and this one.
func (r *Resumes) since(before *Resumes, elapsed time.Duration) ResumesSample {
	count := func(now, before int64) Count { return Count{now, perSecond(now-before, elapsed)} }
	return ResumesSample{
		InLane: r.InLane, Pace: rounded(r.Pace),
		Admitted: count(r.Admitted, before.Admitted), Busy: count(r.Busy, before.Busy),
		Failed: count(r.Failed, before.Failed), Reused: count(r.Reused, before.Reused),
		Wait: interval(r.Wait, before.Wait),
	}
}

// resumesPoint is the lane's part of a point.
type resumesPoint struct {
	Admitted float64 `json:"ri"`
	Busy     float64 `json:"rb"`
	Failed   float64 `json:"rf"`
}

func (s *ResumesSample) point() resumesPoint {
	return resumesPoint{Admitted: s.Admitted.PerSecond, Busy: s.Busy.PerSecond, Failed: s.Failed.PerSecond}
}
