package admin

import (
	"fmt"
	"net/http"

	"github.com/rushgate/rushgate/internal/operator"
)

// everybody is the role of routes that ask nobody who they are.
const everybody operator.Role = 0

// leastRoles has the role that each route takes at least. There is none that is not here, and none is served without
// it.
var leastRoles = map[string]operator.Role{
	"GET /healthz": everybody, "GET /readyz": everybody, "GET /login": everybody, "POST /login": everybody,
	"POST /logout": everybody, "GET /style.css": everybody, "GET /icon.svg": everybody,

	"GET /{$}": operator.Look, "GET /dashboard.js": operator.Look, "GET /verdict.js": operator.Look,
	"GET /players.js": operator.Look, "GET /charts.js": operator.Look, "GET /actions.js": operator.Look,
	"GET /lockouts.js": operator.Look, "GET /audit.js": operator.Look, "GET /roles.js": operator.Look,
	"GET /ways.js":   operator.Look,
	"GET /access.js": operator.Look, "GET /lists.js": operator.Look, "GET /operators.js": operator.Look,
	"GET /proofs.js": operator.Look, "GET /tables.js": operator.Look,

	"GET /metrics": operator.Look, "GET /metrics.json": operator.Look, "GET /events": operator.Look,
	"GET /openapi.yaml": operator.Look, "GET /me": operator.Look, "GET /status": operator.Look,
	"GET /players": operator.Look, "GET /lockouts": operator.Look, "GET /accounts": operator.Look,
	"GET /accounts/{name}": operator.Look, "GET /audit": operator.Look, "GET /audit/verify": operator.Look,
	"GET /mode": operator.Look, "GET /bans": operator.Look, "GET /lists": operator.Look,

	"POST /lockouts/{id}/lift": operator.Help, "POST /accounts/{name}/end-session": operator.Help,
	"POST /accounts/{name}/end-sessions": operator.Help, "POST /accounts/{name}/notes": operator.Help,
	"POST /accounts/{name}/recovery-code": operator.Help, "POST /accounts/{name}/name": operator.Help,
	"POST /accounts/find": operator.Help,

	"POST /accounts": operator.Run, "POST /accounts/{name}/password": operator.Run,
	"POST /accounts/{name}/remove-second-factor": operator.Run,
	"POST /accounts/{name}/remove-passkeys":      operator.Run,
	"POST /accounts/{name}/disable":              operator.Run, "POST /accounts/{name}/enable": operator.Run,
	"POST /drain": operator.Run, "POST /mode": operator.Run, "POST /bans": operator.Run,
	"POST /bans/{id}/lift": operator.Run, "POST /lists": operator.Run,

	"POST /backups": operator.All, "POST /backups/{entry}/end": operator.All,

	"POST /accounts/{name}/delete": operator.All, "POST /accounts/delete": operator.All,
	"GET /operators": operator.All, "POST /operators": operator.All, "POST /operators/{name}/role": operator.All,
	"POST /operators/{name}/token": operator.All, "POST /operators/{name}/remove": operator.All,
	"GET /debug/pprof/": operator.All, "GET /debug/pprof/profile": operator.All, "GET /debug/pprof/trace": operator.All,
	"GET /debug/pprof/symbol": operator.All, "POST /debug/pprof/symbol": operator.All,
}

// routes serves each route to those only who have the role that it takes.
type routes struct{ mux *http.ServeMux }

// Handle adds a route, which has to be among leastRoles.
func (m *routes) Handle(pattern string, h http.Handler) {
	least, ok := leastRoles[pattern]
	if !ok {
		panic(fmt.Sprintf("admin: nothing says which role %s takes", pattern))
	}
	if least != everybody {
		h = demand(least, h)
	}
	m.mux.Handle(pattern, h)
}

// HandleFunc is Handle for a function.
func (m *routes) HandleFunc(pattern string, h http.HandlerFunc) { m.Handle(pattern, h) }

// demand lets through who has a role.
func demand(least operator.Role, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := personOf(r.Context())
		if !who.role.May(least) {
			writeProblem(w, http.StatusForbidden, fmt.Sprintf("this takes the role %v; yours is %v: ask an operator "+
				"with the role all for another (rushgate operator role)", least, who.role))
			return
		}
		next.ServeHTTP(w, r)
	})
}
