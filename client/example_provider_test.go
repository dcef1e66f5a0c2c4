package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/server"
)

// A player begins as a guest, and makes that an account with a name. Later the game's launcher knows who the player is,
// and the account is linked to that: from then on the player comes in from any machine by the launcher.
//
// A provider that browsers visit has two calls in place of VouchShown, [client.Client.BeginVisit] and
// [client.Client.FinishVisit], between which the game opens the browser.
func ExampleClient_LoginWithIdentity() {
	ctx := context.Background()
	node, err := server.Start(ctx, server.Config{
		Backend: server.Memory, HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", UDPAddr: "127.0.0.1:0",
		Logger: slog.New(slog.DiscardHandler), GuestKeep: 30 * 24 * time.Hour,
		Provers: map[string]server.Prover{"launcher": func(_ context.Context, shown []byte) (server.ProvenIdentity, error) {
			if string(shown) != "what the launcher has said" {
				return server.ProvenIdentity{}, rushgate.BadCredentials
			}
			return server.ProvenIdentity{Subject: "4711"}, nil
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Stop()
	c, err := client.New("http://"+node.HTTPAddr().String(), client.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.CloseIdleConnections()

	device := client.NewGuest() // which the game keeps
	session, err := c.Guest(ctx, device)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("named:", session.Upgrade(ctx, "Alice", "correct horse battery staple", client.ByGuest(device)))

	ways, err := c.Providers(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ways[0].Name, "takes what is", ways[0].Takes)
	proof, err := c.VouchShown(ctx, "launcher", "what the launcher has said")
	if err != nil {
		fmt.Println(err)
		return
	}
	linked, err := session.LinkIdentity(ctx, proof, client.ByPassword("correct horse battery staple"))
	fmt.Println(len(linked), "ways in besides the password:", err)
	fmt.Println("saved:", session.Logout(ctx))

	session, err = c.LoginWithIdentity(ctx, proof)
	if errors.Is(err, client.ErrBeginAgain) {
		fmt.Println("the launcher has to say it again")
		return
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	me, err := session.Me(ctx)
	fmt.Println(me.Name, err)
	// Output:
	// named: <nil>
	// launcher takes what is shown
	// 2 ways in besides the password: <nil>
	// saved: <nil>
	// alice <nil>
}
