package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rushgate/rushgate/internal/lossy"
)

// action is what a command does, once its flags are set; args are the arguments besides them.
type action func(ctx context.Context, args []string, stdout, stderr io.Writer) error

// newCommand returns a command that does something.
func newCommand(name, short string, f *flags, do action) *cobra.Command {
	c := &cobra.Command{
		Use: name, Short: short, Args: cobra.ArbitraryArgs, DisableFlagsInUseLine: true,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.settle(c.Context()); err != nil {
				return err
			}
			warn(c.ErrOrStderr(), c.CommandPath(), misspelt(c.Root(), os.Environ()))
			return do(c.Context(), args, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	c.Flags().AddFlagSet(f.FlagSet)
	c.SetHelpFunc(func(c *cobra.Command, _ []string) { f.printHelp(c.OutOrStdout()) })
	f.complete(c)
	return c
}

// warn says what is odd and keeps no command from its work. Standard error may take nothing, for which a node cannot wait.
func warn(stderr io.Writer, command string, said []string) {
	if len(said) == 0 {
		return
	}
	lines := lossy.New(stderr, nil)
	defer lines.Close(lastLines)
	for _, line := range said {
		fmt.Fprintf(lines, "%s: %s\n", command, line)
	}
}

// allCommands returns a command and all below it.
func allCommands(c *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{c}
	for _, below := range c.Commands() {
		all = append(all, allCommands(below)...)
	}
	return all
}

// errNothingSaid ends a command line that has no command, after the help.
var errNothingSaid = errors.New("no command")

// newGroup returns a command that has commands of its own and does nothing by itself.
func newGroup(name, short, synopsis string, commands ...*cobra.Command) *cobra.Command {
	group := &cobra.Command{Use: name, Short: short, Args: cobra.ArbitraryArgs, DisableFlagsInUseLine: true}
	group.AddCommand(commands...)
	group.SetHelpFunc(func(c *cobra.Command, _ []string) { printGroup(c.OutOrStdout(), c, synopsis, commands) })
	group.RunE = func(c *cobra.Command, args []string) error {
		switch {
		case len(args) > 0:
			return unknownCommand(commands, args[0])
		case !c.HasParent():
			printGroup(c.ErrOrStderr(), c, synopsis, commands)
			return errNothingSaid
		}
		return usagef("say what to do: %s", anyOf(namesOf(commands)))
	}
	return group
}

// printGroup prints the help of a command that has commands of its own.
func printGroup(w io.Writer, group *cobra.Command, synopsis string, commands []*cobra.Command) {
	fmt.Fprint(w, synopsis)
	widest := 0
	for _, c := range commands {
		widest = max(widest, len(c.Name()))
	}
	for _, c := range commands {
		fmt.Fprintf(w, "  %-*s  %s\n", widest, c.Name(), c.Short)
	}
	fmt.Fprintf(w, "\n\"%s COMMAND --help\" explains a command's flags.\n", group.CommandPath())
}

// newHelp returns the command that prints the help of another one, and of all commands if it is not told which.
func newHelp(root *cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: "help", Short: "print the help of a command", Hidden: true, DisableFlagsInUseLine: true}
	c.SetHelpFunc(func(*cobra.Command, []string) { _ = root.Help() })
	c.RunE = func(_ *cobra.Command, args []string) error {
		of := root
		for _, name := range args {
			next := slices.IndexFunc(of.Commands(), func(c *cobra.Command) bool { return c.Name() == name })
			switch {
			case next >= 0:
				of = of.Commands()[next]
			case !of.HasSubCommands():
				return usagef("%s has no command %s", of.CommandPath(), quote(name))
			default:
				return unknownCommand(visible(of), name)
			}
		}
		return of.Help()
	}
	return c
}

// visible returns the commands of a group that its help shows.
func visible(group *cobra.Command) []*cobra.Command {
	return slices.DeleteFunc(slices.Clone(group.Commands()), func(c *cobra.Command) bool { return c.Hidden })
}

// unknownCommand says that there is no such command, and which one may have been meant.
func unknownCommand(commands []*cobra.Command, name string) error {
	names := namesOf(commands)
	if meant := closest(name, names); meant != "" {
		return usagef("unknown command %s; did you mean %s?", quote(name), meant)
	}
	return usagef("unknown command %s, want %s", quote(name), anyOf(names))
}

func namesOf(commands []*cobra.Command) []string {
	names := make([]string, len(commands))
	for i, c := range commands {
		names[i] = c.Name()
	}
	return names
}

// anyOf lists names of which one is to be chosen.
func anyOf(names []string) string {
	if last := len(names) - 1; last > 0 {
		return strings.Join(names[:last], ", ") + " or " + names[last]
	}
	return strings.Join(names, "")
}

// closest returns the word that a typed one was most likely meant to be, or nothing if none is like it.
func closest(typed string, words []string) string {
	best, found := 3, "" // more than two edits are another word
	if len(typed) < 4 {
		best = 2
	}
	for _, word := range slices.Sorted(slices.Values(words)) {
		d := edits(typed, word)
		if strings.HasPrefix(word, typed) && len(typed) > 2 {
			d = min(d, 1)
		}
		if d < best {
			best, found = d, word
		}
	}
	return found
}

// edits is how many letters have to be put in, taken out or replaced to make b of a (Levenshtein's distance).
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			above := row[j+1]
			if a[i] != b[j] {
				diagonal++
			}
			row[j+1] = min(diagonal, above+1, row[j]+1)
			diagonal = above
		}
	}
	return row[len(b)]
}
