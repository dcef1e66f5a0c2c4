package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/server"
)

// A player registers, looks at the own state and leaves. Here the node runs in the same process; a game has the address
// of one elsewhere, such as https://play.example.org.
func Example() {
	ctx := context.Background()
	node, err := startNode(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Stop()

	c, err := client.New("http://"+node.HTTPAddr().String(), client.Options{
		OnWait: func(w client.Wait) { fmt.Println(w) }, // the server is busy: this is what to show meanwhile
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.CloseIdleConnections()
	session, err := c.Register(ctx, "Alice", "correct horse battery staple")
	switch {
	case errors.Is(err, rushgate.UsernameTaken):
		fmt.Println("that name is taken")
		return
	case err != nil:
		fmt.Println(err)
		return
	}
	me, err := session.Me(ctx)
	fmt.Println(me.Name, "is of level", me.Level, err)
	fmt.Println("saved:", session.Logout(ctx))

	_, err = c.Login(ctx, "alice", "a guess")
	fmt.Println(errors.Is(err, rushgate.BadCredentials))
	// Output:
	// alice is of level 1 <nil>
	// saved: <nil>
	// true
}

// startNode starts a node that forgets its players at the end.
func startNode(ctx context.Context) (*server.Server, error) {
	return server.Start(ctx, server.Config{
		Backend: server.Memory, HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", UDPAddr: "127.0.0.1:0",
		Logger: slog.New(slog.DiscardHandler),
	})
}
