package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/rushgate/rushgate"
)

const (
	identitiesPath    = "/v1/identities"
	identityLoginPath = identitiesPath + "/login"

	maxProviders     = 256
	maxProviderName  = 32
	maxIdentityProof = 4 << 10 // characters
)

var (
	// ErrBeginAgain is wrapped by the errors of what is good for some minutes, or once, and is good no longer: a visit to
	// a provider, a nonce, an [IdentityProof]. The player goes to the provider once more.
	ErrBeginAgain = errors.New("that took too long, or was used before; begin again")
	// ErrNotIdentityProof is wrapped by the error of [ParseIdentityProof] for a text that is none.
	ErrNotIdentityProof = errors.New("not the proof of an identity")
)

// ProviderKind says what a [Provider] is. Newer servers may know more kinds.
type ProviderKind string

// The kinds of providers.
const (
	// ProviderOpenID is an OpenID provider, or Discord.
	ProviderOpenID ProviderKind = "openid"
	// ProviderSteam is Steam.
	ProviderSteam ProviderKind = "steam"
	// ProviderGame is a prover of the game's own, see Config.Provers of package server.
	ProviderGame ProviderKind = "game"
)

// Handed says what a client hands over to be vouched for. Newer servers may take other things.
type Handed string

// What a client can hand over.
const (
	// HandedNothing is of providers that browsers visit, and that take nothing else.
	HandedNothing Handed = ""
	// HandedIDToken is for [Client.VouchIDToken].
	HandedIDToken Handed = "id_token"
	// HandedTicket is for [Client.VouchTicket].
	HandedTicket Handed = "ticket"
	// HandedShown is for [Client.VouchShown].
	HandedShown Handed = "shown"
)

// Provider is one who vouches for players at a server.
type Provider struct {
	// Name is how the server's operator calls it: it is what the calls of a Client name it by.
	Name string
	Kind ProviderKind
	// Browser says that a browser can visit it, see [Client.BeginVisit].
	Browser bool
	// Takes is what else there is.
	Takes Handed
}

// Providers returns who vouches for players at the server, by name: none at one that is set up without, or that is
// older than these. It is tried once.
func (c *Client) Providers(ctx context.Context) ([]Provider, error) {
	r := request{op: "providers", method: http.MethodGet, path: identitiesPath}
	ans, err := c.exchange(ctx, r)
	if err != nil {
		return nil, err
	}
	if ans.status == http.StatusNotFound {
		return nil, nil
	}
	var body struct {
		Providers []struct {
			Name    string       `json:"name"`
			Kind    ProviderKind `json:"kind"`
			Browser bool         `json:"browser"`
			Native  Handed       `json:"native"`
		} `json:"providers"`
	}
	if err := r.decode(ans, &body, http.StatusOK); err != nil {
		return nil, err
	}
	if len(body.Providers) > maxProviders {
		return nil, r.bad("%d providers", len(body.Providers))
	}
	all := make([]Provider, 0, len(body.Providers))
	for _, p := range body.Providers {
		if !urlSafe(p.Name, 1, maxProviderName) {
			return nil, r.bad("a provider whose name is none")
		}
		all = append(all, Provider{Name: p.Name, Kind: p.Kind, Browser: p.Browser, Takes: p.Native})
	}
	return all, nil
}

// IdentityProof says that a provider has vouched for the player. It comes of [Client.FinishVisit], or of one of the
// methods of Client whose names begin with Vouch, and is for [Client.LoginWithIdentity], [Session.LinkIdentity] and
// [ByIdentity]: for some minutes, at every node of the server's, as often as it is shown. So it is as secret as a
// password for that time. The zero value is none.
//
// However an IdentityProof is printed, logged or marshalled, it does not show what proves; only Text does.
type IdentityProof struct {
	// Provider is who has vouched. It is empty, as what follows is, after [ParseIdentityProof].
	Provider string
	// Name is what the player is called there, perhaps empty, and printable: what a new account may be called.
	Name string
	// ExpiresAt is when the proof is good no longer, by the server's clock.
	ExpiresAt time.Time

	text func() string // a function, since fmt prints what fields hold, but never what a function returns
}

