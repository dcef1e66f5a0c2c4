package admin

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
)

// calm is the condition of a node with which all is well, changed.
func calm(changes ...func(*Condition)) *Condition {
	c := &Condition{
		At: time.Unix(1_000_000, 0), Players: 300, MaxPlayers: 1000, QueueCapacity: 200, CPU: 0.5, Cores: 2,
		Tick:  TickFigures{Over: JudgedOver, Begun: true, Made: 600, P99: 0.4, Cores: 0.2},
		Store: StoreFigures{Calls: 40, MeanMS: 2},
	}
	for _, change := range changes {
		change(c)
	}
	return c
}

// conditions are what nodes have been in, or can be, and how each is to be judged.
var conditions = map[string]struct {
	c        *Condition
	state    State
	grade    Grade
	headline string
	doc      string
}{
	"calm": {calm(), Open, Good, "Open. 300 players inside, nobody waiting.", ""},
	"empty": {calm(func(c *Condition) { c.Players, c.Store.Calls = 0, 0 }), Open, Good,
		"Open. Nobody inside, nobody waiting.", ""},
	"one": {calm(func(c *Condition) { c.Players = 1 }), Open, Good, "Open. 1 player inside, nobody waiting.", ""},
	"many": {calm(func(c *Condition) { c.Players, c.MaxPlayers, c.Queue = 12_345, 20_000, 12 }), Open, Good,
		"Open. 12\u202f345 players inside, 12 waiting.", ""},
	"a little late is on time": {calm(func(c *Condition) { c.Tick.P99 = 4.9 }), Open, Good,
		"Open. 300 players inside, nobody waiting.", ""},

	"starting": {calm(func(c *Condition) { c.Tick = TickFigures{Over: time.Second} }), Starting, Known,
		"Starting. The world has not made its first step.", ""},
	"never starts": {calm(func(c *Condition) { c.Tick = TickFigures{Over: JudgedOver} }), TickLate, Bad,
		"The world stands still: not one step in the last 10 s.", "tick.md#what-is-not-protected"},
	"no certificate": {calm(func(c *Condition) { c.NoCertificate = true }), Starting, Warn,
		"Starting. There is no certificate yet, without which no player gets through.", "operations.md#keys-and-secrets"},

	"full": {calm(func(c *Condition) { c.Players, c.RetryAfter, c.Line.Refused = 1000, 10*time.Second, true }), Full, Warn,
		"Full: all 1\u202f000 places in the world are taken; newcomers are told to come back in about 10 s.",
		"operations.md#when-the-world-is-full"},
	"a full queue": {calm(func(c *Condition) { c.Queue, c.Line = 200, newcomers(0, 5200*time.Millisecond) }), Busy, Warn,
		"Busy: the queue is full; newcomers are told to wait up to 6 s.", "scaling.md#n-nodes"},
	"a long queue": {calm(func(c *Condition) { c.Queue, c.Line = 60, newcomers(2*time.Second, 9*time.Second) }), Busy,
		Warn, "Busy: 60 wait in the queue; newcomers are told to wait 2 to 9 s.", "scaling.md#n-nodes"},
	"a line": {calm(func(c *Condition) { c.Line = waiting(1234, 40*time.Second, 75*time.Second) }), Busy, Warn,
		"Busy: 1\u202f234 players wait in the line; newcomers are told to wait 40 to 75 s.", "scaling.md#n-nodes"},
	"the end of a line": {calm(func(c *Condition) {
		c.Line = newcomers(0, 43*time.Second)
		c.Line.Called = 1
	}), Busy, Warn, "Busy: 1 player is called from the line and on the way; newcomers wait for them.",
		"scaling.md#n-nodes"},
	"an empty queue, and newcomers are refused": {calm(func(c *Condition) { c.Line = newcomers(0, 43*time.Second) }),
		Busy, Warn, "Busy: newcomers are held back for a moment.", "scaling.md#n-nodes"},
	"an empty queue after a rush": {calm(func(c *Condition) {
		c.RetryAfter, c.LastBusy = 43*time.Second, c.At.Add(-4*time.Second)
	}), Busy, Warn, "Busy: more knocked than could be let in. Now newcomers come in.", "scaling.md#n-nodes"},
	"long after a rush": {calm(func(c *Condition) { c.RetryAfter, c.LastBusy = 43*time.Second, c.At.Add(-5*time.Second) }),
		Open, Good, "Open. 300 players inside, nobody waiting.", ""},
	"before the opening": {calm(func(c *Condition) {
		c.Line = Line{Waiting: 2, Opens: c.At.Add(595 * time.Second), Refused: true}
	}), Opening, Known, "Not open yet: the line opens in 10 min. 2 players wait in it.",
		"operations.md#the-line-before-the-door"},
	"closed": {calm(func(c *Condition) {
		c.Doors, c.Line = Doors{Mode: rushgate.ModeClosed}, Line{Waiting: 2, Opens: c.At.Add(time.Hour), Refused: true}
	}), Opening, Known, "Closed: nobody comes in. 2 players wait in the line.", "operations.md#closing-the-doors"},
	"staff only, until a time": {calm(func(c *Condition) {
		c.Doors = Doors{rushgate.ModeStaff, c.At.Add(5 * time.Hour)}
		c.Line = Line{Opens: c.Doors.OpensAt, Refused: true}
	}), Opening, Known, "Open to staff only. Players are told that the doors open in 5 h.",
		"operations.md#closing-the-doors"},
	"staff only, for days": {calm(func(c *Condition) {
		c.Doors = Doors{rushgate.ModeStaff, c.At.Add(80 * time.Hour)}
		c.Line = Line{Opens: c.Doors.OpensAt, Refused: true}
	}), Opening, Known, "Open to staff only. Players are told that the doors open in 4 days.",
		"operations.md#closing-the-doors"},
	"staff only, for longer than was said": {calm(func(c *Condition) {
		c.Doors = Doors{rushgate.ModeStaff, c.At.Add(-time.Second)}
	}), Opening, Known, "Open to staff only. The time is over that players were told for the opening.",
		"operations.md#closing-the-doors"},
	"no CPU for the door": {calm(func(c *Condition) { c.AcceptQueue = &AcceptQueue{Length: 4000, Limit: 4096} }),
		DoorShort, Bad,
		"The door is short of CPU: 4\u202f000 connections wait in the kernel, which has room for 4\u202f096; " +
			"further clients hear nothing.", "metrics.md#doorman"},

	"as it was green": {calm(func(c *Condition) { c.Tick.P99, c.Tick.Skipped = 100, 2979 }), TickLate, Bad,
		"The tick skips steps: 2\u202f979 in the last 10 s, and is 100 ms late at p99.", "tick.md#what-is-not-protected"},
	"p99 of a step": {calm(func(c *Condition) { c.Tick.P99, c.Tick.Cores = 16.7, 0.9 }), TickLate, Bad,
		"The tick is late: 17 ms at p99 over the last 10 s, more than a whole step.", "metrics.md#profiles"},
	"p99 of 5 ms": {calm(func(c *Condition) { c.Tick.P99, c.CPU = 5, 1.9 }), TickLate, Warn,
		"The tick is late: 5.0 ms at p99 over the last 10 s.", "tick.md#what-is-not-protected"},
	"too few steps": {calm(func(c *Condition) { c.Tick.Made = 500 }), TickLate, Bad,
		"The tick does not keep up: 500 steps in the last 10 s, where 600 are due.", "tick.md#what-is-not-protected"},
	"hangs": {calm(func(c *Condition) { c.Tick.Made, c.Tick.P99 = 0, 0 }), TickLate, Bad,
		"The world stands still: not one step in the last 10 s.", "tick.md#what-is-not-protected"},
	"skipped a while ago": {calm(func(c *Condition) { c.Tick.LastSkip = c.At.Add(-24 * time.Second) }), TickLate, Warn,
		"The tick skipped steps 24 s ago. Since then it is on time.", "tick.md#what-is-not-protected"},
	"skipped long ago": {calm(func(c *Condition) { c.Tick.LastSkip = c.At.Add(-time.Minute) }), Open, Good,
		"Open. 300 players inside, nobody waiting.", ""},

	"store away": {calm(func(c *Condition) { c.Store = StoreFigures{Away: true, Unsaved: 12} }), StoreAway, Bad,
		"The store is away or takes no writes. Newcomers are told to come back, who is inside plays on.",
		"operations.md#when-the-store-is-away"},
	"store slow": {calm(func(c *Condition) { c.Store.MeanMS = 240 }), StoreSlow, Warn,
		"The store is slow: 240 ms a call over the last 10 s.", "metrics.md#store"},
	"store fails": {calm(func(c *Condition) { c.Store.Failed = 4 }), StoreSlow, Warn,
		"Calls of the store fail: 4 of 40 in the last 10 s.", "operations.md#when-the-store-is-away"},

	"draining": {calm(func(c *Condition) { c.Draining, c.Players = true, 3 }), Draining, Known,
		"Draining. 3 players still to be saved.", "operations.md#draining-and-rolling-restarts"},
	"drained": {calm(func(c *Condition) { c.Draining, c.Players = true, 0 }), Draining, Known,
		"Draining. Nobody is inside any more.", "operations.md#draining-and-rolling-restarts"},
	"draining without a store": {calm(func(c *Condition) { c.Draining, c.Store.Away, c.Store.Unsaved = true, true, 1 }),
		StoreAway, Bad, "The store is away while the node drains. 1 character waits to be written.",
		"operations.md#when-the-store-is-away"},

	"tick late in a rush": {calm(func(c *Condition) {
		c.Tick.P99, c.Line = 6, waiting(1234, 40*time.Second, 75*time.Second)
	}), TickLate, Warn, "The tick is late: 6.0 ms at p99 over the last 10 s.", "tick.md#what-is-not-protected"},
	"store away in a rush, tick late": {calm(func(c *Condition) {
		c.Store.Away, c.Tick.P99, c.Players = true, 100, 1000
	}), StoreAway, Bad, "The store is away or takes no writes. Newcomers are told to come back, who is inside plays on.",
		"operations.md#when-the-store-is-away"},
	"a late tick goes before a slow door and a slow store": {calm(func(c *Condition) {
		c.Tick.Skipped, c.Store.MeanMS, c.Players = 5, 900, 1000
	}), TickLate, Bad, "The tick skips steps: 5 in the last 10 s, and is 0.40 ms late at p99.",
		"tick.md#what-is-not-protected"},
}

