package report

import (
	"bytes"
	"fmt"
	"time"

	"github.com/rushgate/rushgate/internal/latency"
)

// The kinds of outage.
const (
	OutageKill     = "kill"     // the server is killed, and started again
	OutageHandOver = "handover" // another process takes the players over from the one that runs
)

// Outage is what those who played lived through while the server was killed or replaced, in a [ReconnectStorm].
type Outage struct {
	Kind    string  `json:"kind"`
	At      float64 `json:"at_s"`    // when it began, from the start of the load
	Players int     `json:"players"` // who were playing when it began
	// Each of them is in one of the following in the end.
	Kept        int `json:"kept"`        // who still see the world, over the connection that they had
	Reconnected int `json:"reconnected"` // the same, over another connection, without a password
	ByPassword  int `json:"by_password"` // who had to log in again
	NotBack     int `json:"not_back"`

	Gap      latency.Summary `json:"gap"`         // each player's longest time without a snapshot
	Return   latency.Summary `json:"return"`      // from its beginning to the end of that, where it was more than 0.5 s
	LastBack float64         `json:"last_back_s"` // the longest of these; zero if there are none
	Logins   OutageLogins    `json:"logins"`

	CommandSeconds float64 `json:"command_s"` // until the command had ended; zero if it goes on running
	CommandFailed  bool    `json:"command_failed"`
}

// OutageLogins is what became of others who registered from when an outage began, and tried once.
type OutageLogins struct {
	In      int             `json:"in"`
	Busy    int             `json:"busy"`   // told to come back later
	Failed  int             `json:"failed"` // no answer, or another
	Latency latency.Summary `json:"latency"`
	Example string          `json:"example,omitempty"` // of a failure
}

func (r *Report) judgeOutage(l Limits) {
	o := r.Outage
	if o == nil {
		o = new(Outage)
	}
	r.atLeast("share of the players who are back", 1, ratio(float64(o.Players-o.NotBack), float64(o.Players)))
	r.atMost("players who had to log in again", 0, o.ByPassword)
	if o.Kind == OutageHandOver {
		r.atMost("players who had to connect again", 0, o.Reconnected)
		r.atMost("logins refused or failed meanwhile", 0, o.Logins.Busy+o.Logins.Failed)
		r.atMost("commands that failed", 0, pick(o.CommandFailed, 1, 0))
	}
	r.within("longest time without a snapshot", l.GapP99, o.Gap.P99, o.Gap.Count)
	if l.Back > 0 {
		ok := o.Players > 0 && o.NotBack == 0 && o.LastBack <= l.Back.Seconds()
		limit := fmt.Sprintf("last player back: at most %v%s", l.Back, inSeconds)
		r.Verdicts = append(r.Verdicts, Verdict{limit, o.LastBack, ok})
	}
}

func (o *Outage) write(b *bytes.Buffer) {
	fmt.Fprintf(b, "outage (%s) at %.1f s: of %d players %d kept their connection, "+
		"%d connected again without a password, %d logged in again, %d are not back",
		o.Kind, o.At, o.Players, o.Kept, o.Reconnected, o.ByPassword, o.NotBack)
	if o.Return.Count > 0 {
		fmt.Fprintf(b, "; the last one was back after %.2f s", o.LastBack)
	}
	n := &o.Logins
	fmt.Fprintf(b, "\nlogins of others meanwhile: %d let in, %d told that the server is busy, %d failed",
		n.In, n.Busy, n.Failed)
	if n.Latency.Count > 0 {
		slowest := time.Duration(n.Latency.Max * float64(time.Millisecond))
		fmt.Fprintf(b, "; the slowest took %v", slowest.Round(time.Millisecond))
	}
	if n.Example != "" {
		fmt.Fprintf(b, "\nfirst of those that failed: %s", n.Example)
	}
	b.WriteByte('\n')
}
