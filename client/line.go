package client

import (
	"fmt"
	"strconv"
	"time"
)

// Line tells where a player stands in a server's line.
type Line struct {
	// Place is how many have to be let in up to and including this player, about: 1 for the next, and 0 where it is not
	// known, or Come.
	Place int
	// Low and High are between which, from At on, the player will be let in, nine times of ten. Both are 0 where that is
	// not known, or Come.
	Low, High time.Duration
	// World says that this is the line for a seat in the world, of players whose password was right; see
	// [Options].WaitForWorld.
	World bool
	// Come says that the turn has come: the client is about to log in.
	Come bool
	// At is when the client came to know this, and Since when it was first told of this place; by the local clock.
	At, Since time.Time
	// ByUDP says that this came by UDP, which is not authenticated: it is no more than likely. See [Options].KnockAddr.
	ByUDP bool
	// Lost is set if the place that the client had before was lost, and this is a new one at the end of the line, with
	// the next news only: "expired" if its turn had passed long ago, "used" if somebody was let in with it, "unknown" if
	// the server does not know its ticket. Newer servers may know more.
	Lost string
	// Ticket keeps the place: a game that wants it to outlive the program saves its text each time. It is none in the
	// world's line: there the Client keeps the place for the next Login with the same name and password.
	Ticket Ticket

	progress float64 // at least
}

// Progress returns how much of the wait is over at a time: 0 to 0.99, and 1 when Come, for a bar that moves. Of the
// Lines of one place the later one never says less than the one before, whatever the server estimates, up to 0.99.
func (l Line) Progress(now time.Time) float64 {
	if l.Come {
		return 1
	}
	waited := max(now.Sub(l.Since), 0)
	whole := l.At.Sub(l.Since) + l.Low/2 + l.High/2
	part := 0.0
	if whole > 0 {
		part = float64(waited) / float64(whole)
	}
	return min(max(part, l.progress), 0.99)
}

// String returns a sentence or two to show to the player: "You are number 1,234 in line: about 3 to 5 minutes."
func (l Line) String() string {
	s := "You are in line"
	switch {
	case l.Come:
		return "It is your turn."
	case l.Place > 0:
		s = "You are number " + thousands(l.Place) + " in line"
	}
	if l.World {
		s = "The world is full. " + s
	}
	if l.High > 0 {
		s += ": " + interval(l.Low, l.High)
	}
	if l.Lost != "" {
		s = "Your place in line was lost. " + s
	}
	return s + "."
}

// interval says how long a wait is.
func interval(low, high time.Duration) string {
	unit, name := time.Minute, "minutes"
	switch {
	case high <= time.Minute:
		return "less than a minute"
	case low > 48*time.Hour:
		return "more than two days"
	case high > 100*time.Minute:
		unit, name = time.Hour, "hours"
	}
	least, most := low/unit, (high-1)/unit+1
	if least == 0 || least == most {
		return fmt.Sprintf("up to %d %s", most, name)
	}
	return fmt.Sprintf("about %d to %d %s", least, most, name)
}

// thousands writes a number with a comma before every three digits.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
