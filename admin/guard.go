package admin

import (
	"fmt"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// policy lets a page use what the node serves and nothing else, and no other page contain it. Scripts and styles in the
// page itself are not run: names of players, which come from outside, could otherwise become some.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// open are the paths that need no token and no particular host: probes tell nobody anything.
func open(path string) bool { return path == "/healthz" || path == "/readyz" }

// guard decides who gets through to the rest of the handler.
type guard struct {
	next   http.Handler
	token  *Token // nil: whoever reaches the listener on loopback is the operator
	logins *logins
}

func newGuard(next http.Handler, token *Token, logins *logins) http.Handler {
	// Requests of other sites' pages are refused before anything else is looked at.
	return http.NewCrossOriginProtection().Handler(&guard{next: next, token: token, logins: logins})
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setHeaders(w.Header())
	switch {
	case open(r.URL.Path):
		g.next.ServeHTTP(w, r)
	case g.token == nil && !local(r.Host):
		// A name could be one that leads a browser here from somebody else's page (DNS rebinding).
		http.Error(w, "without a token the host has to be an address or localhost", http.StatusMisdirectedRequest)
	case g.token == nil || public(r.URL.Path) || g.logins.valid(r):
		g.next.ServeHTTP(w, r)
	default:
		g.authorize(w, r)
	}
}

func setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// local reports whether the host of a request is one that no foreign name can stand for.
func local(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}

// authorize looks for the token in the header Authorization (RFC 6750). A browser that has not logged in is sent to do so.
func (g *guard) authorize(w http.ResponseWriter, r *http.Request) {
	scheme, presented, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/login", http.StatusSeeOther)
			return
		}
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "this needs the token of the operator", http.StatusUnauthorized)
		return
	}
	switch wait, right := g.logins.try(g.token, presented, r); {
	case wait > 0:
		tooMany(w, wait)
	case !right:
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		http.Error(w, "that is not the token", http.StatusUnauthorized)
	default:
		g.next.ServeHTTP(w, r)
	}
}

func tooMany(w http.ResponseWriter, wait time.Duration) {
	setRetryAfter(w, wait)
	http.Error(w, "too many wrong tokens; come back in "+seconds(wait), http.StatusTooManyRequests)
}

func setRetryAfter(w http.ResponseWriter, wait time.Duration) {
	w.Header().Set("Retry-After", fmt.Sprintf("%.0f", math.Ceil(wait.Seconds())))
}
