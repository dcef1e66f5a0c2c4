package run

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/stress/report"
)

// What is said of a run that needs too many files is true of its scenario.
func TestFilesOfARun(t *testing.T) {
	for name, tt := range map[string]struct {
		cfg   Config
		limit uint64
		want  string // part of the error, "": none
	}{
		"a burst":           {Config{Clients: 100}, 164, ""},
		"too large a burst": {Config{Clients: 100}, 163, "up to 164 for 100 clients"},
		"a rate":            {Config{Scenario: report.Poisson, Rate: 10, Length: time.Minute}, 64, ""},
		"a rate, next to no files": {Config{Scenario: report.Poisson, Rate: 10, Length: time.Minute}, 63,
			"64 at least, and"},
		"a launch, capacity given":   {Config{Scenario: report.LaunchDay, Capacity: 1}, 64, ""},
		"a launch, to be measured":   {Config{Scenario: report.LaunchDay}, 864, ""},
		"a launch, not measurable":   {Config{Scenario: report.LaunchDay}, 863, "864 at least, and"},
		"nothing known of the files": {Config{Clients: 100}, 0, ""},
	} {
		err := tt.cfg.checkFiles(func(uint64) (uint64, bool) { return tt.limit, tt.limit > 0 })
		if (err != nil) != (tt.want != "") || err != nil &&
			(!errors.Is(err, ErrTooManyFiles) || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), " 0 clients") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
