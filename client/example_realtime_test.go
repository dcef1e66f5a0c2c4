package client_test

import (
	"context"
	"log"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
)

// input, draw and running stand for a game's own.
var (
	input   = func() rushgate.Intent { return rushgate.Intent{} }
	draw    = func(self rushgate.Entity, others []rushgate.Entity) {}
	running = func() bool { return false }
)

// A game that draws frames at its own pace, in the past by one interval between views, so that everything moves
// smoothly although views come 20 times a second.
func Example_realtime() {
	ctx := context.Background()
	c, err := client.New("https://play.example.org", client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	session, err := c.Login(ctx, "alice", "correct horse battery staple")
	if err != nil {
		log.Fatal(err)
	}
	rt, err := session.Connect(ctx, client.RealtimeOptions{})
	if err != nil {
		log.Fatal(err)
	}
	var older, newest *client.View
	var frame []rushgate.Entity
	for running() {
		rt.SendIntent(input())
		if v := rt.Latest(); v != newest {
			older, newest = newest, v
		}
		if older == nil {
			continue // it takes two
		}
		at := older.ServerTime + time.Since(newest.ReceivedAt)
		var self rushgate.Entity
		self, frame = client.Interpolate(frame[:0], older, newest, at)
		draw(self, frame)
	}
	rt.Close()
	if err := session.Logout(ctx); err != nil {
		log.Print(err)
	}
}
