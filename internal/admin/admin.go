// Package admin is the operator's door: health, everything the node measures, and profiles, on a listener of its own.
package admin

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/rushgate/rushgate"
	rules "github.com/rushgate/rushgate/internal/access"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/audit"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/operator"
	"github.com/rushgate/rushgate/internal/ready"
	"github.com/rushgate/rushgate/internal/unserved"
)

// scrapesAtOnce bounds how many scrapes are answered at the same time; further ones are refused.
const scrapesAtOnce = 4

// Sections names the parts of the metrics dump and how to get each; the results must be fit for package json and are
// asked for with every request.
type Sections map[string]func() any

// Config says what the operator gets to see. All functions must be safe for concurrent use.
type Config struct {
	// Sections make up /metrics.json, with all of Metrics by their names in the section "metrics".
	Sections Sections
	// Metrics are those of /metrics. Required.
	Metrics prometheus.Gatherer
	// Ready says whether the node can let players in. Required.
	Ready *ready.Probe
	// Dashboard is the page; nil: there is none.
	Dashboard *Dashboard
	// Ledger is where accounts are changed; nil: they cannot be.
	Ledger *account.Ledger
	// NameHold is for how long nobody else may take the name that an account had which an operator renames.
	NameHold time.Duration
	// FactorGone, if not nil, has the reader of an address told that an operator has taken the second factor of an account
	// away. That it fails undoes nothing.
	FactorGone func(ctx context.Context, who account.Owner, address string) error
	// NoPasswords says that the node takes none (--opaque only): then none is set.
	NoPasswords bool
	// Door is where lockouts are listed and lifted; nil: they cannot be.
	Door *door.Door
	// Access is where the mode of the doors, bans and lists are set; nil: they cannot be.
	Access *rules.Keeper
	// Token is that of the operator root, who has the role all. A token, this one or that of an operator, has to be shown
	// with every request but those for health and readiness. With neither, anyone who reaches the listener, which must be
	// on loopback, may do everything; without this one, metrics are scraped without a token.
	Token *Token
	// Operators are those with a token of their own; nil: there are none, and cannot be. Staff is where they are changed;
	// it goes with them.
	Operators *operator.Roll
	Staff     *operator.Book
	// Book is the way through all accounts, and what has happened to each; nil: accounts are found by name only. It needs
	// a Ledger.
	Book Book
	// Audit is where what operators do is written down, before it is done; nil: only the Logger hears of it.
	Audit rushgate.AuditLog
	// TLS says that the listener speaks it, so that cookies are sent over nothing else.
	TLS bool
	// Hold, if not nil, is called with the context of each request that is let through to more than the login form and the
	// probes: its connection must not be closed to make room for another, however long the answer takes.
	Hold func(context.Context)
	// Logger hears of metrics that could not be collected, and of all that operators do; nil means [slog.Default].
	Logger *slog.Logger
}

// Dashboard is what the operator's page shows and can do.
type Dashboard struct {
	// History is what it shows. Its owner has to stop it before the HTTP server is shut down, which would wait for
	// the streams of those who look on.
	History *History
	// About says which node it is.
	About About
	// Actions are what it can do.
	Actions Actions
}

// New returns the operator's handler. What it serves is in openapi.yaml, which it serves as /openapi.yaml; the role
// that each route takes is in leastRoles. Without a dashboard, a ledger, a door, a book, a staff or an audit log, what
// needs one of them is not there. Besides, it serves
//
//	/debug/pprof/       profiles, see package net/http/pprof; without the command line, which may hold a password
//	/, /events          the page, and what it shows, as server-sent events
//	/login, /logout     for browsers, where there is a token; others send it as "Authorization: Bearer TOKEN"
//
// Requests that a browser makes for the page of another site are refused, but for following a link to / and /login.
// Without a token those are refused whose host is a name other than localhost.
func New(cfg Config) http.Handler {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	served := http.NewServeMux()
	mux := &routes{served}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok") })
	mux.Handle("GET /readyz", cfg.Ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(cfg.Metrics, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelError),
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: scrapesAtOnce,
		DisableCompression:  true, // costs more than it saves this close by
	}))
	mux.HandleFunc("GET /metrics.json", cfg.serveDump)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol)
	cfg.serveOrders(mux)
	logins, who := newLogins(cfg.TLS), &access{cfg.Token, cfg.Operators}
	serveMe(mux, who)
	if d := cfg.Dashboard; d != nil {
		servePage(mux)
		serveLogin(mux, who, logins)
		about := d.About
		info, _ := debug.ReadBuildInfo() // nil: nothing is known of the build
		about.Docs = docs(info)
		mux.Handle("GET /events", newEvents(d.History, about, who))
		serveStatus(mux, d.History)
		mux.Handle("GET /players", &guestBook{list: d.Actions.Players, logger: cfg.Logger})
	}
	return newGuard(unserved.Handler(served, refuseUnserved), who, logins, cfg.Hold)
}

// serveOrders serves what operators can have done, each with what is written down of it.
func (cfg Config) serveOrders(mux *routes) {
	a := &acts{logger: cfg.Logger, confirm: newConfirmer()}
	if cfg.Audit != nil {
		a.log = audit.NewLog(cfg.Audit)
		serveAudit(mux, a, cfg.Audit)
		(&backups{a, cfg.Audit}).serve(mux)
	}
	if cfg.Ledger != nil {
		orders := &accounts{
			acts: a, ledger: cfg.Ledger, book: cfg.Book, nameHold: cfg.NameHold, factorGone: cfg.FactorGone,
			noPasswords: cfg.NoPasswords,
		}
		if cfg.Dashboard != nil {
			orders.actions = &cfg.Dashboard.Actions
		}
		orders.serve(mux)
	}
	if cfg.Door != nil {
		serveLockouts(mux, cfg.Door, a)
	}
	if cfg.Access != nil {
		(&gatekeeper{a, cfg.Access, cfg.Ledger}).serve(mux)
	}
	if cfg.Staff != nil {
		(&operators{a, cfg.Staff, cfg.Operators}).serve(mux)
	}
	if cfg.Dashboard != nil {
		serveDrain(mux, a, cfg.Dashboard.Actions.Drain)
	}
}

// refuseUnserved says, in JSON as every order is answered, that there is nothing at a path, or not by a method.
func refuseUnserved(w http.ResponseWriter, _ *http.Request, status int, allowed string) {
	if status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", allowed)
		writeProblem(w, status, "what can be asked here is "+allowed)
		return
	}
	writeProblem(w, http.StatusNotFound, "there is nothing at this path")
}

func (cfg Config) serveDump(w http.ResponseWriter, _ *http.Request) {
	dump := make(map[string]any, len(cfg.Sections)+1)
	for name, section := range cfg.Sections {
		dump[name] = section()
	}
	all, err := figures(cfg.Metrics)
	if err != nil { // the others are there
		cfg.Logger.Error("metrics could not be collected", "error", err)
	}
	dump["metrics"] = all
	body, err := json.MarshalIndent(dump, "", "  ")
	if err != nil {
		writeProblem(w, http.StatusInternalServerError, "the metrics cannot be written as JSON")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(append(body, '\n'))
}

// answer writes one line.
func answer(w http.ResponseWriter, status int, line string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write([]byte(line + "\n"))
}