// The headline is about the worst part, in every condition, and says what to do about it.
func TestHeadline(t *testing.T) {
	for name, want := range conditions {
		j := Judge(want.c)
		doc := ""
		if j.Todo != nil {
			doc = j.Todo.Doc
		}
		if j.State != want.state || j.Grade != want.grade || j.Headline != want.headline || doc != want.doc {
			t.Errorf("%s: %s, %s: %q (%s), want %s, %s: %q (%s)", name, j.State, j.Grade, j.Headline, doc, want.state,
				want.grade, want.headline, want.doc)
		}
	}
}

// No node is called well of which a part is not, and whatever is not well comes with something to do.
func TestNoPartIsWorseThanTheHeadline(t *testing.T) {
	for name, c := range conditions {
		j := Judge(c.c)
		if len(j.Parts) != 3 {
			t.Fatalf("%s: %d parts", name, len(j.Parts))
		}
		for _, v := range j.Parts {
			if severity[v.Grade] > severity[j.Grade] {
				t.Errorf("%s: %s is %s, and the node %s", name, v.Part, v.Grade, j.Grade)
			}
			if severity[v.Grade] >= severity[Warn] && v.Todo == nil {
				t.Errorf("%s: nothing to do about %q", name, v.Text)
			}
			if v.Text == "" || v.State == "" {
				t.Errorf("%s: nothing is said of %s", name, v.Part)
			}
		}
	}
}

