package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/access"
	"github.com/rushgate/rushgate/internal/redistest"
	"github.com/rushgate/rushgate/server"
)

// operate gives a node an order of its operator, and returns the answer.
func operate(t *testing.T, s *server.Server, path, body string) map[string]any {
	t.Helper()
	resp, err := http.Post("http://"+s.AdminAddr().String()+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %d %s, %v", path, body, resp.StatusCode, b, err)
	}
	var out map[string]any
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// soon returns once something is so: a node heeds what was decided elsewhere with its next look.
func soon(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not so after a minute", what)
		}
	}
}

// refusalOf returns what a try of a login or registration is told.
func refusalOf(t *testing.T, err error) *rushgate.Refusal {
	t.Helper()
	refusal, ok := errors.AsType[*rushgate.Refusal](err)
	if !ok {
		t.Fatalf("got %v, want a refusal", err)
	}
	return refusal
}

// once tries once and asks for no place.
var once = client.Options{MaxRetries: -1}

// mode returns what a node tells everybody of its doors.
func mode(t *testing.T, s *server.Server) client.Status {
	t.Helper()
	status, err := newClient(t, s, once).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return status
}

// stores runs a test on a node, or two on one Redis, of each kind.
func stores(t *testing.T, run func(t *testing.T, here, there *server.Server)) {
	t.Run("memory", func(t *testing.T) {
		cfg := config(t, t.TempDir())
		cfg.Backend = server.Memory
		cfg.AppealURL = "https://example.org/appeal"
		s := start(t, cfg)
		run(t, s, s)
	})
	t.Run("sqlite", func(t *testing.T) {
		cfg := config(t, t.TempDir())
		cfg.AppealURL = "https://example.org/appeal"
		s := start(t, cfg)
		run(t, s, s)
	})
	t.Run("redis", func(t *testing.T) {
		r := redistest.Start(t)
		here, there := onRedis(t, r), onRedis(t, r)
		here.AppealURL, there.AppealURL = "https://example.org/appeal", "https://example.org/appeal"
		run(t, start(t, here), start(t, there))
	})
}

func TestClosedDoors(t *testing.T) {
	stores(t, func(t *testing.T, here, there *server.Server) {
		inside, err := newClient(t, there, client.Options{Remember: "desk"}).Register(t.Context(), "alice", "correct horse")
		if err != nil {
			t.Fatal(err)
		}
		opens := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
		operate(t, here, "/mode", fmt.Sprintf(`{"mode":"closed","message":"New monsters <soon> & \"more\"","opens_at":%q}`,
			opens.Format(time.RFC3339)))
		soon(t, "the other node is closed", func() bool { return mode(t, there).Mode == rushgate.ModeClosed })
		const message = `New monsters <soon> & "more"`
		if s := mode(t, there); s.Message != message || !s.OpensAt.Equal(opens) || s.State != client.StateBusy {
			t.Errorf("everybody is told %+v", s)
		}
		c := newClient(t, there, client.Options{MaxRetries: -1, NoLine: true})
		_, login := c.Login(t.Context(), "alice", "correct horse")
		_, wrong := c.Login(t.Context(), "alice", "wrong horse")
		_, registration := c.Register(t.Context(), "bob", "correct horse")
		for what, err := range map[string]error{"login": login, "wrong": wrong, "registration": registration} {
			r := refusalOf(t, err)
			if r.Reason != rushgate.ServerBusy || r.Mode != rushgate.ModeClosed || r.Text != message ||
				!r.OpensAt.Equal(opens) ||
				r.RetryAfter < 59*time.Minute || r.RetryAfter > 62*time.Minute {
				t.Errorf("%s: %+v", what, r)
			}
		}
		if _, err := inside.Me(t.Context()); err != nil {
			t.Errorf("a player inside: %v", err)
		}
		if got := metrics(t, there); !strings.Contains(got, `"rushgate_auth_processed_total": 1,`) {
			t.Error("logins were worked on besides that of before")
		}
		operate(t, there, "/mode", `{"mode":"open"}`)
		soon(t, "the doors are open", func() bool { return mode(t, here).Mode == rushgate.ModeOpen })
		if _, err := newClient(t, here, client.Options{}).Register(t.Context(), "bob", "correct horse"); err != nil {
			t.Errorf("with open doors: %v", err)
		}
	})
}

