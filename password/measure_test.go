package password

import (
	"context"
	"testing"
	"time"
)

// BenchmarkMeasure says how much a server's measuring at its start costs: in hashes of the cost that it measures, and
// as a share of what measuring whole hashes, three batches of them, took.
func BenchmarkMeasure(b *testing.B) {
	const batch = 16
	h, err := NewHasher(Config{})
	if err != nil {
		b.Fatal(err)
	}
	measuring, whole, said := time.Hour, time.Hour, time.Hour // the best of all, as others may be at work
	for b.Loop() {
		start := time.Now()
		said = min(said, h.Measure(batch))
		measuring = min(measuring, time.Since(start))
		jobs := make([]*Job, batch)
		for i := range jobs {
			j := Decoy("measure")
			jobs[i] = &j
		}
		start = time.Now()
		h.Run(context.Background(), jobs)
		whole = min(whole, time.Since(start))
	}
	b.ReportMetric(float64(measuring)/float64(whole/batch), "hashes")
	b.ReportMetric(float64(measuring)/float64(3*whole), "of-before")
	b.ReportMetric(float64(said)/float64(whole/batch), "said/true")
}
