package server

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/admin"
	"github.com/rushgate/rushgate/internal/api"
	"github.com/rushgate/rushgate/internal/operator"
	"github.com/rushgate/rushgate/internal/realm"
	"github.com/rushgate/rushgate/password"
)

// maxAdminConns is how many connections to the operator's listener may be open at once; those that wait for no answer
// make room for the next.
const maxAdminConns = 64

// desk is where the operator sits: what is shown there, what can be done there, and who may sit down.
type desk struct {
	*Server
	instance rushgate.Instance
	token    *admin.Token // nil: none is needed
	tls      *tls.Config  // nil: plain HTTP
	history  *admin.History
	started  time.Time
	run      string // random, of this start

	drainOnce sync.Once
	drain     chan struct{} // closed when the operator has asked for a drain
}

// adminToken returns the token that a configuration names, or nil.
func (c Config) adminToken() (*admin.Token, error) {
	if c.AdminTokenFile == "" {
		return nil, nil
	}
	token, err := admin.LoadToken(c.AdminTokenFile)
	if err != nil {
		return nil, wrong("AdminTokenFile", "%w", err)
	}
	return token, nil
}

// newDesk returns the desk of a node whose front door speaks TLS as nodeTLS says, or not if that is nil.
func (s *Server) newDesk(instance rushgate.Instance, token *admin.Token, nodeTLS *tls.Config) (*desk, error) {
	d := &desk{
		Server: s, instance: instance, token: token, started: time.Now(), run: rand.Text(), drain: make(chan struct{}),
	}
	d.history = admin.NewHistory(d.read, s.ready.TakesWrites)
	if s.cfg.AdminTLSCert != "" {
		pair, err := s.pair("AdminTLSCert", "admin", "admin certificate", s.cfg.AdminTLSCert, s.cfg.AdminTLSKey)
		if err != nil {
			return nil, fmt.Errorf("%w (of the admin listener)", err)
		}
		d.tls = serving(pair.Get)
	} else if local, err := isLoopback(s.cfg.AdminAddr); err == nil && !local {
		d.tls = nodeTLS.Clone()
	}
	return d, nil
}

// validateAdmin checks where the operator sits. A client that reaches that place can end sessions and the node, so
// beyond this machine it takes a secret, and a way on which no eavesdropper reads it.
func (c Config) validateAdmin() error {
	var errs []error
	if (c.AdminTLSCert == "") != (c.AdminTLSKey == "") {
		errs = append(errs, wrong("AdminTLSKey", "the admin TLS certificate needs its key and the other way round"))
	}
	local, err := isLoopback(c.AdminAddr)
	if err != nil {
		return errors.Join(append(errs, wrong("AdminAddr", "admin address: %w", err))...)
	}
	if !local && c.AdminTokenFile == "" {
		errs = append(errs, wrong("AdminTokenFile", "admin address %s is not on loopback, which needs an admin token "+
			"file", c.AdminAddr))
	}
	if !local && c.AdminTLSCert == "" && !c.TLS {
		errs = append(errs, wrong("AdminTLSCert", "admin address %s is not on loopback, which needs an admin TLS "+
			"certificate and key, or TLS for players, whose certificate then serves both", c.AdminAddr))
	}
	return errors.Join(errs...)
}

// newServer returns the operator's HTTP server. Its connections are so few that they fit into what the front door
// leaves of the files that a process may open.
func (d *desk) newServer(sections admin.Sections) *http.Server {
	srv := &http.Server{
		Handler: admin.New(admin.Config{
			Sections: sections, Metrics: d.metrics, Ready: d.ready, Logger: d.cfg.Logger,
			Dashboard: d.dashboard(), Ledger: account.New(d.store), Door: d.door, Access: d.access, Token: d.token,
			Operators: d.staff.roll, Staff: operator.NewBook(d.store), Book: d.store, Audit: d.store,
			TLS: d.tls != nil, Hold: api.HoldConn, NameHold: d.cfg.names().Hold,
			NoPasswords: d.cfg.Opaque == OpaqueOnly, FactorGone: d.factorGone(),
		}),
		TLSConfig:         d.tls,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: d.cfg.IdleTimeout, // a scrape a minute keeps its own
		MaxHeaderBytes: 8 << 10,
		HTTP2:          &http.HTTP2Config{MaxConcurrentStreams: 32},
		// Broken handshakes and the like: an outsider decides how many there are.
		ErrorLog: slog.NewLogLogger(d.cfg.Logger.Handler(), slog.LevelDebug),
	}
	api.LimitConns(srv, maxAdminConns, d.crowded)
	return srv
}

// factorGone returns what has players told by mail that an operator has taken a second factor away; nil if no mail is
// sent.
func (d *desk) factorGone() func(context.Context, account.Owner, string) error {
	if d.outbox == nil {
		return nil
	}
	return d.outbox.FactorGone
}

