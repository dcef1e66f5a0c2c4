package realm

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/rushgate/rushgate"
)

// errWorldPanicked stands for a panic of the world, whose details are in the log.
var errWorldPanicked = errors.New("realm: the world panicked")

// panicLogInterval keeps a world that panics in every step from filling the log.
const panicLogInterval = time.Second

// guardedWorld calls a [rushgate.World] such that a panic in it ends the call and not the tick.
type guardedWorld struct {
	world     rushgate.World
	messenger rushgate.Messenger // the same, if it talks; or nil
	stats     *stats
	log       *tickLog

	lastLog, lastComplaint time.Time // lastLog: of a panic
}

// caught is deferred around every call of the world.
func (g *guardedWorld) caught(method string, err *error) {
	v := recover()
	if v == nil {
		return
	}
	g.stats.panics.Add(1)
	if err != nil {
		*err = errWorldPanicked
	}
	if now := time.Now(); now.Sub(g.lastLog) >= panicLogInterval {
		g.lastLog = now
		g.log.log(slog.LevelError, "world panicked", "method", method, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
	}
}

// complain logs what is wrong with what the world has returned, once in a while.
func (g *guardedWorld) complain(what string, args ...any) {
	if now := time.Now(); now.Sub(g.lastComplaint) >= panicLogInterval {
		g.lastComplaint = now
		g.log.log(slog.LevelError, what, args...)
	}
}

func (g *guardedWorld) enter(c rushgate.Character) (err error) {
	defer g.caught("Enter", &err)
	c.Numbers = c.Numbers.Clone()
	return g.world.Enter(c)
}

func (g *guardedWorld) leave(id rushgate.PlayerID) {
	defer g.caught("Leave", nil)
	g.world.Leave(id)
}

func (g *guardedWorld) apply(id rushgate.PlayerID, in rushgate.Intent) {
	defer g.caught("Apply", nil)
	g.world.Apply(id, in)
}

func (g *guardedWorld) step(tick uint64) []rushgate.Event {
	defer g.caught("Step", nil)
	return g.world.Step(tick)
}

func (g *guardedWorld) view(dst []rushgate.Entity) (entities []rushgate.Entity) {
	entities = dst // what stays when the world panics
	defer g.caught("View", nil)
	return g.world.View(dst)
}

func (g *guardedWorld) character(id rushgate.PlayerID) (rushgate.Character, bool) {
	defer g.caught("Character", nil)
	c, ok := g.world.Character(id)
	c.Numbers = c.Numbers.Clone()
	return c, ok
}

func (g *guardedWorld) hear(m rushgate.Message) {
	defer g.caught("Hear", nil)
	g.messenger.Hear(m)
}

func (g *guardedWorld) speak(dst []rushgate.Message) (messages []rushgate.Message) {
	messages = dst // what stays when the world panics
	defer g.caught("Speak", nil)
	return g.messenger.Speak(dst)
}
