//go:build unix

package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/handover"
	"github.com/rushgate/rushgate/internal/redistest"
	"github.com/rushgate/rushgate/protocol"
	"github.com/rushgate/rushgate/server"
)

// startToBeReplaced starts a node that ends once another has gone on in its place.
func startToBeReplaced(t *testing.T, cfg server.Config) *server.Server {
	t.Helper()
	s := start(t, cfg)
	over := make(chan struct{})
	go func() {
		defer close(over)
		select {
		case <-s.HandedOver():
			s.Stop()
		case <-t.Context().Done():
		}
	}()
	t.Cleanup(func() { <-over })
	return s
}

// A hand-over that cannot be is refused with words, before the node that runs is disturbed.
func TestHandoverRefusals(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(t.TempDir(), "bad")
	if err := os.WriteFile(bad, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := config(t, dir)
	s := startToBeReplaced(t, cfg)
	var sessions []*client.Session
	for _, name := range []string{"alice", "bob"} {
		session, err := newClient(t, s, client.Options{}).Register(t.Context(), name, "correct horse")
		if err != nil {
			t.Fatal(err)
		}
		sessions = append(sessions, session)
	}
	cfg.Handover = true
	database := filepath.Join(dir, server.DatabaseName)
	moved := func(name string) func() {
		from := filepath.Join(dir, name)
		if err := os.Rename(from, from+".away"); err != nil {
			t.Fatal(err)
		}
		return func() {
			if err := os.Rename(from+".away", from); err != nil {
				t.Fatal(err)
			}
		}
	}
	setSchema := func(version string) {
		db, err := sql.Open("sqlite", database)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec("PRAGMA user_version = " + version); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name   string
		change func(c *server.Config) (undo func())
		says   string
	}{
		{"http", func(c *server.Config) func() { c.HTTPAddr = "127.0.0.1:1"; return nil },
			`--http is "127.0.0.1:1" here and "127.0.0.1:0" in the node that runs`},
		{"no udp", func(c *server.Config) func() { c.UDPAddr = server.NoUDP; return nil }, `--udp is "none" here`},
		{"protocol", func(c *server.Config) func() { c.ProtocolID = 7; return nil }, "--protocol-id is"},
		{"pepper", func(c *server.Config) func() { c.PepperFile = bad; return nil }, "pepper"},
		{"certificate", func(c *server.Config) func() { c.TLSCert, c.TLSKey = bad, bad; return nil }, "TLS certificate"},
		{"memory", func(c *server.Config) func() { c.Backend = server.Memory; return nil }, "players are in memory"},
		{"range", func(c *server.Config) func() { c.SnapshotRate = 99; return nil }, "snapshot rate"},
		{"another world", func(c *server.Config) func() { c.World = new(room); return nil }, "not handed over"},
		{"no database", func(*server.Config) func() { return moved(server.DatabaseName) },
			"the store of the node that runs cannot be written to"},
		{"another lock", func(*server.Config) func() { return moved(server.DatabaseName + ".lock") }, "is another than"},
		{"newer schema", func(*server.Config) func() {
			var before int
			db, err := sql.Open("sqlite", database)
			if err == nil {
				err = errors.Join(db.QueryRow("PRAGMA user_version").Scan(&before), db.Close())
			}
			if err != nil {
				t.Fatal(err)
			}
			setSchema("99")
			return func() { setSchema(fmt.Sprint(before)) }
		}, "schema version 99"},
	}
	for _, tt := range tests {
		cfg := cfg
		undo := tt.change(&cfg)
		next, err := server.Start(t.Context(), cfg)
		if undo != nil {
			undo()
		}
		if err == nil {
			next.Stop()
			t.Fatalf("%s: it was handed over", tt.name)
		}
		if !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v; want %q", tt.name, err, tt.says)
		}
		for _, session := range sessions {
			if _, err := session.Me(t.Context()); err != nil {
				t.Fatalf("%s: the node that runs: %v", tt.name, err)
			}
		}
	}
	next, err := server.Start(t.Context(), cfg)
	if err != nil {
		t.Fatalf("after all this: %v", err)
	}
	defer next.Stop()
	for _, session := range sessions {
		if _, err := session.Me(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// A new process that is told of another Redis server, by whatever URL, would have none of the players' leases: it is
// refused. The same server by another URL is the same.
func TestHandoverToAnotherRedis(t *testing.T) {
	one, other := redistest.Start(t), redistest.Start(t)
	cfg := config(t, t.TempDir())
	cfg.Backend, cfg.RedisURLs = server.Redis, []string{one.URL()}
	s := startToBeReplaced(t, cfg)
	session, err := newClient(t, s, client.Options{}).Register(t.Context(), "alice", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Handover = true
	cfg.RedisURLs = []string{other.URL()}
	if _, err := server.Start(t.Context(), cfg); !errors.Is(err, server.ErrNotHandedOver) ||
		!strings.Contains(err.Error(), "are in another store") {
		t.Fatalf("another server: %v", err)
	}
	if _, err := session.Me(t.Context()); err != nil {
		t.Fatalf("the node that runs: %v", err)
	}
	cfg.RedisURLs = []string{redistest.StartAddress(t, one).URL()}
	start(t, cfg)
	if _, err := session.Me(t.Context()); err != nil {
		t.Errorf("the same server by another URL: %v", err)
	}
}

// stepped is a world that counts its steps.
type stepped struct {
	room
	steps atomic.Int64
}

func (w *stepped) Step(tick uint64) []rushgate.Event {
	w.steps.Add(1)
	return w.room.Step(tick)
}

// Until the old node has heard that the new one runs, it would go on with what it has told, so the new one does nothing
// before: its world makes no step, and no request is answered. By then the service manager has been told.
func TestNothingHappensBeforeTheOldNodeKnows(t *testing.T) {
	cfg := config(t, t.TempDir())
	cfg.World = new(stepped)
	old := startToBeReplaced(t, cfg)
	session, err := newClient(t, old, client.Options{}).Register(t.Context(), "alice", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	next := new(stepped)
	var told atomic.Int64
	answered := make(chan error, 1)
	cfg.World, cfg.Handover = next, true
	cfg.InCharge = func() {
		told.Add(1)
		go func() {
			_, err := session.Me(context.Background())
			answered <- err
		}()
		select {
		case err := <-answered:
			t.Errorf("a request was answered: %v", err)
			answered <- err
		case <-old.HandedOver():
			t.Error("the old node has ended")
		case <-time.After(50 * time.Millisecond): // three steps
		}
		if n := next.steps.Load(); n > 0 {
			t.Errorf("the world has made %d steps", n)
		}
	}
	start(t, cfg)
	if told.Load() != 1 {
		t.Errorf("it was told %d times that it is in charge", told.Load())
	}
	if err := <-answered; err != nil {
		t.Errorf("a player who asked meanwhile: %v", err)
	}
	<-old.HandedOver()
}

// A node whose successor has died after it may have said that it is in charge says so again, and where the operator
// finds it; one whose successor never came so far does not.
func TestInChargeAgain(t *testing.T) {
	dir := t.TempDir()
	cfg := config(t, dir)
	told := make(chan struct{}, 10)
	cfg.InCharge = func() { told <- struct{}{} }
	s := startToBeReplaced(t, cfg)
	<-told
	session, err := newClient(t, s, client.Options{}).Register(t.Context(), "alice", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	for _, went := range []bool{false, true} {
		next := dialAsNext(t, dir)
		if _, err := next.Await(t.Context()); err != nil {
			t.Fatal(err)
		}
		if went {
			if err := next.Loaded(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, server.AdminAddrName), []byte("https://elsewhere\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		next.Close()
		if went {
			<-told
		}
		if _, err := session.Me(t.Context()); err != nil { // answered once the node goes on
			t.Fatal(err)
		}
		if len(told) > 0 {
			t.Errorf("told of the state and of go %v: it is in charge once too often", went)
		}
	}
	dialAsNext(t, dir).Close() // which is heard once the attempt before is over
	written, err := os.ReadFile(filepath.Join(dir, server.AdminAddrName))
	if want := "http://" + s.AdminAddr().String() + "\n"; err != nil || string(written) != want {
		t.Errorf("the operator finds %q, %v; want %q", written, err, want)
	}
}

// dialAsNext is a process that takes over, as far as a test has it.
func dialAsNext(t *testing.T, dir string) *handover.Taker {
	t.Helper()
	terms := map[string]string{
		"http": "127.0.0.1:0", "admin": "127.0.0.1:0", "udp": "127.0.0.1:0", "protocol-id": fmt.Sprintf("%x", protocol.ID),
		"db": "sqlite", "redis-prefix": "",
	}
	for {
		next, err := handover.Dial(t.Context(), filepath.Join(dir, handover.SocketName), handover.Hello{Terms: terms},
			handover.DefaultLimits())
		if err == nil {
			t.Cleanup(next.Close)
			return next
		}
		if !strings.Contains(err.Error(), "another hand-over is under way") {
			t.Fatal(err)
		}
	}
}

// proxied makes connections that begin with a PROXY header.
func proxied(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	if _, err := c.Write([]byte("PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n")); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Connections over TLS, with a PROXY header before it or without, cannot be moved. A client that asks again and again
// over one is refused nothing while nodes change places, and nothing is done twice: the old one closes each with an
// answer, and those that are idle in order, so that net/http, which is told here that it may, asks the new one.
func TestHandoverOverTLS(t *testing.T) {
	for name, proxy := range map[string]bool{"TLS": false, "TLS and PROXY": true} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t, t.TempDir())
			cfg.TLS, cfg.OriginRegistrations = true, server.Unbounded
			transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // the node's own
			if proxy {
				cfg.ProxyProtocol, cfg.TrustedProxies = true, []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
				transport.DialContext = proxied
			}
			old := startToBeReplaced(t, cfg)
			base := "https://" + old.HTTPAddr().String()
			player, err := client.New(base, client.Options{Transport: transport})
			if err != nil {
				t.Fatal(err)
			}
			defer player.CloseIdleConnections()
			session, err := player.Register(t.Context(), "alice", "correct horse")
			if err != nil {
				t.Fatal(err)
			}
			busy, stop := context.WithCancel(t.Context())
			var asked sync.WaitGroup
			var n atomic.Int64
			asked.Go(func() {
				posts := &http.Client{Transport: transport.Clone()}
				defer posts.CloseIdleConnections()
				for ; busy.Err() == nil; n.Add(1) {
					if err := registerOnce(posts, base, fmt.Sprintf("guest-%d", n.Load())); err != nil {
						t.Errorf("guest %d: %v", n.Load(), err)
					}
				}
			})
			dial := new(net.Dialer).DialContext
			if proxy {
				dial = proxied
			}
			raw, err := dial(t.Context(), "tcp", old.HTTPAddr().String())
			if err != nil {
				t.Fatal(err)
			}
			c := tls.Client(raw, transport.TLSClientConfig)
			defer c.Close()
			fmt.Fprintf(c, "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
			if _, err := c.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			cfg.Handover = true
			next := start(t, cfg)
			if _, err := io.Copy(io.Discard, c); err != nil {
				t.Errorf("a connection that was idle was not closed in order: %v", err)
			}
			stop()
			asked.Wait()
			if n.Load() == 0 {
				t.Error("no guest has come")
			}
			if _, err := session.Me(t.Context()); err != nil {
				t.Error(err)
			}
			if proxy { // the header counts at the new node too
				if err := registerOnce(http.DefaultClient, "http://"+next.HTTPAddr().String(), "unproxied"); err == nil {
					t.Error("a trusted proxy came in without a header")
				}
			}
		})
	}
}

// registerOnce registers a player with one request, and returns an error unless the player is in.
func registerOnce(c *http.Client, base, name string) error {
	body, err := json.Marshal(map[string]string{"username": name, "password": "correct horse"})
	if err != nil {
		return err
	}
	req, err := http.NewRequest(http.MethodPost, base+"/v1/register", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Idempotency-Key", name) // see http.Transport: sent again over a connection that was closed before
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusCreated {
		err = fmt.Errorf("%s: %s", resp.Status, said)
	}
	return err
}

// A login by OPAQUE that began at a node is finished at the one that has taken its place.
func TestHandoverDuringOpaque(t *testing.T) {
	cfg := config(t, t.TempDir())
	cfg.Opaque = server.OpaquePrefer
	o := opaquely{s: startToBeReplaced(t, cfg)}
	o.out(t, o.register(t, "alice", "correct horse").text("session_token"))
	b := o.begin(t, "alice", "correct horse")
	ke3, _ := b.proof(t)
	cfg.Handover = true
	o.s = start(t, cfg)
	o.finish(t, b, "alice", ke3).want(t, "a login begun before", 200)
	o.login(t, "alice", "correct horse", "takeover", true).want(t, "another login", 503)
}