// serve serves the operator until the server is shut down.
func (d *desk) serve(srv *http.Server, l net.Listener) error {
	if d.tls != nil {
		return srv.ServeTLS(l, "", "")
	}
	return srv.Serve(l)
}

// DrainRequested returns a channel that is closed when the operator has asked for a drain. [Run] then stops the node;
// who has called [Start] has to.
func (s *Server) DrainRequested() <-chan struct{} { return s.desk.drain }

// description is the section node of /metrics.json: which node it is, and what its figures are to be read with.
type description struct {
	Run      string    `json:"run"` // as in /v1/status; another one with each start
	Address  string    `json:"address"`
	Started  time.Time `json:"started"`
	Version  string    `json:"version"`
	Revision string    `json:"revision"`
	Go       string    `json:"go"`
	System   string    `json:"system"` // such as linux/amd64
	CPUs     int       `json:"cpus"`   // of the machine
	Store    string    `json:"store"`
	Hash     string    `json:"hash"`   // of new passwords
	Opaque   string    `json:"opaque"` // off, prefer or only
}

func (d *desk) describe() description {
	build := admin.ReadBuild()
	return description{
		Run: d.run, Address: d.httpAddr.String(), Started: d.started, Version: build.Version, Revision: build.Revision,
		Go: build.Go, System: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(), Store: d.cfg.storeName(),
		Hash: fmt.Sprintf("PBKDF2-SHA256, %d iterations", d.cfg.HashIterations), Opaque: string(d.cfg.Opaque),
	}
}

func (d *desk) dashboard() *admin.Dashboard {
	return &admin.Dashboard{
		History: d.history,
		About: admin.About{
			Name: d.httpAddr.String(), Store: d.cfg.storeName(), Started: d.started, Build: admin.ReadBuild(), Run: d.run,
		},
		Actions: admin.Actions{
			Drain:      func() { d.drainOnce.Do(func() { close(d.drain) }) },
			Players:    d.guests,
			EndSession: d.endSession,
			Lookup:     d.lookup,
		},
	}
}

// account finds the account of a name as the operator writes it.
func (d *desk) account(ctx context.Context, name string) (rushgate.Account, error) {
	a, err := account.New(d.store).Find(ctx, name)
	if errors.Is(err, account.ErrUnknown) {
		return rushgate.Account{}, rushgate.BadCredentials
	}
	return a, err
}

func (d *desk) lookup(ctx context.Context, name string) (admin.Player, error) {
	a, err := d.account(ctx, name)
	if err != nil {
		return admin.Player{}, err
	}
	scheme, cost, err := password.Describe(a.PasswordHash)
	if err != nil { // all the more reason to look at the rest
		scheme, cost = "unreadable", ""
	}
	out := admin.Player{
		ID: a.ID, Name: a.Username, CreatedAt: a.CreatedAt, Version: a.Version, HashScheme: scheme, HashCost: cost,
		Connection: realm.NotConnected,
	}
	character, err := d.locate(ctx, &out)
	out.Level, out.XP = character.Numbers[rushgate.NumberLevel], character.Numbers[rushgate.NumberXP]
	out.Deaths, out.Numbers = character.Numbers[rushgate.NumberDeaths], character.Numbers
	out.Zone, out.PlaytimeMS = character.Zone, character.Playtime.Milliseconds()
	return out, err
}

// locate finds out where a player is, and returns the character: as it is now if that is here, and otherwise as saved.
func (d *desk) locate(ctx context.Context, p *admin.Player) (rushgate.Character, error) {
	switch here, err := d.realm.Find(ctx, p.ID); {
	case err == nil:
		p.Inside, p.Connection = admin.Here, here.Transport
		return here.Character, nil
	case !errors.Is(err, rushgate.BadCredentials):
		return rushgate.Character{}, err
	}
	characters, err := d.store.LoadCharacters(ctx, []string{p.Name})
	if err != nil {
		return rushgate.Character{}, err
	}
	if err := characters[0].Err; err != nil {
		return rushgate.Character{}, err
	}
	where, err := d.store.Presence(ctx, []string{p.Name})
	if err != nil {
		return rushgate.Character{}, err
	}
	if p.Inside = admin.Nowhere; where[0].Inside() {
		p.Inside = admin.Elsewhere
	}
	return characters[0].Character, where[0].Err
}

// endSession ends the session of a player, wherever it is.
func (d *desk) endSession(ctx context.Context, name string) (admin.Ended, error) {
	a, err := d.account(ctx, name)
	if err != nil {
		return "", err
	}
	switch err := d.realm.End(ctx, a.ID); {
	case err == nil:
		return admin.EndedHere, nil
	case !errors.Is(err, rushgate.BadCredentials):
		return "", err
	}
	where, err := d.store.Want(ctx, []string{a.Username})
	switch {
	case err != nil:
		return "", err
	case where[0].Inside() && where[0].Node != d.instance.Node: // a lease of this node is an earlier run's
		return admin.EndingElsewhere, nil
	}
	return admin.NotInside, where[0].Err
}
