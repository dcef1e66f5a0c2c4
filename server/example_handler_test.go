package server_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/server"
)

// shop is the game's own part of the HTTP interface.
type shop struct{ node *server.Server }

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	c, err := s.node.Character(r.Context(), token)
	if err != nil {
		http.Error(w, "log in first", http.StatusUnauthorized)
		return
	}
	fmt.Fprintf(w, "%s has %d gold", c.Name, c.Numbers["gold"])
}

// A node answers the game's own requests beside its own, and knows whose they are.
func ExampleConfig_handler() {
	ctx := context.Background()
	own := new(shop)
	node, err := server.Start(ctx, server.Config{
		World:    new(room),
		Handler:  own,
		Backend:  server.Memory,
		HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", UDPAddr: "127.0.0.1:0",
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = node.Stop() }()
	own.node = node // before the address is known to a player
	c, err := client.New("http://"+node.HTTPAddr().String(), client.Options{})
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
	request, err := session.NewRequest(ctx, http.MethodGet, "/shop", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp, err := http.DefaultClient.Do(request)
	if err != nil {
		fmt.Println(err)
		return
	}
	said, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	fmt.Println(string(said))
	// Output: alice has 0 gold
}
