package admin

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/rushgate/rushgate/internal/operator"
)

// policy lets a page use what the node serves and nothing else, and no other page contain it. Scripts and styles in the
// page itself are not run: names of players, which come from outside, could otherwise become some.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// open are the paths that need no token and no particular host: probes tell a stranger nothing.
func open(path string) bool { return path == "/healthz" || path == "/readyz" }

// guard decides who gets through to the rest of the handler.
type guard struct {
	next   http.Handler
	access *access
	logins *logins
	hold   func(context.Context) // see Config; may be nil
}

func newGuard(next http.Handler, access *access, logins *logins, hold func(context.Context)) http.Handler {
	// What would change something is refused here for other sites' pages, also those of browsers too old to say more than
	// the origin; the rest in foreign.
	return sameOrigin(&guard{next: next, access: access, logins: logins, hold: hold})
}

// sameOrigin lets through what a browser does not ask for on behalf of another site's page, if it would change
// something.
func sameOrigin(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { refuseForeign(w) }))
	return protection.Handler(next)
}

func refuseForeign(w http.ResponseWriter) {
	writeProblem(w, http.StatusForbidden, "this is not for the pages of other sites")
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setHeaders(w.Header())
	switch unasked := g.access.unasked(); {
	case foreign(r):
		refuseForeign(w)
	case open(r.URL.Path):
		g.next.ServeHTTP(w, r)
	case unasked && !local(r.Host):
		// A name could be one that leads a browser here from another site's page (DNS rebinding).
		writeProblem(w, http.StatusMisdirectedRequest, "without a token the host has to be an address or localhost")
	case public(r.URL.Path):
		g.next.ServeHTTP(w, r)
	case unasked:
		g.through(w, r, passerby(operator.All))
	case g.access.scrapes(r) && local(r.Host):
		g.through(w, r, passerby(operator.Look))
	default:
		g.authenticate(w, r)
	}
}

// through has a request of an operator answered, and what it begins end when the operator may ask no longer.
func (g *guard) through(w http.ResponseWriter, r *http.Request, who person) {
	ctx, cancel := context.WithCancel(context.WithValue(r.Context(), personKey{}, who))
	defer cancel()
	defer context.AfterFunc(who.over, cancel)()
	if r = r.WithContext(ctx); g.hold != nil {
		g.hold(ctx)
	}
	g.next.ServeHTTP(w, r)
}

// foreign reports whether a browser makes a request for the page of another site (W3C Fetch Metadata, section 2). Such
// a page cannot read the answers, but it could have the node take profiles. Following a link to the page is another
// matter.
func foreign(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none": // not a browser, an old one, the page itself, or the operator's own doing
		return false
	}
	h, path := r.Header, r.URL.Path
	followed := h.Get("Sec-Fetch-Mode") == "navigate" && h.Get("Sec-Fetch-Dest") == "document"
	return !followed || path != "/" && path != "/login"
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

// authenticate lets through who is logged in, or has a token.
func (g *guard) authenticate(w http.ResponseWriter, r *http.Request) {
	who, ok := g.logins.session(r)
	if !ok {
		g.authorize(w, r)
		return
	}
	g.through(w, r, who)
}

// authorize looks for a token in the header Authorization (RFC 6750). A browser that has not logged in is sent to do
// so.
func (g *guard) authorize(w http.ResponseWriter, r *http.Request) {
	scheme, presented, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/login", http.StatusSeeOther)
			return
		}
		w.Header().Set("WWW-Authenticate", "Bearer")
		writeProblem(w, http.StatusUnauthorized, "this needs the token of an operator, as Authorization: Bearer TOKEN; "+
			"rushgate operator add makes operators")
		return
	}
	switch who, wait, right := g.logins.try(g.access, presented, r); {
	case wait > 0:
		tooMany(w, wait)
	case !right:
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		writeProblem(w, http.StatusUnauthorized, "that is not the token of an operator, or no longer; rushgate "+
			"operator token makes another")
	default:
		g.through(w, r, who)
	}
}

func tooMany(w http.ResponseWriter, wait time.Duration) {
	setRetryAfter(w, wait)
	writeProblem(w, http.StatusTooManyRequests, "too many wrong tokens; come back in "+seconds(wait))
}

func setRetryAfter(w http.ResponseWriter, wait time.Duration) {
	w.Header().Set("Retry-After", fmt.Sprintf("%.0f", math.Ceil(wait.Seconds())))
}