// A time to wait is told to newcomers of a node at which something waits, and of no other.
func TestNoWaitBesideAnEmptyQueue(t *testing.T) {
	for name, c := range conditions {
		j := Judge(c.c)
		if c.c.Queue == 0 && c.c.Line.Waiting == 0 && c.c.Players < c.c.MaxPlayers &&
			regexp.MustCompile(`told to (wait|come back in)`).MatchString(j.Headline) {
			t.Errorf("%s: %q", name, j.Headline)
		}
	}
}

// Each explanation that the page leads to is there.
func TestExplanationsExist(t *testing.T) {
	todos := []*Todo{last(Stopped).Todo, last(HandedOver).Todo}
	for _, c := range conditions {
		j := Judge(c.c)
		todos = append(todos, j.Todo)
		for _, v := range j.Parts {
			todos = append(todos, v.Todo)
		}
	}
	docs := []string{}
	for _, todo := range todos {
		if todo != nil {
			docs = append(docs, todo.Doc)
		}
	}
	script, err := page.ReadFile("page/verdict.js")
	if err != nil {
		t.Fatal(err)
	}
	inPage := regexp.MustCompile(`"([a-z]+\.md#[a-z-]+)"`).FindAllSubmatch(script, -1)
	if len(inPage) == 0 {
		t.Error("the page has no explanation of its own, for when it has lost the node")
	}
	for _, m := range inPage {
		docs = append(docs, string(m[1]))
	}
	for _, doc := range docs {
		file, anchor, _ := strings.Cut(doc, "#")
		text, err := os.ReadFile(filepath.Join("..", "..", "docs", file))
		if err != nil {
			t.Error(err)
			continue
		}
		found := false
		for line := range strings.Lines(string(text)) {
			title := strings.TrimLeft(line, "#")
			if title != line && strings.ReplaceAll(strings.ToLower(strings.TrimSpace(title)), " ", "-") == anchor {
				found = true
			}
		}
		if !found {
			t.Errorf("there is no %s", doc)
		}
	}
}

