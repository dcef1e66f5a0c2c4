package api

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
)

var errOrigin = errors.New("want a scheme and a host, with a port if it is not the usual one, and nothing else, as " +
	"https://play.example.org, http://localhost:3000 or capacitor://localhost; or file:// for pages from files")

// noOrigin is how pages present themselves that have no origin of their own: those from files, and those in a sandbox,
// which any site can make.
const noOrigin = "null"

// ParseOrigin checks an origin (RFC 6454 section 6.2), like https://play.example.org, http://localhost:3000 or the
// capacitor://localhost of an app, and returns it as browsers write it: in lower case and without the scheme's usual
// port. For file:// that is "null".
func ParseOrigin(s string) (string, error) {
	if strings.EqualFold(s, "file://") || strings.EqualFold(s, noOrigin) {
		return noOrigin, nil
	}
	scheme, host, err := splitOrigin(s)
	if err != nil {
		return "", err
	}
	return scheme + "://" + host, nil
}

func splitOrigin(s string) (scheme, host string, err error) {
	u, err := url.Parse(s)
	if err != nil { // quotes what it was given; that is for the caller
		return "", "", errOrigin
	}
	if u.Scheme == "" || u.Hostname() == "" || strings.ContainsFunc(u.Host, unfitForHost) ||
		!strings.EqualFold(s, u.Scheme+"://"+u.Host) {
		return "", "", errOrigin
	}
	switch u.Scheme {
	case "ws", "wss", "ftp", "file": // what no page's origin has, but perhaps a program's, see ownHost
		return "", "", errOrigin
	}
	return u.Scheme, canonicalHost(u.Scheme, u.Host), nil
}

// unfitForHost reports what no browser writes into an origin: names in other letters are in their ASCII form there.
func unfitForHost(c rune) bool { return c == '*' || c == ',' || c <= ' ' || c > '~' }

// canonicalHost returns a host as browsers write it, without the port that the scheme has anyway.
func canonicalHost(scheme, host string) string {
	name, port := splitHost(host)
	if port == usualPorts[scheme] {
		port = ""
	}
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	if port != "" {
		name += ":" + port
	}
	return name
}

var usualPorts = map[string]string{"http": "80", "https": "443", "ws": "80", "wss": "443"}

