package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/rushgate/rushgate/internal/identity"
	"github.com/rushgate/rushgate/internal/oidc"
	"github.com/rushgate/rushgate/internal/outbound"
	"github.com/rushgate/rushgate/internal/providers"
	"github.com/rushgate/rushgate/internal/reload"
	"github.com/rushgate/rushgate/internal/steam"
)

const (
	// MaxShown is how many bytes a client may show to a [Prover].
	MaxShown = providers.MaxShown
	// DefaultSteamIdentity is what a game passes to GetAuthTicketForWebApi unless there is a SteamIdentity.
	DefaultSteamIdentity = "rushgate"
)

// ProvenIdentity is who a player is to a [Prover].
type ProvenIdentity struct {
	// Subject names the player for good, among those of this prover: 1 to 255 printable ASCII characters without spaces.
	// Whoever has it has the account.
	Subject string
	// Name is a proposal of a username for a new account, perhaps empty: at most 256 bytes of UTF-8 without control
	// characters. It need not be unique.
	Name string
}

// Prover proves players by what the game's own program knows of them: a launcher's ticket, a platform that Rushgate
// does not know. Shown is what the client has sent, 1 to [MaxShown] bytes of UTF-8; the result is who the player is.
//
// An error that carries a [rushgate.Reason] is the player's, who hears that what was shown is not good. With
// [rushgate.ServerBusy] or [rushgate.RateLimited] the player hears to come back, after the RetryAfter of a
// [rushgate.Refusal] if it is one. Any other error, and a panic, goes to the log, and the player is told to come back:
// so no error may hold a secret.
//
// It is called from up to 16 goroutines at once, never in the way of other players, and has 5 s, which the context
// ends.
type Prover func(ctx context.Context, shown []byte) (ProvenIdentity, error)

// validateProviders checks what vouches for players, as far as that can be without files.
func (c Config) validateProviders() error {
	var errs []error
	if c.SteamAppID > 0 && c.SteamKeyFile == "" {
		errs = append(errs, wrong("SteamKeyFile", "Steam's tickets take the publisher's key, and there is no file with it"))
	}
	if c.SteamAppID == 0 && c.SteamKeyFile != "" {
		errs = append(errs, wrong("SteamAppID", "there is a publisher's key for Steam, but no app id"))
	}
	if c.SteamAppID == 0 && c.SteamIdentity != DefaultSteamIdentity {
		errs = append(errs, wrong("SteamIdentity", "there is an identity for Steam's tickets, but no app id"))
	}
	if c.OIDCFile == "" && c.SteamAppID == 0 && c.SteamReturn == "" && len(c.ProviderNetworks) > 0 {
		errs = append(errs, wrong("ProviderNetworks", "networks to call providers in, but there are no providers"))
	}
	for name, prover := range c.Provers {
		if !oidc.ValidName(name) {
			errs = append(errs, wrong("Provers", "%.40q, want 1 to 32 of a-z, 0-9 and '-', beginning with a letter", name))
		} else if prover == nil {
			errs = append(errs, wrong("Provers", "%s is nil", name))
		}
	}
	return errors.Join(errs...)
}

// vouchers is what a node has for the providers that vouch for players; nil if there are none.
type vouchers struct {
	*providers.Providers
	calls *outbound.Calls

	openID  []oidc.Settings // of the start
	looking sync.WaitGroup  // names up, see findIssuers

	mu   sync.Mutex // no look-up begins once life has ended
	life context.Context
	end  context.CancelFunc
}

// readProviders reads the files about providers.
func (c Config) readProviders() (given providers.Settings, err error) {
	if c.OIDCFile != "" {
		if given.OpenID, err = oidc.Load(c.OIDCFile); err != nil {
			return given, wrong("OIDCFile", "%w", err)
		}
		if err := c.reachIssuers(given.OpenID); err != nil {
			return given, err
		}
	}
	if c.SteamAppID > 0 {
		key, err := identity.ReadSecret(c.SteamKeyFile)
		if err != nil {
			return given, wrong("SteamKeyFile", "%w", err)
		}
		given.Tickets = &steam.TicketSettings{AppID: uint32(c.SteamAppID), Key: key, Identity: c.SteamIdentity}
	}
	return given, nil
}

