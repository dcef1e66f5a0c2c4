package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/rushgate/rushgate/internal/stress/report"
)

const stressFileSynopsis = `Usage: rushgate stress run FILE [flags]

Does what a scenario file says: YAML with the name of the scenario and any of its flags, without the dashes. Flags on the
command line win. deploy/stress has examples.

  scenario: launch-day
  peak: 10
  length: 2m
  max-first-answer: 1s`

func newStressFile() *cobra.Command {
	f := newFlags(stressFileSynopsis)
	c := newCommand("run", "do what a scenario file says", f, nil)
	c.DisableFlagParsing = true // the file says which flags there are
	c.ValidArgsFunction = nil   // a file
	c.RunE = func(c *cobra.Command, args []string) error {
		switch {
		case slices.Contains(args, "-h") || slices.Contains(args, "--help"):
			return c.Help()
		case len(args) == 0 || strings.HasPrefix(args[0], "-"):
			return usagef("name a scenario file, before the flags")
		}
		v, err := readScenario(c.Context(), args[0], args[1:])
		if err != nil {
			return err
		}
		warn(c.ErrOrStderr(), c.CommandPath(), misspelt(c.Root(), os.Environ()))
		return v.run(c.Context(), c.OutOrStdout(), c.ErrOrStderr())
	}
	return c
}

// readScenario reads a scenario file, then a command line that overrides it.
func readScenario(ctx context.Context, path string, args []string) (*stressFlags, error) {
	settings, _, err := readSettings(ctx, path)
	if err != nil {
		return nil, err
	}
	v, f, err := parseScenario(settings)
	if misused := (usageError{}); errors.As(err, &misused) {
		return nil, usageError{fmt.Errorf("%s: %w", path, misused.error)}
	} else if err != nil {
		return nil, err
	}
	if err := f.Parse(args); err != nil {
		return nil, f.explain(err)
	}
	if err := f.none(f.Args()); err != nil {
		return nil, err
	}
	return v, f.settle(ctx)
}

// parseScenario returns what a scenario file sets, and the flags that can override it.
func parseScenario(settings map[string]yaml.Node) (*stressFlags, *flags, error) {
	scenario := report.Scenario(settings["scenario"].Value)
	if !slices.Contains(report.Scenarios(), scenario) {
		return nil, nil, usagef("its scenario must be one of %v", report.Scenarios())
	}
	delete(settings, "scenario")
	v := newStressFlags(scenario)
	f := v.declare()
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		node := settings[name]
		switch {
		case f.Lookup(name) == nil:
			return nil, nil, usagef("line %d: scenario %s has no setting %s", node.Line, scenario, quote(name))
		}
		text, err := settingOf(&node, takesList(f.valueOf(name)))
		if err != nil {
			return nil, nil, usagef("line %d: %s %w", node.Line, name, err)
		}
		if err := f.Set(name, text); err != nil {
			return nil, nil, f.refuse(fmt.Sprintf("line %d: %s", node.Line, name), name, text, err)
		}
	}
	return v, f, nil
}
