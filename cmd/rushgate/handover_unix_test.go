//go:build unix

package main

import (
	"context"
	"crypto/tls"
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

// clientNotices is for how long a client hears nothing before it looks for another road, in nanoseconds, less a little: on
// a machine that is busy a hand-over may take as long.
const clientNotices = int64(900 * time.Millisecond)

// gamer is a player who plays.
type gamer struct {
	name    string
	session *client.Session
	rt      *client.Realtime
	views   atomic.Int64
	tick    atomic.Uint32 // of the newest view
	gap     atomic.Int64  // the longest time without a view, in nanoseconds
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
		angle, heard := 0.0, time.Now()
		for v := range rt.Views() {
			g.gap.Store(max(g.gap.Load(), int64(time.Since(heard))))
			heard = time.Now()
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
		if got := g.rt.Stats(); got.Connects != 1 && g.gap.Load() < clientNotices {
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
	return 2
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
	for i := range 2 {
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

// playByWebSocket has a player play who comes again after a hand-over, by itself, with the session that it had.
func playByWebSocket(t *testing.T, n *node, transport *http.Transport) *gamer {
	t.Helper()
	session, err := newClient(t, n.http, client.Options{Transport: transport}).Register(t.Context(), "browser", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	rt, err := session.Connect(t.Context(), client.RealtimeOptions{WebSocket: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rt.Close)
	<-rt.Views()
	return &gamer{session: session, rt: rt}
}

// wantBack reports a player who has not come again.
func (g *gamer) wantBack(t *testing.T) {
	t.Helper()
	for range g.rt.Views() {
		if g.rt.Stats().Connects > 1 {
			break
		}
	}
	if _, err := g.session.Me(t.Context()); err != nil || g.rt.Err() != nil {
		t.Errorf("by WebSocket, after the hand-over: %v, %v", err, g.rt.Err())
	}
}

// A node is replaced, again and again, while players play and others log in: no player notices, nobody is refused, and
// what they were told lasts.
func TestHandoverKeepsPlayers(t *testing.T) {
	t.Parallel()
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
			browser := playByWebSocket(t, n, transport)
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
			browser.wantBack(t)
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

// tryNode runs a node that is not to come up, or is detached, and returns with which status it has ended, and what it
// has said.
func tryNode(t *testing.T, dir string, extra ...string) (status int, said string) {
	t.Helper()
	return tryNodeIn(t, nil, dir, extra...)
}

// tryNodeIn is tryNode with variables added to the environment.
func tryNodeIn(t *testing.T, env []string, dir string, extra ...string) (status int, said string) {
	t.Helper()
	args := append([]string{"serve", "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--udp", "127.0.0.1:0", "--data", dir,
		"--password-hash-iterations", "1000"}, extra...)
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(commandEnv(), env...)
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

// A new process that cannot start says why and ends, and the players do not notice. For whatever reason it cannot, see
// TestHandoverRefusals in package server; a program that is no node at all is never heard of.
func TestHandoverToWhatCannotStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bad := filepath.Join(t.TempDir(), "bad")
	if err := os.WriteFile(bad, []byte("nonsense"), 0o700); err != nil {
		t.Fatal(err)
	}
	n := startNode(t, dir)
	all := party(t, n, 3, &http.Transport{})
	for _, tt := range []struct {
		args   string
		status int
		says   string
	}{
		{"--world " + bad, 2, "invalid world definition"},
		{"--detach --http 127.0.0.1:1", 1, "says above why it does not serve"},
		{"--max-players 1", 1, "not handed over"},
	} {
		status, said := tryNode(t, dir, append(strings.Fields(tt.args), "--handover")...)
		if status != tt.status || !strings.Contains(said, tt.says) {
			t.Errorf("%s: status %d, %s\nwant %d, %s", tt.args, status, said, tt.status, tt.says)
		}
		awaitViews(t, all, 2)
	}
	if err := exec.Command(bad, "serve", "--handover", "--data", dir).Run(); err == nil {
		t.Error("nonsense runs")
	}
	awaitViews(t, all, 2)
	checkGamers(t, all)
	replaceNode(t, n, dir)
	awaitViews(t, all, 2)
	checkGamers(t, all)
}

// Where no node runs, it is an ordinary start; --detach is for a hand-over only.
func TestHandoverWithoutANode(t *testing.T) {
	t.Parallel()
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

// A node that is told to end in the middle of a hand-over goes on, and then drains; the new process does not run.
func TestHandoverAndSIGTERM(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := startNode(t, dir)
	terms := map[string]string{
		"http": "127.0.0.1:0", "admin": "127.0.0.1:0", "udp": "127.0.0.1:0", "protocol-id": fmt.Sprintf("%x", protocol.ID),
		"db": "sqlite", "redis-prefix": "",
	}
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

// manager is what a service manager hears.
type manager struct {
	conn *net.UnixConn
	t    *testing.T
	env  []string     // of the processes of the service
	pids map[int]bool // that have said that they are the main process
}

// beManager has the test be told by nodes how they are, and ends those that are left.
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
	m := &manager{conn: c, t: t, env: []string{"NOTIFY_SOCKET=" + socket}, pids: make(map[int]bool)}
	t.Cleanup(m.endAll)
	return m
}

// endAll kills the processes that are left, of which a test that has failed may not have heard.
func (m *manager) endAll() {
	m.conn.SetReadDeadline(time.Unix(1, 0)) // what has come is still read
	for {
		if _, _, err := m.read(); err != nil {
			break
		}
	}
	for pid := range m.pids {
		_ = syscall.Kill(pid, syscall.SIGKILL) // most have ended
	}
	m.conn.Close()
}

// hear returns the next word, with what it says of the main process.
func (m *manager) hear() (said string, pid int) {
	m.t.Helper()
	m.conn.SetReadDeadline(time.Now().Add(time.Minute)) // for the day when nothing comes
	said, pid, err := m.read()
	if err != nil {
		m.t.Fatal(err)
	}
	return said, pid
}

func (m *manager) read() (said string, pid int, err error) {
	b := make([]byte, 1024)
	n, err := m.conn.Read(b)
	if err != nil {
		return "", 0, err
	}
	said = string(b[:n])
	if _, err := fmt.Sscanf(said, "MAINPID=%d", &pid); err == nil {
		said = strings.TrimPrefix(said, fmt.Sprintf("MAINPID=%d\n", pid))
		m.pids[pid] = true
	}
	return said, pid, nil
}

// wantReady reports what is heard next unless it is that a process is the main one, whichever pid allows.
func (m *manager) wantReady(who string, allowed func(pid int) bool) (pid int) {
	m.t.Helper()
	said, pid := m.hear()
	if said != "READY=1" || !allowed(pid) {
		m.t.Fatalf("%s says %q, %d", who, said, pid)
	}
	return pid
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

// A node that is detached is the main process of its service before the command ends, and before the old one does. One
// that dies after it has said that it is leaves the old one as the main process.
func TestDetach(t *testing.T) {
	t.Parallel()
	m, dir := beManager(t), t.TempDir()
	n := startNodeIn(t, m.env, nil, dir)
	first := func(pid int) bool { return pid == n.cmd.Process.Pid }
	other := func(pid int) bool { return pid != n.cmd.Process.Pid && pid > 0 }
	m.wantReady("the first node", first)
	n.signal(t, syscall.SIGHUP)
	if said, _ := m.hear(); !strings.HasPrefix(said, "RELOADING=1\nMONOTONIC_USEC=") && runtime.GOOS == "linux" {
		t.Errorf("at a hangup it says %q", said)
	}
	m.wantReady("after a hangup it", first)
	all := party(t, n, 3, &http.Transport{})
	awaitViews(t, all, 3)

	dies := append(fate(handover.NewRunning, syscall.SIGKILL), m.env...)
	began := time.Now()
	status, said := tryNodeIn(t, dies, dir, "--handover", "--detach")
	if status != 1 || !strings.Contains(said, "fate:") || time.Since(began) < reloadFails {
		t.Fatalf("status %d after %v, %s", status, time.Since(began), said)
	}
	m.wantReady("the node that dies", other)
	m.wantReady("the node that goes on", first)
	awaitViews(t, all, 3)

	if status, said := tryNodeIn(t, m.env, dir, "--handover", "--detach"); status != 0 {
		t.Fatalf("status %d, %s", status, said)
	}
	second := m.wantReady("the second node", other)
	if err := n.wait(t); err != nil {
		t.Error(err)
	}
	awaitViews(t, all, 3)
	checkGamers(t, all)
	m.end(second)
}

// Of several that come at once, one takes over; or one after the other does. The players do not notice.
func TestHandoversAtOnce(t *testing.T) {
	t.Parallel()
	m, dir := beManager(t), t.TempDir()
	n := startNodeIn(t, m.env, nil, dir)
	all := party(t, n, 3, &http.Transport{})
	awaitViews(t, all, 3)
	var wg sync.WaitGroup
	var took atomic.Int64
	for range 2 {
		wg.Go(func() {
			status, said := tryNodeIn(t, m.env, dir, "--handover", "--detach")
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
