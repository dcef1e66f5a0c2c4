package server_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/rushgate/rushgate/internal/wschannel"
	"github.com/rushgate/rushgate/netcode"
	"github.com/rushgate/rushgate/server"
)

// snippets returns the settings of proxies in docs/proxies.md by the comment in their first line.
func snippets(t *testing.T) map[string]string {
	t.Helper()
	page, err := os.ReadFile("../docs/proxies.md")
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	block := regexp.MustCompile("(?ms)^```(?:nginx|haproxy|caddyfile)\n# ([^\n]*)\n(.*?)^```$")
	for _, found := range block.FindAllStringSubmatch(string(page), -1) {
		all[found[1]] = found[2]
	}
	return all
}

// replaced returns a text with each old part, which has to be there, replaced by the new one after it.
func replaced(t *testing.T, text string, oldNew ...string) string {
	t.Helper()
	for i := 0; i < len(oldNew); i += 2 {
		if !strings.Contains(text, oldNew[i]) {
			t.Fatalf("there is no %q in\n%s", oldNew[i], text)
		}
		text = strings.ReplaceAll(text, oldNew[i], oldNew[i+1])
	}
	return text
}

// road is a proxy in front of a node: where it listens, where the node is, and where it finds files.
type road struct {
	dir         string
	at          int    // the proxy's port
	node        string // host:port of what the proxy leads to
	cert, chain string // files: the certificate, the certificate and its key
	key         string
}

func (r road) address() string { return fmt.Sprintf("127.0.0.1:%d", r.at) }

// program says how a proxy is started with the settings of a snippet.
type program struct {
	name string
	// configure returns the settings as the program reads them, with the road's ports and files.
	configure func(t *testing.T, r road, snippet string) string
	args      func(file string) []string
}

var (
	nginx = func(top bool, change func(*testing.T, road, string) string) program {
		return program{"nginx", func(t *testing.T, r road, snippet string) string {
			if snippet = change(t, r, snippet); !top {
				temporary := ""
				for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
					temporary += fmt.Sprintf("%s_temp_path %s/%s; ", kind, r.dir, kind)
				}
				snippet = "http { access_log off; " + temporary + "\n" + snippet + "}\n"
			}
			who := ""
			if os.Geteuid() == 0 {
				who = "user root;\n"
			}
			return who + "daemon off; pid " + r.dir + "/pid; error_log stderr; worker_processes 1;\n" +
				"include /etc/nginx/modules-enabled/*stream*.conf;\nevents { worker_connections 64; }\n" + snippet
		}, func(file string) []string { return []string{"-e", "stderr", "-c", file} }}
	}
	haproxy = func(change func(*testing.T, road, string) string) program {
		return program{"haproxy", change, func(file string) []string { return []string{"-db", "-f", file} }}
	}
	caddy = func(change func(*testing.T, road, string) string) program {
		return program{"caddy", func(t *testing.T, r road, snippet string) string {
			global := "{\n\tadmin off\n\tauto_https disable_redirects\n\tstorage file_system " + r.dir + "\n}\n"
			return global + change(t, r, snippet)
		}, func(file string) []string { return []string{"run", "--adapter", "caddyfile", "--config", file} }}
	}
)

