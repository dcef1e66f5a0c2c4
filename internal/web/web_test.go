package web

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"
)

// get asks for a path, with an Accept-Encoding unless that is empty.
func get(t *testing.T, method, target, encoding string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	if encoding != "" {
		r.Header.Set("Accept-Encoding", encoding)
	}
	w := httptest.NewRecorder()
	Play(Look{}).ServeHTTP(w, r)
	return w
}

// content returns what an answer holds once it is decompressed, and whether that was necessary.
func content(t *testing.T, w *httptest.ResponseRecorder) (b []byte, zipped bool) {
	t.Helper()
	if w.Header().Get("Content-Encoding") == "" {
		return w.Body.Bytes(), false
	}
	z, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if b, err = io.ReadAll(z); err != nil {
		t.Fatal(err)
	}
	return b, true
}

// distFiles returns what the bundle consists of, by name.
func distFiles(t *testing.T) map[string][]byte {
	t.Helper()
	all := make(map[string][]byte)
	entries, err := fs.ReadDir(dist, "dist")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if all[e.Name()], err = fs.ReadFile(dist, "dist/"+e.Name()); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// Every file is served as it is, and may be kept for ever if its name says what is in it.
func TestFiles(t *testing.T) {
	files := distFiles(t)
	if len(files) != 11 {
		t.Errorf("%d files, want a page, six scripts, a worker, two style sheets and an icon", len(files))
	}
	for name, want := range files {
		target, cache := "/play/"+name, "public, max-age=31536000, immutable"
		if name == "index.html" {
			target, cache = "/play/", "no-cache"
		}
		w := get(t, http.MethodGet, target, "")
		if w.Code != http.StatusOK || !bytes.Equal(w.Body.Bytes(), want) {
			t.Errorf("%s: status %d, %d bytes, want the %d of the file", target, w.Code, w.Body.Len(), len(want))
		}
		if got := w.Header().Get("Cache-Control"); got != cache {
			t.Errorf("%s: Cache-Control %q, want %q", target, got, cache)
		}
		if got, want := w.Header().Get("Content-Type"), contentTypes[path.Ext(name)]; got != want {
			t.Errorf("%s: Content-Type %q, want %q", target, got, want)
		}
	}
}

func TestCompression(t *testing.T) {
	want := distFiles(t)["index.html"]
	for encoding, zip := range map[string]bool{
		"": false, "br": false, "gzip;q=0": false, "gzip; q=0.0": false, "gzip;q=x": false, "xgzip": false,
		"gzip": true, "br, GZIP;q=0.5": true, "gzip ; q=1, deflate": true,
	} {
		w := get(t, http.MethodGet, "/play/", encoding)
		got, zipped := content(t, w)
		if zipped != zip || !bytes.Equal(got, want) {
			t.Errorf("to a client that takes %q: gzip is %t, want %t; %d bytes, want %d",
				encoding, zipped, zip, len(got), len(want))
		}
		if w.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("Vary is %q", w.Header().Get("Vary"))
		}
	}
}

// What is still fresh is not sent again, and each encoding has a tag of its own.
func TestRevalidation(t *testing.T) {
	plain := get(t, http.MethodGet, "/play/", "").Header().Get("ETag")
	zipped := get(t, http.MethodGet, "/play/", "gzip").Header().Get("ETag")
	if plain == "" || plain == zipped {
		t.Errorf("tags %s and %s", plain, zipped)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/play/", nil)
	r.Header.Set("If-None-Match", plain)
	w := httptest.NewRecorder()
	Play(Look{}).ServeHTTP(w, r)
	if w.Code != http.StatusNotModified || w.Body.Len() > 0 {
		t.Errorf("status %d with %d bytes, want 304 with none", w.Code, w.Body.Len())
	}
}

func TestHeaders(t *testing.T) {
	for _, target := range []string{"/play/", "/play", "/play/nothing"} {
		h := get(t, http.MethodGet, target, "").Header()
		csp := h.Get("Content-Security-Policy")
		for _, directive := range []string{
			"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self'",
			"base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'",
		} {
			if !strings.Contains(csp+";", directive+";") {
				t.Errorf("%s: the policy %q lacks %q", target, csp, directive)
			}
		}
		if strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", target, csp)
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: headers %v", target, h)
		}
	}
}

