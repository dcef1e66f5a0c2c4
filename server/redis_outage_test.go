package server_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/redistest"
	"github.com/rushgate/rushgate/server"
)

// dojo is a world in which players rise by a level when they start to train.
type dojo struct {
	inside []*pupil
	events []rushgate.Event
}

type pupil struct {
	rushgate.Character
	training bool
}

func (d *dojo) find(id rushgate.PlayerID) int {
	for i, p := range d.inside {
		if p.ID == id {
			return i
		}
	}
	return -1
}

func (d *dojo) Enter(c rushgate.Character) error {
	c.Zone, c.Numbers["hp"], c.Numbers["level"] = "dojo", 10, max(c.Numbers["level"], 1)
	d.inside = append(d.inside, &pupil{Character: c})
	return nil
}

func (d *dojo) Leave(id rushgate.PlayerID) {
	if i := d.find(id); i >= 0 {
		d.inside = append(d.inside[:i], d.inside[i+1:]...)
	}
}

func (d *dojo) Apply(id rushgate.PlayerID, in rushgate.Intent) {
	i := d.find(id)
	if i < 0 {
		return
	}
	p := d.inside[i]
	p.X += float64(in.MoveX)
	if in.Action == 1 && !p.training {
		p.Numbers["level"]++
		p.Numbers["xp"] += 100
		d.events = append(d.events, rushgate.Event{Player: id, Kind: rushgate.EventLevelUp})
	}
	p.training = in.Action == 1
}

func (d *dojo) Step(uint64) []rushgate.Event {
	events := d.events
	d.events = nil
	return events
}

func (d *dojo) Character(id rushgate.PlayerID) (rushgate.Character, bool) {
	if i := d.find(id); i >= 0 {
		return d.inside[i].Character, true
	}
	return rushgate.Character{}, false
}

func (d *dojo) View(dst []rushgate.Entity) []rushgate.Entity {
	for _, p := range d.inside {
		dst = append(dst, rushgate.Entity{
			ID: uint64(p.ID), Name: p.Name, Zone: 1, Level: uint16(p.Numbers["level"]), X: p.X, HP: 10, MaxHP: 10,
			XP: p.Numbers["xp"],
		})
	}
	return dst
}

// outages are the ways in which a server can be away.
var outages = map[string]struct{ begin, end func(*redistest.Server) }{
	"killed": {(*redistest.Server).Kill, (*redistest.Server).Restart},
	"hangs":  {(*redistest.Server).Suspend, (*redistest.Server).Resume},
}

// While the server is away, players inside go on playing and hear of nothing that could be lost; newcomers are told to
// come back. When it returns, what was played is saved, and all is as if nothing had happened.
func TestOutage(t *testing.T) {
	for name, outage := range outages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := redistest.Start(t)
			cfg := onRedis(t, r)
			cfg.World = &dojo{}
			s := start(t, cfg)
			c := newClient(t, s, client.Options{MaxRetries: 30})
			bob, err := c.Register(t.Context(), "bob", "correct horse")
			if err != nil {
				t.Fatal(err)
			}
			if err := bob.Logout(t.Context()); err != nil {
				t.Fatal(err)
			}
			alice, err := c.Register(t.Context(), "alice", "correct horse")
			if err != nil {
				t.Fatal(err)
			}
			rt, err := alice.Connect(t.Context(), client.RealtimeOptions{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(rt.Close)
			fence := field(t, r, "alice", "fence")

			outage.begin(r)
			trained := rt.SendIntent(rushgate.Intent{MoveX: 1, Action: 1})
			playsOn(t, s, rt, trained)
			for range 4 { // of which the first ones find out
				wantBusy(t, s, "/v1/login", `{"username":"bob","password":"correct horse"}`)
				wantBusy(t, s, "/v1/register", `{"username":"carol","password":"correct horse"}`)
			}
			playsOn(t, s, rt, trained)
			if me, err := alice.Me(t.Context()); err != nil || me.Numbers["xp"] != 100 || me.Numbers["level"] != 1 {
				t.Errorf("own state: %+v, %v", me, err)
			}
			waitForCount(t, s, `"save_retries": `, 1)
			waitForCount(t, s, `"unsaved": `, 1) // not while an attempt is being made
			if d := readDump(t, s); d.Store == nil || !d.Store.Open || d.Store.Openings != 1 {
				t.Errorf("during the outage the dump says %+v", d.Store)
			}

			outage.end(r)
			for nextView(t, rt).Self.Level != 2 { // which is told only when it is saved
				continue
			}
			if level, xp := field(t, r, "alice", "level"), field(t, r, "alice", "xp"); level != "2" || xp != "100" {
				t.Errorf("the record says level %s, %s XP", level, xp)
			}
			if again := field(t, r, "alice", "fence"); again != fence {
				t.Errorf("fence %s, was %s", again, fence)
			}
			if _, err := c.Login(t.Context(), "alice", "correct horse"); !errors.Is(err, rushgate.AlreadyLoggedIn) {
				t.Errorf("Login of who is inside: %v, want %v", err, rushgate.AlreadyLoggedIn)
			}
			for _, enter := range []func() error{
				func() error { _, err := c.Login(t.Context(), "bob", "correct horse"); return err },
				func() error { _, err := c.Register(t.Context(), "carol", "correct horse"); return err },
			} {
				if err := enter(); err != nil {
					t.Errorf("who was told to come back: %v", err)
				}
			}
			d := readDump(t, s)
			if d.Store.Open || d.Tick.Players != 3 || d.Tick.SessionsEvicted != 0 || d.Tick.SessionsTimedOut != 0 {
				t.Errorf("after the outage the dump says %+v and %+v", d.Store, d.Tick)
			}
			if stats := rt.Stats(); stats.Connects != 1 {
				t.Errorf("the player had to connect %d times", stats.Connects)
			}
			if err := s.Stop(); err != nil {
				t.Errorf("Stop: %v", err)
			}
			if x, node := field(t, r, "alice", "x"), field(t, r, "alice", "lease_node"); x == "0" || node != "" {
				t.Errorf("after the stop the record says x %s, lease of node %q", x, node)
			}
		})
	}
}

