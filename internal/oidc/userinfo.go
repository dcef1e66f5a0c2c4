package oidc

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/oauth2"

	"github.com/rushgate/rushgate/internal/identity"
	"github.com/rushgate/rushgate/internal/outbound"
)

// claims are what a provider says of a player: of an ID token that has been checked, or of the userinfo endpoint.
type claims map[string]any

func parseClaims(b []byte) (claims, error) {
	var c claims
	if err := json.Unmarshal(b, &c); err != nil || c == nil {
		return nil, identity.ErrGarbage
	}
	return c, nil
}

// userinfo asks the provider about the player whose token it is.
func (p *Provider) userinfo(ctx context.Context, about *about, token *oauth2.Token) (claims, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, about.user, http.NoBody)
	if err != nil {
		return nil, p.fail(identity.Provider, identity.ErrGarbage)
	}
	req.Header.Set("Authorization", "Bearer "+token.AccessToken) // RFC 6750, the one kind that there is
	resp, err := p.target.Client(outbound.JSONObject).Do(req)
	if err != nil {
		return nil, p.failed(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, p.fail(identity.Provider, fmt.Errorf("%w: userinfo answers %d", identity.ErrGarbage, resp.StatusCode))
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, p.failed(ctx, err)
	}
	said, err := parseClaims(b)
	if err != nil {
		return nil, p.fail(identity.Provider, err)
	}
	return said, nil
}

// identify makes an identity of what a provider says, under the names of its claims.
func (p *Provider) identify(said claims, subject, email, verified string) (identity.Identity, error) {
	id := identity.Identity{Issuer: p.Issuer, Name: p.name(said)}
	id.Subject, _ = said[subject].(string)
	if !printable(id.Subject, 255) { // OpenID Connect Core 1.0, section 2
		return identity.Identity{}, p.fail(identity.Provider, fmt.Errorf("%w: no subject", identity.ErrGarbage))
	}
	address, _ := said[email].(string)
	proven := said[verified] == true || said[verified] == "true" // Apple writes either
	if proven && !p.preset.unproven && strings.Count(address, "@") == 1 && printable(address, 254) {
		id.Email = address
	}
	return id, nil
}

// name returns what the provider calls the player, or nothing.
func (p *Provider) name(said claims) string {
	for _, claim := range p.NameFrom {
		s, _ := said[claim].(string)
		s = strings.TrimSpace(strings.Map(func(r rune) rune {
			if unicode.IsControl(r) || r == utf8.RuneError {
				return -1
			}
			return r
		}, s))
		if runes := []rune(s); len(runes) > identity.MaxName {
			s = strings.TrimSpace(string(runes[:identity.MaxName]))
		}
		if s != "" {
			return s
		}
	}
	return ""
}

// printable reports whether there are 1 to so many printable characters of ASCII.
func printable(s string, most int) bool {
	return s != "" && len(s) <= most && !strings.ContainsFunc(s, func(r rune) bool { return r < '!' || r > '~' })
}
