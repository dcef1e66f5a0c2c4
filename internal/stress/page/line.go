package page

import (
	"maps"
	"slices"

	"github.com/rushgate/rushgate/internal/stress/report"
)

// linePart is the part of a page on the line: whether it kept its promises, and what it did with the players for whom
// there was no room.
type linePart struct {
	Promises []limit
	Sheet    sheet
}

func newLinePart(l *report.Line) *linePart {
	if l == nil {
		return nil
	}
	return &linePart{Promises: limits(l.Promises), Sheet: lineSheet(l)}
}

func lineSheet(l *report.Line) sheet {
	s := sheet{Title: "Players with a place", Head: []string{"", ""}}
	s.addf("had a place", "%s, %s of them let in; %s let in as they came", count(l.Placed), count(l.In), count(l.Direct))
	s.add("asked", l.AskedHow())
	s.addf("overtaken", "%s by more than %s with later turns; 99 of 100 by %s at most, one by %s", count(l.Overtaken),
		count(l.Batch), count(l.OvertakenP99), count(l.OvertakenMost))
	s.add("not on time", count(l.NotOnTime))
	for i, cause := range slices.Sorted(maps.Keys(l.PlacesLost)) {
		if i < maxRows {
			s.add("places lost: "+clean(cause, 60), count(l.PlacesLost[cause]))
		}
	}
	s.addf("let in within the time first told", "%s of %s, %s earlier, %s later", show(report.UnitShare, l.HitShare),
		count(l.Told), count(l.Early), count(l.Late))
	s.addf("length of that time", "%s, the median", show(report.UnitMillis, p50(l.Width)))
	s.addf("wait in line", "p50 %s, p99 %s", show(report.UnitMillis, p50(l.Wait)), show(report.UnitMillis, p99(l.Wait)))
	s.addf("for each let in", "%s logins, %s with a ticket, %s readings of the document, %s questions by UDP",
		show(report.UnitRatio, l.KnocksPerIn), show(report.UnitRatio, l.TicketKnocksPerIn),
		show(report.UnitRatio, l.PollsPerIn), show(report.UnitRatio, l.UDPPerIn))
	if l.UDP > 0 {
		s.addf("questions by UDP", "%s, %s without an answer", count(l.UDP), count(l.UDPUnanswered))
	}
	if c := l.Crowd; c != nil {
		s.addf("crowd of one address", "%s clients, %s let in, %s refused", count(c.Clients), count(c.In), count(c.Refused))
		s.addf("median wait beside it", "%s, %s without it: %s times", show(report.UnitMillis, c.MedianBeside),
			show(report.UnitMillis, c.MedianAlone), show(report.UnitRatio, c.Ratio))
	}
	return s
}
