package admin

import "github.com/rushgate/rushgate/internal/operator"

// deed is what operators can do, in the words of a help text, with the routes by which they do it, which take one role.
type deed struct {
	what   string
	routes []string
}

// deeds has every route that takes more than [operator.Look], in the order in which roles are explained.
var deeds = []deed{
	{"lift lockouts", []string{"POST /lockouts/{id}/lift"}},
	{"end sessions", []string{"POST /accounts/{name}/end-session", "POST /accounts/{name}/end-sessions"}},
	{"write notes", []string{"POST /accounts/{name}/notes"}},
	{"hand out codes for lost passwords", []string{"POST /accounts/{name}/recovery-code"}},
	{"rename accounts", []string{"POST /accounts/{name}/name"}},
	{"search by e-mail, address or device", []string{"POST /accounts/find"}},

	{"keep players out", []string{
		"POST /bans", "POST /bans/{id}/lift", "POST /accounts/{name}/disable", "POST /accounts/{name}/enable",
	}},
	{"say who may come in", []string{"POST /mode", "POST /lists"}},
	{"set passwords", []string{"POST /accounts/{name}/password"}},
	{"take second factors and passkeys away", []string{
		"POST /accounts/{name}/remove-second-factor", "POST /accounts/{name}/remove-passkeys",
	}},
	{"make accounts", []string{"POST /accounts"}},
	{"drain a node", []string{"POST /drain"}},

	{"see, make and remove operators", []string{
		"GET /operators", "POST /operators", "POST /operators/{name}/role", "POST /operators/{name}/token",
		"POST /operators/{name}/remove",
	}},
	{"delete accounts", []string{"POST /accounts/{name}/delete", "POST /accounts/delete"}},
	{"have backups noted", []string{"POST /backups", "POST /backups/{entry}/end"}},
	{"take profiles", []string{
		"GET /debug/pprof/", "GET /debug/pprof/profile", "GET /debug/pprof/trace", "GET /debug/pprof/symbol",
		"POST /debug/pprof/symbol",
	}},
}

// Deeds returns what a role lets operators do that those below it do not, in words that follow "may also". Of
// [operator.Look] there is nothing: it sees.
func Deeds(role operator.Role) (words []string) {
	for _, d := range deeds {
		if leastRoles[d.routes[0]] == role {
			words = append(words, d.what)
		}
	}
	return words
}
