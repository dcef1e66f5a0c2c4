package doorman

import (
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/door"
)

// When clients wait for longer than they stay, the newest are served first, and all that are there are answered.
func TestNewestFirst(t *testing.T) {
	for name, c := range map[string]struct {
		waited time.Duration
		want   []string
	}{
		"in the order in which they came": {time.Second, []string{"client-0", "client-1", "client-2", "client-3"}},
		"too late for those":              {time.Minute, []string{"client-3", "client-2", "client-1", "client-0"}},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var clients []net.Conn
			for i := range c.want { // they wait in the kernel until there is a doorman
				conn, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				body := fmt.Sprintf(`{"username":"client-%d","password":"correct horse"}`, i)
				fmt.Fprintf(conn, "POST /v1/login HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
				clients = append(clients, conn)
			}
			var served []string // by the doorman's goroutine
			d, err := open(l.(*net.TCPListener), Config{
				Door: closedDoor(t), MaxConns: 100, Share: newMachine(1, 1).Share,
				Name: func(_ door.Want, username, _ []byte) (string, bool) {
					served = append(served, string(username))
					return string(username), true
				},
				Page: func(_, _, _ []byte) (string, bool) { return "", true },
				Refuse: func(dst []byte, _ *rushgate.Refusal, _ string, _ bool, _ time.Time) []byte {
					return append(dst, "no"...)
				},
			}, func(int) time.Duration { return c.waited })
			if err != nil {
				t.Fatal(err)
			}
			for i, conn := range clients {
				if answer, err := io.ReadAll(conn); err != nil || string(answer) != "no" {
					t.Errorf("client %d was told %q, %v", i, answer, err)
				}
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
			if !slices.Equal(served, c.want) {
				t.Errorf("served in the order %q, want %q", served, c.want)
			}
		})
	}
}

// closedDoor returns a door that refuses all.
func closedDoor(t *testing.T) *door.Door {
	d, err := door.New(door.Config{Queue: 1, World: 1, MaxAge: time.Minute, Batch: 1, Pace: 1})
	if err != nil {
		t.Fatal(err)
	}
	d.Close()
	return d
}

// A pile gives the newest first, and loses the oldest when it is full.
func TestPile(t *testing.T) {
	var p pile
	for i := range int32(len(p.at) + 3) {
		p.push(i)
	}
	for i := len(p.at) + 2; p.n > 0; i-- {
		if got := p.pop(); int(got) != i {
			t.Fatalf("got %d, want %d", got, i)
		}
	}
}
