package admin

import (
	"embed"
	"html/template"
	"net/http"
)

// maxForm bounds a login form in bytes.
const maxForm = 8 << 10

//go:embed page
var page embed.FS

var loginForm = template.Must(template.ParseFS(page, "page/login.html"))

// assets are the files of the page and their types: nothing but these is served. Those that the login form needs are
// there for every caller.
var assets = map[string]struct {
	file, contentType string
	public            bool
}{
	"/":             {"page/index.html", "text/html; charset=utf-8", false},
	"/dashboard.js": {"page/dashboard.js", "text/javascript; charset=utf-8", false},
	"/verdict.js":   {"page/verdict.js", "text/javascript; charset=utf-8", false},
	"/players.js":   {"page/players.js", "text/javascript; charset=utf-8", false},
	"/charts.js":    {"page/charts.js", "text/javascript; charset=utf-8", false},
	"/actions.js":   {"page/actions.js", "text/javascript; charset=utf-8", false},
	"/access.js":    {"page/access.js", "text/javascript; charset=utf-8", false},
	"/lists.js":     {"page/lists.js", "text/javascript; charset=utf-8", false},
	"/proofs.js":    {"page/proofs.js", "text/javascript; charset=utf-8", false},
	"/operators.js": {"page/operators.js", "text/javascript; charset=utf-8", false},
	"/audit.js":     {"page/audit.js", "text/javascript; charset=utf-8", false},
	"/roles.js":     {"page/roles.js", "text/javascript; charset=utf-8", false},
	"/tables.js":    {"page/tables.js", "text/javascript; charset=utf-8", false},
	"/ways.js":      {"page/ways.js", "text/javascript; charset=utf-8", false},
	"/lockouts.js":  {"page/lockouts.js", "text/javascript; charset=utf-8", false},
	"/style.css":    {"page/style.css", "text/css; charset=utf-8", true},
	"/icon.svg":     {"page/icon.svg", "image/svg+xml", true},
}

// public are the paths that need no token because they lead to one being asked for.
func public(path string) bool { return path == "/login" || assets[path].public }

func servePage(mux *routes) {
	for path, asset := range assets {
		pattern := "GET " + path
		if path == "/" {
			pattern += "{$}"
		}
		body, err := page.ReadFile(asset.file)
		if err != nil {
			panic("admin: " + err.Error()) // it is part of the binary
		}
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", asset.contentType)
			w.Write(body)
		})
	}
}

// serveLogin adds the form that asks for a token.
func serveLogin(mux *routes, access *access, logins *logins) {
	form := func(w http.ResponseWriter, status int, problem string) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		_ = loginForm.Execute(w, problem) // who cannot be written to has gone
	}
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		if access.unasked() || logins.valid(r) {
			http.Redirect(w, r, "/", http.StatusSeeOther)
			return
		}
		form(w, http.StatusOK, "")
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		switch {
		case access.unasked():
			http.Redirect(w, r, "/", http.StatusSeeOther)
			return
		case r.ParseForm() != nil:
			form(w, http.StatusBadRequest, "That was not understood.")
			return
		}
		switch who, wait, right := logins.try(access, r.PostForm.Get("token"), r); {
		case wait > 0:
			setRetryAfter(w, wait)
			form(w, http.StatusTooManyRequests, "Too many wrong tokens. Come back in "+seconds(wait)+".")
		case !right:
			form(w, http.StatusUnauthorized, "That is not the token.")
		default:
			logins.begin(who, w, r)
			http.Redirect(w, r, "/", http.StatusSeeOther)
		}
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		logins.end(w, r)
		http.Redirect(w, r, "/login", http.StatusSeeOther)
	})
}
