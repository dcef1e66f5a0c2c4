package report

import "testing"

// Figures of verdicts are plain numbers with a unit, in whatever report they are, and nothing is said to have been
// measured that was not.
func TestVerdictsArePlain(t *testing.T) {
	for want, v := range map[string]Verdict{
		"not kept  first answer p99: at most 10s; it was 17.1 s": {
			"first answer p99: at most 10s (in ms)", 17070, false},
		"kept      first answer p99: at most 10s; it was 340 µs": {
			"first answer p99: at most 10s (in ms)", 0.34, true},
		"kept      probe p99: at most 1s; it was 0 ms": {"probe p99: at most 1s (in ms)", 0, true},
		"not kept  tick lateness p99: at most 5ms; it was not measured": {
			"tick lateness p99: at most 5ms (in ms)", 0, false},
		"kept      last player back: at most 1m0s; it was 17.1 s": {
			"last player back: at most 1m0s (in s)", 17.07, true},
		"not kept  players dropped: at most 0; it was 17,070":    {"players dropped: at most 0", 17070, false},
		"not kept  players dropped: at most 0; it was 1,234,567": {"players dropped: at most 0", 1234567, false},
		"kept      share of players let in: at least 75.0 %; it was 99.20 %": {
			"share of players let in: at least 0.75", 0.992, true},
		"kept      logins with a ticket: at most 1.1; it was 1.04": {"logins with a ticket: at most 1.1", 1.0412, true},
	} {
		if got := v.text(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestSubjectSaysWhatIsNotKnown(t *testing.T) {
	s := Subject{Version: "v1", Cores: 2}.Or(Subject{Version: "v0", Store: "SQLite", CPUs: 4})
	want := "version v1; on not told; CPUs 4; cores to use 2; store SQLite; hash not told"
	if got := s.String(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
