package client

import (
	"context"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/rushgate/rushgate"
)

const (
	// attemptCookie is the cookie by which the server knows who has begun a visit. What it holds is a secret.
	attemptCookie = "rushgate_attempt"
	maxAttempt    = 256
	maxPage       = 4 << 10 // bytes of the URL of a provider's page
	maxNonce      = 512
	maxVisit      = time.Hour // that a client believes in
)

// Visit is a visit to a provider by the player's browser, between [Client.BeginVisit] and [Client.FinishVisit].
type Visit struct {
	// Provider is whom the browser visits, and URL the page that the game opens in it.
	Provider, URL string
	// Until is when it is too late to come back, by the local clock.
	Until time.Time

	attempt func() string // which the server calls an attempt; a secret, and a function for that
}

// String says whom the visit is to.
func (v Visit) String() string { return "a visit to " + v.Provider }

// GoString is [Visit.String] for the verb %#v.
func (v Visit) GoString() string { return "client.Visit{" + v.String() + "}" }

// LogValue is [Visit.String] for log/slog.
func (v Visit) LogValue() slog.Value { return slog.StringValue(v.String()) }

// BeginVisit has a game that can open a browser send the player to a provider: it opens [Visit].URL, waits until the
// browser comes back to where the server's operator has said that it does, and gives what it brings to
// [Client.FinishVisit].
//
// The browser comes back to the address that the operator has registered with the provider. For games, that is one that
// the game hears of: a port of the loopback interface that it listens on, or a page that opens a link of the game's
// own. The node's own page, to which browsers come back that have begun there, finishes only what was begun in the same
// browser; so such a game has an entry of its own in the operator's file of providers, for the same issuer.
//
// It is tried once. [rushgate.ServerBusy] says that the provider is away, and Refusal.RetryAfter when to come back;
// [rushgate.MissingCredentials] that there is no such provider, or that browsers do not visit it.
func (c *Client) BeginVisit(ctx context.Context, provider string) (Visit, error) {
	r, err := post("begin a visit", pathOf(provider, "begin"), struct{}{})
	if err != nil {
		return Visit{}, err
	}
	ans, err := c.exchange(ctx, r)
	if err != nil {
		return Visit{}, err
	}
	var body struct {
		URL     string `json:"url"`
		ValidMS int64  `json:"valid_ms"`
	}
	if err := r.decode(ans, &body, http.StatusOK); err != nil {
		return Visit{}, err
	}
	attempt, ok := attemptIn(ans.header)
	page, err := url.Parse(body.URL)
	switch {
	case !ok:
		return Visit{}, r.bad("a visit that cannot be known again")
	case err != nil || len(body.URL) > maxPage || page.Host == "" || page.Scheme != "https" && page.Scheme != "http":
		return Visit{}, r.bad("a provider's page that is none")
	}
	return Visit{
		Provider: provider, URL: body.URL, Until: time.Now().Add(upTo(body.ValidMS, maxVisit)),
		attempt: func() string { return attempt },
	}, nil
}

// attemptIn returns by what the server knows a visit again.
func attemptIn(h http.Header) (string, bool) {
	for _, cookie := range (&http.Response{Header: h}).Cookies() {
		if cookie.Name == attemptCookie {
			return cookie.Value, urlSafe(cookie.Value, 1, maxAttempt)
		}
	}
	return "", false
}

// FinishVisit takes what the provider has sent the browser back with: the query of the address that it has come back
// to, or the fields of the form that it has brought, as they are. An answer is good for the Visit that it belongs to
// and for no other, so that nobody has a player come in as somebody else by a link.
//
// It is tried once; an answer is good once. [rushgate.BadCredentials] says that the player, or the provider, has said
// no, an error that wraps [ErrBeginAgain] that it came too late, was used before or belongs to another Visit. Other
// errors are those of [Client.BeginVisit].
func (c *Client) FinishVisit(ctx context.Context, v Visit, answer url.Values) (IdentityProof, error) {
	if v.attempt == nil {
		return IdentityProof{}, &rushgate.Refusal{Reason: rushgate.MissingCredentials, Cause: ErrBeginAgain}
	}
	r, err := post("finish a visit", pathOf(v.Provider, "finish"), struct {
		Answer string `json:"answer"`
	}{answer.Encode()}, v.attempt(), answer.Get("code"), answer.Get("state"))
	if err != nil {
		return IdentityProof{}, err
	}
	r.cookie = attemptCookie + "=" + v.attempt()
	return c.vouched(ctx, r)
}

