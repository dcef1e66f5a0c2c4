package auth

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
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
