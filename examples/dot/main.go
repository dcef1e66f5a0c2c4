// Dot is the smallest game: players are dots that walk. Run it, and open http://127.0.0.1:8080/play/.
package main

import (
	"context"
	"log"
	"os/signal"
	"syscall"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/server"
)

type dot struct {
	rushgate.Character
	intent rushgate.Intent
}

// dots is the world. A map gives every view another order, which costs bytes; examples/tag has one that does not.
type dots map[rushgate.PlayerID]*dot

func (d dots) Enter(c rushgate.Character) error {
	c.Zone = "plane"
	d[c.ID] = &dot{Character: c}
	return nil
}

func (d dots) Leave(id rushgate.PlayerID) { delete(d, id) }

func (d dots) Apply(id rushgate.PlayerID, in rushgate.Intent) {
	if p := d[id]; p != nil {
		p.intent = in
	}
}

func (d dots) Step(uint64) []rushgate.Event {
	for _, p := range d {
		p.X += step(p.intent.MoveX)
		p.Y += step(p.intent.MoveY)
	}
	return nil
}

// step is how far a dot goes in a sixtieth of a second. A client may send anything, so only the direction counts.
func step(move float32) float64 {
	switch {
	case move > 0.3:
		return 0.2
	case move < -0.3:
		return -0.2
	}
	return 0
}

func (d dots) Character(id rushgate.PlayerID) (rushgate.Character, bool) {
	p := d[id]
	if p == nil {
		return rushgate.Character{}, false
	}
	return p.Character, true
}

func (d dots) View(dst []rushgate.Entity) []rushgate.Entity {
	for _, p := range d {
		dst = append(dst, rushgate.Entity{ID: uint64(p.ID), Name: p.Name, Kind: 1, X: p.X, Y: p.Y, HP: 1, MaxHP: 1})
	}
	return dst
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	cfg := server.Config{World: dots{}, PageTitle: "Dots", DataDir: "dots-data"}
	err := server.Run(ctx, cfg, func(s *server.Server) { log.Printf("open http://%v/play/", s.HTTPAddr()) })
	if err != nil {
		log.Fatal(err)
	}
}
