package server

import (
	"time"

	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/internal/realm"
)

// newDoor returns the node's door, for workers whose hashes take so long in a full batch.
func (s *Server) newDoor(hashTime time.Duration) (*door.Door, error) {
	cfg := s.cfg
	batch, pace := auth.Capacity(cfg.Workers, cfg.MaxAge, hashTime)
	return door.New(door.Config{
		Queue: max(cfg.QueueDepth, 0), World: cfg.MaxPlayers, MaxAge: cfg.MaxAge, Batch: batch, Pace: pace,
		OriginFailures: cfg.OriginFailures, OriginRegistrations: cfg.OriginRegistrations, OriginShare: cfg.OriginShare,
		SeatHold: cfg.SeatHold, Line: line.Config{Grace: cfg.LineGrace, Opens: cfg.OpensAt},
		Stood: s.clock.Stood,
	})
}

// departures is how the door counts what ends a session in the realm.
var departures = map[realm.Departure]door.Departure{
	realm.Left: door.Left, realm.Silent: door.Silent, realm.TakenOver: door.TakenOver,
}

// crowded is when a client for which there is no connection is to come back.
func (s *Server) crowded() time.Duration { return s.door.Later(door.Crowded) }
