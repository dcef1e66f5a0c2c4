package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/rushgate/rushgate"
)

// checkpointVersion is raised whenever a field means something else than before.
const checkpointVersion = 2

// checkpoint is a field on its way into another process: all of [field], in terms that stay true there.
type checkpoint struct {
	Version int           `json:"v"`
	Runners []savedRunner `json:"runners"` // in the order in which they came
	It      int           `json:"it"`      // which of them; of no meaning without any
	Count   int           `json:"count"`
	Said    []string      `json:"said,omitempty"` // a version that does not know it goes on without
}

type savedRunner struct {
	Character rushgate.Character `json:"character"`
	MoveX     float64            `json:"move_x"`
	MoveY     float64            `json:"move_y"`
	Data      runData            `json:"data"`
	Run       int64              `json:"run"`
}

// Checkpoint writes the field down. With [field.Restore] it makes a [rushgate.Checkpointer].
func (f *field) Checkpoint(dst []byte) ([]byte, error) {
	c := checkpoint{Version: checkpointVersion, Count: f.count, Said: f.said}
	for i, r := range f.order {
		c.Runners = append(c.Runners, savedRunner{r.Character, r.moveX, r.moveY, r.data, r.run})
		if r == f.it {
			c.It = i
		}
	}
	b, err := json.Marshal(c)
	return append(dst, b...), err
}

// Restore fills a new field. It takes nothing for granted: the bytes may be those of another version of the game.
func (f *field) Restore(state []byte) error {
	var c checkpoint
	if err := json.Unmarshal(state, &c); err != nil {
		return fmt.Errorf("tag: checkpoint: %w", err)
	}
	if c.Version != checkpointVersion {
		return fmt.Errorf("tag: checkpoint of version %d, want %d", c.Version, checkpointVersion)
	}
	f.said = c.Said
	for _, s := range c.Runners {
		if err := f.restoreRunner(s); err != nil {
			return err
		}
	}
	if f.count = c.Count; f.count < 0 || f.count > countdown {
		return errors.New("tag: checkpoint of a field on which it counts for too long")
	}
	if len(f.order) == 0 {
		return nil
	}
	if c.It < 0 || c.It >= len(f.order) {
		return errors.New("tag: checkpoint of a field on which none of the players is it")
	}
	f.it = f.order[c.It]
	return nil
}

func (f *field) restoreRunner(s savedRunner) error {
	c := s.Character
	onField := c.X >= 0 && c.X <= fieldSize && c.Y >= 0 && c.Y <= fieldSize // false for NaN
	if f.runners[c.ID] != nil || c.Zone != zone || !onField || !(math.Hypot(s.MoveX, s.MoveY) <= 1.001) ||
		s.Data.Version != dataVersion {
		return fmt.Errorf("tag: checkpoint with a player %d who is there twice, or cannot be", c.ID)
	}
	r := &runner{Character: c, moveX: s.MoveX, moveY: s.MoveY, data: s.Data, run: s.Run}
	f.runners[c.ID] = r
	f.order = append(f.order, r)
	return nil
}
