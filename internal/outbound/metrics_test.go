package outbound

import (
	"maps"
	"net/http"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rushgate/rushgate/internal/metric"
)

func TestAnOperatorSeesWhoIsAway(t *testing.T) {
	down := server(func(*http.Request) (*http.Response, error) { return answer(503, "") })
	c := New(Config{Failures: 2, Transport: down})
	c.Target("idle")
	target := c.Target("away")
	for range 5 {
		_ = get(t.Context(), target)
	}
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(metric.Collector(c.Metrics)); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]float64) // but for what is 0
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := family.GetName()
			for _, label := range m.GetLabel() {
				name += " " + label.GetValue()
			}
			if v := m.GetCounter().GetValue() + m.GetGauge().GetValue(); v != 0 {
				got[name] = v
			}
		}
	}
	want := map[string]float64{
		"rushgate_outbound_calls_total away": 2, "rushgate_outbound_failures_total away": 2,
		"rushgate_outbound_refused_total circuit away": 3, "rushgate_outbound_circuit_open away": 1,
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
