package admin

import (
	"fmt"
	"time"

	"github.com/rushgate/rushgate"
)

// By these a node is judged; docs/operations.md explains them. Where an alert of deploy/prometheus is about the same,
// it goes by the same.
const (
	// JudgedOver is the time whose figures of tick and store count. A single late step is no news.
	JudgedOver = 10 * time.Second
	// lateP99 is from which p99 on, in ms, the tick counts as late, and a whole step from which on that is bad.
	lateP99 = 5.0
	stepMS  = 1000.0 / rushgate.TickRate
	// fewSteps is the share of the steps that were due below which the tick does not keep up.
	fewSteps = 0.9
	// skipsLast is for how long steps that were skipped are told of.
	skipsLast = time.Minute
	// slowCallMS is from which mean of a call on, in ms, the store counts as slow, and manyFail from which share of
	// calls that fail.
	slowCallMS = 100.0
	manyFail   = 0.01
	// busyLasts is for how long after the last refusal a node counts as busy: a rush has its pauses, which are no news.
	busyLasts = 5 * time.Second
	// nearlyFull is the share of the accept queue from which on clients may soon hear nothing.
	nearlyFull = 0.9
	// stepsBusy is how many cores' worth of CPU time the steps take when they are what makes the tick late, and allBusy
	// the share of all cores that leaves no room.
	stepsBusy = 0.6
	allBusy   = 0.9
)

// State says in a word how a node, or a part of it, is.
type State string

// The states of a node, those of its door, of its tick, and of its store. The page has one more: it has lost the node.
const (
	Starting   State = "starting"
	Draining   State = "draining"
	HandedOver State = "handed-over"
	Stopped    State = "stopped"

	Open      State = "open"
	Opening   State = "opening"
	Full      State = "full"
	Busy      State = "busy"
	DoorShort State = "door-short"

	OnTime   State = "on-time"
	TickLate State = "tick-late"

	StoreAnswers State = "store-answers"
	StoreSlow    State = "store-slow"
	StoreAway    State = "store-away"
)

// Grade says how good a state is.
type Grade string

// The grades, best first.
const (
	Good  Grade = "good"
	Known Grade = "known" // as its operator wants it
	Warn  Grade = "warn"  // players notice, or soon do
	Bad   Grade = "bad"   // something is to be done now
)

// Part is a part of a node that is judged by itself.
type Part string

// The parts.
const (
	PartDoor  Part = "door"
	PartTick  Part = "tick"
	PartStore Part = "store"
)

// Todo is what an operator can do.
type Todo struct {
	Text string `json:"text"`
	// Doc is where it is explained: a file of the folder docs, with the anchor of a heading.
	Doc string `json:"doc"`
}

// Verdict is what there is to say of a part.
type Verdict struct {
	Part  Part   `json:"part"`
	State State  `json:"state"`
	Grade Grade  `json:"grade"`
	Text  string `json:"text"` // in a sentence or two
	Todo  *Todo  `json:"todo,omitempty"`
}

// Judgement is what there is to say of a node: its worst part, in words, and each of them.
type Judgement struct {
	State    State     `json:"state"`
	Grade    Grade     `json:"grade"`
	Headline string    `json:"headline"`
	Todo     *Todo     `json:"todo,omitempty"`
	Parts    []Verdict `json:"parts"` // door, tick, store
}

// Judge says how a node is. It goes by the condition alone.
func Judge(c *Condition) Judgement {
	door, tick, store := c.door(), c.tick(), c.store()
	j := Judgement{Parts: []Verdict{door, tick, store}}
	worst := door
	for _, v := range []Verdict{tick, store} { // in this order the later goes before the earlier
		if severity[v.Grade] >= severity[worst.Grade] && v.Grade != Good {
			worst = v
		}
	}
	if v, ok := c.node(); ok && worst.Grade != Bad {
		worst = v
	}
	j.State, j.Grade, j.Headline, j.Todo = worst.State, worst.Grade, worst.Text, worst.Todo
	return j
}

var severity = map[Grade]int{Good: 0, Known: 1, Warn: 2, Bad: 3}

// last is what there is to say of a node that has ended, in a state.
func last(state State) Judgement {
	if state == HandedOver {
		return Judgement{State: state, Grade: Known, Headline: "Handed over: another process goes on as this node.",
			Todo: &Todo{"This page follows it by itself.", "operations.md#replacing-a-node-with-its-players-inside"}}
	}
	return Judgement{State: Stopped, Grade: Known, Headline: "The node has stopped.",
		Todo: &Todo{"The page comes back when the node does.", "operations.md#draining-and-rolling-restarts"}}
}

