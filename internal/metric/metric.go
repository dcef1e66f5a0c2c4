// Package metric writes what the parts of a node measure for Prometheus. Each part has a method that is called with
// every scrape and writes its figures with a [Scrape], name and help with the value: the one place where a metric is
// declared.
package metric

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rushgate/rushgate/internal/latency"
)

// The bounds of the histograms. They are part of what a node exports: docs/metrics.md lists them, and another bound
// makes what was recorded before incomparable.
var (
	// CallBounds are for what a player waits for.
	CallBounds = []time.Duration{
		100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond,
		5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
		250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second,
		10 * time.Second, 25 * time.Second,
	}
	// TickBounds are for the tick, whose interval is 16.67 ms.
	TickBounds = []time.Duration{
		50 * time.Microsecond, 100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond, time.Millisecond,
		2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
		100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second,
	}
)

// Collector is a [prometheus.Collector] whose metrics are written anew with every scrape. It must write metrics of the
// same names each time, also with the first, when it is registered; it may be called from many goroutines.
type Collector func(Scrape)

// Describe implements [prometheus.Collector].
func (c Collector) Describe(to chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, to) }

// Collect implements [prometheus.Collector].
func (c Collector) Collect(to chan<- prometheus.Metric) { c(Scrape{to}) }

// Scrape takes the metrics of one scrape. A metric that cannot be, such as one with half a label, fails the scrape.
type Scrape struct{ to chan<- prometheus.Metric }

// Counter writes a total since the start; its name ends in _total. Labels are pairs of name and value.
func (s Scrape) Counter(name, help string, value float64, labels ...string) {
	s.value(prometheus.CounterValue, name, help, value, labels)
}

// Gauge writes a present value. Labels are as for Counter.
func (s Scrape) Gauge(name, help string, value float64, labels ...string) {
	s.value(prometheus.GaugeValue, name, help, value, labels)
}

// Flag writes a gauge that is 1 or 0.
func (s Scrape) Flag(name, help string, set bool) {
	value := 0.0
	if set {
		value = 1
	}
	s.Gauge(name, help, value)
}

func (s Scrape) value(kind prometheus.ValueType, name, help string, value float64, labels []string) {
	names, values := split(labels)
	desc := prometheus.NewDesc(name, help, names, nil)
	s.write(desc)(prometheus.NewConstMetric(desc, kind, value, values...))
}

// Durations writes a histogram in seconds of what was counted against bounds. Labels are as for Counter.
func (s Scrape) Durations(name, help string, bounds []time.Duration, c latency.Cumulative, labels ...string) {
	buckets := make(map[float64]uint64, len(bounds))
	for i, bound := range bounds {
		buckets[bound.Seconds()] = c.AtMost[i]
	}
	names, values := split(labels)
	desc := prometheus.NewDesc(name, help, names, nil)
	s.write(desc)(prometheus.NewConstHistogram(desc, c.Count, c.Sum.Seconds(), buckets, values...))
}

// Detailed is Durations of a summary from [latency.Histogram.Detailed].
func (s Scrape) Detailed(name, help string, bounds []time.Duration, summary latency.Summary, labels ...string) {
	c, err := summary.Cumulative(bounds)
	if err != nil {
		s.to <- prometheus.NewInvalidMetric(prometheus.NewDesc(name, help, nil, nil), err)
		return
	}
	s.Durations(name, help, bounds, c, labels...)
}

// Sizes writes a histogram of counts of each size.
func (s Scrape) Sizes(name, help string, bounds []int, counts map[int]int64) {
	var count uint64
	var sum float64
	buckets := make(map[float64]uint64, len(bounds))
	for _, bound := range bounds {
		buckets[float64(bound)] = 0
	}
	for size, n := range counts {
		count += uint64(n)
		sum += float64(size) * float64(n)
		for _, bound := range bounds {
			if size <= bound {
				buckets[float64(bound)] += uint64(n)
			}
		}
	}
	desc := prometheus.NewDesc(name, help, nil, nil)
	s.write(desc)(prometheus.NewConstHistogram(desc, count, sum, buckets))
}

// Total writes a summary without quantiles: how many there were, and their sum.
func (s Scrape) Total(name, help string, count uint64, sum float64) {
	desc := prometheus.NewDesc(name, help, nil, nil)
	s.write(desc)(prometheus.NewConstSummary(desc, count, sum, nil))
}

// write returns what takes a metric, or the reason why it cannot be.
func (s Scrape) write(desc *prometheus.Desc) func(prometheus.Metric, error) {
	return func(m prometheus.Metric, err error) {
		if err != nil {
			m = prometheus.NewInvalidMetric(desc, err)
		}
		s.to <- m
	}
}

// split parts pairs of names and values. A name without a value is left for the metric to refuse.
func split(labels []string) (names, values []string) {
	for i, label := range labels {
		if i%2 == 0 {
			names = append(names, label)
		} else {
			values = append(values, label)
		}
	}
	return names, values
}
