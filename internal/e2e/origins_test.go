package e2e

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/server"
)

// visitor is what a page of another origin does at a node: it registers, guesses at another account until it is locked
// out, logs out and in, opens the realtime channel, and says what it could read of all that.
const visitor = `(async (node) => {
	const call = async (path, body, token) => {
		try {
			const r = await fetch("http://" + node + "/v1/" + path, {
				method: body === undefined ? "GET" : "POST",
				headers: { "Content-Type": "application/json", ...(token ? { Authorization: "Bearer " + token } : {}) },
				...(body ? { body: JSON.stringify(body) } : {}),
			});
			const text = await r.text();
			return { status: r.status, wait: r.headers.get("Retry-After"), ...(text.startsWith("{") ? JSON.parse(text) : {}) };
		} catch { return { status: 0 }; }
	};
	const alice = { username: "alice", password: "correct horse" };
	const seen = [];
	seen.push((await call("status")).status, (await call("nothing")).status);
	const first = await call("register", alice);
	seen.push(first.status, (await call("me", undefined, first.session_token)).name);
	let locked;
	for (let i = 0; i < 6; i++) locked = await call("login", { username: "mallory", password: "wrong horse" });
	seen.push(locked.status, locked.reason, Number(locked.wait) > 0);
	seen.push((await call("logout", null, first.session_token)).status);
	const second = await call("login", alice);
	seen.push(second.status);
	seen.push(await new Promise((done) => {
		const s = new WebSocket("ws://" + node + "/v1/channel", "rushgate.v1");
		s.onopen = () => s.send(JSON.stringify({ session_token: second.session_token }));
		s.onmessage = () => done("plays");
		s.onclose = () => done("closed");
	}));
	return seen.join(" ");
})(%q)`

const (
	everything = "200 404 201 alice 429 rate-limited true 204 200 plays"
	nothing    = "0 0 0  0  false 0 0 closed"
)

// elsewhere serves a page of another origin.
func elsewhere(t *testing.T) *httptest.Server {
	t.Helper()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, `<!doctype html><link rel="icon" href="data:,"><p id="status">A game.`)
	}))
	t.Cleanup(page.Close)
	return page
}

// A page elsewhere that the operator allows can do all that the node's own page can, and read each refusal.
func TestPageOfAnAllowedOrigin(t *testing.T) {
	page := elsewhere(t)
	cfg := config(t)
	cfg.Origins = []string{page.URL}
	node := start(t, cfg).HTTPAddr().String()
	p := open(t, page.URL)
	p.allow(node)
	const refusals = "nothing 404 (Not Found), login 401 (Unauthorized), login 429 (Too Many Requests)"
	for answer := range strings.SplitSeq(refusals, ", ") {
		path, status, _ := strings.Cut(answer, " ")
		p.expect(strings.Replace(refusal("/v1/"+path, status), "NODE", "OTHER", 1))
	}
	if got := eval[string](p, fmt.Sprintf(visitor, node)); got != everything {
		t.Errorf("a page of an allowed origin sees %s\nwant %s", got, everything)
	}
}

// Any other page reads nothing, changes nothing, and has nothing counted against its visitor.
func TestPageOfAnotherOrigin(t *testing.T) {
	page := elsewhere(t)
	cfg := config(t)
	cfg.Origins = []string{"https://game.example"}
	s := start(t, cfg)
	node := s.HTTPAddr().String()
	p := open(t, page.URL)
	p.allow(node)
	p.heedless()
	if got := eval[string](p, fmt.Sprintf(visitor, node)); got != nothing {
		t.Errorf("a page of another origin sees %s\nwant %s", got, nothing)
	}
	if status := register(t.Context(), s, "alice"); status != http.StatusCreated {
		t.Errorf("it has registered somebody: %d", status)
	}
	if failed := metric(t, s, "rushgate_auth_failures_total", ""); failed != 0 {
		t.Errorf("%v failures were counted", failed)
	}
}

// A page from a file, as an app may be made of, has no origin of its own.
func TestPageFromAFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "game.html")
	if err := os.WriteFile(name, []byte(`<!doctype html><p id="status">A game.`), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := config(t)
	cfg.Origins = []string{"file://"}
	node := start(t, cfg).HTTPAddr().String()
	p := open(t, "file://"+name)
	p.allow(node)
	p.heedless()
	if got := eval[string](p, fmt.Sprintf(visitor, node)); got != everything {
		t.Errorf("a page from a file sees %s\nwant %s", got, everything)
	}
}

// proxied serves a node through a proxy, which passes a Host header of its own on if that is not empty.
func proxied(t *testing.T, s *server.Server, host string) string {
	t.Helper()
	to := &url.URL{Scheme: "http", Host: s.HTTPAddr().String()}
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		if r.Out.Host = r.In.Host; host != "" {
			r.Out.Host = host
		}
	}})
	t.Cleanup(proxy.Close)
	return proxy.URL
}

// Behind a proxy that does not pass the Host header on, the node takes its own page for another's. The page says so,
// and the node's log names the flag.
func TestPageSaysThatItsOriginIsRefused(t *testing.T) {
	var log bytes.Buffer
	cfg := config(t)
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	s := start(t, cfg)
	at := proxied(t, s, "node.internal:8080")
	p := open(t, at+"/play/")
	p.heedless()
	p.knock("#register", "alice", secret)
	p.says("The server does not let pages of " + at + " play. Whoever runs it has to allow this address, or to correct " +
		"the proxy in front of it.")
	if err := s.Stop(); err != nil { // no goroutine writes to the log any more
		t.Fatal(err)
	}
	if n := strings.Count(log.String(), "--origins"); n != 1 || !strings.Contains(log.String(), "origin="+at) {
		t.Errorf("the log has --origins %d times:\n%s", n, &log)
	}
}

// Behind one that passes it on, the page plays, whatever the proxy is told to be.
func TestPageBehindAProxy(t *testing.T) {
	s := start(t, config(t))
	p := open(t, proxied(t, s, "")+"/play/")
	p.knock("#register", "alice", secret)
	p.inside("alice")
}
