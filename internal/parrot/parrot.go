// Package parrot is a world for tests of what worlds and players say to each other.
package parrot

import (
	"slices"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/world"
)

// World is the reference world, which says to all what it hears from one. It is a [rushgate.Messenger].
type World struct {
	*world.World
	said []rushgate.Message
}

var _ rushgate.Messenger = (*World)(nil)

// New returns one of the definition built in.
func New() *World { return &World{World: world.New(world.Default(), 1)} }

// Hear implements [rushgate.Messenger].
func (w *World) Hear(m rushgate.Message) {
	w.said = append(w.said, rushgate.Message{Reliable: m.Reliable, Data: slices.Clone(m.Data)})
}

// Speak implements [rushgate.Messenger].
func (w *World) Speak(dst []rushgate.Message) []rushgate.Message {
	dst = append(dst, w.said...)
	w.said = w.said[:0]
	return dst
}
