//go:build unix

package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/server"
)

// Checkpoint and Restore make the room a [rushgate.Checkpointer]: it can be moved with the players in it.
func (r *room) Checkpoint(dst []byte) ([]byte, error) {
	b, err := json.Marshal(r.inside)
	return append(dst, b...), err
}

func (r *room) Restore(state []byte) error { return json.Unmarshal(state, &r.inside) }

// A node is replaced by another one, with a player inside, here within one process. Between two processes it is the
// same: the program that runs stops its node once that has been handed over, and the new one starts its own with
// Handover.
func ExampleServer_HandedOver() {
	folder, err := os.MkdirTemp("", "rushgate")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	ctx := context.Background()
	cfg := server.Config{
		World:    new(room),
		DataDir:  folder,
		HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", UDPAddr: "127.0.0.1:0",
		Logger: slog.New(slog.DiscardHandler),
	}
	old, err := server.Start(ctx, cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	ended := make(chan error, 1)
	go func() {
		<-old.HandedOver()
		ended <- old.Stop() // saves nothing: the players are inside another node. server.Run does this by itself.
	}()

	c, err := client.New("http://"+old.HTTPAddr().String(), client.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.CloseIdleConnections()
	session, err := c.Register(ctx, "alice", "correct horse battery staple")
	if err != nil {
		fmt.Println(err)
		return
	}

	cfg.World, cfg.Handover, cfg.SnapshotRate = new(room), true, 30
	cfg.InCharge = func() { fmt.Println("the new node is in charge") } // here a service manager is told
	next, err := server.Start(ctx, cfg)
	if errors.Is(err, server.ErrNotHandedOver) {
		fmt.Println("the old node goes on:", err)
		return
	} else if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("the old node has ended:", <-ended)
	me, err := session.Me(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(me.Name, "is still in", me.Zone)
	fmt.Println("everyone is saved:", next.Stop())
	// Output:
	// the new node is in charge
	// the old node has ended: <nil>
	// alice is still in the room
	// everyone is saved: <nil>
}
