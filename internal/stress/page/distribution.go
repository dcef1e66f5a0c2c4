package page

import (
	"math"
	"strings"

	"github.com/rushgate/rushgate/internal/latency"
	"github.com/rushgate/rushgate/internal/stress/report"
)

// sample is a latency whose distribution is drawn.
type sample struct {
	name, class string
	summary     latency.Summary
}

// distributionChart draws the share of players that had waited no longer than so long, for each sample.
func distributionChart(title, gist string, samples []sample) chart {
	ch := chart{Title: title, Gist: gist, Axis: "share, by time waited, logarithmic", Height: 168}
	type known struct {
		sample
		buckets []latency.Bucket
	}
	var list []known
	lo, hi := math.Inf(1), 0.0
	for _, s := range samples {
		buckets, err := s.summary.Distribution()
		if err != nil || len(buckets) == 0 {
			continue
		}
		list = append(list, known{s, buckets})
		lo, hi = min(lo, millis(buckets[0])), max(hi, millis(buckets[len(buckets)-1]))
	}
	if len(list) == 0 {
		ch.Absent, ch.Gist = "The report has no distribution of latencies.", ""
		return ch
	}
	x, y := logScale(lo, hi), linearScale(1, 4, false)
	y.marks = []float64{0, 0.25, 0.5, 0.75, 1}
	ch.X = xTicks(x, func(v float64) string { return axisLabel(report.UnitMillis, v) })
	ch.Y = yTicks(y, ch.Height, func(v float64) string { return axisLabel(report.UnitShare, v) })
	ch.Table = table{Caption: title, Head: []string{"No longer than"}}
	for i, s := range list {
		ch.Shapes = append(ch.Shapes, shape{"line " + s.class, cumulative(s.buckets, s.summary.Count, x, ch.Height)})
		ch.Keys = append(ch.Keys, key{s.class, s.name, true})
		ch.Table.Head = append(ch.Table.Head, s.name)
		for j, share := range shares {
			if i == 0 {
				ch.Table.Rows = append(ch.Table.Rows, row{Name: show(report.UnitShare, share)})
			}
			cells := &ch.Table.Rows[j].Cells
			*cells = append(*cells, show(report.UnitMillis, quantile(s.buckets, s.summary.Count, share)))
		}
	}
	return ch
}

// shares are those of the table under a distribution.
var shares = []float64{0.01, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99, 0.999, 1}

func millis(b latency.Bucket) float64 { return max(float64(b.Micros), 1) / 1000 }

// quantile returns the least latency that the share does not exceed, in milliseconds.
func quantile(buckets []latency.Bucket, total int64, share float64) float64 {
	sum, want := int64(0), int64(math.Ceil(share*float64(total)-1e-9))
	for _, b := range buckets {
		if sum += b.Count; sum >= want {
			return float64(b.Micros) / 1000
		}
	}
	return math.NaN()
}

// cumulative draws a distribution as steps, two units of the drawing wide at least.
func cumulative(buckets []latency.Bucket, total int64, x scale, height int) string {
	var b strings.Builder
	sum, last := int64(0), math.Inf(-1)
	for i, bucket := range buckets {
		at := x.at(millis(bucket)) * drawingWidth
		if i == 0 {
			b.WriteString("M" + coordinate(at) + " " + coordinate(float64(height)))
		}
		sum += bucket.Count
		if at-last < 2 && i < len(buckets)-1 {
			continue
		}
		last = at
		b.WriteString("H" + coordinate(at) + "V" + coordinate(float64(height)*(1-float64(sum)/float64(total))))
	}
	b.WriteString("H" + coordinate(drawingWidth))
	return b.String()
}
