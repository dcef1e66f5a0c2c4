package report

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

// Scripts read these names.
func TestReportJSONNames(t *testing.T) {
	data, err := json.Marshal(Report{Rate: 1, Sources: 1})
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(`answers busy busy_answer clients dropped expired failed first_answer flood generator
		hash_bound_ratio
		hash_bound_s hung_up in_on_try in_on_try_share interrupted keep_alive keep_alives_failed left_before line logged_out
		logins_per_s logouts_failed mode notes ok phases play players_at_end players_before players_expected_at_end probe
		rate_limited rate_per_s rejected scenario server sessions_lost sources start_delay started_at storm subject success
		target timed_out 		timeline tries tries_per_success unfinished verdicts wall_s wrongly_in`)
	if got := slices.Sorted(maps.Keys(fields)); !slices.Equal(got, want) {
		t.Errorf("fields %q", got)
	}
}
