package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Providers send browsers back to a page that has nothing but a script of this node's; one that has its answer posted
// is led there with what of it counts, where no server sees it again.
func TestBack(t *testing.T) {
	h := Play(Look{Title: "A & B"})
	ask := func(method, path, body string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		h.ServeHTTP(w, r)
		return w
	}
	page := ask("GET", "/play/back/google?code=a&state=b", "")
	if page.Code != 200 || !strings.Contains(page.Body.String(), `src="back.js"`) ||
		!strings.Contains(page.Body.String(), "A &amp; B") || strings.Contains(page.Body.String(), ownTitle) ||
		!strings.Contains(page.Header().Get("Content-Security-Policy"), "script-src 'self'") ||
		page.Header().Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("%d %v %s", page.Code, page.Header(), page.Body)
	}
	if script := ask("GET", "/play/back/back.js", ""); script.Code != 200 ||
		script.Header().Get("Content-Type") != contentTypes[".js"] {
		t.Errorf("%d %v", script.Code, script.Header())
	}
	posted := ask("POST", "/play/back/apple", "code=c.d&state=e&id_token=f&user=%7B%22name%22%3A%22Ada%22%7D")
	if posted.Code != http.StatusSeeOther || posted.Header().Get("Location") != "./apple#code=c.d&state=e" {
		t.Errorf("%d %v", posted.Code, posted.Header())
	}
	if w := ask("POST", "/play/back/%2f%2felsewhere.example%0d%0a", "state=x"); w.Code == http.StatusSeeOther &&
		w.Header().Get("Location") != "./%2f%2felsewhere.example%0d%0a#state=x" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	for _, body := range []string{"%", strings.Repeat("a", maxReturned+1)} {
		if w := ask("POST", "/play/back/apple", body); w.Code != http.StatusBadRequest {
			t.Errorf("%.10q: %d", body, w.Code)
		}
	}
}
