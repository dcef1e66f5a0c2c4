package client_test

import (
	"fmt"
	"time"

	"github.com/rushgate/rushgate/client"
)

// What a game shows of the line: a sentence, and a bar that moves between two of them too.
func ExampleLine() {
	now := time.Now()
	line := client.Line{ // as in a Wait that Options.OnWait is called with
		Place: 1234, Low: 3 * time.Minute, High: 5 * time.Minute, At: now, Since: now.Add(-time.Minute),
	}
	fmt.Println(line)
	for _, later := range []time.Duration{0, time.Minute, 2 * time.Minute} {
		fmt.Printf("%.0f %%\n", 100*line.Progress(now.Add(later)))
	}
	// Output:
	// You are number 1,234 in line: about 3 to 5 minutes.
	// 20 %
	// 40 %
	// 60 %
}

// A game that is started again shows the ticket that it has kept, and has its place.
func ExampleParseTicket() {
	saved := "rgt1.the-secret-of-one-wait.the-ticket-of-the-server." // Line.Ticket.Text(), from a file, say
	ticket, err := client.ParseTicket(saved)
	if err != nil {
		fmt.Println(err) // there is no place then
	}
	c, err := client.New("https://play.example.org", client.Options{Ticket: ticket})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.CloseIdleConnections() // after c.Login
	fmt.Println(ticket, len(ticket.Text()))
	// Output: a ticket 53
}
