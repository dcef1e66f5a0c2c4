//go:build unix

package main

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/handover"
	"github.com/rushgate/rushgate/internal/redistest"
	"github.com/rushgate/rushgate/protocol"
	"github.com/rushgate/rushgate/server"
)

// replaceNode starts a node that goes on in place of another with the same settings, and returns once that has ended.
func replaceNode(t *testing.T, old *node, dir string, extra ...string) *node {
	t.Helper()
	n := startNode(t, dir, append(extra, "--handover")...)
	if err := old.wait(t); err != nil {
		t.Errorf("the node that was replaced: %v; its log says:\n%s", err, old.log)
	}
	if n.admin != old.admin || n.udp != old.udp {
		t.Errorf("the new node is at %s, %s, and not at %s, %s", n.admin, n.udp, old.admin, old.udp)
	}
	n.http = old.http
	return n
}

// gamer is a player who plays.
type gamer struct {
	name    string
	session *client.Session
	rt      *client.Realtime
	views   atomic.Int64
	tick    atomic.Uint32 // of the newest view
	wrong   atomic.Value  // string: what must not happen and has
	left    chan struct{}
}

// party has so many players log in and play.
func party(t *testing.T, n *node, players int, transport *http.Transport) []*gamer {
	t.Helper()
	all := make([]*gamer, players)
	var wg sync.WaitGroup
	for i := range all {
		g := &gamer{name: fmt.Sprintf("gamer-%d", i), left: make(chan struct{})}
		all[i] = g
		wg.Go(func() { g.come(t, n, transport.Clone()) })
	}
	wg.Wait()
	for _, g := range all {
		if g.rt == nil {
			t.FailNow()
		}
	}
	t.Cleanup(func() {
		for _, g := range all {
			g.rt.Close()
			<-g.left
		}
	})
	return all
}

func (g *gamer) come(t *testing.T, n *node, transport *http.Transport) {
	var err error
	c := newClient(t, n.http, client.Options{Transport: transport})
	if g.session, err = c.Register(t.Context(), g.name, "correct horse"); err != nil {
		t.Errorf("%s: %v", g.name, err)
		return
	}
	rt, err := g.session.Connect(t.Context(), client.RealtimeOptions{})
	if err != nil {
		t.Errorf("%s: %v", g.name, err)
		return
	}
	g.rt = rt
	go func() {
		defer close(g.left)
		angle := 0.0
		for v := range rt.Views() {
			if last := g.tick.Swap(v.Tick); v.Tick <= last {
				g.wrong.Store(fmt.Sprintf("tick %d came after %d", v.Tick, last))
			}
			if g.views.Add(1)%20 == 1 {
				angle++
				rt.SendIntent(rushgate.Intent{MoveX: float32(math.Cos(angle)), MoveY: float32(math.Sin(angle))})
			}
		}
	}()
}