// Nonce is for an ID token, see [Client.Nonce].
type Nonce struct {
	// Text is what the platform is asked to put into the token.
	Text string
	// ExpiresAt is when the server takes no token for it any more, by the server's clock.
	ExpiresAt time.Time
}

// Nonce returns what the platform is to put into an ID token that the server will take from [Client.VouchIDToken]: some
// platforms put its SHA-256 there in hex, which the server takes as well. It is good once, for a provider. It is tried
// once, and [rushgate.MissingCredentials] says that the provider takes no ID tokens here.
func (c *Client) Nonce(ctx context.Context, provider string) (Nonce, error) {
	r, err := post("ask for a nonce", pathOf(provider, "native/start"), struct{}{})
	if err != nil {
		return Nonce{}, err
	}
	ans, err := c.exchange(ctx, r)
	if err != nil {
		return Nonce{}, err
	}
	var body struct {
		Nonce   string    `json:"nonce"`
		Expires time.Time `json:"expires_at"`
	}
	if err := r.decode(ans, &body, http.StatusOK); err != nil {
		return Nonce{}, err
	}
	if !urlSafe(body.Nonce, 1, maxNonce) {
		return Nonce{}, r.bad("a nonce that is none")
	}
	return Nonce{body.Nonce, body.Expires}, nil
}

// VouchIDToken hands over the ID token that the platform has made for a nonce of [Client.Nonce]. It is tried once: a
// token is good once, and after a lost answer the game asks for another one. [rushgate.BadCredentials] says that it is
// not good here, as one for another game, or of another provider; an error that wraps [ErrBeginAgain] that the nonce or
// the token is too old, or was used before. [rushgate.ServerBusy] is of a provider that is away: the token may be good
// in a moment.
func (c *Client) VouchIDToken(ctx context.Context, provider, token string, nonce Nonce) (IdentityProof, error) {
	return c.vouch(ctx, provider, struct {
		IDToken string `json:"id_token"`
		Nonce   string `json:"nonce"`
	}{token, nonce.Text}, token, nonce.Text)
}

// VouchTicket hands over a ticket of Steam's client, as GetAuthTicketForWebApi gives it for the identity that the
// server's operator has set ("rushgate" unless told otherwise). Errors are as for [Client.VouchIDToken].
func (c *Client) VouchTicket(ctx context.Context, provider string, ticket []byte) (IdentityProof, error) {
	text := hex.EncodeToString(ticket)
	return c.vouch(ctx, provider, struct {
		Ticket string `json:"ticket"`
	}{text}, text)
}

// VouchShown hands over what a prover of the game's own understands: UTF-8 of 1 to 4096 bytes. It is tried once; what
// it is good for, and how often, is the prover's to say. [rushgate.BadCredentials] says that the prover does not take
// it, [rushgate.ServerBusy] that it cannot say now.
func (c *Client) VouchShown(ctx context.Context, provider, shown string) (IdentityProof, error) {
	if err := notText(shown); err != nil {
		return IdentityProof{}, err
	}
	return c.vouch(ctx, provider, struct {
		Shown string `json:"shown"`
	}{shown}, shown)
}

func (c *Client) vouch(ctx context.Context, provider string, body any, secrets ...string) (IdentityProof, error) {
	r, err := post("vouch", pathOf(provider, "native"), body, secrets...)
	if err != nil {
		return IdentityProof{}, err
	}
	return c.vouched(ctx, r)
}

// vouched sends what is answered with a proof.
func (c *Client) vouched(ctx context.Context, r request) (IdentityProof, error) {
	r.outdated = true
	ans, err := c.exchange(ctx, r)
	if err != nil {
		return IdentityProof{}, err
	}
	var body struct {
		Provider string    `json:"provider"`
		Proof    string    `json:"proof"`
		Name     string    `json:"name"`
		Expires  time.Time `json:"expires_at"`
	}
	if err := r.decode(ans, &body, http.StatusOK); err != nil {
		return IdentityProof{}, err
	}
	p, err := ParseIdentityProof(body.Proof)
	if err != nil || p.IsZero() || !urlSafe(body.Provider, 1, maxProviderName) {
		return IdentityProof{}, r.bad("a proof that is none")
	}
	p.Provider, p.Name, p.ExpiresAt = body.Provider, printable(body.Name), body.Expires
	return p, nil
}

// pathOf returns where a provider is asked for something.
func pathOf(provider, what string) string {
	return identitiesPath + "/" + url.PathEscape(provider) + "/" + what
}
