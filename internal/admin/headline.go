package admin

import (
	"fmt"
	"math"
	"time"
)

// State says in a word how a node is.
type State string

// The states. Where several hold, the first one does.
const (
	Draining  State = "draining"
	StoreAway State = "store-away"
	Busy      State = "busy"
	Open      State = "open"
)

// busyLasts is for how long after the last refusal a node counts as busy: a rush has its pauses, which are no news.
const busyLasts = 5 * time.Second

// describe returns a node's state, in a word and in a sentence.
func (s *sampled) describe(storeAway bool) (State, string) {
	r := &s.reading
	told := "newcomers are told to wait " + r.Line.told()
	switch {
	case r.Draining && r.Players == 0:
		return Draining, "Draining. Nobody is inside any more."
	case r.Draining:
		return Draining, fmt.Sprintf("Draining. %s still to be saved.", players(r.Players))
	case storeAway:
		return StoreAway, "The store is away or takes no writes. Newcomers are told to come back, who is inside plays on. " +
			anybody(r.Players, "Nobody", players) + " inside."
	case r.MaxPlayers > 0 && r.Players >= r.MaxPlayers:
		return Busy, fmt.Sprintf("Busy: all %s places are taken; newcomers are told to come back in about %s.",
			grouped(r.MaxPlayers), seconds(r.RetryAfter))
	case !r.Line.Opens.IsZero():
		return Busy, fmt.Sprintf("Busy: the line opens in %s. %s in it.",
			atMost(r.Line.Opens.Sub(s.at)), wait(r.Line.Waiting))
	case r.Line.Waiting > 0:
		return Busy, fmt.Sprintf("Busy: %s in the line; %s.", wait(r.Line.Waiting), told)
	case r.Line.Refused && r.QueueCapacity > 0 && r.Queue >= r.QueueCapacity:
		return Busy, "Busy: the queue is full; " + told + "."
	case r.Line.Refused:
		return Busy, "Busy: more knock than can be let in; " + told + "."
	case !s.lastBusy.IsZero() && s.at.Sub(s.lastBusy) < busyLasts:
		return Busy, "Busy: more knocked than could be let in. Now newcomers come in."
	default:
		inside, waiting := anybody(r.Players, "Nobody", players), anybody(r.Queue, "nobody", grouped)
		return Open, fmt.Sprintf("Open. %s inside, %s waiting.", inside, waiting)
	}
}

// anybody writes a number of people, or the word for none.
func anybody(n int, nobody string, write func(int) string) string {
	if n == 0 {
		return nobody
	}
	return write(n)
}

// wait says how many wait, as the subject of a sentence.
func wait(n int) string {
	switch n {
	case 0:
		return "Nobody waits"
	case 1:
		return "1 player waits"
	}
	return players(n) + " wait"
}

func players(n int) string {
	if n == 1 {
		return "1 player"
	}
	return grouped(n) + " players"
}

// grouped writes a number with a thin space between thousands.
func grouped(n int) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "\u202f" + digits[i:]
	}
	return digits
}

// seconds writes a wait in whole seconds, at least one.
func seconds(d time.Duration) string { return fmt.Sprintf("%.0f s", max(math.Round(d.Seconds()), 1)) }