// The page leads to the documentation of the release that runs, whether the binary is Rushgate's own or a game's.
func TestDocsOfTheVersionThatRuns(t *testing.T) {
	game := func(version string) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Path: "example.org/game", Version: "v7.0.0"},
			Deps: []*debug.Module{{Path: module, Version: version}}}
	}
	for want, infos := range map[string][]*debug.BuildInfo{
		"main":   {nil, {}, game("(devel)"), game("v0.1.1-0.20261128000000-902f42e00000"), game("v0.1.0+dirty")},
		"v0.1.0": {game("v0.1.0"), {Main: debug.Module{Path: module, Version: "v0.1.0"}}},
	} {
		for _, info := range infos {
			if got := docs(info); got != "https://github.com/rushgate/rushgate/blob/"+want+"/docs/" {
				t.Errorf("%v: %s", info, got)
			}
		}
	}
}

// The door's own part says that it is closed, and why, where the headline does.
func TestAClosedDoorSaysSo(t *testing.T) {
	for name, tt := range map[string]struct {
		c     *Condition
		state State
	}{
		"draining":       {calm(func(c *Condition) { c.Draining, c.Line.Refused, c.Queue = true, true, 5 }), Draining},
		"no certificate": {calm(func(c *Condition) { c.NoCertificate = true }), Starting},
	} {
		for _, part := range Judge(tt.c).Parts {
			if part.Part == PartDoor && part.State != tt.state {
				t.Errorf("%s: the door is %+v", name, part)
			}
		}
	}
}
