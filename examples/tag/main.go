// Command tag is a game of its own on Rushgate, small enough to read in one go: tag.go holds the rules, bot.go a client
// that plays by what it sees, and this file the node that runs the one for the others.
//
//	go run ./examples/tag
//	go run ./examples/tag -bots 5 -duration 1m -draw
//
// docs/embedding.md walks through it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/server"
)

var names = []string{"alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"}

func main() {
	bots := flag.Int("bots", 2, fmt.Sprintf("how many bots play, 2 to %d", len(names)))
	duration := flag.Duration("duration", 10*time.Second, "how long they play")
	draw := flag.Bool("draw", false, "draw the field, as the first bot sees it, instead of telling what happens")
	flag.Parse()
	if *bots < 2 || *bots > len(names) || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ctx, cancel := context.WithTimeout(ctx, *duration)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	err := run(ctx, os.Stdout, *bots, *draw)
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "tag:", err)
		os.Exit(1)
	}
}

// run starts a node, has bots play on it until ctx ends, and shows who is best.
func run(ctx context.Context, out io.Writer, bots int, draw bool) (err error) {
	node, err := server.Start(ctx, config())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, node.Stop()) }()
	c, err := client.New("http://"+node.HTTPAddr().String(), client.Options{})
	if err != nil {
		return err
	}
	defer c.CloseIdleConnections()
	if err := play(ctx, c, newBots(bots, out, draw)); err != nil {
		return err
	}
	return showBest(context.WithoutCancel(ctx), c, out)
}

// config is a node that runs the game on ports of the system's choice and forgets its players at the end. A game to
// stay has a Backend and a DataDir that keep them, and a ProtocolID of its own.
func config() server.Config {
	return server.Config{
		World:    newField(),
		Boards:   []rushgate.Board{numberCatches},
		Backend:  server.Memory,
		HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", UDPAddr: "127.0.0.1:0",
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
}

// play returns when all bots have left the game: when ctx has ended, or one of them failed.
func play(ctx context.Context, c *client.Client, bots []*bot) error {
	group, playing := errgroup.WithContext(ctx)
	for _, b := range bots {
		group.Go(func() error { return b.play(playing, c) })
	}
	if err := group.Wait(); err != nil && !errors.Is(err, ctx.Err()) {
		return err
	}
	return nil
}

// showBest prints the leaderboard of catches.
func showBest(ctx context.Context, c *client.Client, out io.Writer) error {
	ranks, err := c.Leaderboard(ctx, numberCatches, 0)
	if err != nil {
		return err
	}
	for _, r := range ranks {
		fmt.Fprintf(out, "%d. %-6s %3d\n", r.Rank, r.Name, r.Score)
	}
	return nil
}
