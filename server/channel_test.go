package server_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate/netcode"
	"github.com/rushgate/rushgate/protocol"
	"github.com/rushgate/rushgate/server"
)

func manyAddresses(n int) []string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("192.0.2.%d:40000", i+1))
	}
	return list
}

// opened is the answer to a registration, a login or a request to connect.
type opened struct {
	Player       uint64 `json:"player_id"`
	SessionToken string `json:"session_token"`
	ConnectToken []byte `json:"connect_token"`
}

// post makes a call of the API, and returns its status and what it opened.
func post(t *testing.T, s *server.Server, path, token, body string) (int, opened) {
	t.Helper()
	url := "http://" + s.HTTPAddr().String() + path
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var o opened
	if resp.StatusCode < 300 && len(b) > 0 {
		if err := json.Unmarshal(b, &o); err != nil {
			t.Fatalf("%s: %v in %s", path, err, b)
		}
	}
	return resp.StatusCode, o
}

func register(t *testing.T, s *server.Server, name string) opened {
	t.Helper()
	status, o := post(t, s, "/v1/register", "", `{"username":"`+name+`","password":"correct horse"}`)
	if status != http.StatusCreated {
		t.Fatalf("register %s: %d", name, status)
	}
	return o
}

func parseToken(t *testing.T, b []byte) *netcode.ConnectToken {
	t.Helper()
	token, err := netcode.ParseConnectToken(b)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestConnectToken(t *testing.T) {
	s := start(t, config(t, t.TempDir()))
	before := time.Now().Unix()
	o := register(t, s, "alice")
	after := time.Now().Unix()
	token := parseToken(t, o.ConnectToken)
	if want := []netip.AddrPort{netip.MustParseAddrPort(s.UDPAddr().String())}; !slices.Equal(token.Addresses, want) {
		t.Errorf("it leads to %v, want %v", token.Addresses, want)
	}
	if token.ProtocolID != protocol.ID {
		t.Errorf("protocol id %#x", token.ProtocolID)
	}
	if token.CreatedAt < uint64(before) || token.CreatedAt > uint64(after) || token.Lifetime() != 30*time.Second {
		t.Errorf("created at %d, between %d and %d, and good for %v", token.CreatedAt, before, after, token.Lifetime())
	}
	if token.Timeout() != 10*time.Second {
		t.Errorf("timeout %v", token.Timeout())
	}
}

// entrance keeps who came first through a netcode server of a test's own.
type entrance struct{ connected chan *netcode.Peer }

func (e entrance) Connected(p *netcode.Peer) {
	select {
	case e.connected <- p:
	default:
	}
}
func (entrance) Received(*netcode.Peer, []byte)    {}
func (entrance) Disconnected(*netcode.Peer, error) {}

// What a login returns opens with the first key of the node's file, names the player and the session, and leads to the
// public address, here a server of the test's own.
func TestConnectTokenOpensWithTheKeyFile(t *testing.T) {
	conn, err := netcode.ListenUDP("127.0.0.1:0", netcode.UDPOptions{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cfg := config(t, dir)
	cfg.UDPPublic, cfg.ProtocolID = []string{conn.LocalAddr().String()}, 0xfeed
	node := start(t, cfg)
	other, err := netcode.NewServer(netcode.ServerConfig{
		Conn: conn, ProtocolID: 0xfeed, Keys: []netcode.Key{firstKey(t, dir)},
		Addresses: []netip.AddrPort{conn.LocalAddr()}, MaxClients: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	e := entrance{make(chan *netcode.Peer, 1)}
	other.Start(e)
	defer other.Stop()

	o := register(t, node, "alice")
	c, err := netcode.Dial(t.Context(), o.ConnectToken, netcode.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p := <-e.connected
	if p.ClientID() != o.Player || *p.UserData() == [netcode.UserDataSize]byte{} {
		t.Errorf("client %d of session %x, want %d of a session", p.ClientID(), p.UserData()[:8], o.Player)
	}
}

// firstKey reads the key file as another program would.
func firstKey(t *testing.T, dir string) netcode.Key {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, server.KeysName))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if key, err := hex.DecodeString(strings.TrimSpace(line)); err == nil && len(key) == 32 {
			return netcode.Key(key)
		}
	}
	t.Fatal("there is no key in the file")
	return netcode.Key{}
}

func TestPublicAddresses(t *testing.T) {
	cfg := config(t, t.TempDir())
	cfg.UDPPublic = []string{
		"192.0.2.1:7000", "[2001:db8::1]:7001", "localhost:7002", "127.0.0.1:7002", "[::ffff:192.0.2.1]:7000",
	}
	s := start(t, cfg)
	got := parseToken(t, register(t, s, "alice").ConnectToken).Addresses
	var want []netip.AddrPort
	for _, a := range []string{"192.0.2.1:7000", "[2001:db8::1]:7001", "127.0.0.1:7002"} {
		want = append(want, netip.MustParseAddrPort(a))
	}
	if !slices.Equal(got, want) {
		t.Errorf("the token leads to %v, want %v", got, want)
	}
}

func TestConnectAgain(t *testing.T) {
	s := start(t, config(t, t.TempDir()))
	o := register(t, s, "alice")
	status, again := post(t, s, "/v1/connect", o.SessionToken, "")
	if status != http.StatusOK || bytes.Equal(again.ConnectToken, o.ConnectToken) {
		t.Fatalf("status %d, the same token: %v", status, bytes.Equal(again.ConnectToken, o.ConnectToken))
	}
	if token := parseToken(t, again.ConnectToken); token.ClientToServer == parseToken(t, o.ConnectToken).ClientToServer {
		t.Error("both tokens have the same packet keys")
	}
	for _, token := range []string{"", "x"} {
		if status, _ := post(t, s, "/v1/connect", token, ""); status != http.StatusUnauthorized {
			t.Errorf("with the token %q: status %d", token, status)
		}
	}
	if status, _ := post(t, s, "/v1/logout", o.SessionToken, ""); status != http.StatusNoContent {
		t.Errorf("logout: status %d", status)
	}
	if status, _ := post(t, s, "/v1/connect", o.SessionToken, ""); status != http.StatusUnauthorized {
		t.Errorf("after the logout: status %d", status)
	}
}

// A player connects with the token of the login and is told of the world; asking for another token ends that
// connection, and the new token opens the next.
// A player plays, and connects anew while the first connection stands: that one ends when the other is there.
func TestPlayOverUDP(t *testing.T) {
	s := start(t, config(t, t.TempDir()))
	o := register(t, s, "alice")
	token, buf := o.ConnectToken, make([]byte, netcode.MaxPayload)
	var before *netcode.Client
	for range 2 {
		c, err := netcode.Dial(t.Context(), token, netcode.ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for err == nil && before != nil {
			_, err = before.Read(buf)
		}
		n, err := c.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		var snapshot protocol.Snapshot
		if err := new(protocol.Decoder).Decode(buf[:n], &snapshot); err != nil || snapshot.Own.HP <= 0 {
			t.Errorf("the first payload: %+v, %v", snapshot, err)
		}
		if dump := metrics(t, s); !strings.Contains(dump, `"clients": 1`) {
			t.Errorf("the dump says\n%s", dump)
		}
		_, again := post(t, s, "/v1/connect", o.SessionToken, "")
		token, before = again.ConnectToken, c
	}
}

func TestNodeWithoutChannel(t *testing.T) {
	dir := t.TempDir()
	cfg := config(t, dir)
	cfg.UDPAddr = server.NoUDP
	s := start(t, cfg)
	if s.UDPAddr() != nil {
		t.Errorf("its UDP address is %v", s.UDPAddr())
	}
	o := register(t, s, "alice")
	if o.ConnectToken != nil {
		t.Error("it gives connect tokens")
	}
	if status, _ := post(t, s, "/v1/connect", o.SessionToken, ""); status != http.StatusNotFound {
		t.Errorf("status %d", status)
	}
	if dump := metrics(t, s); strings.Contains(dump, `"channel"`) {
		t.Errorf("the dump has a channel:\n%s", dump)
	}
	if _, err := os.Stat(filepath.Join(dir, server.KeysName)); err == nil {
		t.Error("it has made a key")
	}
}

func metrics(t *testing.T, s *server.Server) string {
	t.Helper()
	resp, err := http.Get("http://" + s.AdminAddr().String() + "/metrics.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A UDP port that is taken stops the start, and one that a node has given up can be had again at once.
func TestUDPPortTaken(t *testing.T) {
	first := start(t, config(t, t.TempDir()))
	cfg := config(t, t.TempDir())
	cfg.UDPAddr = first.UDPAddr().String()
	for range 2 { // the failure leaves nothing behind
		if s, err := server.Start(t.Context(), cfg); err == nil {
			s.Stop()
			t.Fatal("the port was taken twice")
		} else if !strings.Contains(err.Error(), "UDP listener") {
			t.Errorf("error %v", err)
		}
	}
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	start(t, cfg)
}

// A start that fails after the socket was opened closes it.
func TestFailedStartClosesTheSocket(t *testing.T) {
	taken := start(t, config(t, t.TempDir())).HTTPAddr().String()
	free, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(t, t.TempDir())
	cfg.UDPAddr, cfg.HTTPAddr = free.LocalAddr().String(), taken
	free.Close()
	if _, err := server.Start(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "HTTP listener") {
		t.Fatalf("error %v", err)
	}
	cfg.HTTPAddr = "127.0.0.1:0"
	start(t, cfg)
}

func TestBadKeyFile(t *testing.T) {
	dir := t.TempDir()
	secret := strings.Repeat("5e", 32)
	if err := os.WriteFile(filepath.Join(dir, server.KeysName), []byte("# mine\n"+secret[1:]+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := server.Start(t.Context(), config(t, dir))
	if err == nil || !strings.Contains(err.Error(), server.KeysName+": line 2 ") || strings.Contains(err.Error(), "5e5e") {
		t.Errorf("error %v", err)
	}
}

// Neither keys nor tokens turn up in the log, however much of it is written.
func TestSecretsAreNotLogged(t *testing.T) {
	dir := t.TempDir()
	var log lockedBuffer
	cfg := config(t, dir)
	cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s := start(t, cfg)
	o := register(t, s, "alice")
	_, again := post(t, s, "/v1/connect", o.SessionToken, "")
	dump := metrics(t, s)
	s.Stop()
	key := firstKey(t, dir)
	said := log.String() + dump
	if !strings.Contains(said, "stopped") {
		t.Fatalf("the log is\n%s", said)
	}
	// A piece of each is enough; it begins where base64 begins a group.
	for _, secret := range [][]byte{key[:30], o.ConnectToken[300:330], again.ConnectToken[300:330]} {
		for _, form := range []string{
			hex.EncodeToString(secret), base64.StdEncoding.EncodeToString(secret), strings.Trim(fmt.Sprintf("%d", secret), "[]"),
			strings.Trim(strconv.Quote(string(secret)), `"`),
		} {
			if strings.Contains(said, form) {
				t.Errorf("a secret is in the log:\n%s", said)
			}
		}
	}
}

// lockedBuffer is a log, or the output of another process, that goroutines share.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestWarnings checks that an operator hears of what works for players on this machine and for no others.
func TestWarnings(t *testing.T) {
	for name, c := range map[string]struct {
		change func(t *testing.T, cfg *server.Config)
		want   string
	}{
		"nothing to warn of": {func(*testing.T, *server.Config) {}, ""},
		"a proxy before a channel on loopback": {func(_ *testing.T, cfg *server.Config) {
			cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
		}, "is on loopback"},
		"a network that may hold players": {func(_ *testing.T, cfg *server.Config) {
			cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		}, "--trusted-proxies has networks"},
		"a queue that outlasts the clients": {func(_ *testing.T, cfg *server.Config) { cfg.MaxAge = time.Minute }, "age=1m"},
		"a key file for everybody": {func(t *testing.T, cfg *server.Config) {
			if runtime.GOOS == "windows" {
				t.Skip("files have no such mode")
			}
			start(t, *cfg).Stop()
			if err := os.Chmod(filepath.Join(cfg.DataDir, server.KeysName), 0o644); err != nil {
				t.Fatal(err)
			}
		}, "may use the key file"},
	} {
		t.Run(name, func(t *testing.T) {
			var log lockedBuffer
			cfg := config(t, t.TempDir())
			c.change(t, &cfg)
			cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
			start(t, cfg).Stop()
			var said string
			for line := range strings.Lines(log.String()) {
				if !strings.Contains(line, "rmem_max") { // a matter of the machine that tests
					said += line
				}
			}
			if !strings.Contains(said, c.want) || c.want == "" && said != "" {
				t.Errorf("the log says %q, want %q", said, c.want)
			}
		})
	}
}
