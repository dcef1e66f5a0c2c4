package client_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/server"
)

// A player registers and logs in, and the server never sees the password. Each proof takes 64 MiB and a moment, in
// which the game shows that something is going on.
func ExampleOptions_opaque() {
	ctx := context.Background()
	node, err := server.Start(ctx, server.Config{
		Backend: server.Memory, HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", UDPAddr: "127.0.0.1:0",
		Logger: slog.New(slog.DiscardHandler), Opaque: server.OpaquePrefer,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Stop()

	c, err := client.New("http://"+node.HTTPAddr().String(), client.Options{
		Opaque:  client.OpaqueOnly, // OpaquePrefer where some accounts, or servers, are still of the old kind
		OnProof: func(s client.ProofStage) { fmt.Println("proof:", s) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.CloseIdleConnections()
	session, err := c.Register(ctx, "Alice", "correct horse battery staple")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("saved:", session.Logout(ctx))
	session, err = c.Login(ctx, "alice", "correct horse battery staple")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("by OPAQUE:", session.ByOpaque())
	// Output:
	// proof: waiting
	// proof: computing
	// proof: done
	// saved: <nil>
	// proof: waiting
	// proof: computing
	// proof: done
	// by OPAQUE: true
}
