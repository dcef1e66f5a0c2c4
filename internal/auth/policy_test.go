package auth

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/linked"
)

// A policy is asked before anything else, and what it says is what the player hears. It is never the player's fault.
func TestPolicy(t *testing.T) {
	closed := &rushgate.Refusal{Reason: rushgate.ServerBusy, RetryAfter: time.Hour, Cause: errors.New("closed on Mondays")}
	tests := map[string]struct {
		policy func() error
		want   rushgate.Reason
		logs   string
	}{
		"lets pass":        {func() error { return nil }, "", ""},
		"refuses":          {func() error { return rushgate.BadCredentials }, rushgate.BadCredentials, ""},
		"refuses for now":  {func() error { return closed }, rushgate.ServerBusy, "closed on Mondays"},
		"gives no reason":  {func() error { return errors.New("no answer") }, rushgate.InternalError, "no answer"},
		"panics":           {func() error { panic("bug") }, rushgate.InternalError, "policy panicked"},
		"is our own fault": {func() error { return rushgate.InternalError }, rushgate.InternalError, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			var asked []Request
			strict := true
			f := newFixture(t, func(cfg *settings) {
				cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
				cfg.Policy = func(r Request) error {
					if asked = append(asked, r); !strict {
						return nil
					}
					return tt.policy()
				}
			})
			f.Start()
			const times = 8 // more than may fail
			for i := range times {
				_, err := f.Submit(t.Context(), request(Register, strings.Repeat("x", i+1), 1))
				if got := rushgate.ReasonOf(err); got != tt.want {
					t.Fatalf("the player hears %v, want %q", err, tt.want)
				}
			}
			if refused := f.metrics.refused.Load(); tt.want != "" && refused != times || tt.want == "" && refused != 0 {
				t.Errorf("%d refused of %d", refused, times)
			}
			if r := asked[0]; r.Kind != Register || r.Username != "x" || r.Addr != addr(1) {
				t.Errorf("the policy was asked about %v %q of %v", r.Kind, r.Username, r.Addr)
			}
			strict = false
			if _, err := f.Submit(t.Context(), request(Register, "alice", 1)); err != nil {
				t.Errorf("the policy's refusals count against the player: %v", err)
			}
			f.Stop() // and with it what it logs
			if !strings.Contains(log.String(), tt.logs) {
				t.Errorf("the log does not say %q:\n%s", tt.logs, log.String())
			}
		})
	}
}

// A policy sees the name of an account before that is made for an identity. In place of a provider's name that it
// refuses the account gets one by chance; what it says of that one is what the player hears, and no fault of anybody.
func TestPolicyForNamesOfIdentities(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		refuses := func(string) error { return nil }
		f := newFixture(t, func(cfg *settings) {
			cfg.Policy = func(r Request) error {
				if r.Username == "" { // before it is known whose it is
					return nil
				}
				asked = append(asked, r.Username)
				return refuses(r.Username)
			}
		})
		f.Start()
		come := func(subject, called string) (Welcome, error) {
			return f.Identity(t.Context(), Request{Addr: addr(1), Shown: Shown{
				Credential: linked.OfProvider("https://id.example", subject), Create: true, Names: linked.NamesFrom(called),
			}})
		}
		w, err := come("1", "Ada")
		if err != nil || f.nameOf(t, w.Player) != "ada" || !slices.Equal(asked, []string{"ada"}) {
			t.Errorf("asked about %q: %v", asked, err)
		}
		f.leave(t, "ada")
		if _, err := come("1", "Rude"); err != nil || len(asked) != 1 {
			t.Errorf("who has an account: asked about %q, %v", asked, err)
		}

		asked, refuses = nil, func(name string) error {
			if strings.HasPrefix(name, "rude") {
				return rushgate.UsernameTaken
			}
			return nil
		}
		w, err = come("2", "Rude")
		if name := f.nameOf(t, w.Player); err != nil || !strings.HasPrefix(name, "player-") ||
			!slices.Equal(asked, []string{"rude", name}) {
			t.Errorf("called %q, asked about %q: %v", name, asked, err)
		}

		const times = 8 // more than may fail
		for _, reason := range []rushgate.Reason{rushgate.UsernameTaken, rushgate.BadCredentials, rushgate.InternalError} {
			asked, refuses = nil, func(string) error { return reason }
			for i := range times {
				_, err := come("new", "Grace")
				wantReason(t, "refused in the end", err, reason)
				if i == 0 && (reason == rushgate.InternalError) != (len(asked) == 1) {
					t.Errorf("%s: asked about %q", reason, asked)
				}
				_, err = f.Identity(t.Context(), guestAt(1, "g"))
				wantReason(t, "a guest", err, reason)
			}
		}
		if f.owner(t, guestAt(1, "g")) != 0 {
			t.Error("a refused guest's identity is claimed")
		}
		refuses = func(string) error { return nil }
		if _, err := come("new", "Grace"); err != nil {
			t.Errorf("the policy's refusals count against the player: %v", err)
		}
	})
}
