package web

import (
	"bytes"
	_ "embed"
	"html"
	"net/http"
	"net/url"
	"strings"
)

// BackPath is below which providers of identities send browsers back to, each to a page that has its name. A provider
// that has the browser post its answer does so from a page of its own, so requests with POST come from anywhere: they
// are led to the page, and change nothing.
const BackPath = "/play/back/"

// maxReturned is how many bytes of a posted answer are passed on.
const maxReturned = 8 << 10

// returned are what providers answer (OpenID Connect Core 1.0, section 3.1.2.5; RFC 9207). Apple posts more, such as the
// player's name, which is nobody's business.
var returned = []string{"state", "code", "iss", "error"}

var (
	//go:embed back/index.html
	backPage []byte
	//go:embed back/back.js
	backScript []byte
)

// back answers below [BackPath].
func back(mux *http.ServeMux, title string) {
	content := bytes.ReplaceAll(backPage, []byte(ownTitle), []byte(html.EscapeString(title)))
	for name := range embedded() {
		if strings.HasPrefix(name, "icon-") {
			content = bytes.ReplaceAll(content, []byte("icon.svg"), []byte(name))
		}
	}
	page := newFile("index.html", content)
	mux.Handle("GET "+BackPath+"{provider}", page)
	mux.Handle("GET "+BackPath+"back.js", newFile("back.js", backScript))
	mux.HandleFunc("POST "+BackPath+"{provider}", posted)
}

// posted leads a browser that has posted a provider's answer to the page that takes it. The answer goes where no server
// and no proxy gets to see it again: behind the #.
func posted(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxReturned)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "That is no answer of a provider.", http.StatusBadRequest)
		return
	}
	answer := make(url.Values)
	for _, name := range returned {
		if values := r.PostForm[name]; len(values) > 0 {
			answer[name] = values
		}
	}
	_, provider, _ := strings.Cut(r.URL.EscapedPath(), BackPath)
	w.Header().Set("Location", "./"+provider+"#"+answer.Encode()) // relative: whatever path a proxy has put in front
	w.WriteHeader(http.StatusSeeOther)
}