// splitHost returns the two parts of a host, in lower case and without brackets. There may be no port.
func splitHost(host string) (name, port string) {
	name = strings.ToLower(host)
	if n, p, err := net.SplitHostPort(name); err == nil {
		name, port = n, p
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if a, err := netip.ParseAddr(name); err == nil && a.Is6() {
		name = a.String()
	}
	return name, port
}

// originOf returns the one origin that a request names, as it stands there, and how [ParseOrigin] writes it: "" if it
// names none or several, or one that no page has.
func originOf(r *http.Request) (sent, canonical string) {
	origins := r.Header.Values("Origin")
	if len(origins) != 1 {
		return "", ""
	}
	canonical, err := ParseOrigin(origins[0])
	if err != nil {
		return origins[0], ""
	}
	return origins[0], canonical
}

// allows reports whether the operator allows the pages of an origin to use the node.
func (h *handler) allows(canonical string) bool {
	return canonical != "" && slices.Contains(h.Origins, canonical)
}

// mayConnect reports whether the page that a request comes from, if any, may open a WebSocket, which browsers let pages
// do to wherever they like: a page of the node's own host, or of an allowed origin. What sends no Origin is not a
// browser.
func (h *handler) mayConnect(r *http.Request) bool {
	if len(r.Header.Values("Origin")) == 0 {
		return true
	}
	sent, canonical := originOf(r)
	return h.allows(canonical) || h.ownHost(r, sent)
}

// mayKnock reports whether the page that a request comes from, if any, may change something here. A page elsewhere must
// not be able to make its visitors' browsers knock: their failures would count against the visitors. Browsers that tell
// how page and node are related (W3C Fetch Metadata) are believed in that; pages cannot write that header.
func (h *handler) mayKnock(r *http.Request) bool {
	sent, canonical := originOf(r)
	if h.allows(canonical) {
		return true
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return true
	case "":
		return len(r.Header.Values("Origin")) == 0 || h.ownHost(r, sent)
	default:
		return false
	}
}

// ownHost reports whether an origin is that of the host which the request was sent to, whatever the scheme: a proxy may
// speak TLS for a node that does not, and some programs send http:// over TLS. Nor does a port count that either side
// leaves out, or has by its scheme, where it says nothing: in an origin, since programs leave it out; in the Host
// header, if the node does not listen there, since then a proxy stands in front of it. A trusted proxy may have changed
// any port.
//
// That this is not the browsers' notion of one origin does no harm. But for the cookie of a resume, for which
// [handler.ownPage] has browsers say it, nothing here goes by what a browser sends of its own accord: a page has to
// have the password, or the session token, which browsers keep apart for each origin. The check is there so that pages
// elsewhere cannot have their visitors knock, and what is served at another port of this host is not elsewhere. Against
// a foreign name that is made to lead here (DNS rebinding) comparing scheme and port would not help either: such a
// page's origin and the Host header agree in both. What it can do is what any program at its visitor's address can.
func (h *handler) ownHost(r *http.Request, origin string) bool {
	scheme, host, found := strings.Cut(origin, "://")
	if !found { // some programs send the host alone
		scheme, host = "", origin
	}
	usual, known := usualPorts[strings.ToLower(scheme)]
	if found && !known || origin == noOrigin || strings.ContainsAny(host, "/?#@") {
		return false
	}
	name, port := splitHost(host)
	own, ownPort := splitHost(r.Host)
	trusted := h.Proxies.Passed(r)
	if name == "" || name != own || port != ownPort && !trusted && !isUsual(port) && port != usual &&
		(ownPort != "" || !behindProxy(r)) {
		return false
	}
	if usual == "443" && r.TLS == nil && !trusted {
		h.pages.noteProxy(h.Logger, origin, r.Host)
	}
	return true
}

// isUsual reports whether a port says no more than that there is none.
func isUsual(port string) bool { return port == "" || port == "80" || port == "443" }

// behindProxy reports whether the port at which a request has arrived is one that clients have to name, so that one
// which does not has been talking to a proxy.
func behindProxy(r *http.Request) bool {
	addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	_, port, err := net.SplitHostPort(addr.String())
	return err == nil && !isUsual(port)
}

// maxForeign is how many origins are named in the log; outsiders decide how many there are.
const maxForeign = 32

// pages is what the log was told of pages, each once.
type pages struct {
	mu      sync.Mutex
	foreign map[string]bool
	proxied sync.Once
}

// note logs the origin of a page that was refused, if it has not been yet.
func (p *pages) note(logger *slog.Logger, r *http.Request) {
	origin := "none, or several"
	if sent, canonical := originOf(r); canonical != "" {
		origin = shortened(canonical)
	} else if sent != "" {
		origin = "unreadable"
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.foreign[origin] || len(p.foreign) >= maxForeign {
		return
	}
	if p.foreign == nil {
		p.foreign = make(map[string]bool)
	}
	p.foreign[origin] = true
	logger.Warn("a page of an origin that is not allowed was refused; if the page is yours, allow it with --origins; if "+
		"it is this node's own, have the proxy in front of the node pass the Host header on",
		"origin", origin, "host", shortened(r.Host), "path", shortened(r.URL.Path))
	if len(p.foreign) == maxForeign {
		logger.Warn("pages of many origins were refused: further ones are not logged")
	}
}

// noteProxy logs, once, that there is a proxy which is not trusted.
func (p *pages) noteProxy(logger *slog.Logger, origin, host string) {
	p.proxied.Do(func() {
		logger.Warn("the origin of a page of this node's own is https, but the node speaks plain HTTP: players seem to come "+
			"through a proxy that speaks TLS; name its address with --trusted-proxies",
			"origin", shortened(origin), "host", shortened(host))
	})
}

// shortened returns the beginning of what an outsider has sent, for the log.
func shortened(s string) string {
	const enough = 128
	if len(s) > enough {
		return s[:enough] + "..."
	}
	return s
}
