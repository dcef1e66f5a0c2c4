package api

import (
	"net/http"
	"time"
)

const (
	// cookieName is the cookie that has the resume token of a page, where no script can read it.
	cookieName = "rushgate_resume"
	// resumePath is where it is used.
	resumePath = "/v1/resume"
	// cookiePassword is where pages change passwords: a cookie goes with what is beside the path that has set it.
	cookiePassword = "/v1/password"
	// cookieLogin and cookieRegister are where pages finish by OPAQUE, for the same reason.
	cookieLogin    = "/v1/opaque-login"
	cookieRegister = "/v1/opaque-register"
)

// mayHaveCookie returns an error if a request asks for its token to be in the cookie and comes from a page of another
// origin, be it an allowed one: the cookie is for the pages of this node.
func (h *handler) mayHaveCookie(r *http.Request, inCookie bool) error {
	if inCookie && !h.ownPage(r) {
		return errForeignPage
	}
	return nil
}

// ownPage reports whether a request comes from a page of the node's own origin, or from no page. Unlike what a page has
// to know, a cookie is sent by the browser, so that no other origin may make use of it. Browsers that do not say how
// page and node are related send the page's origin with all but GET.
func (h *handler) ownPage(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin":
		return true
	case "":
		sent, _ := originOf(r)
		return len(r.Header.Values("Origin")) == 0 || h.ownHost(r, sent)
	default:
		return false
	}
}

// cookie returns the token in the cookie of a request that may use it. Several cookies of the name are none: one of
// them was put there by another host of the same domain.
func (h *handler) cookie(r *http.Request) (text string, found bool) {
	cookies := r.CookiesNamed(cookieName)
	if len(cookies) != 1 || !h.ownPage(r) {
		return "", false
	}
	return cookies[0].Value, true
}

// setCookie puts a resume token into the cookie.
func (h *handler) setCookie(w http.ResponseWriter, r *http.Request, text string) {
	h.writeCookie(w, r, text, int(h.Remember/time.Second))
}

// clearCookie takes the cookie away.
func (h *handler) clearCookie(w http.ResponseWriter, r *http.Request) { h.writeCookie(w, r, "", -1) }

// writeCookie gives the cookie no path. It is then for all that is beside the path of the request, /v1/, as the browser
// sees that (RFC 6265 section 5.1.4): a proxy may have put it below another one.
func (h *handler) writeCookie(w http.ResponseWriter, r *http.Request, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: value, MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: h.secure(r),
	})
}

// secure reports whether a page came over TLS: to this node, by the word of a trusted proxy, or by its own.
func (h *handler) secure(r *http.Request) bool {
	if r.TLS != nil || h.Proxies.Secure(r) {
		return true
	}
	sent, _ := originOf(r)
	scheme, _, err := splitOrigin(sent)
	return err == nil && scheme == "https" && h.ownHost(r, sent)
}