// Those who knock at closed doors are in line, and are told what the operator says.
func TestWaitingAtClosedDoors(t *testing.T) {
	s := start(t, config(t, t.TempDir()))
	operate(t, s, "/mode", `{"mode":"closed","message":"Back soon"}`)
	ctx, cancel := context.WithCancel(t.Context())
	var waits []client.Wait
	c := newClient(t, s, client.Options{MaxRetries: 3, KnockAddr: client.NoKnocks, OnWait: func(w client.Wait) {
		waits = append(waits, w)
		cancel()
	}})
	if _, err := c.Register(ctx, "alice", "correct horse"); !errors.Is(err, rushgate.ServerBusy) {
		t.Errorf("Register: %v", err)
	}
	if len(waits) == 0 {
		t.Fatal("the game is told nothing")
	}
	told := waits[0]
	if told.Mode != rushgate.ModeClosed || told.Text != "Back soon" || told.Line == nil || told.String() != "Back soon" {
		t.Errorf("the game is told %+v: %s", told, told)
	}
}

func TestStaffOnly(t *testing.T) {
	stores(t, func(t *testing.T, here, there *server.Server) {
		for _, name := range []string{"ann", "bob"} {
			c := newClient(t, here, client.Options{})
			session, err := c.Register(t.Context(), name, "correct horse")
			if err == nil {
				err = session.Logout(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		operate(t, here, "/lists", `{"list":"staff","add":["Ann"]}`)
		operate(t, here, "/mode", `{"mode":"staff"}`)
		soon(t, "the other node heeds the mode", func() bool { return mode(t, there).Mode == rushgate.ModeStaff })
		var told []string
		for _, try := range [][2]string{{"ann", "wrong horse"}, {"bob", "correct horse"}, {"nobody", "correct horse"}} {
			_, err := newClient(t, there, once).Login(t.Context(), try[0], try[1])
			r := refusalOf(t, err)
			if r.Reason != rushgate.ServerBusy || r.Mode != rushgate.ModeStaff || r.RetryAfter < 30*time.Second ||
				r.RetryAfter > time.Minute {
				t.Errorf("%s: %+v", try, r)
			}
			told = append(told, r.Text)
		}
		if told[0] != told[1] || told[1] != told[2] {
			t.Errorf("staff with a wrong password, others and nobody are told apart: %q", told)
		}
		c := newClient(t, there, once)
		for range 8 { // until it is locked out, which is not to be heard either
			_, err := c.Login(t.Context(), "ann", "wrong horse")
			if r := refusalOf(t, err); r.Reason != rushgate.ServerBusy || r.Text != told[0] {
				t.Fatalf("staff who fails again and again: %+v", r)
			}
		}
		operate(t, here, "/lists", `{"list":"allowlist","add":["bob"]}`)
		operate(t, here, "/mode", `{"mode":"allowlist"}`)
		soon(t, "the other node heeds the mode", func() bool { return mode(t, there).Mode == rushgate.ModeAllowlist })
		if _, err := newClient(t, there, client.Options{}).Login(t.Context(), "bob", "correct horse"); err != nil {
			t.Errorf("on the allowlist: %v", err)
		}
	})
}

func TestStaffComesIn(t *testing.T) {
	s := start(t, config(t, t.TempDir()))
	session, err := newClient(t, s, client.Options{}).Register(t.Context(), "ann", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	other, err := newClient(t, s, client.Options{}).Register(t.Context(), "bob", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	operate(t, s, "/lists", `{"list":"staff","add":["ann"]}`)
	operate(t, s, "/mode", `{"mode":"staff","out":true}`)
	soon(t, "who is not staff is out", func() bool { _, err := other.Me(t.Context()); return err != nil })
	if _, err := session.Me(t.Context()); err != nil {
		t.Errorf("staff inside: %v", err)
	}
	if err := session.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := newClient(t, s, once).Login(t.Context(), "ann", "correct horse"); err != nil {
		t.Errorf("staff: %v", err)
	}
}

// A ban of a range or a device is told to who has the right password, and to nobody else; whoever is inside is out on
// the other node too, and how long that took is in the log of the test.
func TestBansOfRangesAndDevices(t *testing.T) {
	stores(t, func(t *testing.T, here, there *server.Server) {
		for kind, body := range map[string]string{
			"range":  `{"range":"127.0.0.0/8","text":"Bots","reason":"internal","except":["carol"]}`,
			"device": fmt.Sprintf(`{"device":%q,"text":"Bots","until":"2090-01-01T00:00:00Z"}`, access.DeviceOf("box-1")),
		} {
			mallory := newClient(t, there, client.Options{DeviceID: "box-1", Remember: "box", MaxRetries: -1})
			name := "mallory-" + kind
			session, err := mallory.Register(t.Context(), name, "correct horse")
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			id := operate(t, here, "/bans", body)["id"]
			soon(t, "a player inside is out", func() bool { _, err := session.Me(t.Context()); return err != nil })
			t.Logf("out for a ban of a %s after %v", kind, time.Since(began).Round(time.Millisecond))

			_, login := mallory.Login(t.Context(), name, "correct horse")
			_, resumed := mallory.Resume(t.Context())
			_, registered := mallory.Register(t.Context(), "other-"+kind, "correct horse")
			for what, err := range map[string]error{"login": login, "resume": resumed, "registration": registered} {
				r := refusalOf(t, err)
				if r.Reason != rushgate.AccountDisabled || r.Text != "Bots" || r.AppealURL != "https://example.org/appeal" {
					t.Errorf("%s from a banned %s: %+v", what, kind, r)
				}
			}
			for _, who := range []string{name, "nobody"} {
				_, err := mallory.Login(t.Context(), who, "wrong horse")
				if r := refusalOf(t, err); r.Reason != rushgate.BadCredentials || r.Text != "" {
					t.Errorf("a wrong password of %s from a banned %s: %+v", who, kind, r)
				}
			}
			operate(t, there, fmt.Sprintf("/bans/%s/lift", id), "{}")
			if _, err := mallory.Login(t.Context(), name, "correct horse"); err != nil {
				t.Errorf("after the end of the ban: %v", err)
			}
		}
	})
}

// Who has no account yet is told that none can be made there, and not that one is disabled.
func TestRegistrationFromABannedRange(t *testing.T) {
	s := start(t, config(t, t.TempDir()))
	operate(t, s, "/bans", `{"range":"127.0.0.0/8","text":"Bots"}`)
	body := `{"username":"mallory","password":"correct horse"}`
	a := call(t, s, "POST /v1/register", body, "")
	a.want(t, "register", 403)
	if a.text("message") != "New accounts cannot be made from here: Bots." || a.text("reason") != "account-disabled" {
		t.Errorf("answered %s", a.raw)
	}
}

// A player whom operators know by name keeps that, until they take it off their lists, and nobody can take such a name:
// it is answered as one that is another's, so that nobody learns who is to be staff.
func TestRenameOfWhoIsOnAList(t *testing.T) {
	s := start(t, config(t, t.TempDir()))
	session, _ := join(t, s, "alice")
	operate(t, s, "/lists", `{"list":"staff","add":["alice"]}`)
	refused := call(t, s, "POST /v1/account/name", renameTo("alina"), session)
	refused.want(t, "with the name on a list", 409)
	if !strings.Contains(refused.text("message"), "Ask them") {
		t.Errorf("answered %s", refused.raw)
	}
	operate(t, s, "/lists", `{"list":"staff","remove":["alice"]}`)
	operate(t, s, "/lists", `{"list":"staff","add":["stella"]}`)
	join(t, s, "bob")
	listed := call(t, s, "POST /v1/account/name", renameTo("stella"), session)
	taken := call(t, s, "POST /v1/account/name", renameTo("bob"), session)
	if listed.want(t, "to a name on a list", 409); listed.raw != taken.raw {
		t.Errorf("to a name on a list: %s, to another player's: %s", listed.raw, taken.raw)
	}
	call(t, s, "POST /v1/account/name", renameTo("alina"), session).want(t, "off the list", 200)
}

func TestBanOfARangeLeavesAccountsAlone(t *testing.T) {
	s := start(t, config(t, t.TempDir()))
	carol, err := newClient(t, s, client.Options{}).Register(t.Context(), "carol", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	eve, err := newClient(t, s, client.Options{}).Register(t.Context(), "eve", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	operate(t, s, "/bans", `{"range":"127.0.0.1","except":["Carol"]}`)
	soon(t, "others are out", func() bool { _, err := eve.Me(t.Context()); return err != nil })
	if _, err := carol.Me(t.Context()); err != nil {
		t.Errorf("the account that the ban leaves alone: %v", err)
	}
	_, err = newClient(t, s, once).Takeover(t.Context(), "carol", "correct horse")
	if err != nil && !errors.Is(err, rushgate.ServerBusy) {
		t.Errorf("its login: %v", err)
	}
}

// A ban of an account is an order as the others are, and reaches a player on the other node.
func TestBanOfAnAccount(t *testing.T) {
	stores(t, func(t *testing.T, here, there *server.Server) {
		c := newClient(t, there, once)
		session, err := c.Register(t.Context(), "mallory", "correct horse")
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		operate(t, here, "/accounts/Mallory/disable", `{"reason":"Insults","note":"see ticket 7"}`)
		soon(t, "a player inside is out", func() bool { _, err := session.Me(t.Context()); return err != nil })
		t.Logf("out for a ban of the account after %v", time.Since(began).Round(time.Millisecond))
		_, err = c.Login(t.Context(), "mallory", "correct horse")
		r := refusalOf(t, err)
		if r.Reason != rushgate.AccountDisabled || r.Text != "Insults" || r.AppealURL != "https://example.org/appeal" ||
			!r.Until.Equal(rushgate.Forever()) {
			t.Errorf("got %+v", r)
		}
		operate(t, here, "/accounts/mallory/enable", "{}")
		session, err = c.Login(t.Context(), "mallory", "correct horse")
		if err != nil {
			t.Fatalf("after the end of the ban: %v", err)
		}
		if own, err := session.Account(t.Context()); err != nil || strings.Contains(fmt.Sprintf("%+v", own), "ticket") {
			t.Errorf("the player is shown %+v, %v", own, err)
		}
	})
}

// What clients call their devices is nowhere to be found.
func TestDeviceIDsAreKeptNowhere(t *testing.T) {
	var log lockedBuffer
	cfg := config(t, t.TempDir())
	cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s := start(t, cfg)
	c := newClient(t, s, client.Options{DeviceID: "my-secret-device"})
	if _, err := c.Register(t.Context(), "alice", "correct horse"); err != nil {
		t.Fatal(err)
	}
	players, err := s.Players(t.Context())
	if err != nil || len(players) != 1 || players[0].Device != access.DeviceOf("my-secret-device").String() {
		t.Errorf("the operator sees %+v, %v", players, err)
	}
	operate(t, s, "/bans", fmt.Sprintf(`{"device":%q}`, players[0].Device))
	resp, err := http.Get("http://" + s.AdminAddr().String() + "/metrics.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	dump, _ := io.ReadAll(resp.Body)
	if text := log.String() + string(dump); strings.Contains(text, "my-secret-device") {
		t.Errorf("it is in the log or the figures:\n%s", text)
	}
}