// The worker that computes for OPAQUE may compile WebAssembly, and has a policy of its own for that; nothing else may.
func TestPolicyOfTheWorker(t *testing.T) {
	for name := range distFiles(t) {
		if name == "index.html" {
			continue
		}
		csp := get(t, http.MethodGet, "/play/"+name, "").Header()["Content-Security-Policy"]
		want := "default-src 'none'; frame-ancestors 'none'"
		if strings.HasPrefix(name, "opaque-worker-") {
			want = "default-src 'none'; script-src 'wasm-unsafe-eval'; base-uri 'none'; frame-ancestors 'none'"
		}
		if len(csp) != 1 || csp[0] != want {
			t.Errorf("%s: policy %q, want %q", name, csp, want)
		}
	}
}

func TestWhatIsNotThere(t *testing.T) {
	for _, target := range []string{
		"/play/nothing", "/play/index.html", "/play/dist/index.html", "/play/%2e%2e/web.go", "/play/..%2fweb.go",
		"/play/%2fetc/passwd", "/play/src/main.ts", "/play/package.json", "/other",
	} {
		if w := get(t, http.MethodGet, target, ""); w.Code != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", target, w.Code)
		}
	}
	if w := get(t, http.MethodPost, "/play/", ""); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: status %d, want 405", w.Code)
	}
	if w := get(t, http.MethodHead, "/play/", ""); w.Code != http.StatusOK || w.Body.Len() > 0 {
		t.Errorf("HEAD: status %d", w.Code)
	}
	if w := get(t, http.MethodGet, "/play/../play/", ""); w.Code != http.StatusTemporaryRedirect {
		t.Errorf("a path that is not clean: status %d, want 307 to the clean one", w.Code)
	}
}

// The redirect to the folder holds below whatever path a proxy has put the node.
func TestRedirect(t *testing.T) {
	w := get(t, http.MethodGet, "/play", "")
	to, err := url.Parse(w.Header().Get("Location"))
	if err != nil || w.Code != http.StatusPermanentRedirect {
		t.Fatalf("status %d, Location %v", w.Code, w.Header()["Location"])
	}
	for from, want := range map[string]string{
		"https://a.example/play": "https://a.example/play/", "https://a.example/game/play": "https://a.example/game/play/",
	} {
		base, err := url.Parse(from)
		if err != nil {
			t.Fatal(err)
		}
		if got := base.ResolveReference(to).String(); got != want {
			t.Errorf("from %s to %s, want %s", from, got, want)
		}
	}
}

var (
	tag       = regexp.MustCompile(`<[a-zA-Z][^>]*>`)
	attribute = regexp.MustCompile(`\s([a-z-]+)="([^"]*)"`)
	inline    = regexp.MustCompile(`(?is)<style|<script[^>]*>\s*[^<\s]`)
	remote    = regexp.MustCompile(`(?i)(https?|wss?)://[a-z0-9]|@import|url\(\s*['"]?//`)
)

// The page has nothing that its policy would refuse: no script and no style of its own, and no reference to anything
// but the files beside it.
func TestPageIsSelfContained(t *testing.T) {
	files := distFiles(t)
	page := string(files["index.html"])
	if found := inline.FindString(page); found != "" {
		t.Errorf("the page holds %q", found)
	}
	referred := map[string]bool{"index.html": true}
	for _, element := range tag.FindAllString(page, -1) {
		for _, a := range attribute.FindAllStringSubmatch(element, -1) {
			switch name, value := a[1], a[2]; {
			case strings.HasPrefix(name, "on"), name == "style":
				t.Errorf("%s has an inline %s", element, name)
			case name == "href" && strings.HasPrefix(value, "#"): // a place in the page
			case name == "src", name == "href", name == "action",
				name == "data-code", name == "data-look", name == "data-worker":
				referred[value] = true
				if files[value] == nil {
					t.Errorf("%s refers to what is not in the bundle", element)
				}
			}
		}
	}
	for name, content := range files {
		if !referred[name] {
			t.Errorf("nothing refers to %s", name)
		}
		if name != "index.html" && !hashed.MatchString(name) {
			t.Errorf("%s has no hash in its name", name)
		}
		if path.Ext(name) == ".svg" { // whose namespace looks like an address
			continue
		}
		if found := remote.Find(content); found != nil {
			t.Errorf("%s refers to %q", name, found)
		}
	}
}

// What players download stays small: less than half of this goes over the wire, see TestWeight of package e2e. Only who
// proves a password by OPAQUE loads the worker, in which a library is that brings its WebAssembly along as text.
func TestSize(t *testing.T) {
	for name, content := range distFiles(t) {
		most := 64 << 10
		switch {
		case path.Ext(name) != ".js":
			continue
		case strings.HasPrefix(name, "opaque-worker-"):
			most = 416 << 10
		case strings.HasPrefix(name, "opaque-"):
			most = 16 << 10
		}
		if len(content) > most {
			t.Errorf("%s has %d bytes, want at most %d", name, len(content), most)
		}
	}
}
