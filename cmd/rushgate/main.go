// Command rushgate is a game server's front door, and the tool to find out whether it will hold.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/rushgate/rushgate/internal/lossy"
)

const rootSynopsis = `Rushgate is the front door of an online game: login and registration that survive a rush.

Usage: rushgate COMMAND [flags]

`

// newRoot returns the command line as a whole.
func newRoot() *cobra.Command {
	root := newGroup("rushgate", "", rootSynopsis,
		newServe(),
		newAccount(),
		newAdmin(),
		newOperator(),
		newAudit(),
		newImport(),
		newMove(),
		newBackup(),
		newRestore(),
		newKey(),
		newStress(),
		newCompletion(),
		newVersion(),
	)
	root.Version = versionLine() // for --version
	root.SetVersionTemplate("{{.Version}}\n")
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.DisableDefaultCmd = true // there is one of ours
	root.SetFlagErrorFunc(explainFlag)
	root.SetHelpCommand(newHelp(root))
	return root
}

// serveName is the command that has to go on, and to end, whatever becomes of the output of its process: its supervisor
// may have closed the reading end, or stopped reading.
const serveName = "serve"

// usageError is an error in how the command was called; it ends with exit status 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		forced := heed(signals, cancel)
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

// sameSignal is for how long further signals count as the one before: a program that ends another may send a signal to
// the process and to the group that it is in, as timeout does.
const sameSignal = 500 * time.Millisecond

// heed has the process end in order with the first signal, and returns the next that somebody has sent because of it.
func heed(signals <-chan os.Signal, end func()) os.Signal {
	<-signals
	first := time.Now()
	end()
	for s := range signals {
		if time.Since(first) >= sameSignal {
			return s
		}
	}
	return nil
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
	root := newRoot()
	root.SetArgs(append([]string{}, args...)) // nil would stand for the arguments of the process
	root.SetOut(stdout)
	root.SetErr(stderr)
	called, err := root.ExecuteContextC(ctx)
	if called.Name() == serveName {
		last := lossy.New(stderr, nil)
		defer last.Close(lastLines)
		stderr = last
	}
	name := called.CommandPath()
	var misused usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errNothingSaid):
		return 2
	case errors.As(err, &misused):
		fmt.Fprintf(stderr, "%s: %v\nRun \"%s --help\" for %s.\n", name, err, name, helpHas(called))
		return 2
	case called.Name() != serveName && ctx.Err() != nil && errors.Is(err, ctx.Err()):
		fmt.Fprintf(stderr, "%s: interrupted\n", name)
		return 1
	default:
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return 1
	}
}

// helpHas says what the help of a command tells.
func helpHas(c *cobra.Command) string {
	if c.HasSubCommands() {
		return "all commands"
	}
	return "all flags"
}
