package oidc

import "golang.org/x/oauth2"

// preset is what is different at a provider, as its documentation says. docs/identities.md has where, and what else.
type preset struct {
	issuer   string
	scopes   []string
	nameFrom []string
	userinfo bool             // what else there is to know is there and not in the ID token
	unproven bool             // an address is not taken for verified, whatever the provider says
	style    oauth2.AuthStyle // how the secret is sent; 0 as discovery says
	asks     map[string]string
	plain    *endpoints // it is no OpenID provider, and has these endpoints
}

// endpoints are those of a provider that has OAuth 2 and nothing more: who the player is, it says at an endpoint of its
// own, under names of its own.
type endpoints struct {
	authorize, token, user   string
	subject, email, verified string // the names
}

// presets are as the documentation was on 29 November 2026.
var presets = map[string]preset{
	"google": {
		issuer: "https://accounts.google.com", scopes: []string{"openid", "profile", "email"}, nameFrom: []string{"name"},
	},
	// A name and an address come with scopes of their own, and these only in a form that Apple posts.
	"apple": {issuer: "https://appleid.apple.com", scopes: []string{"openid"}, style: oauth2.AuthStyleInParams},
	// The tenant of all personal accounts, with which players have their Xbox. Addresses of Microsoft can be changed
	// without proof.
	"microsoft": {
		issuer: microsoftIssuer("9188040d-6c67-4c5b-b112-36a304b66dad"), scopes: []string{"openid", "profile"},
		nameFrom: []string{"name"}, unproven: true,
	},
	"epic": {
		issuer: "https://api.epicgames.dev/epic/oauth/v1", scopes: []string{"openid", "basic_profile"},
		nameFrom: []string{"preferred_username", "dn"}, style: oauth2.AuthStyleInHeader,
	},
	"twitch": {
		issuer: "https://id.twitch.tv/oauth2", scopes: []string{"openid"}, nameFrom: []string{"preferred_username"},
		style: oauth2.AuthStyleInParams,
		asks:  map[string]string{"claims": `{"id_token":{"preferred_username":null}}`},
	},
	"discord": {
		issuer: "https://discord.com", scopes: []string{"identify"}, nameFrom: []string{"global_name", "username"},
		style: oauth2.AuthStyleInParams,
		plain: &endpoints{
			authorize: "https://discord.com/oauth2/authorize", token: "https://discord.com/api/oauth2/token",
			user: "https://discord.com/api/users/@me", subject: "id", email: "email", verified: "verified",
		},
	},
}

// microsoftIssuer is how Microsoft's tenants call themselves.
func microsoftIssuer(tenant string) string {
	return "https://login.microsoftonline.com/" + tenant + "/v2.0"
}

// ordinary is a provider that has no preset.
var ordinary = preset{
	scopes: []string{"openid", "profile", "email"}, nameFrom: []string{"preferred_username", "nickname", "name"},
}
