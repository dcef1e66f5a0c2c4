package server

import (
	"path/filepath"
	"time"

	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/internal/realm"
)

// openDoor makes the node's door, for workers whose hashes take so long in a full batch. Its lines go on with the
// places that an earlier run of the node has left.
func (s *Server) openDoor(hashTime time.Duration) (err error) {
	cfg := s.cfg
	inLine, forWorld := line.Config{Grace: cfg.LineGrace, Opens: cfg.OpensAt}, line.Config{Grace: cfg.LineGrace}
	file, worldFile := filepath.Join(cfg.DataDir, lineStateName), filepath.Join(cfg.DataDir, worldStateName)
	state := s.successor.part(doorPart)
	if cfg.Backend != Memory && state == nil {
		inLine.State, forWorld.State = loadLineState(file, cfg.Logger), loadLineState(worldFile, cfg.Logger)
	}
	batch, pace := auth.Capacity(cfg.Workers, cfg.MaxAge, hashTime)
	s.door, err = door.New(door.Config{
		Queue: max(cfg.QueueDepth, 0), World: cfg.MaxPlayers, MaxAge: cfg.MaxAge, Batch: batch, Pace: pace,
		OriginFailures: cfg.OriginFailures, OriginRegistrations: cfg.OriginRegistrations, OriginShare: cfg.OriginShare,
		OriginGuests: cfg.OriginGuests,
		SeatHold:     cfg.SeatHold, Work: cfg.LineWork, Line: inLine, WorldLine: forWorld,
		Stood: s.clock.Stood, State: state, Rules: s.access.Rules,
	})
	if err == nil && cfg.Backend != Memory {
		s.places = []*lineState{
			newLineState(file, cfg.Logger, s.door.LineState), newLineState(worldFile, cfg.Logger, s.door.WorldState),
		}
	}
	return err
}

// departures is how the door counts what ends a session in the realm.
var departures = map[realm.Departure]door.Departure{
	realm.Left: door.Left, realm.Silent: door.Silent, realm.TakenOver: door.TakenOver,
	realm.MovedAway: door.Left, realm.Stopped: door.Left,
}

// crowded is when a client for which there is no connection is to come back.
func (s *Server) crowded() time.Duration { return s.door.Later(door.Crowded) }