// node returns what is so of the whole node and explains the rest, unless a part of it is bad.
func (c *Condition) node() (Verdict, bool) {
	drain := &Todo{"The process ends when all are saved; a supervisor that restarts on any exit starts it again.",
		"operations.md#draining-and-rolling-restarts"}
	switch {
	case c.Draining && c.Players == 0:
		return Verdict{State: Draining, Grade: Known, Text: "Draining. Nobody is inside any more.", Todo: drain}, true
	case c.Draining:
		text := fmt.Sprintf("Draining. %s still to be saved.", players(c.Players))
		return Verdict{State: Draining, Grade: Known, Text: text, Todo: drain}, true
	case c.NoCertificate:
		return Verdict{State: Starting, Grade: Warn,
			Text: "Starting. There is no certificate yet, without which no player gets through.",
			Todo: &Todo{"The log has what the authority says.", "operations.md#keys-and-secrets"}}, true
	case c.young():
		return Verdict{State: Starting, Grade: Known, Text: "Starting. The world has not made its first step."}, true
	}
	return Verdict{}, false
}

// young reports whether it is too early to miss the first step.
func (c *Condition) young() bool { return !c.Tick.Begun && c.Tick.Over < JudgedOver/2 }

// door judges how newcomers fare. A time to wait is told only where it says what is waited for.
func (c *Condition) door() Verdict {
	v := Verdict{Part: PartDoor, State: Busy, Grade: Warn}
	told := "newcomers are told to wait " + c.Line.told()
	v.Todo = &Todo{"Nobody is lost: each is told when to come, and called in turn. If it lasts, add cores or nodes.",
		"scaling.md#n-nodes"}
	switch q := c.AcceptQueue; {
	case c.Draining:
		v.State, v.Grade = Draining, Known
		v.Text, v.Todo = "Closed to newcomers: the node drains.", nil
	case c.NoCertificate:
		v.State, v.Text = Starting, "No player gets through without a certificate."
		v.Todo = &Todo{"The log has what the authority says.", "operations.md#keys-and-secrets"}
	case q != nil && q.Limit > 0 && float64(q.Length) >= nearlyFull*float64(q.Limit):
		v.State, v.Grade = DoorShort, Bad
		v.Text = fmt.Sprintf("The door is short of CPU: %s connections wait in the kernel, which has room for %s; "+
			"further clients hear nothing.", grouped(q.Length), grouped(q.Limit))
		v.Todo = &Todo{"Add nodes or cores, or limit connections at a proxy before them.", "metrics.md#doorman"}
	case c.Store.Away:
		v.Text = "Nobody comes in while the store is away."
		v.Todo = c.store().Todo
	case c.MaxPlayers > 0 && c.Players >= c.MaxPlayers:
		v.State = Full
		v.Text = fmt.Sprintf("Full: all %s places in the world are taken; newcomers are told to come back in about %s.",
			grouped(c.MaxPlayers), seconds(c.RetryAfter))
		v.Todo = &Todo{"Add a node, or raise --max-players if tick and processor have room.",
			"operations.md#when-the-world-is-full"}
	case c.Doors.Mode == rushgate.ModeClosed, c.Doors.Mode == rushgate.ModeStaff:
		v.State, v.Grade, v.Text = Opening, Known, c.shut()
		v.Todo = &Todo{"The doors do not open by themselves: set the mode to open when it is time.",
			"operations.md#closing-the-doors"}
	case !c.Line.Opens.IsZero():
		v.State, v.Grade = Opening, Known
		v.Text = fmt.Sprintf("Not open yet: the line opens in %s. %s in it.",
			atMost(c.Line.Opens.Sub(c.At)), wait(c.Line.Waiting))
		v.Todo = &Todo{"Those who come before are let in by lot when it opens.",
			"operations.md#the-line-before-the-door"}
	case c.Line.Waiting > 0:
		v.Text = fmt.Sprintf("Busy: %s in the line; %s.", wait(c.Line.Waiting), told)
	case c.Line.Refused && c.QueueCapacity > 0 && c.Queue >= c.QueueCapacity:
		v.Text = "Busy: the queue is full; " + told + "."
	case c.Line.Refused && c.Queue > 0:
		v.Text = fmt.Sprintf("Busy: %s wait in the queue; %s.", grouped(c.Queue), told)
	case c.Line.Refused && c.Line.Called > 0:
		v.Text = fmt.Sprintf("Busy: %s called from the line and on the way; newcomers wait for them.",
			those(c.Line.Called))
	case c.Line.Refused:
		v.Text = "Busy: newcomers are held back for a moment."
	case !c.LastBusy.IsZero() && c.At.Sub(c.LastBusy) < busyLasts:
		v.Text = "Busy: more knocked than could be let in. Now newcomers come in."
	default:
		inside, waiting := anybody(c.Players, "Nobody", players), anybody(c.Queue, "nobody", grouped)
		return Verdict{Part: PartDoor, State: Open, Grade: Good, Text: fmt.Sprintf("Open. %s inside, %s waiting.", inside,
			waiting)}
	}
	return v
}

