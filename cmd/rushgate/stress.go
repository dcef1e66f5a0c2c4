package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"net/url"
	"time"

	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/server"
	"github.com/rushgate/rushgate/stress"
)

const stressSynopsis = `Usage: rushgate stress burst|ramp [flags]

Knocks at a node with many clients and reports what they lived through: how long until each heard anything, how long
until it was in, who was told that the server is busy and how often. Each client is a real one, with a connection of
its own and, on loopback, an address of its own.

  burst   all clients at once
  ramp    --rate clients per second

Clients register the accounts PREFIX-000001 and so on, or, with --mode login, log in to those that an earlier run
registered. Who is in stays until the last one is answered; then all log out. The exit status is 1 if any client got
no answer in time.

With --play, who is in also connects to the world by UDP, walks about, and checks every snapshot. The report then tells,
for the time after all are in (--duration), how many snapshots came out of how many, how evenly, and what the node says
of its ticks and its CPU time meanwhile. The exit status is then also 1 if any client that got in could not connect, or
if no snapshot came. Each client takes two open files: see "ulimit -Hn".

  rushgate stress burst --clients 1000                    a thousand registrations at once, on this machine
  rushgate stress burst --clients 1000 --mode login       the same accounts, later
  rushgate stress ramp --rate 50 --clients 2000 --json report.json
  rushgate stress ramp --rate 100 --clients 1000 --play --duration 60s    a thousand players in the world for a minute

Only aim this at servers that are yours.`

var (
	// errTimeouts ends a run in which someone was left without an answer.
	errTimeouts = errors.New("clients timed out")
	// errNoPlay ends a run with --play in which someone who got in could not play, or nobody did.
	errNoPlay = errors.New("not everyone could play")
)

// stressFlags are the settings of a run as the command line has them.
type stressFlags struct {
	target, adminURL, prefix, password, jsonFile text
	mode                                         choice
	clients, retries                             number
	rate                                         decimal
	timeout, duration                            span
	insecureTLS, play                            toggle
}

func newStressFlags() *stressFlags {
	return &stressFlags{
		target:   "http://" + server.DefaultHTTPAddr,
		prefix:   stress.DefaultPrefix,
		password: stress.DefaultPassword,
		mode:     choice{"register", []string{"register", "login"}},
		clients:  number{1000, 1, stress.MaxClients},
		retries:  number{client.DefaultMaxRetries, 0, 1000},
		rate:     decimal{10, stress.MaxRate},
		timeout:  span{stress.DefaultTimeout, time.Second, time.Hour},
		duration: span{0, 0, 7 * 24 * time.Hour},
	}
}

func (v *stressFlags) declare() *flags {
	f := newFlags(stressSynopsis)
	f.add(&v.target, "target", "", "`URL` of the node")
	f.add(&v.adminURL, "admin", "", "`URL` of the node's admin listener, for the server's own figures; \"none\" for none; by default http://"+server.DefaultAdminAddr+" when the target is on loopback")
	f.add(&v.clients, "clients", "", "`N` clients, 1 to 100000")
	f.add(&v.mode, "mode", "", "`MODE`: register or login")
	f.add(&v.rate, "rate", "", "`R` clients start per second (ramp only)")
	f.add(&v.retries, "retries", "", "`N` times a client that was told \"busy\" comes back")
	f.add(&v.timeout, "timeout", "", "`TIME` a client goes on trying")
	f.add(&v.play, "play", "", "connect to the world by UDP and play")
	f.add(&v.duration, "duration", "", fmt.Sprintf("`TIME` that everybody stays once all are in; 0 means %v with --play and otherwise none", stress.DefaultPlay))
	f.add(&v.prefix, "prefix", "", "`PREFIX` of the accounts' names")
	f.add(&v.password, "password", "", "`PASSWORD` of all accounts: a test's, never a real one")
	f.add(&v.insecureTLS, "insecure-tls", "", "accept any certificate")
	f.add(&v.jsonFile, "json", "", "`FILE` for the report as JSON")
	return f
}

func runStress(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	v := newStressFlags()
	f := v.declare()
	var scenario stress.Scenario
	if len(args) > 0 && (args[0] == string(stress.Burst) || args[0] == string(stress.Ramp)) {
		scenario, args = stress.Scenario(args[0]), args[1:]
	}
	if err := f.parse(args, stdout); err != nil {
		return err
	}
	if scenario == "" {
		return usagef("name a scenario first: burst or ramp")
	}
	report, err := stress.Run(ctx, v.config(scenario, stderr))
	if err != nil {
		return err
	}
	if err := report.WriteText(stdout); err != nil {
		return err
	}
	if err := writeJSON(v.jsonFile, report); err != nil {
		return err
	}
	return v.verdict(report)
}

// verdict returns what was wrong with the server in a run, for the exit status.
func (v *stressFlags) verdict(report *stress.Report) error {
	if n := report.TimedOut; n > 0 {
		return fmt.Errorf("%w: %d of %d", errTimeouts, n, v.clients.value)
	}
	p := report.Play // nil if nobody got in, or the run was interrupted before
	switch {
	case p != nil && p.ConnectsFailed > 0:
		return fmt.Errorf("%w: %d of %d could not connect", errNoPlay, p.ConnectsFailed, p.ConnectsFailed+p.Players)
	case bool(v.play) && !report.Interrupted && (p == nil || p.Snapshots == 0):
		return fmt.Errorf("%w: no snapshot came", errNoPlay)
	}
	return nil
}

func (v *stressFlags) config(scenario stress.Scenario, progress io.Writer) stress.Config {
	cfg := stress.Config{
		Target: string(v.target), Admin: v.admin(), Scenario: scenario, Mode: stress.Mode(v.mode.value),
		Clients: v.clients.value, Prefix: string(v.prefix), Password: string(v.password),
		MaxRetries: v.retries.value, Timeout: v.timeout.value, InsecureTLS: bool(v.insecureTLS), Progress: progress,
		Play: bool(v.play), Duration: v.duration.value,
	}
	if scenario == stress.Ramp {
		cfg.Rate = v.rate.value
	}
	if cfg.MaxRetries == 0 {
		cfg.MaxRetries = math.MinInt // the flag's zero means none
	}
	cfg.Terminal = isTerminal(progress)
	return cfg
}

// admin returns the URL of the admin listener to ask, or "" for none.
func (v *stressFlags) admin() string {
	switch {
	case v.adminURL == "none":
		return ""
	case v.adminURL != "":
		return string(v.adminURL)
	}
	u, err := url.Parse(string(v.target))
	if err != nil {
		return ""
	}
	if a, err := netip.ParseAddr(u.Hostname()); u.Hostname() == "localhost" || err == nil && a.IsLoopback() {
		return "http://" + server.DefaultAdminAddr
	}
	return ""
}
