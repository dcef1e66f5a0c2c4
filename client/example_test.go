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
	fmt.Println(me.Name, "is of level", me.Numbers["level"], err)
	fmt.Println("saved:", session.Logout(ctx))

	_, err = c.Login(ctx, "alice", "a guess")
	fmt.Println(errors.Is(err, rushgate.BadCredentials))
	// Output:
	// alice is of level 1 <nil>
	// saved: <nil>
	// true
}

// A player types the password once: what the game keeps of the first login lets the second run of it in.
func ExampleClient_Resume() {
	ctx := context.Background()
	node, err := startNode(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Stop()
	saved := "" // a file that other programs cannot read

	for run := 1; run <= 3; run++ {
		kept, _ := client.ParseResume(saved) // none, if it is damaged
		c, err := client.New("http://"+node.HTTPAddr().String(), client.Options{
			Remember: "Alice's laptop",
			Resume:   kept,
			OnResume: func(r client.Resume) { saved = r.Text() },
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		session, err := c.Resume(ctx)
		if errors.Is(err, client.ErrNoResume) || errors.Is(err, rushgate.BadCredentials) {
			fmt.Println("the password, please")
			session, err = c.Register(ctx, "Alice", "correct horse battery staple")
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("run", run, "plays")
		if run < 3 {
			_ = session.Leave(ctx) // the game ends, and is remembered
		} else {
			_ = session.Logout(ctx)
		}
		c.CloseIdleConnections()
	}
	fmt.Printf("kept: %q\n", saved)
	// Output:
	// the password, please
	// run 1 plays
	// run 2 plays
	// run 3 plays
	// kept: ""
}

// startNode starts a node that forgets its players at the end.
func startNode(ctx context.Context) (*server.Server, error) {
	return server.Start(ctx, server.Config{
		Backend: server.Memory, HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", UDPAddr: "127.0.0.1:0",
		Logger: slog.New(slog.DiscardHandler),
	})
}
