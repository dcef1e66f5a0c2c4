// Package web holds the browser client: a page on which players register, log in and play, without anything to install.
// Its TypeScript sources are in src; what is served is their bundle in dist, which is committed, so that building a
// node takes only Go. docs/browser.md says how it works and how to write another one.
package web

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:generate npm ci --no-audit --no-fund
//go:generate npm run check
//go:generate npm run build

//go:embed dist
var dist embed.FS

// policy lets the page have what its own origin serves, and nothing else. It relies on connect-src 'self' including
// WebSockets to the page's own host, as Content Security Policy Level 3 has it and every browser does that the page
// runs in (Safari, the last one, since version 16). So host and port, which a proxy may have changed, are nowhere spelt
// out.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// workerPolicy is for the worker that computes for OPAQUE. A worker that comes by HTTP has the policy of its own
// answer: this one may compile WebAssembly, which the page may not, and fetch nothing.
const workerPolicy = "default-src 'none'; script-src 'wasm-unsafe-eval'; base-uri 'none'; frame-ancestors 'none'"

// partPolicy is for what the page consists of: who opens that by itself sees nothing that could do anything. The page's
// own would be as good, and is more than a tenth of what some of them weigh.
const partPolicy = "default-src 'none'; frame-ancestors 'none'"

// workerName is what the names of workers have in them.
const workerName = "-worker-"

const (
	forever    = "public, max-age=31536000, immutable"
	revalidate = "no-cache"
)

// hashed matches the names that change with their content.
var hashed = regexp.MustCompile(`-[0-9a-f]{12}\.[a-z]+$`)

var contentTypes = map[string]string{
	".css":  "text/css; charset=utf-8",
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// file is what is served under one name.
type file struct {
	contentType, cacheControl, etag string
	policy                          string // in place of the page's, if there is one
	plain, gzipped                  []byte
}

// Play returns the handler of the browser client, to be mounted at /play/. It answers GET and HEAD of /play/ and of the
// files the page refers to; everything else there is 404, or 405 for other methods. GET /play redirects to /play/ if
// the handler is mounted there, too. Everything is in memory, and nothing about a request is.
//
// What of the page is the game's own is as look says, which Check must have found to be right.
//
// The page finds the HTTP interface beside its own folder, at ../v1/, so a proxy may put both below a common path.
func Play(look Look) http.Handler {
	mux := http.NewServeMux()
	for name, f := range files(look) {
		mux.Handle("GET /play/"+name, f)
	}
	back(mux, cmp.Or(look.Title, ownTitle))
	mux.HandleFunc("GET /play", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "play/") // relative: whatever path a proxy has put in front
		w.WriteHeader(http.StatusPermanentRedirect)
	})
	return secured(mux)
}

// secured sets the headers that every answer has.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

// files returns what is below /play/, by what follows that in the path. Only for "{$}" is that a pattern.
func files(look Look) map[string]*file {
	all := maps.Clone(embedded())
	sheet, colours := look.sheet()
	if sheet != "" {
		all[sheet] = newFile(sheet, colours)
	}
	index := "index.html"
	all["{$}"] = newFile(index, look.page(all[index].plain, sheet))
	delete(all, index)
	return all
}

// embedded returns the files of the bundle by name. They are compressed once, however many nodes a process has.
var embedded = sync.OnceValue(func() map[string]*file {
	entries, err := fs.ReadDir(dist, "dist")
	if err != nil {
		panic(err) // embedded and tested, as below
	}
	all := make(map[string]*file, len(entries))
	for _, e := range entries {
		content, err := fs.ReadFile(dist, "dist/"+e.Name())
		if err != nil {
			panic(err)
		}
		all[e.Name()] = newFile(e.Name(), content)
	}
	return all
})

func newFile(name string, content []byte) *file {
	sum := sha256.Sum256(content)
	f := &file{
		contentType:  contentTypes[path.Ext(name)],
		cacheControl: revalidate,
		etag:         hex.EncodeToString(sum[:8]),
		plain:        content,
	}
	switch {
	case strings.Contains(name, workerName):
		f.policy = workerPolicy
	case path.Ext(name) != ".html":
		f.policy = partPolicy
	}
	if f.contentType == "" {
		panic(fmt.Sprintf("web: no content type for %s", name))
	}
	if hashed.MatchString(name) {
		f.cacheControl = forever
	}
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		panic(err) // the level is valid
	}
	_, _ = z.Write(content) // to memory
	_ = z.Close()
	if b.Len() < len(content) {
		f.gzipped = b.Bytes()
	}
	return f
}

// ServeHTTP implements [http.Handler].
func (f *file) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, etag := f.plain, f.etag
	h := w.Header()
	if f.gzipped != nil {
		h.Add("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Values("Accept-Encoding")) {
			h.Set("Content-Encoding", "gzip")
			body, etag = f.gzipped, etag+"-gzip"
		}
	}
	if f.policy != "" {
		h.Set("Content-Security-Policy", f.policy)
	}
	h.Set("Content-Type", f.contentType)
	h.Set("Cache-Control", f.cacheControl)
	h.Set("ETag", strconv.Quote(etag))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// acceptsGzip reports whether a client takes gzip (RFC 9110 section 12.5.3). One that says nothing might not.
func acceptsGzip(values []string) bool {
	for _, value := range values {
		for coding := range strings.SplitSeq(value, ",") {
			name, weight, _ := strings.Cut(coding, ";")
			if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
				continue
			}
			_, q, found := strings.Cut(weight, "=")
			v, err := strconv.ParseFloat(strings.TrimSpace(q), 64)
			return !found || err == nil && v > 0
		}
	}
	return false
}
