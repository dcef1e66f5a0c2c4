package page

import (
	"math"

	"github.com/rushgate/rushgate/internal/stress/report"
)

// maxTicks bounds the marks of an axis, whatever the numbers.
const maxTicks = 12

// scale places values on an axis: lo at 0 and hi at 1.
type scale struct {
	lo, hi float64
	log    bool
	marks  []float64 // where the axis has a label
}

// at returns where v is, 0 to 1; what lies outside of the scale is at its end.
func (s scale) at(v float64) float64 {
	lo, hi := s.lo, s.hi
	if s.log {
		v, lo, hi = math.Log10(max(v, lo)), math.Log10(lo), math.Log10(hi)
	}
	share := (v - lo) / (hi - lo)
	if math.IsNaN(share) {
		return 0
	}
	return min(max(share, 0), 1)
}

// linearScale goes from 0 to the first round number from hi on, with about n marks. If whole is set, all are whole
// numbers.
func linearScale(hi float64, n int, whole bool) scale {
	hi = bounded(hi)
	if hi <= 0 {
		hi = 1
	}
	step := roundStep(hi/float64(n), whole)
	s := scale{hi: max(1, math.Ceil(hi/step-1e-9)) * step}
	for i := 0; i <= maxTicks; i++ {
		if v := float64(i) * step; v <= s.hi+step/2 {
			s.marks = append(s.marks, v)
		}
	}
	return s
}

// roundStep returns the first of 1, 2, 5, 10, … (and their like below 1) that is not less than v.
func roundStep(v float64, whole bool) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5, 10} {
		if step := m * power; step >= v*(1-1e-9) && !(whole && step < 1) {
			return step
		}
	}
	return max(1, 10*power)
}

// logScale goes from a round number to another around lo and hi.
func logScale(lo, hi float64) scale {
	lo, hi = min(max(lo, 1e-6), 1e15), min(max(hi, 1e-6), 1e15)
	first, last := math.Floor(math.Log10(lo)+1e-9), math.Ceil(math.Log10(hi)-1e-9)
	last = max(last, first+1)
	s := scale{lo: math.Pow(10, first), hi: math.Pow(10, last), log: true}
	every := math.Ceil((last - first + 1) / 8)
	for e := first; e <= last; e += every {
		s.marks = append(s.marks, math.Pow(10, e))
		if last-first <= 2 {
			for _, m := range []float64{2, 5} {
				if v := m * math.Pow(10, e); v < s.hi {
					s.marks = append(s.marks, v)
				}
			}
		}
	}
	return s
}

// timeSteps are the distances between the marks of a time axis, in seconds.
var timeSteps = []float64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400}

// timeScale goes from one moment to another, in seconds.
func timeScale(from, to float64) scale {
	from, to = bounded(from), bounded(to)
	if !(to > from) {
		to = from + 1
	}
	s := scale{lo: from, hi: to}
	step := roundStep((to-from)/8, false)
	if step > 0.5 {
		for _, t := range timeSteps {
			if t >= (to-from)/8 {
				step = t
				break
			}
		}
	}
	for i, first := 0, math.Ceil(from/step)*step; i <= maxTicks; i++ {
		if t := first + float64(i)*step; t <= to {
			s.marks = append(s.marks, t)
		}
	}
	return s
}

// bounded returns v, or the nearest number that charts can be drawn of.
func bounded(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return min(max(v, -1e15), 1e15)
}

// seriesScale is a linear scale from 0, or a logarithmic one for times that differ by more than a hundredfold. It has
// room for the rules and their names.
func seriesScale(unit report.Unit, curves []curve, rules []rule) scale {
	lo, hi := math.Inf(1), 0.0
	for _, c := range curves {
		for _, v := range c.values {
			if v > 0 {
				lo = min(lo, v)
			}
			if !math.IsNaN(v) {
				hi = max(hi, v)
			}
		}
	}
	for _, r := range rules {
		hi = max(hi, 1.1*r.value)
	}
	if unit == report.UnitMillis && hi > 100*lo {
		return logScale(lo, hi)
	}
	return linearScale(hi, 5, unit == report.UnitCount)
}