// ParseIdentityProof reads what [IdentityProof.Text] returned; "" is the zero value. The error wraps
// [ErrNotIdentityProof], and does not repeat the text.
func ParseIdentityProof(text string) (IdentityProof, error) {
	if text == "" {
		return IdentityProof{}, nil
	}
	if !urlSafe(text, 1, maxIdentityProof) {
		return IdentityProof{}, fmt.Errorf("client: %w", ErrNotIdentityProof)
	}
	return IdentityProof{text: func() string { return text }}, nil
}

// Text returns the proof as text of at most 4096 characters of A-Z, a-z, 0-9, '-' and '_', for [ParseIdentityProof],
// such as for a launcher that hands it to the game; "" for the zero value. Who has the text can be the player while it
// is good.
func (p IdentityProof) Text() string {
	if p.IsZero() {
		return ""
	}
	return p.text()
}

// IsZero reports whether there is no proof.
func (p IdentityProof) IsZero() bool { return p.text == nil }

// String says whether there is a proof, and not whom it is of.
func (p IdentityProof) String() string {
	if p.IsZero() {
		return "no proof of an identity"
	}
	return "[proof of an identity]"
}

// GoString is [IdentityProof.String] for the verb %#v.
func (p IdentityProof) GoString() string { return "client.IdentityProof{" + p.String() + "}" }

// LogValue is [IdentityProof.String] for log/slog.
func (p IdentityProof) LogValue() slog.Value { return slog.StringValue(p.String()) }

// LoginWithIdentity opens a session of the player for whom a provider has vouched, in place of a name and a password.
// If no account has the identity, the server makes one, which it calls what the provider calls the player if that can
// be, or by chance. It waits and tries again as [Client.Login] does, but for the server's line before the door, and
// heeds the same [Options]. A try whose answer was lost leaves no second account behind.
//
// An error that wraps [ErrBeginAgain] says that the proof is too old, and [rushgate.BadCredentials] that it is none of
// this server's. The others are those of Login.
func (c *Client) LoginWithIdentity(ctx context.Context, proof IdentityProof) (*Session, error) {
	return c.withIdentity(ctx, entry{op: "login with an identity", path: identityLoginPath}, proof)
}

// TakeoverWithIdentity is a [Client.LoginWithIdentity] that ends a session which the account has already, as
// [Client.Takeover] does.
func (c *Client) TakeoverWithIdentity(ctx context.Context, proof IdentityProof) (*Session, error) {
	return c.withIdentity(ctx, entry{op: "take over with an identity", path: identityLoginPath, takeover: true}, proof)
}

func (c *Client) withIdentity(ctx context.Context, e entry, proof IdentityProof) (*Session, error) {
	if proof.IsZero() {
		return nil, &rushgate.Refusal{Reason: rushgate.MissingCredentials, Cause: ErrNotIdentityProof}
	}
	return c.show(ctx, e, proof.Text())
}

// show makes a call by what is shown in place of a name and a password: the secret of a guest, or the proof of an
// identity.
func (c *Client) show(ctx context.Context, e entry, text string) (*Session, error) {
	k := c.newCall(e, "", text, c.opts.AttemptID())
	if !rushgate.ValidAttempt(k.attempt) {
		return nil, fmt.Errorf("client: %s: Options.AttemptID returned an invalid attempt id", k.op)
	}
	return k.run(ctx)
}

// showsIdentity reports whether who enters shows the secret of a guest or the proof of an identity.
func (e *entry) showsIdentity() bool { return e.path == guestPath || e.path == identityLoginPath }

// identityRequest returns what a try sends that shows such a thing.
func (k *call) identityRequest() (request, error) {
	b := struct {
		Guest    string `json:"secret,omitempty"`
		Proof    string `json:"proof,omitempty"`
		Attempt  string `json:"attempt_id"`
		Takeover bool   `json:"takeover,omitempty"`
		Secret   string `json:"line_secret,omitempty"`
		Wait     bool   `json:"wait,omitempty"`
		Remember string `json:"remember,omitempty"`
		Device   string `json:"device_id,omitempty"`
		Code     string `json:"code,omitempty"`
	}{
		Proof: k.password, Attempt: k.attempt, Takeover: k.takeover, Remember: k.remember(), Device: k.device, Code: k.code,
	}
	if k.path == guestPath {
		b.Guest, b.Proof = k.password, ""
	}
	if !k.plain {
		b.Secret, b.Wait = k.line.place.secret, !k.noWait
	}
	r, err := k.post(k.path, b, k.password, b.Secret, b.Code)
	r.outdated = k.path == identityLoginPath
	return r, err
}
