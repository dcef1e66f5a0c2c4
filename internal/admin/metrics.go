package admin

import (
	"fmt"
	"math"
	"regexp"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/rushgate/rushgate/internal/metric"
)

// scheduling matches what tells how long goroutines that could run have waited for a core, the tick's among them.
var scheduling = regexp.MustCompile(`^/sched/latencies:seconds$`)

// NewRegistry returns a registry of its own with the given metrics, those of the Go runtime and of the process, and
// rushgate_build_info. The error names collectors that contradict each other or themselves.
func NewRegistry(all ...prometheus.Collector) (*prometheus.Registry, error) {
	build := ReadBuild()
	all = append(all,
		collectors.NewGoCollector(
			collectors.WithGoCollectorRuntimeMetrics(collectors.GoRuntimeMetricsRule{Matcher: scheduling})),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		metric.Collector(func(s metric.Scrape) {
			s.Gauge("rushgate_build_info", "Always 1; the labels say what is running.", 1,
				"version", build.Version, "goversion", build.Go, "revision", build.Revision)
		}),
	)
	registry := prometheus.NewRegistry()
	for _, c := range all {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("admin: metrics: %w", err)
		}
	}
	return registry, nil
}

// figures returns all metrics as package json can write them, by name and labels: numbers, and of histograms and
// summaries count and sum.
func figures(from prometheus.Gatherer) (map[string]float64, error) {
	families, err := from.Gather()
	all := make(map[string]float64, 1024)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			add := func(name string, value float64) {
				if len(labels) > 0 {
					name += "{" + strings.Join(labels, ",") + "}"
				}
				if !math.IsNaN(value) && !math.IsInf(value, 0) { // for which JSON has no word
					all[name] = value
				}
			}
			switch name := f.GetName(); {
			case m.Counter != nil:
				add(name, m.Counter.GetValue())
			case m.Gauge != nil:
				add(name, m.Gauge.GetValue())
			case m.Histogram != nil:
				add(name+"_count", float64(m.Histogram.GetSampleCount()))
				add(name+"_sum", m.Histogram.GetSampleSum())
			case m.Summary != nil:
				add(name+"_count", float64(m.Summary.GetSampleCount()))
				add(name+"_sum", m.Summary.GetSampleSum())
			}
		}
	}
	return all, err
}
