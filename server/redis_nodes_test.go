package server_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/redistest"
	"github.com/rushgate/rushgate/server"
)

// twoNodes starts two nodes on one server.
func twoNodes(t *testing.T) (r *redistest.Server, here, there *server.Server) {
	t.Helper()
	r = redistest.Start(t)
	return r, start(t, onRedis(t, r)), start(t, onRedis(t, r))
}

func TestOneSessionOnAllNodes(t *testing.T) {
	r, here, there := twoNodes(t)
	first, err := newClient(t, here, client.Options{}).Register(t.Context(), "alice", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, there, client.Options{})
	if _, err := c.Register(t.Context(), "alice", "another password"); !errors.Is(err, rushgate.UsernameTaken) {
		t.Errorf("Register on the other node: %v, want %v", err, rushgate.UsernameTaken)
	}
	for range 3 {
		if _, err := c.Login(t.Context(), "alice", "correct horse"); !errors.Is(err, rushgate.AlreadyLoggedIn) {
			t.Errorf("Login on the other node: %v, want %v", err, rushgate.AlreadyLoggedIn)
		}
	}
	if _, err := first.Me(t.Context()); err != nil {
		t.Errorf("the session meanwhile: %v", err)
	}
	other, err := c.Register(t.Context(), "bob", "correct horse")
	if err != nil || other.PlayerID == first.PlayerID {
		t.Errorf("both nodes give ids: %v and %v, %v", first, other, err)
	}
	if err := first.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	second, err := c.Login(t.Context(), "alice", "correct horse")
	if err != nil || second.PlayerID != first.PlayerID {
		t.Errorf("Login on the other node after the logout: %v, %v", second, err)
	}
	if here, there := readDump(t, here).Tick.Players, readDump(t, there).Tick.Players; here != 0 || there != 2 {
		t.Errorf("%d and %d players are inside, want 0 and 2", here, there)
	}
	if until := field(t, r, "alice", "lease_until"); until == "" {
		t.Error("the session has no lease")
	}
}

// walk moves the player for a while and returns the place, having stood still.
func walk(t *testing.T, session *client.Session, rt *client.Realtime) client.Player {
	t.Helper()
	began := nextView(t, rt)
	rt.SendIntent(rushgate.Intent{MoveX: 1})
	for nextView(t, rt).Self.X-began.Self.X < 1 {
		continue
	}
	stop := rt.SendIntent(rushgate.Intent{})
	for !nextView(t, rt).Applied(stop) {
		continue
	}
	me, err := session.Me(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return me
}

func nextView(t *testing.T, rt *client.Realtime) *client.View {
	t.Helper()
	select {
	case v, ok := <-rt.Views():
		if !ok {
			t.Fatalf("the realtime connection has ended: %v", rt.Err())
		}
		return v
	case <-time.After(time.Minute):
		t.Fatal("no snapshots come any more")
	}
	return nil
}

// Who comes to another node while the first session stands gets in with what was played last, and the first session and
// its connection end.
func TestTakeoverAcrossNodes(t *testing.T) {
	r := redistest.Start(t)
	cfg := onRedis(t, r)
	here, there := start(t, onRedis(t, r)), start(t, cfg)
	first, err := newClient(t, here, client.Options{}).Register(t.Context(), "alice", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	rt, err := first.Connect(t.Context(), client.RealtimeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rt.Close)
	last := walk(t, first, rt)
	if x := field(t, r, "alice", "x"); x == strconv.FormatFloat(last.X, 'g', -1, 64) {
		t.Fatal("the place was saved before the takeover, which then proves nothing")
	}

	second, err := newClient(t, there, client.Options{MaxRetries: 20}).Takeover(t.Context(), "alice", "correct horse")
	if err != nil {
		t.Fatalf("Takeover: %v", err)
	}
	me, err := second.Me(t.Context())
	if err != nil || me.ID != last.ID || me.Zone != last.Zone || me.X != last.X || me.Y != last.Y ||
		me.Playtime < last.Playtime {
		t.Errorf("the new session has %+v, %v; the last state was %+v", me, err, last)
	}
	for e := range rt.Events() {
		if e.Kind == client.EventEnded && !errors.Is(e.Err, rushgate.BadCredentials) {
			t.Errorf("the first connection ended with %v, want %v", e.Err, rushgate.BadCredentials)
		}
	}
	if _, err := first.Me(t.Context()); !errors.Is(err, rushgate.BadCredentials) {
		t.Errorf("the first session: %v, want %v", err, rushgate.BadCredentials)
	}
	if d := readDump(t, here); d.Tick.SessionsTakenOver != 1 || d.Tick.SessionsEvicted != 0 || d.Tick.Connected != 0 {
		t.Errorf("the first node says %+v", d.Tick)
	}
	id, err := os.ReadFile(filepath.Join(cfg.DataDir, "node-id"))
	if err != nil {
		t.Fatal(err)
	}
	if holder := field(t, r, "alice", "lease_node"); holder != strings.TrimSpace(string(id)) {
		t.Errorf("the lease is with node %q, want %q", holder, id)
	}
	rt, err = second.Connect(t.Context(), client.RealtimeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rt.Close)
	walk(t, second, rt)
}

// Who knocks at a node that does not run the zone of the character is told where to go, and gets in there.
func TestWrongZoneLeadsToTheOtherNode(t *testing.T) {
	r := redistest.Start(t)
	home := start(t, onRedis(t, r))
	first, err := newClient(t, home, client.Options{}).Register(t.Context(), "alice", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	me, err := first.Me(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	cfg := onRedis(t, r)
	cfg.Zones = map[string]string{me.Zone: home.HTTPAddr().String()}
	elsewhere := start(t, cfg)

	resp, err := http.Post("http://"+elsewhere.HTTPAddr().String()+"/v1/login", "application/json",
		strings.NewReader(`{"username":"alice","password":"correct horse"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var refusal struct{ Reason, Address string }
	if err := json.NewDecoder(resp.Body).Decode(&refusal); err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusMisdirectedRequest || refusal.Reason != string(rushgate.WrongZone) ||
		refusal.Address != home.HTTPAddr().String() {
		t.Fatalf("%s %+v, want 421 %v and %v", resp.Status, refusal, rushgate.WrongZone, home.HTTPAddr())
	}
	if holder := field(t, r, "alice", "lease_node"); holder != "" {
		t.Errorf("the lease is with node %q", holder)
	}
	c, err := client.New("http://"+refusal.Address, client.Options{MaxRetries: -1})
	if err != nil {
		t.Fatal(err)
	}
	if second, err := c.Login(t.Context(), "alice", "correct horse"); err != nil || second.PlayerID != first.PlayerID {
		t.Errorf("Login where the player was sent: %v, %v", second, err)
	}
}

// Two nodes with one id would take each other's players: the second on a data folder does not start, and the first does
// not notice.
func TestDataFolderOfANodeOnRedis(t *testing.T) {
	r := redistest.Start(t)
	cfg := onRedis(t, r)
	s := start(t, cfg)
	session, err := newClient(t, s, client.Options{}).Register(t.Context(), "alice", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if second, err := server.Start(t.Context(), cfg); err == nil {
		second.Stop()
		t.Fatal("two nodes run on one data folder")
	} else if !strings.Contains(err.Error(), "data folder") {
		t.Errorf("the error does not say what is taken: %v", err)
	}
	if _, err := session.Me(t.Context()); err != nil {
		t.Errorf("the session of the first node: %v", err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	start(t, cfg)
}