// openProviders makes what vouches for players. Nobody is called yet.
func (s *Server) openProviders() error {
	c := s.cfg
	given, err := c.readProviders()
	if err != nil {
		return err
	}
	if given.OpenID == nil && given.Tickets == nil && c.SteamReturn == "" && len(c.Provers) == 0 {
		return nil
	}
	calls := outbound.New(c.outbound())
	all, err := providers.New(providers.Config{
		Settings: given, SteamReturn: c.SteamReturn, Provers: c.provers(),
		Calls: calls, Once: s.once, Logger: c.Logger,
	})
	switch {
	case errors.Is(err, steam.ErrTickets): // of the identity, or of the key
		return wrong("SteamKeyFile", "%w", err)
	case errors.Is(err, steam.ErrPages):
		return wrong("SteamReturn", "%w", err)
	case errors.Is(err, providers.ErrSettings) && c.OIDCFile == "":
		return wrong("Provers", "%w", err)
	case err != nil:
		return wrong("OIDCFile", "%w", err)
	}
	s.vouchers = &vouchers{Providers: all, calls: calls, openID: given.OpenID}
	s.vouchers.life, s.vouchers.end = context.WithCancel(context.Background())
	c.warnOfReturns(given.OpenID, all.List())
	return nil
}

// once is what was good once, on all nodes of the store.
func (s *Server) once(ctx context.Context, what string, until time.Time) (bool, error) {
	return providers.Once(s.store, time.Now)(ctx, what, until)
}

// provers returns the embedder's provers as package providers asks them.
func (c Config) provers() map[string]providers.Prover {
	all := make(map[string]providers.Prover, len(c.Provers))
	for name, prove := range c.Provers {
		all[name] = func(ctx context.Context, shown []byte) (identity.Identity, error) {
			who, err := prove(ctx, shown)
			return identity.Identity{Subject: who.Subject, Name: who.Name}, err
		}
	}
	return all
}

// providersThatVouch is what answers for them; nil if there are none.
func (s *Server) providersThatVouch() *providers.Providers {
	if s.vouchers == nil {
		return nil
	}
	return s.vouchers.Providers
}

// closeProviders ends the connections to them.
func (s *Server) closeProviders() {
	v := s.vouchers
	if v == nil {
		return
	}
	v.mu.Lock()
	v.end()
	v.mu.Unlock()
	v.looking.Wait()
	v.calls.Close()
}

// watchProviders has the files about providers read again when one of them changes.
func (s *Server) watchProviders(before reload.Seen) {
	files := s.cfg.providerFiles()
	if s.vouchers == nil || len(files) == 0 {
		return
	}
	look := net.DefaultResolver.LookupNetIP
	s.vouchers.findIssuers(s.cfg, s.vouchers.openID, look)
	s.upkeep.watcher.Add(reload.Subject{Name: "providers of identities", Files: files, Load: func() (bool, error) {
		given, err := s.cfg.readProviders()
		if err != nil {
			return false, fmt.Errorf("server: %w", err)
		}
		changed, err := s.vouchers.Replace(given)
		if changed {
			s.cfg.warnOfReturns(given.OpenID, s.vouchers.List())
			s.vouchers.findIssuers(s.cfg, given.OpenID, look)
		}
		return changed, err
	}}, before)
}

// providerFiles are the files that providers are configured with: those of the configuration, and those that the file
// of providers names at the start.
func (c Config) providerFiles() (files []string) {
	if c.OIDCFile != "" {
		files = append(files, c.OIDCFile)
		if info, err := os.Stat(c.OIDCFile); err == nil && info.Mode().IsRegular() { // a pipe can be read once
			named, _ := oidc.Files(c.OIDCFile) // one that cannot be read names none, and the start fails
			files = append(files, named...)
		}
	}
	if c.SteamKeyFile != "" {
		files = append(files, c.SteamKeyFile)
	}
	return files
}

// cloneProviders has the node share nothing of them with the caller.
func (c *Config) cloneProviders() {
	c.Provers = maps.Clone(c.Provers)
	c.ProviderNetworks = slices.Clone(c.ProviderNetworks)
}
