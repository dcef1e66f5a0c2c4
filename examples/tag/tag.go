package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/rushgate/rushgate"
)

// The rules, in units and in steps of the world, of which there are [rushgate.TickRate] a second.
const (
	zone           = "field"           // where every character is
	fieldSize      = 24.0              // from wall to wall
	startRadius    = fieldSize / 4     // of the circle on which newcomers stand
	runSpeed       = 6.0               // units per second
	itSpeed        = 9.0               // of the one who is it
	reach          = 1.0               // of a hand
	countdown      = rushgate.TickRate // how long a new it stands still, counting
	catchLevel     = 2                 // catches that make a level
	kindRunner     = 1                 // Entity.Kind
	flagIt         = 1                 // bit of Entity.Flags
	dataVersion    = 1                 // of runData
	secondsPerStep = 1.0 / rushgate.TickRate
)

// runner is a player on the field. XP counts the catches, Deaths how often the player was caught.
type runner struct {
	rushgate.Character
	moveX, moveY float64 // the direction that the player asked for, at most 1 long
	data         runData
	run          int64 // steps since the player was last it
}

// runData is this game's own part of a character, kept in [rushgate.Character].Data.
type runData struct {
	Version int   `json:"v"`
	Longest int64 `json:"longest"` // the most steps without being it
}

// parseRunData reads what [field.Character] wrote. An error keeps the player out, because the next save would replace
// what this version of the game cannot read.
func parseRunData(b []byte) (runData, error) {
	if len(b) == 0 {
		return runData{Version: dataVersion}, nil // a new character
	}
	var d runData
	if err := json.Unmarshal(b, &d); err != nil {
		return runData{}, fmt.Errorf("tag: data: %w", err)
	}
	if d.Version != dataVersion {
		return runData{}, fmt.Errorf("tag: data of version %d, want %d", d.Version, dataVersion)
	}
	return d, nil
}

// numberCatches is the number by which players are ranked. How often a player was caught are the deaths, since the node
// tells of those only when they are saved.
const numberCatches = "catches"

// field is the game: everyone runs from the one who is it, and the one who is caught is it next. It implements
// [rushgate.World].
type field struct {
	runners map[rushgate.PlayerID]*runner
	order   []*runner        // in which they came; a map has no order
	it      *runner          // nil: the field is empty
	count   int              // steps that it still stands still
	events  []rushgate.Event // of the step, reused by the next
	said    []string         // by players, and not passed on yet
}

func newField() *field {
	return &field{runners: make(map[rushgate.PlayerID]*runner), events: make([]rushgate.Event, 0, 2)}
}

// Enter lets a player onto the field: a new one on the circle, another where they left.
func (f *field) Enter(c rushgate.Character) error {
	if f.runners[c.ID] != nil {
		return errors.New("tag: the player is on the field already")
	}
	data, err := parseRunData(c.Data)
	if err != nil {
		return err
	}
	r := &runner{Character: c, data: data}
	r.Data = nil // a world keeps nothing of what it is given but the numbers; Character makes it anew
	if c.Zone != zone {
		sin, cos := math.Sincos(float64(c.ID))
		r.Zone, r.X, r.Y = zone, fieldSize/2+startRadius*cos, fieldSize/2+startRadius*sin
		r.Numbers[rushgate.NumberLevel] = 1
	}
	f.runners[c.ID] = r
	f.order = append(f.order, r)
	if f.it == nil {
		f.makeIt(r)
	}
	return nil
}

// Leave takes a player off the field. If it was it, the one who has been there longest takes over.
func (f *field) Leave(id rushgate.PlayerID) {
	r := f.runners[id]
	if r == nil {
		return
	}
	delete(f.runners, id)
	i := slices.Index(f.order, r)
	f.order = slices.Delete(f.order, i, i+1)
	if f.it != r {
		return
	}
	f.it = nil
	if len(f.order) > 0 {
		f.makeIt(f.order[0])
	}
}

// Apply keeps the direction that a player wants to run in, until the next one. It comes from the network and may be
// anything; what has no length is taken for standing still.
func (f *field) Apply(id rushgate.PlayerID, in rushgate.Intent) {
	r := f.runners[id]
	if r == nil {
		return
	}
	x, y := float64(in.MoveX), float64(in.MoveY)
	length := math.Hypot(x, y)
	if math.IsNaN(length) || math.IsInf(length, 0) {
		x, y, length = 0, 0, 0
	}
	r.moveX, r.moveY = x/max(length, 1), y/max(length, 1)
}

// Step moves everyone and lets the one who is it catch another in reach.
func (f *field) Step(uint64) []rushgate.Event {
	f.events = f.events[:0]
	for _, r := range f.order {
		f.move(r)
	}
	if f.count > 0 {
		f.count--
		return f.events
	}
	for _, r := range f.order {
		if r != f.it && math.Hypot(r.X-f.it.X, r.Y-f.it.Y) <= reach {
			f.catch(r)
			break
		}
	}
	return f.events
}

func (f *field) move(r *runner) {
	speed := runSpeed
	switch {
	case r != f.it:
		r.run++
		r.data.Longest = max(r.data.Longest, r.run)
	case f.count > 0:
		return
	default:
		speed = itSpeed
	}
	r.X = min(max(r.X+r.moveX*speed*secondsPerStep, 0), fieldSize)
	r.Y = min(max(r.Y+r.moveY*speed*secondsPerStep, 0), fieldSize)
}

// catch makes a player it, and tells of what must be saved before anybody hears of it.
func (f *field) catch(r *runner) {
	r.Numbers[rushgate.NumberDeaths]++
	f.events = append(f.events, rushgate.Event{Player: r.ID, Kind: rushgate.EventDeath})
	f.it.Numbers[numberCatches]++
	if f.it.Numbers[numberCatches]%catchLevel == 0 {
		f.it.Numbers[rushgate.NumberLevel]++
		f.events = append(f.events, rushgate.Event{Player: f.it.ID, Kind: rushgate.EventLevelUp})
	}
	f.makeIt(r)
}

func (f *field) makeIt(r *runner) {
	f.it, f.count, r.run = r, countdown, 0
}

// Character returns what is to be saved of a player.
func (f *field) Character(id rushgate.PlayerID) (rushgate.Character, bool) {
	r := f.runners[id]
	if r == nil {
		return rushgate.Character{}, false
	}
	c := r.Character
	var err error
	if c.Data, err = json.Marshal(r.data); err != nil {
		return rushgate.Character{}, false // cannot be: there are only numbers in it
	}
	return c, true
}

// View shows everyone to everyone, in the order in which they came.
func (f *field) View(dst []rushgate.Entity) []rushgate.Entity {
	for _, r := range f.order {
		e := rushgate.Entity{
			ID: uint64(r.ID), Name: r.Name, Kind: kindRunner, X: r.X, Y: r.Y,
			HP: 1, MaxHP: 1, XP: r.Numbers[numberCatches],
			Level:  uint16(min(r.Numbers[rushgate.NumberLevel], math.MaxUint16)),
			Deaths: int32(min(r.Numbers[rushgate.NumberDeaths], math.MaxInt32)),
		}
		if r == f.it {
			e.Flags = flagIt
		}
		dst = append(dst, e)
	}
	return dst
}
