package client_test

import (
	"context"
	"log"

	"github.com/rushgate/rushgate/client"
)

// A game that chats: what players say goes to the world, which decides who hears it.
func ExampleRealtime_Messages() {
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
	if err := rt.Send([]byte("hello"), true); err != nil {
		log.Print(err) // too long, or too much waits
	}
	for m := range rt.Messages() { // until it is over
		if m.Lost {
			log.Print("some of what was said here is lost")
			continue
		}
		log.Printf("%s", m.Data)
	}
	log.Print(rt.Err())
}
