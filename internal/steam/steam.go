// Package steam has players proven by Steam: by a ticket that a game gets from the Steam client it runs beside, or by a
// visit of their browser to Steam, which speaks OpenID 2.0 and not OpenID Connect.
//
// Every call to Steam goes through package outbound, and may take seconds.
package steam

import (
	"context"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rushgate/rushgate/internal/identity"
	"github.com/rushgate/rushgate/internal/outbound"
)

// PagesTarget and TicketsTarget are what calls to Steam are known by, in logs and metrics: one asks whether an answer
// is Steam's own, the other about tickets.
const (
	PagesTarget   = "steam-pages"
	TicketsTarget = "steam-tickets"
)

// Issuer is that of the identities, and what their subjects are found under.
const Issuer = "https://steamcommunity.com/openid"

// Config is what is needed of the node. Tickets and pages share it, and are left alone each by itself when it fails:
// they are different servers of Valve's.
type Config struct {
	Calls *outbound.Calls
	// Once remembers tickets and answers that were good.
	Once identity.Once
	// Now is the clock that answers are held against; nil is that of the system.
	Now func() time.Time
}

// idForm is that of a SteamID of 64 bits, as Steam writes it.
var idForm = regexp.MustCompile(`^[1-9][0-9]{16}$`)

// player reports whether an id is that of a player: an individual account (type 1, instance 1) of the public universe
// (1).
func player(id string) bool {
	n, err := strconv.ParseUint(id, 10, 64)
	return err == nil && idForm.MatchString(id) && n>>32 == 1<<24|1<<20|1
}

// printable reports whether there are 1 to so many printable characters of ASCII, none of which is a space.
func printable(s string, most int) bool {
	return s != "" && len(s) <= most && !strings.ContainsFunc(s, func(r rune) bool { return r < '!' || r > '~' })
}

// failed returns the error of a call, as its caller gets it.
func failed(ctx context.Context, name string, err error) error {
	var call *outbound.Error
	switch {
	case errors.As(err, &call):
		return identity.FailCall(name, call)
	case ctx.Err() != nil:
		return ctx.Err()
	default:
		return identity.Fail(name, identity.Provider, identity.ErrGarbage)
	}
}