// awaitViews returns once every player has had so many views more.
func awaitViews(t *testing.T, all []*gamer, more int64) {
	t.Helper()
	limit := time.Now().Add(time.Minute)
	want := make([]int64, len(all))
	for i, g := range all {
		want[i] = g.views.Load() + more
	}
	for i, g := range all {
		for g.views.Load() < want[i] {
			if time.Now().After(limit) {
				t.Fatalf("%s hears nothing any more: %v", g.name, g.rt.Err())
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// checkGamers reports players whom something has happened to.
func checkGamers(t *testing.T, all []*gamer) {
	t.Helper()
	for _, g := range all {
		if wrong := g.wrong.Load(); wrong != nil {
			t.Errorf("%s: %v", g.name, wrong)
		}
		if got := g.rt.Stats(); got.Connects != 1 {
			t.Errorf("%s has connected %d times", g.name, got.Connects)
		}
		if _, err := g.session.Me(t.Context()); err != nil {
			t.Errorf("%s: the session: %v", g.name, err)
		}
	}
}

// rounds is how often a node is replaced: with RUSHGATE_LONG=1 50 times.
func rounds() int {
	if long() {
		return 50
	}
	return 3
}

func long() bool { return os.Getenv("RUSHGATE_LONG") != "" }

// guests come one after the other, log in and out again, until they are stopped. None of them may be refused.
type guests struct {
	stop context.CancelFunc
	wg   sync.WaitGroup
	came atomic.Int64
}

func inviteGuests(t *testing.T, n *node, transport *http.Transport) *guests {
	ctx, stop := context.WithCancel(t.Context())
	g := &guests{stop: stop}
	for i := range 4 {
		g.wg.Go(func() {
			for j := 0; ctx.Err() == nil; j++ {
				c := newClient(t, n.http, client.Options{MaxRetries: -1, Transport: transport.Clone()})
				s, err := c.Register(t.Context(), fmt.Sprintf("guest-%d-%d", i, j), "correct horse")
				if err == nil {
					err = s.Logout(t.Context())
				}
				if err != nil {
					t.Errorf("a guest: %v", err)
				}
				c.CloseIdleConnections()
				g.came.Add(1)
			}
		})
	}
	return g
}

func (g *guests) leave(t *testing.T) {
	t.Helper()
	if g.stop(); g.came.Load() == 0 {
		t.Error("no guest has come")
	}
	g.wg.Wait()
	t.Logf("%d guests came meanwhile", g.came.Load())
}

// A node is replaced, again and again, while players play and others log in: no player notices, nobody is refused, and
// what they were told lasts.
func TestHandoverKeepsPlayers(t *testing.T) {
	tests := map[string]func(t *testing.T) []string{
		"sqlite": func(*testing.T) []string { return nil },
		"tls":    func(*testing.T) []string { return []string{"--tls"} },
		"redis": func(t *testing.T) []string {
			return []string{"--db", "redis", "--redis-url", redistest.Start(t).URL()}
		},
	}
	for name, flags := range tests {
		t.Run(name, func(t *testing.T) {
			extra, transport := append(flags(t), "--origin-registrations", "0"), &http.Transport{} // guests are many
			if name == "tls" {
				transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} // the node's own
			}
			dir := t.TempDir()
			n := startNode(t, dir, extra...)
			if name == "tls" {
				n.http = "https" + strings.TrimPrefix(n.http, "http")
			}
			base := n.http
			all := party(t, n, 10, transport)
			awaitViews(t, all, 3)
			g := inviteGuests(t, n, transport)
			for i := range rounds() {
				if i > 0 && name != "sqlite" && !long() {
					break // it costs a second
				}
				n = replaceNode(t, n, dir, extra...)
				awaitViews(t, all, 3)
			}
			g.leave(t)
			checkGamers(t, all)
			for _, g := range all {
				if err := g.session.Logout(t.Context()); err != nil {
					t.Errorf("%s: %v", g.name, err)
				}
			}
			n.signal(t, syscall.SIGTERM)
			if err := n.wait(t); err != nil {
				t.Errorf("the last node at %s: %v; its log says:\n%s", base, err, n.log)
			}
			if strings.Contains(n.log.String(), "level=ERROR") || strings.Contains(n.log.String(), "lease lost") {
				t.Errorf("the log says:\n%s", n.log)
			}
		})
	}
}

// Players over WebSockets come again by themselves, with the session that they had.
func TestHandoverWebSockets(t *testing.T) {
	dir := t.TempDir()
	n := startNode(t, dir)
	c := newClient(t, n.http, client.Options{})
	session, err := c.Register(t.Context(), "alice", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	rt, err := session.Connect(t.Context(), client.RealtimeOptions{WebSocket: true})
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	<-rt.Views()
	replaceNode(t, n, dir)
	for range rt.Views() {
		if rt.Stats().Connects > 1 {
			break
		}
	}
	if _, err := session.Me(t.Context()); err != nil || rt.Err() != nil {
		t.Errorf("after the hand-over: %v, %v", err, rt.Err())
	}
}

// tryNode runs a node that is not to come up, and returns with which status it has ended, and what it has said.
func tryNode(t *testing.T, dir string, extra ...string) (status int, said string) {
	t.Helper()
	args := append([]string{"serve", "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--udp", "127.0.0.1:0", "--data", dir,
		"--password-hash-iterations", "1000"}, extra...)
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), beRushgate+"=1")
	out, err := os.Create(filepath.Join(t.TempDir(), "out")) // not a pipe, which a node that is detached would hold open
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	b, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(b)
}

// A new process that cannot start, for whatever reason, says why and ends; the players do not notice.
func TestHandoverToWhatCannotStart(t *testing.T) {
	dir, files := t.TempDir(), t.TempDir()
	bad := filepath.Join(files, "bad")
	if err := os.WriteFile(bad, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	n := startNode(t, dir)
	all := party(t, n, 3, &http.Transport{})
	awaitViews(t, all, 3)
	setSchema := func(version int) {
		db, err := sql.Open("sqlite", filepath.Join(dir, server.DatabaseName))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec(fmt.Sprintf("PRAGMA user_version = %d", version)); err != nil {
			t.Fatal(err)
		}
	}
	schema := 0
	db, err := sql.Open("sqlite", filepath.Join(dir, server.DatabaseName))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.QueryRow("PRAGMA user_version").Scan(&schema); err != nil {
		t.Fatal(err)
	}
	db.Close()
	tests := []struct {
		args   string
		status int
		says   string
	}{
		{"--http 127.0.0.1:1", 1, `--http is "127.0.0.1:1" here and "127.0.0.1:0" in the node that runs`},
		{"--udp none", 1, `--udp is "none" here`},
		{"--protocol-id 7", 1, "--protocol-id is"},
		{"--password-pepper-file " + bad, 1, "pepper"},
		{"--tls-cert " + bad + " --tls-key " + bad, 1, "TLS certificate"},
		{"--world " + bad, 2, "invalid world definition"},
		{"--db memory", 2, "players are in memory"},
		{"--snapshot-rate 99", 2, "snapshot-rate"},
		{"--max-players 1", 1, "not handed over"},
		{"--detach --http 127.0.0.1:1", 1, "says above why it does not serve"},
		{"", 1, "schema version 99"},
	}
	for _, tt := range tests {
		if strings.Contains(tt.says, "schema") {
			setSchema(99)
		}
		status, said := tryNode(t, dir, append(strings.Fields(tt.args), "--handover")...)
		if strings.Contains(tt.says, "schema") {
			setSchema(schema)
		}
		if status != tt.status || !strings.Contains(said, tt.says) {
			t.Errorf("%s: status %d, %s\nwant %d, %s", tt.args, status, said, tt.status, tt.says)
		}
		awaitViews(t, all, 3)
	}
	checkGamers(t, all)
	replaceNode(t, n, dir)
	awaitViews(t, all, 3)
	checkGamers(t, all)
}

// Where no node runs, it is an ordinary start; --detach is for a hand-over only.
func TestHandoverWithoutANode(t *testing.T) {
	dir := t.TempDir()
	for range 2 { // the second finds what the first has left
		n := startNode(t, dir, "--handover")
		n.log.waitFor(t, "an ordinary start")
		n.signal(t, syscall.SIGKILL)
		n.wait(t)
	}
	if status, _, said := runCommand(t, "serve", "--detach"); status != 2 || !strings.Contains(said, "--handover") {
		t.Errorf("--detach alone: status %d, %s", status, said)
	}
}

// A process takes over, and at each step dies; the players do not notice, nor what it has been told.
func TestHandoverToWhatDies(t *testing.T) {
	dir := t.TempDir()
	n := startNode(t, dir)
	all := party(t, n, 3, &http.Transport{})
	terms := map[string]string{
		"http": "127.0.0.1:0", "admin": "127.0.0.1:0", "udp": "127.0.0.1:0", "protocol-id": fmt.Sprintf("%x", protocol.ID),
		"db": "sqlite", "redis-prefix": "",
	}
	for died := range 3 {
		awaitViews(t, all, 3)
		next, err := handover.Dial(t.Context(), filepath.Join(dir, handover.SocketName), handover.Hello{Terms: terms},
			handover.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		if died > 0 {
			if _, err := next.Await(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if died > 1 {
			if err := next.Loaded(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		next.Close()
		n.log.waitForCount(t, "not handed over: this process goes on", died+1)
	}
	awaitViews(t, all, 3)
	checkGamers(t, all)
	next, err := handover.Dial(t.Context(), filepath.Join(dir, handover.SocketName), handover.Hello{Terms: terms},
		handover.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	if _, err := next.Await(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.signal(t, syscall.SIGTERM) // while it stands still
	if err := n.wait(t); err != nil || !strings.Contains(n.log.String(), "msg=stopped") {
		t.Errorf("SIGTERM in the middle: %v; the log says:\n%s", err, n.log)
	}
	if err := next.Loaded(t.Context()); err == nil || errors.Is(err, handover.ErrOldDied) {
		t.Errorf("the new process hears %v, and would run", err)
	}
}

// kill -9 of the old process in the middle of a hand-over: the new one serves, whatever it had been told by then.
func TestHandoverFromWhatDies(t *testing.T) {
	for _, when := range []string{"makes ready to take over", "standing still"} {
		dir := t.TempDir()
		old := startNode(t, dir)
		all := party(t, old, 3, &http.Transport{})
		awaitViews(t, all, 3)
		killed := make(chan struct{})
		go func() {
			defer close(killed)
			old.log.waitFor(t, when)
			old.cmd.Process.Kill()
		}()
		n := startNode(t, dir, "--handover")
		<-killed
		if _, err := newClient(t, n.http, client.Options{}).Register(t.Context(), "newcomer", "correct horse"); err != nil {
			t.Errorf("killed at %q: %v", when, err)
		}
		if long() {
			awaitViews(t, all, 3) // which takes some seconds if they have to connect anew
		}
	}
}

// manager is what a service manager hears.
type manager struct {
	conn *net.UnixConn
	t    *testing.T
}

// beManager has the nodes of a test that start from now on tell the test how they are.
func beManager(t *testing.T) *manager {
	t.Helper()
	dir, err := os.MkdirTemp("", "sd") // short: the path of a socket has to be
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	t.Setenv("NOTIFY_SOCKET", socket)
	return &manager{c, t}
}

// hear returns the next word, with what it says of the main process.
func (m *manager) hear() (said string, pid int) {
	m.t.Helper()
	m.conn.SetReadDeadline(time.Now().Add(time.Minute)) // for the day when nothing comes
	b := make([]byte, 1024)
	n, err := m.conn.Read(b)
	if err != nil {
		m.t.Fatal(err)
	}
	said = string(b[:n])
	if _, err := fmt.Sscanf(said, "MAINPID=%d", &pid); err == nil {
		said = strings.TrimPrefix(said, fmt.Sprintf("MAINPID=%d\n", pid))
	}
	return said, pid
}

// end ends the main process, which may be no child of the test's, and waits until it says so.
func (m *manager) end(pid int) {
	m.t.Helper()
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		m.t.Fatal(err)
	}
	if said, _ := m.hear(); said != "STOPPING=1" {
		m.t.Errorf("the last node says %q", said)
	}
	for limit := time.Now().Add(time.Minute); syscall.Kill(pid, 0) == nil && time.Now().Before(limit); {
		time.Sleep(5 * time.Millisecond)
	}
}

// A node that is detached is the main process of its service before the command ends, and before the old one does.
func TestDetach(t *testing.T) {
	m, dir := beManager(t), t.TempDir()
	n := startNode(t, dir)
	if said, pid := m.hear(); said != "READY=1" || pid != n.cmd.Process.Pid {
		t.Errorf("the first node says %q, %d", said, pid)
	}
	n.signal(t, syscall.SIGHUP)
	if said, _ := m.hear(); !strings.HasPrefix(said, "RELOADING=1\nMONOTONIC_USEC=") && runtime.GOOS == "linux" {
		t.Errorf("at a hangup it says %q", said)
	}
	if said, _ := m.hear(); said != "READY=1" {
		t.Errorf("after a hangup it says %q", said)
	}
	all := party(t, n, 3, &http.Transport{})
	awaitViews(t, all, 3)
	if status, said := tryNode(t, dir, "--handover", "--detach"); status != 0 {
		t.Fatalf("status %d, %s", status, said)
	}
	said, pid := m.hear()
	if said != "READY=1" || pid == n.cmd.Process.Pid || pid <= 0 {
		t.Fatalf("the second node says %q, %d", said, pid)
	}
	if err := n.wait(t); err != nil {
		t.Error(err)
	}
	awaitViews(t, all, 3)
	checkGamers(t, all)
	m.end(pid)
}

// Of several that come at once, one takes over; or one after the other does. The players do not notice.
func TestHandoversAtOnce(t *testing.T) {
	m, dir := beManager(t), t.TempDir()
	n := startNode(t, dir)
	all := party(t, n, 3, &http.Transport{})
	awaitViews(t, all, 3)
	var wg sync.WaitGroup
	var took atomic.Int64
	for range 3 {
		wg.Go(func() {
			status, said := tryNode(t, dir, "--handover", "--detach")
			if status == 0 {
				took.Add(1)
			} else if !strings.Contains(said, "another hand-over is under way") {
				t.Errorf("status %d, %s", status, said)
			}
		})
	}
	wg.Wait()
	if err := n.wait(t); err != nil {
		t.Error(err)
	}
	awaitViews(t, all, 3)
	checkGamers(t, all)
	last := 0
	for range 1 + took.Load() {
		_, last = m.hear()
	}
	m.end(last)
}
