// Package providers has others vouch for players: OpenID providers, Steam, and what a game's own program knows. It has
// which there are and what a client may do with each, and seals what they say, see [linked.Proof], so that a client
// takes it to any node of the fleet.
//
// What is asked for here may take seconds. It is bounded in time, and for each provider in number, and never runs on
// the tick or in a worker's batch.
package providers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rushgate/rushgate/internal/identity"
	"github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/internal/linked"
	"github.com/rushgate/rushgate/internal/oidc"
	"github.com/rushgate/rushgate/internal/outbound"
	"github.com/rushgate/rushgate/internal/steam"
)

const (
	// SteamName is what Steam is called among the providers.
	SteamName = "steam"

	// patience is for how long a provider is asked about one player, with all the calls that it takes.
	patience = 15 * time.Second
	// inHand is how many players may be asked about at once at each provider, those that wait for a call included.
	inHand = 64
)

var (
	// ErrNone is for a provider that there is not, or that does not do what it is asked for.
	ErrNone = errors.New("providers: there is no such provider for that")
	// ErrNoKeys is for proofs that cannot be sealed or opened: the node has not read the keys of the fleet yet.
	ErrNoKeys = errors.New("providers: the keys of the fleet have not been read yet")
	// ErrSettings is wrapped by what is wrong with the names of providers.
	ErrSettings = errors.New("providers")
)

// Kind says what a provider is.
type Kind string

// The kinds of providers.
const (
	OpenID Kind = "openid"
	Steam  Kind = "steam"
	Game   Kind = "game" // a [Prover]
)

// Takes says what of a native client's a provider goes by.
type Takes string

// What a provider can go by.
const (
	TakesNothing Takes = ""
	TakesIDToken Takes = "id_token"
	TakesTicket  Takes = "ticket"
	TakesShown   Takes = "shown" // whatever a [Prover] understands
)

// Description is what clients are told of a provider.
type Description struct {
	Name   string
	Kind   Kind
	Visits bool // browsers may go there
	Takes  Takes
}

// Settings are what the operator says of providers in files, which may change while the node runs.
type Settings struct {
	OpenID []oidc.Settings
	// Tickets are those of the game at Steam; nil if none are taken.
	Tickets *steam.TicketSettings
}

// Config is what providers need of the node.
type Config struct {
	Settings
	// SteamReturn is where Steam sends browsers back to; empty if none go there.
	SteamReturn string
	Provers     map[string]Prover

	Calls *outbound.Calls
	// Once remembers what was good once, on all nodes of the fleet.
	Once identity.Once
	// Now is the clock of proofs; nil is that of the system.
	Now    func() time.Time
	Logger *slog.Logger
}

// Providers are those that there are. They are safe for concurrent use.
type Providers struct {
	cfg  Config
	ring atomic.Pointer[line.Keyring]
	told told

	changing sync.Mutex
	settings Settings // of those in place
	ready    bool     // there are settings in place
	tallies  map[string]*tally
	sources  atomic.Pointer[[]*source] // by name
}

// source is one that vouches.
type source struct {
	Description
	visited visited                                                   // nil unless Visits
	native  func(context.Context, *Handed) (identity.Identity, error) // nil unless Takes
	openID  *oidc.Provider                                            // nil for others
	tally   *tally
	inHand  atomic.Int64
}

// visited is a provider that browsers go to.
type visited interface {
	Begin(ctx context.Context) (identity.Attempt, string, error)
	Finish(ctx context.Context, a identity.Attempt, answer url.Values) (identity.Identity, error)
}

// steamPages are Steam's, which are not asked when an attempt begins.
type steamPages struct{ *steam.Pages }

func (p steamPages) Begin(context.Context) (identity.Attempt, string, error) {
	a, page := p.Pages.Begin()
	return a, page, nil
}

