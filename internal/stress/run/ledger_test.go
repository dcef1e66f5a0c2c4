package run

import (
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/stress/report"
)

// What cannot be measured is not judged.
func TestTimesThatCannotBeMeasured(t *testing.T) {
	const tooLong = time.Hour + time.Nanosecond
	for name, edit := range map[string]func(*Config){
		"Timeout":               func(c *Config) { c.Timeout = tooLong },
		"Limits.FirstAnswerP99": func(c *Config) { c.Limits.FirstAnswerP99 = tooLong },
		"Limits.SuccessP99":     func(c *Config) { c.Limits.SuccessP99 = tooLong },
		"Limits.ProbeP99":       func(c *Config) { c.Limits.ProbeP99 = tooLong },
		"Limits.TickP99":        func(c *Config) { c.Limits.TickP99 = tooLong },
	} {
		cfg := Config{Target: "http://127.0.0.1:1", Clients: 1}
		edit(&cfg)
		if _, err := Run(t.Context(), cfg); err == nil || !strings.HasPrefix(err.Error(), "stress: "+name+": ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	most := Config{Timeout: time.Hour, Limits: report.Limits{SuccessP99: time.Hour}}
	if err := most.checkMeasurable(); err != nil {
		t.Error(err)
	}
}
