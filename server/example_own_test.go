package server_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/server"
	"github.com/rushgate/rushgate/store/memory"
)

// diary is a store of one's own: it leaves the keeping to another one and prints who has registered. A store from
// scratch has all methods of [rushgate.Store]; the suite of package storetest says whether it keeps their promises.
type diary struct{ rushgate.Store }

func (d *diary) Admit(
	ctx context.Context, by rushgate.Instance, admissions []rushgate.Admission,
) ([]rushgate.Admitted, error) {
	admitted, err := d.Store.Admit(ctx, by, admissions)
	for i, a := range admitted {
		if a.Err == nil && admissions[i].Create {
			fmt.Println("diary:", a.Character.Name, "has registered")
		}
	}
	return admitted, err
}

// A node on a store of one's own, in a program that is nothing but a node. The one who has made the store closes it.
func ExampleRun_ownStore() {
	folder, err := os.MkdirTemp("", "rushgate")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	store := &diary{memory.New(memory.Options{})}
	defer store.Close()

	ctx, stop := context.WithCancel(context.Background())
	err = server.Run(ctx, server.Config{
		Store:    store,
		World:    new(room),
		DataDir:  folder, // for the node's id and keys
		HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", UDPAddr: "127.0.0.1:0",
		Logger: slog.New(slog.DiscardHandler),
	}, func(node *server.Server) {
		if err := comeAndGo(ctx, "http://"+node.HTTPAddr().String()); err != nil {
			fmt.Println(err)
		}
		stop()
	})
	fmt.Println("everyone is saved:", err)
	// Output:
	// diary: alice has registered
	// alice is in the room
	// everyone is saved: <nil>
}

// A policy that keeps networks out, and new players as long as the doors are not open to them.
func ExampleConfig_policy() {
	blocked := netip.MustParsePrefix("203.0.113.0/24")
	opens := time.Now().Add(time.Hour)
	policy := func(k rushgate.Knock) error {
		switch {
		case blocked.Contains(k.Origin):
			return rushgate.RateLimited
		case k.Kind == rushgate.KnockRegister && !strings.HasPrefix(k.Name, "tester-"):
			return &rushgate.Refusal{Reason: rushgate.ServerBusy, RetryAfter: time.Until(opens)}
		}
		return nil
	}

	ctx := context.Background()
	node, err := server.Start(ctx, server.Config{
		Policy:   policy,
		Backend:  server.Memory,
		HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", UDPAddr: "127.0.0.1:0",
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Stop()
	c, err := client.New("http://"+node.HTTPAddr().String(), client.Options{MaxRetries: -1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.CloseIdleConnections()
	for _, name := range []string{"alice", "tester-1"} {
		_, err := c.Register(ctx, name, "correct horse battery staple")
		var refusal *rushgate.Refusal
		if errors.As(err, &refusal) {
			fmt.Println(name, "is told", refusal.Reason, "for", refusal.RetryAfter.Round(time.Hour))
		} else {
			fmt.Println(name, "is in:", err == nil)
		}
	}
	// Output:
	// alice is told server-busy for 1h0m0s
	// tester-1 is in: true
}