// shut says whom doors let in that are not open, and what the others are told.
func (c *Condition) shut() string {
	text := "Closed: nobody comes in."
	if c.Doors.Mode == rushgate.ModeStaff {
		text = "Open to staff only."
	}
	switch left := c.Doors.OpensAt.Sub(c.At); {
	case c.Doors.OpensAt.IsZero():
	case left > 0:
		text += fmt.Sprintf(" Players are told that the doors open in %s.", atMost(left))
	default:
		text += " The time is over that players were told for the opening."
	}
	if c.Line.Waiting > 0 {
		text += " " + wait(c.Line.Waiting) + " in the line."
	}
	return text
}

// tick judges whether the world goes at its pace, which all inside notice.
func (c *Condition) tick() Verdict {
	t := &c.Tick
	v := Verdict{Part: PartTick, State: TickLate, Grade: Bad, Todo: c.whyLate()}
	over := seconds(t.Over)
	due := t.Over.Seconds() * rushgate.TickRate
	switch since := c.At.Sub(t.LastSkip); {
	case c.young():
		return Verdict{Part: PartTick, State: Starting, Grade: Known, Text: "No step of the world yet."}
	case t.Made == 0:
		v.Text = fmt.Sprintf("The world stands still: not one step in the last %s.", over)
	case t.Skipped > 0:
		v.Text = fmt.Sprintf("The tick skips steps: %s in the last %s, and is %s late at p99.",
			grouped(int(t.Skipped)), over, millis(t.P99))
	case t.P99 >= stepMS:
		v.Text = fmt.Sprintf("The tick is late: %s at p99 over the last %s, more than a whole step.", millis(t.P99), over)
	case t.Over >= JudgedOver/2 && float64(t.Made) < fewSteps*due:
		v.Text = fmt.Sprintf("The tick does not keep up: %s steps in the last %s, where %.0f are due.",
			grouped(int(t.Made)), over, due)
	case t.P99 >= lateP99:
		v.Grade = Warn
		v.Text = fmt.Sprintf("The tick is late: %s at p99 over the last %s.", millis(t.P99), over)
	case !t.LastSkip.IsZero() && since < skipsLast:
		v.Grade = Warn
		v.Text = fmt.Sprintf("The tick skipped steps %s ago. Since then it is on time.", seconds(since))
	default:
		text := fmt.Sprintf("On time: %s late at p99.", millis(t.P99))
		return Verdict{Part: PartTick, State: OnTime, Grade: Good, Text: text}
	}
	return v
}

// whyLate says where to look for what makes the tick late, by who has the cores.
func (c *Condition) whyLate() *Todo {
	switch {
	case c.Tick.Cores >= stepsBusy:
		return &Todo{"Its steps take that long: fewer players on this node (--max-players), or profile the world.",
			"metrics.md#profiles"}
	case c.Cores > 0 && c.CPU >= allBusy*float64(c.Cores):
		return &Todo{"All cores are busy; the card “Processor” shows with what. Add cores or nodes.",
			"tick.md#what-is-not-protected"}
	}
	return &Todo{"The node itself does not need all cores, so look outside it: other processes on them, the CPU limit " +
		"of a container, swapping, a machine that was paused.", "tick.md#what-is-not-protected"}
}

// store judges whether what players do is kept, and whether newcomers can be looked up.
func (c *Condition) store() Verdict {
	s := &c.Store
	v := Verdict{Part: PartStore, State: StoreSlow, Grade: Warn,
		Todo: &Todo{"Logins wait for it. Look at its disk, and the way to it.", "metrics.md#store"}}
	over := seconds(c.Tick.Over)
	unsaved := ""
	if s.Unsaved > 0 {
		unsaved = " " + characters(s.Unsaved) + " to be written."
	}
	switch {
	case s.Away && c.Draining:
		v.State, v.Grade = StoreAway, Bad
		v.Text = "The store is away while the node drains." + unsaved
		v.Todo = &Todo{"The node tries until --drain-timeout, and then ends without them: bring the store back.",
			"operations.md#when-the-store-is-away"}
	case s.Away:
		v.State, v.Grade = StoreAway, Bad
		v.Text = "The store is away or takes no writes. Newcomers are told to come back, who is inside plays on."
		v.Todo = &Todo{"Bring the store back; nothing has to be restarted. Do not stop this node before that." + unsaved,
			"operations.md#when-the-store-is-away"}
	case s.Failed > 0 && float64(s.Failed) >= manyFail*float64(s.Calls):
		v.Text = fmt.Sprintf("Calls of the store fail: %s of %s in the last %s.", grouped(int(s.Failed)),
			grouped(int(s.Calls)), over)
		v.Todo = &Todo{"The log has the errors.", "operations.md#when-the-store-is-away"}
	case s.Calls > 0 && s.MeanMS >= slowCallMS:
		v.Text = fmt.Sprintf("The store is slow: %s a call over the last %s.", millis(s.MeanMS), over)
	default:
		text := "Answers."
		if s.Calls > 0 {
			text = fmt.Sprintf("Answers: %s a call.", millis(s.MeanMS))
		}
		return Verdict{Part: PartStore, State: StoreAnswers, Grade: Good, Text: text}
	}
	return v
}
