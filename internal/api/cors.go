package api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/rushgate/rushgate/internal/web"
)

const (
	// corsHeaders are those that requests have and that no browser lets a page of another origin send unasked.
	corsHeaders = "Authorization, Content-Type"
	// corsExposed are those of answers that a page of another origin could not read otherwise.
	corsExposed = "Retry-After, Allow, WWW-Authenticate"
	// corsMaxAge is for how many seconds a browser remembers what it may send. Chromium takes no more.
	corsMaxAge = "7200"
)

// cors has the pages of allowed origins read every answer (https://fetch.spec.whatwg.org/#http-cors-protocol), and
// answers the questions that browsers ask before. The one cookie is for the node's own pages, so no answer allows
// credentials. To pages of other origins it says nothing, which makes browsers keep the answer from them.
func (h *handler) cors(next http.Handler) http.Handler {
	if len(h.Origins) == 0 {
		return next
	}
	methods := h.methods()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Origin")
		sent, canonical := originOf(r)
		if !h.allows(canonical) {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Access-Control-Allow-Origin", sent) // browsers compare it byte by byte
		if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
			w.Header().Set("Access-Control-Expose-Headers", corsExposed)
			next.ServeHTTP(w, r)
			return
		}
		// Whatever the path: the answer to the request itself says best if there is nothing at it.
		w.Header().Add("Vary", "Access-Control-Request-Method")
		w.Header().Add("Vary", "Access-Control-Request-Headers")
		w.Header().Set("Access-Control-Allow-Methods", methods)
		w.Header().Set("Access-Control-Allow-Headers", corsHeaders)
		w.Header().Set("Access-Control-Max-Age", corsMaxAge)
		w.WriteHeader(http.StatusNoContent)
	})
}

// methods returns those that the routes have.
func (h *handler) methods() string {
	var all []string
	for _, r := range h.routes() {
		method, _, _ := strings.Cut(r.pattern, " ")
		all = append(all, method)
		if method == http.MethodGet {
			all = append(all, http.MethodHead)
		}
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ", ")
}

// ownPages lets through what does not come from the page of an origin that is not allowed. Requests that change nothing
// pass in any case: browsers keep their answers from such a page.
func (h *handler) ownPages(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == channelPath:
			// Whatever the method: the page at /play/, to which browsers do not say why its WebSocket fails, asks with another.
			if !h.mayConnect(r) {
				h.refuseForeign(w, r)
				return
			}
		case r.Method == http.MethodGet || r.Method == http.MethodHead:
		case r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, web.BackPath): // a provider's page, see there
		case r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") == "":
		default:
			if !h.mayKnock(r) {
				h.refuseForeign(w, r)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func (h *handler) refuseForeign(w http.ResponseWriter, r *http.Request) {
	h.pages.note(h.Logger, r)
	h.refuse(w, errForeignPage)
}

// turnedAwayOrigin returns the lines with which a newcomer for whom there is no connection is told who may read that.
// The answer is the same for all, since it comes before the request: of several origins it can name none.
func turnedAwayOrigin(origins []string) string {
	switch len(origins) {
	case 0:
		return ""
	case 1:
		return "Access-Control-Allow-Origin: " + origins[0] + "\r\nAccess-Control-Expose-Headers: Retry-After\r\n"
	default:
		return "Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: Retry-After\r\n"
	}
}
