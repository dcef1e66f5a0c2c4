package admin

import (
	"time"

	"github.com/rushgate/rushgate/internal/account"
)

// Identities is what a node measures of guests, and of players for whom others vouch. Totals count from the start of
// the node.
type Identities struct {
	Guests bool // are taken

	// Totals of players let in, and of accounts made, the latter among the former.
	GuestsIn, GuestsMade, FederatedIn, FederatedMade int64

	Providers []Provider // by name; none: nobody vouches for players
}

// Provider is what came of asking one who vouches for players.
type Provider struct {
	Name, Kind string
	// Totals by what came of it: Away is that it did not answer, or not as it should, and Misconfigured that it does not
	// take what the operator has configured.
	Proven, Refused, Away, Misconfigured int64
	CircuitOpen                          bool      // it is left alone at the moment
	FailedAt                             time.Time // when it was one of the last two, last; the zero time: never
}

// IdentitiesSample is the identities' part of a [Sample].
type IdentitiesSample struct {
	Guests        bool             `json:"guests"`
	GuestsIn      Count            `json:"guests_in"`
	GuestsMade    Count            `json:"guests_made"`
	FederatedIn   Count            `json:"federated_in"`
	FederatedMade Count            `json:"federated_made"`
	Providers     []providerSample `json:"providers"`
}

type providerSample struct {
	Name          string `json:"name"`
	Kind          string `json:"kind"`
	Proven        int64  `json:"proven"`
	Refused       int64  `json:"refused"`
	Away          int64  `json:"away"`
	Misconfigured int64  `json:"misconfigured"`
	CircuitOpen   bool   `json:"circuit_open"`
	FailedAt      int64  `json:"failed_at,omitempty"` // ms since 1970
}

// since returns the sample that lies between an earlier reading and this one; nil if the node takes players by
// passwords alone.
func (i *Identities) since(before *Identities, elapsed time.Duration) *IdentitiesSample {
	if !i.Guests && len(i.Providers) == 0 {
		return nil
	}
	count := func(now, before int64) Count { return Count{now, perSecond(now-before, elapsed)} }
	out := &IdentitiesSample{
		Guests:   i.Guests,
		GuestsIn: count(i.GuestsIn, before.GuestsIn), GuestsMade: count(i.GuestsMade, before.GuestsMade),
		FederatedIn:   count(i.FederatedIn, before.FederatedIn),
		FederatedMade: count(i.FederatedMade, before.FederatedMade),
		Providers:     make([]providerSample, len(i.Providers)),
	}
	for n, p := range i.Providers {
		s := providerSample{
			Name: p.Name, Kind: p.Kind, Proven: p.Proven, Refused: p.Refused, Away: p.Away, Misconfigured: p.Misconfigured,
			CircuitOpen: p.CircuitOpen,
		}
		if !p.FailedAt.IsZero() {
			s.FailedAt = p.FailedAt.UnixMilli()
		}
		out.Providers[n] = s
	}
	return out
}

// identityBody is what opens an account in place of a password, as operators see it.
type identityBody struct {
	Handle  string `json:"handle"`
	Guest   bool   `json:"guest,omitempty"` // it is a device; otherwise a provider vouches
	Issuer  string `json:"issuer,omitempty"`
	Subject string `json:"subject,omitempty"`
}

func newIdentityBodies(all []account.Identity) []identityBody {
	bodies := make([]identityBody, len(all))
	for n, i := range all {
		bodies[n] = identityBody{i.Handle, i.Guest, i.Provider, i.Subject}
	}
	return bodies
}