// playsOn checks that the world moves for a player who has risen by a level, and that only what cannot be lost is told.
func playsOn(t *testing.T, s *server.Server, rt *client.Realtime, trained uint32) {
	t.Helper()
	v := nextView(t, rt)
	for !v.Applied(trained) {
		v = nextView(t, rt)
	}
	for range 20 {
		next := nextView(t, rt)
		if next.Tick <= v.Tick || next.Self.Level != 1 {
			t.Fatalf("view %+v after %+v", next, v)
		}
		v = next
	}
	if d := readDump(t, s); d.Tick.Connected != 1 {
		t.Errorf("the dump says %+v", d.Tick)
	}
}

// wantBusy checks that a login or registration is told to come back.
func wantBusy(t *testing.T, s *server.Server, path, body string) {
	t.Helper()
	patient := &http.Client{Timeout: 5 * time.Second}
	resp, err := patient.Post("http://"+s.HTTPAddr().String()+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Errorf("%s: %v", path, err)
		return
	}
	defer resp.Body.Close()
	var refusal struct {
		Reason       rushgate.Reason
		RetryAfterMS int `json:"retry_after_ms"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&refusal); err != nil {
		t.Fatal(err)
	}
	after := resp.Header.Get("Retry-After")
	if resp.StatusCode != http.StatusServiceUnavailable || refusal.Reason != rushgate.ServerBusy || after == "" ||
		refusal.RetryAfterMS <= 0 {
		t.Errorf("%s: %s %+v, Retry-After %q", path, resp.Status, refusal, after)
	}
}

// A node that has to stop while the server is away says who is not saved. Started again when it is back, it lets its
// players in at once.
func TestStopDuringAnOutage(t *testing.T) {
	for name, outage := range outages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := redistest.Start(t)
			cfg := onRedis(t, r)
			cfg.DrainTimeout = time.Second
			s := start(t, cfg)
			first, err := newClient(t, s, client.Options{}).Register(t.Context(), "alice", "correct horse")
			if err != nil {
				t.Fatal(err)
			}
			outage.begin(r)
			if err := s.Stop(); err == nil || !strings.Contains(err.Error(), "not saved") {
				t.Errorf("Stop: %v, want how many are not saved", err)
			}
			outage.end(r)
			c := newClient(t, start(t, cfg), client.Options{MaxRetries: 5})
			second, err := c.Login(t.Context(), "alice", "correct horse")
			if err != nil || second.PlayerID != first.PlayerID {
				t.Errorf("Login: %v, %v", second, err)
			}
		})
	}
}
