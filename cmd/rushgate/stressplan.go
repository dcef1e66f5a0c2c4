package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/rushgate/rushgate/internal/stress/report"
	stress "github.com/rushgate/rushgate/internal/stress/run"
)

// parseTarget returns the URL of a server, or an error that says how one is written.
func parseTarget(target string) (*url.URL, error) {
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		if strings.Contains(target, "@") { // perhaps with a password
			return nil, usagef("--target: want a URL such as http://127.0.0.1:8080")
		}
		if !strings.Contains(target, "://") && target != "" {
			return nil, usagef("--target %q: a URL begins with its scheme: http://%[1]s, or https://%[1]s", target)
		}
		return nil, usagef("--target %q: want a URL such as http://127.0.0.1:8080", target)
	}
	return u, nil
}

// reach returns an error if no program listens at a target, so that a mistyped address ends a run before it has begun.
func reach(ctx context.Context, u *url.URL) error {
	port := u.Port()
	if port == "" {
		port = u.Scheme // which is a port by that name
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return fmt.Errorf("--target %s: no server is there: %w", u.Redacted(), err)
	}
	return conn.Close()
}

// announce says what a run is about to do.
func announce(w io.Writer, cfg *stress.Config) {
	what := "register"
	if cfg.Mode == report.Login {
		what = "log in"
	}
	if cfg.Mode == report.Guest {
		what = "come as new guests"
	}
	if cfg.Mode == report.Opaque {
		what = "log in by OPAQUE, to accounts that are registered first,"
	}
	var who string
	switch cfg.Scenario {
	case report.Burst:
		who = fmt.Sprintf("%d players %s at once", cfg.Clients, what)
	case report.Ramp, report.ReconnectStorm:
		who = fmt.Sprintf("%d players %s, %g a second, for %v", cfg.Clients, what, cfg.Rate, seconds(float64(cfg.Clients)/cfg.Rate))
	case report.Poisson:
		who = fmt.Sprintf("players %s, %g a second for %v, some %.0f in all", what, cfg.Rate, cfg.Length, cfg.Rate*cfg.Length.Seconds())
	case report.Mixed:
		who = fmt.Sprintf("players come, %g a second for %v, some %.0f in all", cfg.Rate, cfg.Length, cfg.Rate*cfg.Length.Seconds())
	case report.LaunchDay:
		who = fmt.Sprintf("%splayers %s, %g times as many at the peak as the server can let in; growing for %v, %v of peak, falling for %v",
			measuring(cfg), what, cfg.Peak, cfg.RampUp, cfg.Length, cfg.Decay)
	case report.KnockFlood:
		who = fmt.Sprintf("%sa flood of knocks for %v beside players who %s", measuring(cfg), cfg.Length, what)
	}
	fmt.Fprintf(w, "%s: %s; %s\n", cfg.Target, who, staying(cfg))
	fmt.Fprintf(w, "their names are %s-000001 and so on\n", cfg.Prefix)
}

// measuring says that the capacity has to be measured before.
func measuring(cfg *stress.Config) string {
	if cfg.Capacity > 0 {
		return fmt.Sprintf("the server can let in %g a second; ", cfg.Capacity)
	}
	return "first what the server can let in is measured, in half a minute or so; then "
}

// staying says what becomes of players who are in.
func staying(cfg *stress.Config) string {
	const play = ", walking about"
	switch {
	case cfg.Scenario == report.ReconnectStorm && cfg.Outage.Command != "":
		return fmt.Sprintf("after %v the command takes the server away, and they are watched for %v", cfg.Duration, cfg.Outage.Watch)
	case cfg.Scenario == report.ReconnectStorm:
		return fmt.Sprintf("after %v they lose their connections and come back", cfg.Duration)
	case cfg.Stay > 0 && cfg.Play:
		return fmt.Sprintf("each stays for %v%s", cfg.Stay, play)
	case cfg.Stay > 0:
		return fmt.Sprintf("each stays for %v", cfg.Stay)
	case cfg.Play:
		return fmt.Sprintf("all stay for %v%s", cfg.Duration, play)
	case cfg.Duration > 0:
		return fmt.Sprintf("all stay for %v", cfg.Duration)
	}
	return "they leave when the last one is in"
}

// seconds rounds for a reader.
func seconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second)).Round(time.Second)
}
