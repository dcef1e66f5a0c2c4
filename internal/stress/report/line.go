package report

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rushgate/rushgate/internal/latency"
)

// Batch is how many players a server proves at a time: among those the order says nothing.
const Batch = 16

// Why a place was lost, as servers say it.
const (
	LostExpired = "expired" // the player came too long after its turn
	LostUsed    = "used"    // with the ticket a player was let in before
	LostUnknown = "unknown" // not a ticket of this server for this player
	LostUnsaid  = "unsaid"  // the server gave another ticket, and no cause
)

// What a line promises.
const (
	promisedHits   = 0.9 // share of players let in within the time first told
	promisedKnocks = 1.1 // logins with a ticket for each player with a place who is let in
	promisedCrowd  = 1.2 // median wait beside a crowd against that without
)

// LineCounts are what the players of a run have asked, those of a crowd not included.
type LineCounts struct {
	Knocks        int `json:"knocks"`         // logins and registrations over HTTP
	TicketKnocks  int `json:"ticket_knocks"`  // of those, with a ticket
	Polls         int `json:"polls"`          // readings of the line's document
	UDP           int `json:"udp"`            // questions by UDP
	UDPUnanswered int `json:"udp_unanswered"` // of those, without an answer
}

// Line is what the line of a server did with the players for whom there was no room when they came.
type Line struct {
	// Asked is how the players asked where they stand: "udp", "http", or "" if they knew nothing of a line and came back
	// when told. Shared says that one reading of the document in a second served all of them.
	Asked  string `json:"asked"`
	Shared bool   `json:"shared_document"`

	Direct int `json:"direct"` // players let in as they came
	Placed int `json:"placed"` // players who were given a place
	In     int `json:"in"`     // of those, let in
	// NotOnTime is how many of those with a place could not, or did not, do as they were told: they hung up for a while, a
	// question of theirs was not answered, or their place was not honoured. They may overtake others, but not be
	// overtaken, and the times that they were told do not count.
	NotOnTime int `json:"not_on_time"`

	// Overtaken is how many players with a place who were on time saw more than Batch others with later turns let in
	// before they were, or before they left. OvertakenMost is by how many one of them was overtaken at the most, and
	// OvertakenP99 by how many 99 of 100 were at the most.
	Batch         int `json:"batch"`
	Overtaken     int `json:"overtaken"`
	OvertakenMost int `json:"overtaken_most"`
	OvertakenP99  int `json:"overtaken_p99"`
	// PlacesLost is how many tickets were not honoured, by cause.
	PlacesLost map[string]int `json:"places_lost"`

	// Told is how many who were on time are in and had been told when that would be. Early and Late are how many of them
	// were in before and after the time first told, HitShare is the share of the others. Width is how long those times
	// were, of all with a place.
	Told     int             `json:"told"`
	Early    int             `json:"early"`
	Late     int             `json:"late"`
	HitShare float64         `json:"hit_share"`
	Width    latency.Summary `json:"width"`

	Wait latency.Summary `json:"wait"` // of those with a place, from when a player was due to the session

	LineCounts
	// The next four are for each player who got in; TicketKnocksPerIn is for each of those who had a place.
	KnocksPerIn       float64 `json:"knocks_per_in"`
	TicketKnocksPerIn float64 `json:"ticket_knocks_per_in"`
	PollsPerIn        float64 `json:"polls_per_in"`
	UDPPerIn          float64 `json:"udp_per_in"`

	// Crowd is null without one.
	Crowd *Crowd `json:"crowd"`
	// Promises are the verdicts on what a line promises, whether or not they are limits of the run.
	Promises []Verdict `json:"promises"`
}

// Crowd is what became of clients who all came from one address, and what they did to the players beside them.
type Crowd struct {
	Clients int `json:"clients"`
	In      int `json:"in"`      // let in before the last player had an outcome
	Refused int `json:"refused"` // refused otherwise than with a place in the line
	// MedianAlone and MedianBeside are the median time from when a player was due to its session in the run without the
	// crowd and beside it, in milliseconds, and Ratio is the second by the first.
	MedianAlone  float64 `json:"median_alone_ms"`
	MedianBeside float64 `json:"median_beside_ms"`
	Ratio        float64 `json:"ratio"`
}

// Order fills in by how many each player with a place who was on time was overtaken.
func (l *Line) Order(overtaken []int) {
	slices.Sort(overtaken)
	n := len(overtaken)
	if n == 0 {
		return
	}
	l.OvertakenMost, l.OvertakenP99 = overtaken[n-1], overtaken[(n*99+99)/100-1]
	for _, by := range overtaken {
		if by > l.Batch {
			l.Overtaken++
		}
	}
}