// New returns the providers of a configuration, none of which has been asked anything. The error wraps [ErrSettings],
// [oidc.ErrSettings], [steam.ErrTickets] or [steam.ErrPages].
func New(cfg Config) (*Providers, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	p := &Providers{cfg: cfg, tallies: make(map[string]*tally)}
	p.sources.Store(&[]*source{})
	var own []*source
	for _, name := range slices.Sorted(maps.Keys(cfg.Provers)) {
		if !oidc.ValidName(name) {
			return nil, fmt.Errorf("%w: %.40q: a name has to be 1 to 32 of a-z, 0-9 and '-', beginning with a letter",
				ErrSettings, name)
		}
		s := p.source(Description{Name: name, Kind: Game, Takes: TakesShown})
		s.native = newProver(name, cfg.Provers[name], cfg.Logger).prove
		own = append(own, s)
	}
	p.sources.Store(&own)
	_, err := p.Replace(cfg.Settings)
	return p, err
}

// Replace puts other settings in place of those that there were, and reports whether that has changed anything.
// Providers whose settings are as before go on with what they know. With an error everything stays as it was.
func (p *Providers) Replace(settings Settings) (changed bool, err error) {
	p.changing.Lock()
	defer p.changing.Unlock()
	before := *p.sources.Load()
	if p.ready && reflect.DeepEqual(settings, p.settings) {
		return false, nil
	}
	next, err := p.steam(before, settings.Tickets)
	if err != nil {
		return false, err
	}
	for _, s := range before {
		if s.Kind == Game {
			next = append(next, s)
		}
	}
	for _, s := range settings.OpenID {
		known, err := p.openID(before, s)
		if err != nil {
			return false, err
		}
		next = append(next, known)
	}
	slices.SortFunc(next, func(a, b *source) int { return strings.Compare(a.Name, b.Name) })
	for i := range next {
		if i > 0 && next[i].Name == next[i-1].Name {
			return false, fmt.Errorf("%w: two are called %s", ErrSettings, next[i].Name)
		}
	}
	p.settings, p.ready = Settings{OpenID: slices.Clone(settings.OpenID), Tickets: settings.Tickets}, true
	p.sources.Store(&next)
	return true, nil
}

// openID returns the source of an OpenID provider: the one before, if its settings are the same.
func (p *Providers) openID(before []*source, s oidc.Settings) (*source, error) {
	for _, old := range before {
		if old.openID != nil && reflect.DeepEqual(old.openID.Settings, s) {
			return old, nil
		}
	}
	provider, err := oidc.New(s, oidc.Config{Calls: p.cfg.Calls, Once: p.onceForNonces, Now: p.cfg.Now})
	if err != nil {
		return nil, err
	}
	next := p.source(Description{Name: s.Name, Kind: OpenID, Visits: true})
	next.openID, next.visited = provider, provider
	if provider.HasTokens() {
		next.Takes = TakesIDToken
		next.native = func(ctx context.Context, h *Handed) (identity.Identity, error) {
			return p.idToken(ctx, provider, h)
		}
	}
	return next, nil
}

// steam returns the source that is Steam, or none: the one before, if its settings are the same.
func (p *Providers) steam(before []*source, tickets *steam.TicketSettings) ([]*source, error) {
	if tickets == nil && p.cfg.SteamReturn == "" {
		return nil, nil
	}
	if p.ready && reflect.DeepEqual(tickets, p.settings.Tickets) {
		for _, old := range before {
			if old.Kind == Steam {
				return []*source{old}, nil
			}
		}
	}
	cfg := steam.Config{Calls: p.cfg.Calls, Once: p.cfg.Once, Now: p.cfg.Now}
	s := p.source(Description{Name: SteamName, Kind: Steam})
	if p.cfg.SteamReturn != "" {
		pages, err := steam.NewPages(p.cfg.SteamReturn, cfg)
		if err != nil {
			return nil, err
		}
		s.Visits, s.visited = true, steamPages{pages}
	}
	if tickets != nil {
		checks, err := steam.NewTickets(*tickets, cfg)
		if err != nil {
			return nil, err
		}
		s.Takes = TakesTicket
		s.native = func(ctx context.Context, h *Handed) (identity.Identity, error) {
			player, err := checks.Check(ctx, h.Ticket)
			return player.Identity, err
		}
	}
	return []*source{s}, nil
}

// source returns one that nobody has asked, and that goes on with the figures of the one before of its name.
func (p *Providers) source(d Description) *source {
	if p.tallies[d.Name] == nil {
		p.tallies[d.Name] = new(tally)
	}
	return &source{Description: d, tally: p.tallies[d.Name]}
}

