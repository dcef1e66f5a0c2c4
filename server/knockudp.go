package server

import (
	"net/netip"

	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/internal/metric"
	"github.com/rushgate/rushgate/internal/udpknock"
)

// answerKnock says what the door says to a client that asks by UDP.
func (s *Server) answerKnock(dst []byte, from netip.Addr, h udpknock.Holder, ticket []byte) udpknock.Reply {
	standing, out, given := s.door.Ask(dst, from, line.Holder(h), ticket)
	switch standing {
	case door.ComeIn:
		return udpknock.Reply{Verdict: udpknock.ComeIn}
	case door.InLine:
		return udpknock.Reply{
			Verdict: udpknock.Wait, Ticket: given, Place: uint32(min(max(out.Place, 1), 1<<31)), ETALow: out.Low,
			ETAHigh: out.High, After: out.PollAfter,
		}
	default:
		return udpknock.Reply{Verdict: udpknock.Refused, After: out.PollAfter}
	}
}

// knockAddrs returns where clients knock by UDP.
func (c *channel) knockAddrs() (all []string) {
	for _, a := range c.public.all() {
		all = append(all, a.String())
	}
	return all
}

// knockMetrics has what clients ask by UDP.
func (c *channel) knockMetrics(out metric.Scrape) {
	stats := c.knocks.Stats()
	out.Counter("rushgate_knocks_total", "Clients that asked by UDP where they stand in the line.", float64(stats.Knocks))
	const name, help = "rushgate_knock_answers_total", "What was sent to clients that ask by UDP, by kind."
	out.Counter(name, help, float64(stats.Cookies), "kind", "cookie")
	out.Counter(name, help, float64(stats.Answers), "kind", "answer")
	out.Counter("rushgate_knocks_dropped_total", "Knocks by UDP that were not answered, since too many came.",
		float64(stats.OverBudget))
}
