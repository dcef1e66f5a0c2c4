package page

import (
	"strings"
	"testing"

	"github.com/rushgate/rushgate/internal/latency"
	"github.com/rushgate/rushgate/internal/stress/report"
)

// The page says what the players computed, and what is in no figure.
func TestOpaqueIsToldApart(t *testing.T) {
	var b strings.Builder
	r := report.Report{Clients: 9, OK: 9, Mode: report.Opaque, Opaque: &report.OpaqueCost{
		Prepared: 9, Computed: latency.Summary{Count: 9, P50: 0.4, P99: 1.5}, Argon2id: 250,
	}}
	if err := Write(&b, &r); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"OPAQUE, the players", "9 accounts were registered", "in no figure", "250"} {
		if !strings.Contains(b.String(), part) {
			t.Errorf("the page has no %q", part)
		}
	}
}