// SetKeyring has proofs be sealed and opened with other keys.
func (p *Providers) SetKeyring(ring *line.Keyring) { p.ring.Store(ring) }

// List returns what clients are told of the providers, by name.
func (p *Providers) List() []Description {
	var all []Description
	for _, s := range *p.sources.Load() {
		all = append(all, s.Description)
	}
	return all
}

// find returns the source of a name.
func (p *Providers) find(name string) (*source, error) {
	for _, s := range *p.sources.Load() {
		if s.Name == name {
			return s, nil
		}
	}
	return nil, ErrNone
}

// Begin returns what a browser is to keep in a cookie, and the page of the provider to send it to. The error is
// [ErrNone], an [*identity.Error], or that of the context.
func (p *Providers) Begin(ctx context.Context, name string) (cookie, page string, err error) {
	s, err := p.find(name)
	if err != nil || !s.Visits {
		return "", "", ErrNone
	}
	err = p.ask(ctx, s, false, func(ctx context.Context) error {
		a, to, err := s.visited.Begin(ctx)
		cookie, page = a.Cookie(), to
		return err
	})
	return cookie, page, err
}

// Finish takes the cookie of a browser, and what the provider has sent it back with. The error is [ErrNone],
// [ErrNoKeys], an [*identity.Error], that of the store, or that of the context.
func (p *Providers) Finish(ctx context.Context, name, cookie string, answer url.Values) (Vouched, error) {
	s, err := p.find(name)
	if err != nil || !s.Visits {
		return Vouched{}, ErrNone
	}
	a, err := identity.ParseAttempt(cookie)
	if err != nil {
		s.tally.count(refused, p.cfg.Now())
		return Vouched{}, identity.Fail(name, identity.Player, err)
	}
	return p.vouch(ctx, s, func(ctx context.Context) (identity.Identity, error) {
		return s.visited.Finish(ctx, a, answer)
	})
}

// Vouched is a proof, sealed.
type Vouched struct {
	linked.Proof
	Text string
}

// vouch has a provider say who a player is, and seals it.
func (p *Providers) vouch(
	ctx context.Context, s *source, say func(context.Context) (identity.Identity, error),
) (v Vouched, err error) {
	ring := p.ring.Load()
	if ring == nil {
		return v, ErrNoKeys
	}
	err = p.ask(ctx, s, true, func(ctx context.Context) error {
		id, err := say(ctx)
		if err != nil {
			return err
		}
		v.Proof = linked.Proof{
			At: p.cfg.Now().Truncate(time.Microsecond), Provider: s.Name, Issuer: id.Issuer, Subject: id.Subject,
			Name: id.Name, Email: id.Email,
		}
		if v.Text, err = v.Seal(ring, nil); errors.Is(err, linked.ErrBadProof) {
			return identity.Fail(s.Name, identity.Provider, identity.ErrGarbage)
		}
		return err
	})
	return v, err
}

// ask asks a provider something, within bounds, and counts what came of it if it is about who a player is.
func (p *Providers) ask(ctx context.Context, s *source, counts bool, do func(context.Context) error) error {
	var err error
	if s.inHand.Add(1) > inHand {
		err = identity.Fail(s.Name, identity.Provider, identity.ErrFull)
	} else {
		inner, cancel := context.WithTimeout(ctx, patience)
		err = do(inner)
		if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) && inner.Err() != nil {
			err = identity.Fail(s.Name, identity.Provider, identity.ErrAway)
		}
		cancel()
	}
	s.inHand.Add(-1)
	out := outcomeOf(err)
	if counts || out != proven {
		s.tally.count(out, p.cfg.Now())
	}
	p.told.note(p.cfg.Logger, p.cfg.Now(), err)
	return err
}

// Open reads the text of a proof. The error is [linked.ErrBadProof], [linked.ErrOldProof] or [ErrNoKeys].
func (p *Providers) Open(text string) (linked.Proof, error) {
	ring := p.ring.Load()
	if ring == nil {
		return linked.Proof{}, ErrNoKeys
	}
	return linked.OpenProof(ring, text, p.cfg.Now())
}
