package main

import (
	"bytes"
	"io"
	"strings"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
)

const (
	// delay is how far in the past the field is drawn: two intervals between views, and one for what the network adds.
	delay = 3 * time.Second / 20
	// keptViews are enough to find the delay's beginning among them.
	keptViews = 8

	home = "\x1b[H\x1b[J" // go to the top left, and clear what is below

	columns, rows = 48, 24 // of the picture; a character is about twice as high as wide
)

// screen draws what one player sees, more often than views come.
type screen struct {
	out    io.Writer
	views  []*client.View    // the last few, oldest first
	others []rushgate.Entity // reused
	said   string            // what was said last
}

// add takes a new view.
func (s *screen) add(v *client.View) {
	if len(s.views) == keptViews {
		s.views = append(s.views[:0], s.views[1:]...)
	}
	s.views = append(s.views, v)
}

// frame returns where everything was a little before now, between the two views that were taken before and after.
func (s *screen) frame(now time.Time) (self rushgate.Entity, others []rushgate.Entity) {
	newest := s.views[len(s.views)-1]
	at := newest.ServerTime + now.Sub(newest.ReceivedAt) - delay
	after := len(s.views) - 1
	for after > 0 && s.views[after-1].ServerTime >= at {
		after--
	}
	before := max(after-1, 0)
	self, s.others = client.Interpolate(s.others[:0], s.views[before], s.views[after], at)
	return self, s.others
}

// draw prints a frame over the one before: the player as @, the others by their first letter, the one who is it as *.
func (s *screen) draw(now time.Time) {
	if len(s.views) == 0 {
		return
	}
	self, others := s.frame(now)
	var picture [rows][columns]byte
	for i := range picture {
		copy(picture[i][:], strings.Repeat(".", columns))
	}
	put := func(e *rushgate.Entity, letter byte) {
		if e.Flags&flagIt != 0 {
			letter = '*'
		}
		column := min(int(e.X/fieldSize*columns), columns-1)
		row := min(int(e.Y/fieldSize*rows), rows-1)
		picture[row][column] = letter
	}
	for i := range others {
		put(&others[i], others[i].Name[0])
	}
	put(&self, '@')
	b := bytes.NewBufferString(home)
	for i := range picture {
		b.Write(picture[i][:])
		b.WriteByte('\n')
	}
	b.WriteString(s.said)
	b.WriteByte('\n')
	_, _ = b.WriteTo(s.out) // a frame that cannot be shown is not worth ending the game for
}
