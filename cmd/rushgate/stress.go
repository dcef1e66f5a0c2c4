package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/rushgate/rushgate/internal/stress/page"
	"github.com/rushgate/rushgate/internal/stress/report"
	stress "github.com/rushgate/rushgate/internal/stress/run"
)

const stressSynopsis = `Usage: rushgate stress SCENARIO [flags]
       rushgate stress run FILE [flags]
       rushgate stress compare A.json B.json
       rushgate stress report A.json
       rushgate stress clean [flags]

Answers "will we survive launch day?": knocks at a server with many clients and reports what they lived through. How
long until each heard anything, how long until it was in, who was told that the server is busy and how often, and what it
did to the world and to everyone else meanwhile. Each client is a real one, with a connection of its own for each try
and, on loopback, an address of its own. They come when they are due, however slow the server is.

  rushgate stress burst --clients 1000                          a thousand registrations at once, on this machine
  rushgate stress burst --clients 1000 --mode login             the same accounts, later
  rushgate stress ramp --rate 2 --clients 2000                  one client every half second
  rushgate stress launch-day --peak 10 --html launch.html       ten times as many as the server can let in
  rushgate stress burst --clients 1000 --crowd 10000            what ten thousand more from one address do to them
  rushgate stress reconnect-storm --clients 2000 --play         all players drop out of the world and come back
  rushgate stress reconnect-storm --handover 'rushgate serve --handover'   the node is replaced with all inside
  rushgate stress mixed --rate 200 --play --stay 20s            registrations, logins, wrong passwords and nonsense
  rushgate stress flood --times 37                              what a flood of knocks leaves of it all
  rushgate stress clean                                         delete the accounts that all this has made

Only aim this at servers that are yours.

`

// errLimits ends a run that has not kept to its limits.
var errLimits = errors.New("limits not kept")

func newStress() *cobra.Command {
	return newGroup("stress", "knock at a node with many clients at once and report how it went", stressSynopsis,
		append(newScenarios(), newStressFile(), newStressCompare(), newStressReport(), newStressClean())...)
}

// scenarioShort describes the scenarios for the help.
var scenarioShort = map[report.Scenario]string{
	report.Burst:          "all clients at once",
	report.Ramp:           "clients come evenly, --rate a second",
	report.Poisson:        "clients come independently of each other, --rate a second on average",
	report.LaunchDay:      "a rush of --peak times what the server can let in",
	report.ReconnectStorm: "all are inside, are dropped, and come back",
	report.Mixed:          "registrations, logins, wrong passwords and malformed requests",
	report.KnockFlood:     "a flood of knocks, beside clients who wait and play",
}

func newScenarios() []*cobra.Command {
	var list []*cobra.Command
	for _, s := range report.Scenarios() {
		v := newStressFlags(s)
		f := v.declare()
		list = append(list, newCommand(string(s), scenarioShort[s], f,
			func(ctx context.Context, args []string, stdout, stderr io.Writer) error {
				if err := f.none(args); err != nil {
					return err
				}
				return v.run(ctx, stdout, stderr)
			}))
	}
	return list
}

// run carries out a run whose flags have been parsed.
func (v *stressFlags) run(ctx context.Context, stdout, stderr io.Writer) error {
	cfg, err := v.config(ctx, stderr)
	if err != nil {
		return err
	}
	release, err := reserve(v.jsonFile, v.htmlFile)
	if err != nil {
		return err
	}
	report, err := v.do(ctx, cfg, stderr)
	if err != nil {
		return errors.Join(err, release())
	}
	// A report that cannot be written in one form is all the more wanted in the others.
	err = errors.Join(report.WriteText(stdout), writeJSON(v.jsonFile, report))
	if v.htmlFile != "" {
		err = errors.Join(err, writePage(string(v.htmlFile), func(w io.Writer) error { return page.Write(w, report) }))
	}
	if !report.Kept() {
		err = errors.Join(err, errLimits)
	}
	return err
}

// do makes a run, announces it, and says what remains of it.
func (v *stressFlags) do(ctx context.Context, cfg stress.Config, stderr io.Writer) (*report.Report, error) {
	target, err := parseTarget(cfg.Target)
	if err != nil {
		return nil, err
	}
	runs, problem := loadPastRuns()
	if err := choosePrefix(&cfg, runs, problem, stderr); err != nil {
		return nil, err
	}
	if cfg, err = cfg.WithDefaults(); err != nil {
		return nil, err
	}
	if err := reach(ctx, target); err != nil {
		return nil, err
	}
	announce(stderr, &cfg)
	if problem == nil {
		problem = noteRun(&cfg, nil)
	}
	rep, err := stress.Run(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if problem == nil {
		problem = noteRun(&cfg, rep)
	}
	switch {
	case problem != nil:
		fmt.Fprintf(stderr, "the run is not noted for later ones: %v\n", problem)
	case rep.AdminURL() != "":
		fmt.Fprintf(stderr, "\"rushgate stress clean%s\" deletes the accounts of this run and of earlier ones\n", adminFlag(rep.AdminURL()))
	case cfg.Adapter.Kind == "":
		fmt.Fprintf(stderr, "\"rushgate stress clean --admin URL\" deletes the accounts of this run, with the URL of the admin "+
			"listener of a node behind %s\n", cfg.Target)
	}
	return rep, nil
}

// adminFlag is what stress clean has to be told of an admin listener.
func adminFlag(url string) string {
	if url == defaultAdminURL {
		return ""
	}
	return " --admin " + url
}

// reserve makes sure before a run that files can be written after it: what took an hour should not be lost for a folder
// that is not there. It leaves files as they are, and makes those that are missing; release removes these.
func reserve(files ...text) (release func() error, err error) {
	var made []string
	release = func() error {
		var err error
		for _, path := range made {
			err = errors.Join(err, os.Remove(path))
		}
		return err
	}
	for _, file := range files {
		path := string(file)
		info, err := os.Stat(path)
		if path == "" || err == nil && !info.Mode().IsRegular() { // a pipe would take the end of this for its end
			continue
		}
		f, failed := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
		if failed != nil {
			return nil, errors.Join(failed, release())
		}
		_ = f.Close() // nothing was written
		if err != nil {
			made = append(made, path)
		}
	}
	return release, nil
}

// writePage writes an HTML page to a file, whole or not at all.
func writePage(path string, write func(io.Writer) error) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	return write(f)
}
