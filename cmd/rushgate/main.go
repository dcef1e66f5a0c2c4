// Command rushgate is a game server's front door, and the tool to find out whether it will hold.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/rushgate/rushgate/internal/lossy"
)

// command is one subcommand.
type command struct {
	name  string
	short string
	run   func(ctx context.Context, args []string, stdout, stderr io.Writer) error
}

var commands = []command{
	{serveName, "run a node", serve},
	{"account", "create, show, change and delete accounts, and measure what hashing costs", accountGroup},
	{"import", "bring in the players of the game that Rushgate replaces", importPlayers},
	{"key", "change the key of the realtime channel", key},
	{"stress", "knock at a node with many clients at once and report how it went", runStress},
	{"version", "print the version", version},
}

// serveName is the command that has to go on, and to end, whatever becomes of the output of its process: its supervisor
// may have closed the reading end, or stopped reading.
const serveName = "serve"

// group is a command that has commands of its own.
type group struct {
	synopsis string // for the help
	name     string
	commands []command
}

// run carries out the command that args begin with.
func (g group) run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return usagef("say what to do: %s", g.among())
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		fmt.Fprint(stdout, g.synopsis)
		widest := 12
		for _, c := range g.commands {
			widest = max(widest, len(c.name))
		}
		for _, c := range g.commands {
			fmt.Fprintf(stdout, "  %-*s  %s\n", widest, c.name, c.short)
		}
		fmt.Fprintf(stdout, "\n\"rushgate %s COMMAND --help\" explains a command's flags.\n", g.name)
		return nil
	}
	i := slices.IndexFunc(g.commands, func(c command) bool { return c.name == args[0] })
	if i < 0 {
		return usagef("unknown command %s, want %s", quote(args[0]), g.among())
	}
	err := g.commands[i].run(ctx, args[1:], stdout, stderr)
	var misused usageError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &misused):
		return usageError{fmt.Errorf("%s: %w", args[0], err), args[0]}
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return fmt.Errorf("%s: interrupted", args[0])
	default:
		return fmt.Errorf("%s: %w", args[0], err)
	}
}

// among lists the commands' names.
func (g group) among() string {
	var list strings.Builder
	for i, c := range g.commands {
		switch {
		case i == 0:
		case i == len(g.commands)-1:
			list.WriteString(" or ")
		default:
			list.WriteString(", ")
		}
		list.WriteString(c.name)
	}
	return list.String()
}

// usageError is an error in how the command was called; it ends with exit status 2.
type usageError struct {
	error
	command string // of a group, that was called; empty if it is the group itself
}

func (e usageError) Unwrap() error { return e.error }

// of returns what was called, whose help has the flags.
func (e usageError) of(name string) string { return strings.TrimSpace(name + " " + e.command) }

func usagef(format string, args ...any) error { return usageError{error: fmt.Errorf(format, args...)} }

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		forced := <-signals
		last := lossy.New(os.Stderr, nil)
		fmt.Fprintln(last, "rushgate: a second signal, ending at once")
		last.Close(lastLines)
		os.Exit(exitStatus(forced))
	}()
	if len(os.Args) > 1 && os.Args[1] == serveName {
		// Without it, a write to a standard output or error that is closed at the other end would end the process.
		signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	}
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// exitStatus is what a shell reports for a process that a signal has ended.
func exitStatus(s os.Signal) int {
	if n, ok := s.(syscall.Signal); ok {
		return 128 + int(n)
	}
	return 1
}

// run carries out a command line and returns the exit status: 0, 1 if something failed, 2 if it was not understood.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		usage(stderr)
		return 2
	}
	name := args[0]
	if name == "help" || name == "-h" || name == "--help" {
		usage(stdout)
		return 0
	}
	i := slices.IndexFunc(commands, func(c command) bool { return c.name == name })
	if i < 0 {
		fmt.Fprintf(stderr, "rushgate: unknown command %s\n\n", quote(name))
		usage(stderr)
		return 2
	}
	err := commands[i].run(ctx, args[1:], stdout, stderr)
	if name == serveName {
		last := lossy.New(stderr, nil)
		defer last.Close(lastLines)
		stderr = last
	}
	var misused usageError
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &misused):
		fmt.Fprintf(stderr, "rushgate %s: %v\nRun \"rushgate %s --help\" for all flags.\n", name, err, misused.of(name))
		return 2
	default:
		fmt.Fprintf(stderr, "rushgate %s: %v\n", name, err)
		return 1
	}
}

func usage(w io.Writer) {
	fmt.Fprint(w, "Rushgate is the front door of an online game: login and registration that survive a rush.\n\nUsage: rushgate COMMAND [flags]\n\n")
	for _, c := range commands {
		fmt.Fprintf(w, "  %-9s%s\n", c.name, c.short)
	}
	fmt.Fprint(w, "\n\"rushgate COMMAND --help\" explains a command's flags.\n")
}