// Derive fills in the figures that follow from others.
func (l *Line) Derive() {
	in := float64(l.In + l.Direct)
	l.HitShare = ratio(float64(l.Told-l.Early-l.Late), float64(l.Told))
	l.KnocksPerIn, l.PollsPerIn = ratio(float64(l.Knocks), in), ratio(float64(l.Polls), in)
	l.UDPPerIn, l.TicketKnocksPerIn = ratio(float64(l.UDP), in), ratio(float64(l.TicketKnocks), float64(l.In))
	l.promise()
}

// promise gives the verdicts on what a line promises.
func (l *Line) promise() {
	l.Promises = []Verdict{
		atMost(fmt.Sprintf("players overtaken by more than %d", l.Batch), 0, float64(l.Overtaken)),
		atMost("places lost", 0, float64(l.lost())),
		atLeast("share of players let in within the time first told", promisedHits, l.HitShare),
	}
	if l.Asked != "" {
		l.Promises = append(l.Promises,
			atMost("logins with a ticket for each player let in", promisedKnocks, l.TicketKnocksPerIn))
	}
	if c := l.Crowd; c != nil {
		v := atMost("median wait beside the crowd, in times of that without", promisedCrowd, c.Ratio)
		v.OK = v.OK && c.Ratio > 0
		l.Promises = append(l.Promises, v)
	}
}

// judgeLine has the promises of the line count as limits.
func (r *Report) judgeLine() {
	if r.Line == nil {
		r.Verdicts = append(r.Verdicts, atLeast("players with a place in the line", 1, 0))
		return
	}
	r.Verdicts = append(r.Verdicts, r.Line.Promises...)
}

// AskedHow says in some words how the players asked where they stand.
func (l *Line) AskedHow() string {
	switch {
	case l.Asked == "":
		return "by coming back when told, without tickets"
	case l.Asked == "udp":
		return "by UDP"
	case l.Shared:
		return "by one reading of the document a second for all"
	}
	return "by reading the document, each for itself"
}

// lost returns how many places were lost.
func (l *Line) lost() (sum int) {
	for _, n := range l.PlacesLost {
		sum += n
	}
	return sum
}

// Lost returns how many places were lost, by cause, in some words.
func (l *Line) Lost() string {
	var parts []string
	for _, cause := range slices.Sorted(maps.Keys(l.PlacesLost)) {
		parts = append(parts, fmt.Sprintf("%d %s", l.PlacesLost[cause], cause))
		if len(parts) == maxKinds {
			break
		}
	}
	return pick(len(parts) == 0, "none", strings.Join(parts, ", "))
}

// write adds the line to the text of a report.
func (l *Line) write(b *bytes.Buffer) {
	fmt.Fprintf(b, "\nline: %d players had a place, %d of them got in; %d were let in as they came; they asked %s\n",
		l.Placed, l.In, l.Direct, l.AskedHow())
	fmt.Fprintf(b, "order: %d overtaken by more than %d with later turns, 99 of 100 by %d at most, one by %d;"+
		" %d not on time\n", l.Overtaken, l.Batch, l.OvertakenP99, l.OvertakenMost, l.NotOnTime)
	fmt.Fprintf(b, "places lost: %s\n", l.Lost())
	fmt.Fprintf(b, "time first told: %.1f %% of %d were let in within it, %d earlier, %d later; it was %s long (median)\n",
		100*l.HitShare, l.Told, l.Early, l.Late, UnitMillis.Format(l.Width.P50))
	fmt.Fprintf(b, "for each player let in: %.2f logins, %.2f with a ticket, %.2f readings of the document,"+
		" %.2f questions by UDP (%d without an answer)\n", l.KnocksPerIn, l.TicketKnocksPerIn, l.PollsPerIn,
		l.UDPPerIn, l.UDPUnanswered)
	if c := l.Crowd; c != nil {
		fmt.Fprintf(b, "crowd: %d clients of one address, %d let in, %d refused; median wait of the others %s,"+
			" %s without the crowd, ratio %.2f\n", c.Clients, c.In, c.Refused, UnitMillis.Format(c.MedianBeside),
			UnitMillis.Format(c.MedianAlone), c.Ratio)
	}
	for _, v := range l.Promises[:min(len(l.Promises), maxKinds)] {
		fmt.Fprintf(b, "%s\n", v.text())
	}
}