// proxyCommand finds a proxy. Where it is not installed the test is skipped, or fails if the environment variable CI or
// RUSHGATE_REQUIRE_PROXIES is set.
func proxyCommand(t *testing.T, name string) string {
	t.Helper()
	for _, at := range []string{name, "/usr/sbin/" + name} { // which is not in everybody's path
		if found, err := exec.LookPath(at); err == nil {
			return found
		}
	}
	if os.Getenv("CI") != "" || os.Getenv("RUSHGATE_REQUIRE_PROXIES") != "" {
		t.Fatalf("%s is not installed", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

// start starts the program with a snippet. It is ended with the test.
func (p program) start(t *testing.T, r road, snippet string) {
	t.Helper()
	path := proxyCommand(t, p.name)
	file := filepath.Join(r.dir, "config")
	if err := os.WriteFile(file, []byte(p.configure(t, r, snippet)), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, p.args(file)...)
	said := new(lockedBuffer)
	cmd.Dir, cmd.Stdout, cmd.Stderr = r.dir, said, said
	cmd.Env = append(os.Environ(), "HOME="+r.dir, "XDG_DATA_HOME="+r.dir, "XDG_CONFIG_HOME="+r.dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // how it ends is its own affair
		if t.Failed() {
			t.Logf("%s says\n%s", p.name, said)
		}
	})
}

// unused returns a port of loopback that nothing listens on, over TCP or UDP.
func unused(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// newRoad chooses the proxy's port and makes a certificate for localhost.
func newRoad(t *testing.T) (road, *x509.CertPool) {
	t.Helper()
	dir := t.TempDir()
	cert, key := makeCertificate(t, &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"},
		IsCA: true, BasicConstraintsValid: true,
	})
	r := road{dir: dir, at: unused(t),
		cert: filepath.Join(dir, "cert"), key: filepath.Join(dir, "key"), chain: filepath.Join(dir, "chain")}
	write(t, r.cert, cert)
	write(t, r.key, key)
	write(t, r.chain, cert+key)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(cert))
	return r, pool
}

// traveller is a client at an address of loopback who reaches the node through a proxy.
type traveller struct {
	http   *http.Client
	origin string // of the node's page, as its browser would name it
}

func newTraveller(t *testing.T, r road, scheme string, roots *x509.CertPool, from string) traveller {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", r.address())
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return traveller{&http.Client{Transport: transport}, fmt.Sprintf("%s://localhost:%d", scheme, r.at)}
}

// call makes a request as the node's page does. The status is 0 if there is no answer.
func (c traveller) call(ctx context.Context, t *testing.T, method, path, token, body string) (int, opened) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, c.origin+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Origin", c.origin)
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, opened{}
	}
	defer resp.Body.Close()
	var o opened
	_ = json.NewDecoder(resp.Body).Decode(&o) // not every answer is one of these
	return resp.StatusCode, o
}

// plays reports whether snapshots come over a WebSocket that the node's page opens.
func (c traveller) plays(t *testing.T, token string) error {
	t.Helper()
	ws, resp, err := websocket.Dial(t.Context(), strings.Replace(c.origin, "http", "ws", 1)+"/v1/channel",
		&websocket.DialOptions{HTTPClient: c.http, HTTPHeader: http.Header{"Origin": {c.origin}},
			Subprotocols: []string{wschannel.Subprotocol}})
	if err != nil {
		if resp != nil {
			resp.Body.Close()
		}
		return err
	}
	defer ws.CloseNow()
	greeting := []byte(`{"session_token":"` + token + `"}`)
	if err := ws.Write(t.Context(), websocket.MessageText, greeting); err != nil {
		return err
	}
	for range 3 {
		if _, _, err := ws.Read(t.Context()); err != nil {
			return err
		}
	}
	return nil
}

// travel plays over a road: it registers, logs out and in, opens a WebSocket, and guesses at the account from another
// address, for which that address alone is locked out.
func travel(t *testing.T, s *server.Server, r road, scheme string, roots *x509.CertPool) {
	t.Helper()
	const right, wrong = `{"username":"alice","password":"correct horse"}`, `{"username":"alice","password":"wrong horse"}`
	alice, mallory := newTraveller(t, r, scheme, roots, "127.0.0.2"), newTraveller(t, r, scheme, roots, "127.0.0.66")
	await(t, "way through the proxy", func(ctx context.Context) bool {
		status, _ := alice.call(ctx, t, http.MethodGet, "/readyz", "", "")
		return status == http.StatusOK
	})
	status, session := alice.call(t.Context(), t, http.MethodPost, "/v1/register", "", right)
	if status != http.StatusCreated {
		t.Fatalf("registration: %d", status)
	}
	if status, _ := alice.call(t.Context(), t, http.MethodPost, "/v1/logout", session.SessionToken, ""); status != 204 {
		t.Errorf("logout: %d", status)
	}
	for range 6 {
		status, _ = mallory.call(t.Context(), t, http.MethodPost, "/v1/login", "", wrong)
	}
	if locked := lockouts(t, s); status != http.StatusTooManyRequests || !strings.Contains(locked, "127.0.0.66/32") {
		t.Errorf("a guesser hears %d; locked out is %s", status, locked)
	}
	status, session = alice.call(t.Context(), t, http.MethodPost, "/v1/login", "", right)
	if status != http.StatusOK {
		t.Fatalf("login: %d", status)
	}
	if err := alice.plays(t, session.SessionToken); err != nil {
		t.Error(err)
	}
}

