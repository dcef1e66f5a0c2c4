package report

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/latency"
)

// What a report says of an outage, and which of it breaks a run.
func TestOutage(t *testing.T) {
	gap := latency.Summary{Count: 10, P99: 120, Max: 130}
	clean := Outage{
		Kind: OutageHandOver, Players: 10, Kept: 10, Gap: gap, Return: gap, LastBack: 0.13,
		Logins: OutageLogins{In: 5, Latency: latency.Summary{Count: 5, Max: 412}},
	}
	for name, c := range map[string]struct {
		change func(*Outage)
		limits Limits
		broken []string // how the limits begin that are not kept
		says   string
	}{
		"clean": {func(*Outage) {}, Limits{GapP99: 500 * time.Millisecond, Back: time.Second}, nil,
			"of 10 players 10 kept their connection, 0 connected again without a password, 0 logged in again, 0 are not back; " +
				"the last one was back after 0.13 s\n" +
				"logins of others meanwhile: 5 let in, 0 told that the server is busy, 0 failed; the slowest took 412ms\n"},
		"too long": {func(*Outage) {}, Limits{GapP99: 100 * time.Millisecond, Back: 100 * time.Millisecond},
			[]string{"longest time", "last player"}, ""},
		"reconnected": {func(o *Outage) { o.Kept, o.Reconnected = 9, 1 }, Limits{},
			[]string{"players who had to connect"}, ""},
		"after a kill": {func(o *Outage) { o.Kind, o.Kept, o.Reconnected = OutageKill, 0, 10 }, Limits{}, nil, ""},
		"by password": {func(o *Outage) { o.Kind, o.Kept, o.ByPassword = OutageKill, 9, 1 }, Limits{},
			[]string{"players who had to log in"}, ""},
		"not back": {func(o *Outage) { o.Kept, o.NotBack = 9, 1 }, Limits{Back: time.Minute},
			[]string{"share of the players", "last player"}, "1 are not back"},
		"logins refused": {func(o *Outage) { o.Logins.Busy = 1 }, Limits{}, []string{"logins refused"}, ""},
		"logins failed": {func(o *Outage) { o.Logins.Failed, o.Logins.Example = 2, "reset" }, Limits{},
			[]string{"logins refused"}, "first of those that failed: reset\n"},
		"command failed": {func(o *Outage) { o.CommandFailed = true }, Limits{}, []string{"commands"}, ""},
	} {
		o := clean
		c.change(&o)
		r := &Report{Scenario: ReconnectStorm, Clients: 10, OK: 10, Outage: &o, Failed: map[string]int{}}
		r.Judge(c.limits, true)
		var broken []string
		for _, v := range r.Verdicts {
			if !v.OK {
				broken = append(broken, v.Limit)
			}
		}
		if !slices.EqualFunc(broken, c.broken, strings.HasPrefix) {
			t.Errorf("%s: not kept: %q, want %q", name, broken, c.broken)
		}
		var b strings.Builder
		if err := r.WriteText(&b); err != nil {
			t.Fatal(err)
		}
		if text := b.String(); !strings.Contains(text, c.says) {
			t.Errorf("%s: the report does not say %q:\n%s", name, c.says, text)
		}
	}
}
