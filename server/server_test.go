package server_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/server"
	"github.com/rushgate/rushgate/store/sqlite"
)

func config(t *testing.T, dir string) server.Config {
	t.Helper()
	return server.Config{
		HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", UDPAddr: "127.0.0.1:0", DataDir: dir,
		HashIterations: password.MinIterations, Logger: slog.New(slog.DiscardHandler),
	}
}

func start(t *testing.T, cfg server.Config) *server.Server {
	t.Helper()
	s, err := server.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop() })
	return s
}

func newClient(t *testing.T, s *server.Server, opts client.Options) *client.Client {
	t.Helper()
	if opts.MaxRetries == 0 {
		opts.MaxRetries = -1
	}
	c, err := client.New("http://"+s.HTTPAddr().String(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPlayersSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	s := start(t, config(t, dir))
	c := newClient(t, s, client.Options{})
	first, err := c.Register(t.Context(), "alice", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(); err != nil {
		t.Errorf("a second Stop: %v", err)
	}
	s = start(t, config(t, dir))
	c = newClient(t, s, client.Options{})
	second, err := c.Login(t.Context(), "ALICE", "correct horse")
	if err != nil {
		t.Fatalf("login after a restart: %v", err)
	}
	me, err := second.Me(t.Context())
	if err != nil || me.ID != first.PlayerID || me.Zone == "" {
		t.Errorf("own state after a restart: %+v, %v", me, err)
	}
	other, err := c.Register(t.Context(), "bob", "correct horse")
	if err != nil || other.PlayerID == first.PlayerID {
		t.Errorf("a player id was given out again: %+v, %v", other, err)
	}
}

// A drain lets in who is queued, saves everyone, releases their leases, and tells who comes later that the server is
// busy.
func TestDrain(t *testing.T) {
	dir := t.TempDir()
	cfg := config(t, dir)
	cfg.HashIterations, cfg.Workers = 50_000, 1 // slow enough for a queue
	s := start(t, cfg)
	const n = 30
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			c, name := newClient(t, s, client.Options{}), fmt.Sprintf("player-%d", i)
			if _, err := c.Register(t.Context(), name, "correct horse"); err != nil {
				t.Errorf("player-%d, queued when the drain began: %v", i, err)
			}
		})
	}
	waitForCount(t, s, `"queued": `, n)
	late := newClient(t, s, client.Options{})
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop() }()
	for {
		status, err := late.Status(t.Context())
		if err != nil {
			t.Fatalf("the door was closed before it said why: %v", err)
		}
		if status.State == "draining" {
			break
		}
	}
	if _, err := late.Register(t.Context(), "late", "correct horse"); !errors.Is(err, rushgate.ServerBusy) {
		t.Errorf("during the drain: %v, want server-busy", err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Stop: %v", err)
	}
	wg.Wait()
	store, err := sqlite.Open(t.Context(), filepath.Join(dir, server.DatabaseName), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	elsewhere := rushgate.Instance{Node: "elsewhere", Run: "1"}
	for i := range n {
		name := []string{fmt.Sprintf("player-%d", i)}
		if where, err := store.Presence(t.Context(), name); err != nil || where[0].Inside() {
			t.Errorf("%s is %+v, %v", name, where, err)
		}
		accounts, err := store.LoadAccounts(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		login := rushgate.Admission{Account: accounts[0].Account, Attempt: "x"}
		results, err := store.Admit(t.Context(), elsewhere, []rushgate.Admission{login})
		if err != nil || results[0].Err != nil || results[0].Character.Zone == "" {
			t.Errorf("player-%d was stored as %+v (%v)", i, results, err)
		}
	}
}

// waitForCount asks the admin listener until the number behind a key of its dump has reached n.
func waitForCount(t *testing.T, s *server.Server, key string, n int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		resp, err := http.Get("http://" + s.AdminAddr().String() + "/metrics.json")
		if err != nil {
			t.Fatal(err)
		}
		dump, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		var count int
		_, after, _ := strings.Cut(string(dump), key)
		if _, err := fmt.Sscan(after, &count); err == nil && count >= n {
			return
		}
	}
	t.Fatalf("%s never reached %d", key, n)
}

// When the hashes in hand outlast the drain timeout, those who wait for them are turned away and those inside are saved
// all the same.
func TestDrainTimeoutSavesWhoIsInside(t *testing.T) {
	dir := t.TempDir()
	s := start(t, config(t, dir))
	if _, err := newClient(t, s, client.Options{}).Register(t.Context(), "alice", "correct horse"); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	cfg := config(t, dir)
	cfg.HashIterations, cfg.DrainTimeout = 100_000, time.Second
	s = start(t, cfg)
	if _, err := newClient(t, s, client.Options{}).Login(t.Context(), "alice", "correct horse"); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	const n = 60
	for i := range n {
		wg.Go(func() {
			_, err := newClient(t, s, client.Options{}).Register(t.Context(), fmt.Sprintf("player-%d", i), "correct horse")
			if err != nil && !errors.Is(err, rushgate.ServerBusy) {
				t.Errorf("player-%d: %v", i, err)
			}
		})
	}
	waitForCount(t, s, `"queued": `, n)
	if err := s.Stop(); err != nil {
		t.Errorf("Stop: %v", err)
	}
	wg.Wait()
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := server.Run(ctx, config(t, t.TempDir()), func(s *server.Server) {
		resp, err := http.Get("http://" + s.AdminAddr().String() + "/healthz")
		if err != nil || resp.StatusCode != 200 {
			t.Errorf("healthz of the admin listener: %v, %v", resp, err)
		}
		if err == nil {
			resp.Body.Close()
		}
		cancel()
	})
	if err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestAdminDump(t *testing.T) {
	s := start(t, config(t, t.TempDir()))
	if _, err := newClient(t, s, client.Options{}).Register(t.Context(), "alice", "correct horse"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get("http://" + s.AdminAddr().String() + "/metrics.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"success": 1`, `"players": 1`, `"lateness"`, `"rss_bytes"`, `"batch_size"`, `"channel"`, `"handshakes": 0`,
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("the dump lacks %s:\n%s", want, b)
		}
	}
	if strings.Contains(string(b), "alice") || strings.Contains(string(b), "correct horse") {
		t.Error("the dump names a player")
	}
}

func TestSelfSignedTLS(t *testing.T) {
	dir := t.TempDir()
	cfg := config(t, dir)
	cfg.TLS = true
	var first []byte
	for range 2 { // the certificate lasts
		s := start(t, cfg)
		pemBytes, err := os.ReadFile(filepath.Join(dir, "tls-cert.pem"))
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = pemBytes
		} else if string(first) != string(pemBytes) {
			t.Error("a restart made another certificate")
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pemBytes)
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
		resp, err := (&http.Client{Transport: transport}).Get("https://" + s.HTTPAddr().String() + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		transport.CloseIdleConnections()
		if resp.ProtoMajor != 2 || resp.TLS.Version != tls.VersionTLS13 {
			t.Errorf("%s over TLS %x", resp.Proto, resp.TLS.Version)
		}
		s.Stop()
	}
	info, err := os.Stat(filepath.Join(dir, "tls-key.pem"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", info.Mode(), err)
	}
}

func TestInvalidConfig(t *testing.T) {
	tests := map[string]struct {
		change func(*server.Config)
		says   string
	}{
		"plain HTTP to the world": {func(c *server.Config) { c.HTTPAddr = "0.0.0.0:0" }, "in the clear"},
		"plain HTTP, any address": {func(c *server.Config) { c.HTTPAddr = ":0" }, "in the clear"},
		"admin to the world":      {func(c *server.Config) { c.AdminAddr = "0.0.0.0:0" }, "not on loopback"},
		"bad address":             {func(c *server.Config) { c.HTTPAddr = "127.0.0.1" }, "HTTP address"},
		"PROXY without a proxy": {func(c *server.Config) { c.ProxyProtocol = true },
			"trusted proxies, of which there are none"},
		"certificate alone": {func(c *server.Config) { c.TLSCert = "cert.pem" }, "needs its key"},
		"a bad TLS name": {func(c *server.Config) { c.TLSNames = []string{"play.example.org:443"} },
			`"play.example.org:443": want the name or address alone`},
		"TLS names for a file": {func(c *server.Config) {
			c.TLSNames, c.TLSCert, c.TLSKey = []string{"play.example.org"}, "cert.pem", "key.pem"
		}, "the certificate is another one"},
		"two certificates": {func(c *server.Config) {
			c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }
			c.TLSCert, c.TLSKey = "cert.pem", "key.pem"
		}, "want one of them"},
		"ACME for an address": {func(c *server.Config) { c.ACMEDomains = []string{"192.0.2.1"} }, "want a DNS name"},
		"ACME for a wildcard": {func(c *server.Config) { c.ACMEDomains = []string{"*.example.org"} },
			"wildcards by DNS only"},
		"ACME from nowhere": {func(c *server.Config) {
			c.ACMEDomains, c.ACMEDirectory = []string{"play.example.org"}, "http://ca.example.org/directory"
		}, "the https URL of an authority"},
		"ACME besides a file": {func(c *server.Config) {
			c.ACMEDomains, c.TLSCert, c.TLSKey = []string{"play.example.org"}, "cert.pem", "key.pem"
		}, "want one of them"},
		"workers":                 {func(c *server.Config) { c.Workers = 33 }, "auth workers is 33"},
		"negative workers":        {func(c *server.Config) { c.Workers = -1 }, "auth workers is -1"},
		"iterations":              {func(c *server.Config) { c.HashIterations = 10 }, "iterations is 10"},
		"age":                     {func(c *server.Config) { c.MaxAge = 1 }, "request age is 1ns"},
		"store":                   {func(c *server.Config) { c.Backend = "postgres" }, `"postgres"`},
		"connections":             {func(c *server.Config) { c.MaxConns = 1 }, "connections is 1"},
		"snapshot rate":           {func(c *server.Config) { c.SnapshotRate = 61 }, "snapshot rate is 61"},
		"negative snapshot rate":  {func(c *server.Config) { c.SnapshotRate = -1 }, "snapshot rate is -1"},
		"snapshot workers":        {func(c *server.Config) { c.SnapshotWorkers = 65 }, "snapshot workers is 65"},
		"bad UDP address":         {func(c *server.Config) { c.UDPAddr = "127.0.0.1" }, "UDP address"},
		"UDP on any address":      {func(c *server.Config) { c.UDPAddr = "0.0.0.0:0" }, "a public UDP address is needed"},
		"UDP on any IPv6 address": {func(c *server.Config) { c.UDPAddr = "[::]:0" }, "a public UDP address is needed"},
		"UDP on no address":       {func(c *server.Config) { c.UDPAddr = ":0" }, "a public UDP address is needed"},
		"UDP with a zone": {func(c *server.Config) { c.UDPAddr = "[fe80::1%lo]:0" },
			"a public UDP address is needed"},
		"public, no port": {func(c *server.Config) { c.UDPPublic = []string{"192.0.2.1"} },
			`"192.0.2.1": want host:port`},
		"public, port 0":      {func(c *server.Config) { c.UDPPublic = []string{"192.0.2.1:0"} }, "a port from 1"},
		"public, named port":  {func(c *server.Config) { c.UDPPublic = []string{"192.0.2.1:http"} }, "a port from 1"},
		"public, any address": {func(c *server.Config) { c.UDPPublic = []string{"0.0.0.0:1"} }, "players can reach"},
		"public, no address":  {func(c *server.Config) { c.UDPPublic = []string{":1"} }, "players can reach"},
		"public, multicast":   {func(c *server.Config) { c.UDPPublic = []string{"[ff02::1]:1"} }, "players can reach"},
		"public without channel": {func(c *server.Config) { c.UDPAddr, c.UDPPublic = "none", []string{"192.0.2.1:1"} },
			"channel is off"},
		"too many public": {func(c *server.Config) { c.UDPPublic = manyAddresses(33) }, "33 public UDP addresses"},
	}
	for name, tt := range tests {
		cfg := config(t, t.TempDir())
		tt.change(&cfg)
		s, err := server.Start(t.Context(), cfg)
		if err == nil {
			s.Stop()
		}
		if !errors.Is(err, server.ErrInvalidConfig) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want an error that says %q", name, err, tt.says)
		}
	}
}

// A start that fails leaves nothing behind that would keep the next one from working.
func TestFailedStart(t *testing.T) {
	dir := t.TempDir()
	s := start(t, config(t, dir))
	taken := config(t, t.TempDir())
	taken.HTTPAddr = s.HTTPAddr().String()
	if _, err := server.Start(t.Context(), taken); err == nil {
		t.Error("a port that is taken was taken again")
	}
	if _, err := server.Start(t.Context(), config(t, dir)); err == nil {
		t.Error("two nodes run on one data folder")
	}
	taken.HTTPAddr = "127.0.0.1:0"
	start(t, taken)
}

func TestDamagedNodeID(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "node-id"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Start(t.Context(), config(t, dir)); err == nil || !strings.Contains(err.Error(), "node-id") {
		t.Errorf("got %v, want an error that names the file", err)
	}
}

func TestMemoryBackendNeedsNoFolder(t *testing.T) {
	cfg := config(t, filepath.Join(t.TempDir(), "none"))
	cfg.Backend = server.Memory
	s := start(t, cfg)
	if _, err := newClient(t, s, client.Options{}).Register(t.Context(), "alice", "correct horse"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(cfg.DataDir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the data folder was made: %v", err)
	}
}
