package wschannel

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/rushgate/rushgate"
)

// A greeting with a session that the node does not have is that of one which goes on here, or the client is told where
// or when to go on.
func TestGreetingOfASessionThatGoesOn(t *testing.T) {
	const wait = 1500 * time.Millisecond
	tests := map[string]struct {
		err    error
		code   websocket.StatusCode
		reason string
	}{
		"here":      {},
		"over":      {rushgate.BadCredentials, CodeNoSession, "no such session"},
		"busy":      {&rushgate.Refusal{Reason: rushgate.ServerBusy, RetryAfter: wait}, CodeBusy, "retry in 1500 ms"},
		"elsewhere": {&rushgate.Refusal{Reason: rushgate.WrongZone, Address: "b.example:1"}, CodeElsewhere, "b.example:1"},
		"limited":   {&rushgate.Refusal{Reason: rushgate.RateLimited, RetryAfter: wait}, CodeRateLimited, "retry in 1500 ms"},
		"banned":    {&rushgate.Refusal{Reason: rushgate.AccountDisabled, Text: "no"}, CodeNoSession, "no such session"},
		"failed":    {rushgate.InternalError, websocket.StatusInternalError, "something went wrong"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNode(t)
				n.guest.Continue = func(_ context.Context, token string) error {
					if token != "token of alice" {
						t.Errorf("asked for %q", token)
					}
					if tt.err == nil {
						n.enter(t, "alice")
					}
					return tt.err
				}
				ws, attached := n.attach(t, "token of alice")
				if tt.err == nil {
					if attached == nil {
						t.Error("the session does not go on")
					}
					return
				}
				if got := ended(t, ws); got.code != tt.code || got.reason != tt.reason {
					t.Errorf("closed with %v, want %d %q", got, tt.code, tt.reason)
				}
			})
		})
	}
}