func lockouts(t *testing.T, s *server.Server) string {
	t.Helper()
	resp, err := http.Get("http://" + s.AdminAddr().String() + "/lockouts")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// Players get in through each proxy that docs/proxies.md and deploy/ have settings for, with just these settings, and
// the node knows them apart.
func TestProxiesAsDocumented(t *testing.T) {
	deployed, err := os.ReadFile("../deploy/haproxy.cfg")
	if err != nil {
		t.Fatal(err)
	}
	all := snippets(t)
	all["deploy/haproxy.cfg"] = string(deployed)
	port := func(r road) string { return fmt.Sprint(r.at) }
	roads := map[string]struct {
		program
		scheme string
		passed bool // TLS is, with PROXY headers
	}{
		"nginx: HTTP and WebSocket": {nginx(false, func(t *testing.T, r road, s string) string {
			return replaced(t, s, "listen 443", "listen "+r.address(), "127.0.0.1:8080", r.node,
				"/etc/ssl/play.example.org.pem", r.cert, "/etc/ssl/play.example.org.key", r.key)
		}), "https", false},
		"HAProxy: HTTP and WebSocket": {haproxy(func(t *testing.T, r road, s string) string {
			return replaced(t, s, ":443", r.address(), "127.0.0.1:8080", r.node, "/etc/ssl/play.example.org.pem", r.chain)
		}), "https", false},
		"Caddy: HTTP and WebSocket": {caddy(func(t *testing.T, r road, s string) string {
			return replaced(t, s, "127.0.0.1:8080", r.node,
				"play.example.org {", "https://localhost:"+port(r)+" {\n\tbind 127.0.0.1\n\ttls "+r.cert+" "+r.key)
		}), "https", false},
		"nginx: PROXY protocol": {nginx(true, func(t *testing.T, r road, s string) string {
			return replaced(t, s, "listen 443", "listen "+r.address(), "127.0.0.1:8443", r.node)
		}), "https", true},
		"HAProxy: PROXY protocol": {haproxy(func(t *testing.T, r road, s string) string {
			return replaced(t, s, ":443", r.address(), "127.0.0.1:8443", r.node)
		}), "https", true},
		"deploy/haproxy.cfg": {haproxy(func(t *testing.T, r road, s string) string {
			s = replaced(t, s, "bind :8080", "bind "+r.address(), "node1:8080", r.node,
				"maxconn 32768", "maxconn 256") // which the machine's limit on open files may not allow
			return regexp.MustCompile("(?m)^ *server node2 .*$").ReplaceAllString(s, "")
		}), "http", false},
	}
	for name := range all {
		if _, tested := roads[name]; !tested && name != "nginx: UDP" {
			t.Errorf("docs/proxies.md has settings that no test uses: %s", name)
		}
	}
	for name, c := range roads {
		t.Run(name, func(t *testing.T) {
			proxyCommand(t, c.name)
			r, roots := newRoad(t)
			log := new(lockedBuffer)
			cfg := config(t, t.TempDir())
			cfg.UDPAddr, cfg.Backend = server.NoUDP, server.Memory
			cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
			cfg.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))
			if c.passed {
				cfg.ProxyProtocol, cfg.TLSCert, cfg.TLSKey = true, r.cert, r.key
			}
			s := start(t, cfg)
			r.node = s.HTTPAddr().String()
			c.start(t, r, all[name])
			travel(t, s, r, c.scheme, roots)
			for line := range strings.SplitSeq(log.String(), "\n") {
				if strings.Contains(line, "prox") || strings.Contains(line, "origin ") {
					t.Errorf("the node's log has: %s", line)
				}
			}
		})
	}
}

// Players play over UDP through nginx with the settings of docs/proxies.md.
func TestUDPThroughNginx(t *testing.T) {
	nginx := nginx(true, func(t *testing.T, r road, s string) string {
		return replaced(t, s, "listen 40000", "listen "+r.address(), "127.0.0.1:40001", r.node)
	})
	proxyCommand(t, nginx.name)
	r, _ := newRoad(t)
	cfg := config(t, t.TempDir())
	cfg.Backend, cfg.UDPPublic = server.Memory, []string{r.address()}
	s := start(t, cfg)
	r.node = s.UDPAddr().String()
	nginx.start(t, r, snippets(t)["nginx: UDP"])
	token := register(t, s, "alice").ConnectToken
	c, err := netcode.Dial(t.Context(), token, netcode.ClientOptions{}) // which asks until nginx is there
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for buf, n := make([]byte, netcode.MaxPayload), 0; n < 3; n++ {
		if _, err := c.Read(buf); err != nil {
			t.Fatal(err)
		}
	}
}
