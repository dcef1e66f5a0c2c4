package server_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/server"
)

// room is a game in which players only are. See docs/embedding.md for one with rules.
type room struct{ inside []rushgate.Character }

// find returns the index of a player, or -1.
func (r *room) find(id rushgate.PlayerID) int {
	return slices.IndexFunc(r.inside, func(c rushgate.Character) bool { return c.ID == id })
}

func (r *room) Enter(c rushgate.Character) error {
	if c.Zone == "" { // a new player
		c.Zone, c.Numbers["hp"] = "the room", 1
	}
	r.inside = append(r.inside, c)
	return nil
}

func (r *room) Leave(id rushgate.PlayerID) {
	if i := r.find(id); i >= 0 {
		r.inside = slices.Delete(r.inside, i, i+1)
	}
}

func (r *room) Apply(rushgate.PlayerID, rushgate.Intent) {}

func (r *room) Step(uint64) []rushgate.Event { return nil }

func (r *room) Character(id rushgate.PlayerID) (rushgate.Character, bool) {
	if i := r.find(id); i >= 0 {
		return r.inside[i], true
	}
	return rushgate.Character{}, false
}

func (r *room) View(dst []rushgate.Entity) []rushgate.Entity {
	for _, c := range r.inside {
		dst = append(dst, rushgate.Entity{ID: uint64(c.ID), Name: c.Name, HP: 1, MaxHP: 1})
	}
	return dst
}

// A node with a game of its own, on ports of the system's choice, and a player who comes and goes. A node that keeps
// its players leaves out Backend and the addresses: then they are in [server.Config].DataDir, and the ports are fixed.
func Example() {
	ctx := context.Background()
	node, err := server.Start(ctx, server.Config{
		World:    new(room),
		Backend:  server.Memory,
		HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", UDPAddr: "127.0.0.1:0",
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := comeAndGo(ctx, "http://"+node.HTTPAddr().String()); err != nil {
		fmt.Println(err)
	}
	fmt.Println("everyone is saved:", node.Stop())
	// Output:
	// alice is in the room
	// everyone is saved: <nil>
}

// comeAndGo is what a player's machine does.
func comeAndGo(ctx context.Context, url string) error {
	c, err := client.New(url, client.Options{})
	if err != nil {
		return err
	}
	defer c.CloseIdleConnections()
	session, err := c.Register(ctx, "alice", "correct horse battery staple")
	if err != nil {
		return err
	}
	me, err := session.Me(ctx)
	if err != nil {
		return err
	}
	fmt.Println(me.Name, "is in", me.Zone)
	return session.Logout(ctx)
}

// A game that sees who is inside and puts one out, as a moderator's command would.
func ExampleServer_Players() {
	ctx := context.Background()
	node, err := server.Start(ctx, server.Config{
		World:    new(room),
		Backend:  server.Memory,
		HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", UDPAddr: "127.0.0.1:0",
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = node.Stop() }()
	c, err := client.New("http://"+node.HTTPAddr().String(), client.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.CloseIdleConnections()
	if _, err := c.Register(ctx, "mallory", "correct horse battery staple"); err != nil {
		fmt.Println(err)
	}

	players, err := node.Players(ctx)
	if err != nil {
		fmt.Println(err)
	}
	for _, p := range players {
		fmt.Println(p.Name, "is in", p.Zone)
	}
	fmt.Println("put out:", node.End(ctx, "Mallory"))
	fmt.Println("once more:", errors.Is(node.End(ctx, "Mallory"), server.ErrNotInside))
	// Output:
	// mallory is in the room
	// put out: <nil>
	// once more: true
}
