package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
)

// bot is a player that this program plays.
type bot struct {
	name, password string
	out            io.Writer // told what happens to the bot
	screen         *screen   // nil: the field is not drawn
	listens        bool      // and shows what is said
	seen           *client.View
}

// newBots returns bots that tell what happens, all at once, so out must bear writes from several goroutines. With draw
// the first bot shows the field instead.
func newBots(n int, out io.Writer, draw bool) []*bot {
	bots := make([]*bot, n)
	for i := range bots {
		bots[i] = &bot{name: names[i], password: rand.Text(), out: out}
		if draw {
			bots[i].out = io.Discard
		}
	}
	bots[0].listens = true // all of them hear the same
	if draw {
		bots[0].screen = &screen{out: out}
	}
	return bots
}

// play registers the bot and plays until ctx ends. It returns when the bot has left and is saved.
func (b *bot) play(ctx context.Context, c *client.Client) (err error) {
	session, err := c.Register(ctx, b.name, b.password)
	if err != nil {
		return fmt.Errorf("%s: %w", b.name, err)
	}
	defer func() { err = errors.Join(err, session.Logout(context.WithoutCancel(ctx))) }()
	realtime, err := session.Connect(ctx, client.RealtimeOptions{})
	if err != nil {
		return fmt.Errorf("%s: %w", b.name, err)
	}
	defer realtime.Close()
	return b.loop(ctx, realtime)
}

// loop is the bot's whole life on one goroutine: views come in, intents go out, and frames are drawn in between.
func (b *bot) loop(ctx context.Context, realtime *client.Realtime) error {
	var frames <-chan time.Time // never ready if the field is not drawn
	if b.screen != nil {
		frames = time.Tick(time.Second / 30)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-frames:
			b.screen.draw(now)
		case m, ok := <-realtime.Messages():
			if ok {
				b.hear(m)
			}
		case v, ok := <-realtime.Views():
			if !ok {
				return realtime.Err()
			}
			realtime.SendIntent(steer(v))
			if b.seen != nil && v.Self.Deaths > b.seen.Self.Deaths { // it was caught
				_ = realtime.Send([]byte("not again!"), true) // it fails only after the end
			}
			b.tell(v)
			if b.screen != nil {
				b.screen.add(v)
			}
		}
	}
}

// hear shows what the world says, if the bot is the one that does.
func (b *bot) hear(m client.Message) {
	switch {
	case m.Lost || !b.listens:
	case b.screen != nil:
		b.screen.said = string(m.Data)
	case b.seen != nil:
		fmt.Fprintf(b.out, "%6.2f s  %s\n", b.seen.ServerTime.Seconds(), m.Data)
	}
}

// steer runs after the nearest player if the bot is it, and otherwise away from the one who is, bending towards the
// middle so as not to end in a corner.
func steer(v *client.View) rushgate.Intent {
	self := v.Self
	for _, e := range v.Entities { // the nearest first
		x, y := e.X-self.X, e.Y-self.Y
		switch {
		case self.Flags&flagIt != 0:
			return direction(x, y)
		case e.Flags&flagIt != 0:
			distance := max(math.Hypot(x, y), reach)
			return direction((fieldSize/2-self.X)/(fieldSize/2)-x/distance, (fieldSize/2-self.Y)/(fieldSize/2)-y/distance)
		}
	}
	return rushgate.Intent{} // alone
}

// direction returns the intent to run that way, at most 1 long: of anything longer the network would cut both parts to
// 1, and so bend it.
func direction(x, y float64) rushgate.Intent {
	length := max(math.Hypot(x, y), 1)
	return rushgate.Intent{MoveX: float32(x / length), MoveY: float32(y / length)}
}

// tell prints what has changed for the bot since the last view.
func (b *bot) tell(v *client.View) {
	last := b.seen
	b.seen = v
	if last == nil {
		fmt.Fprintf(b.out, "%6.2f s  %s is on the field\n", v.ServerTime.Seconds(), b.name)
		return
	}
	if v.Self.XP > last.Self.XP {
		fmt.Fprintf(b.out, "%6.2f s  %s catches %s: %d\n", v.ServerTime.Seconds(), b.name, whoIsIt(v), v.Self.XP)
	}
	if v.Self.Level > last.Self.Level {
		fmt.Fprintf(b.out, "%6.2f s  %s is now level %d\n", v.ServerTime.Seconds(), b.name, v.Self.Level)
	}
}

func whoIsIt(v *client.View) string {
	for _, e := range v.Entities {
		if e.Flags&flagIt != 0 {
			return e.Name
		}
	}
	return "somebody"
}
