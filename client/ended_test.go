package client

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/rushgate/rushgate"
)

// A session that is over is told as that, not as a wrong password, over whatever road.
func TestTheEndOfASessionIsNoWrongPassword(t *testing.T) {
	says := answer{status: 401, body: []byte(`{"reason":"bad-credentials","message":"Wrong name or password."}`)}
	call, login := request{op: "me", token: "a-token"}, request{op: "login", secrets: []string{"a password"}}
	for name, tt := range map[string]struct {
		err  error
		over bool
	}{
		"a call of the session":    {call.refusal(says), true},
		"a login":                  {login.refusal(says), false},
		"a WebSocket, unknown":     {closed(websocket.CloseError{Code: 4401}), true},
		"a WebSocket, over":        {closed(websocket.CloseError{Code: 4410}), true},
		"a proxy, going away":      {closed(websocket.CloseError{Code: 1001}), false},
		"a proxy, done":            {closed(websocket.CloseError{Code: 1000}), false},
		"a proxy, try again later": {closed(websocket.CloseError{Code: 1013}), false},
	} {
		if errors.Is(tt.err, ErrSessionEnded) != tt.over {
			t.Errorf("%s: %v", name, tt.err)
		}
		if !tt.over {
			continue
		}
		if text := tt.err.Error(); strings.Contains(text, "credentials") || !strings.Contains(text, "has ended") {
			t.Errorf("%s reads %q", name, text)
		}
		if !errors.Is(tt.err, rushgate.BadCredentials) || !hopeless(tt.err) {
			t.Errorf("%s: %v is not final", name, tt.err)
		}
	}
}

// How long a session lasts is the server's choice, and its clock need not be right.
func TestTheLifeOfASessionIsTheServers(t *testing.T) {
	date := time.Date(2031, 5, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		date string
		ends time.Duration
		want time.Duration
	}{
		{date.Format(http.TimeFormat), 30*time.Second + 400*time.Millisecond, 30 * time.Second},
		{date.Format(http.TimeFormat), 10 * time.Minute, 10 * time.Minute},
		{date.Format(http.TimeFormat), 100 * time.Hour, time.Hour},
		{date.Format(http.TimeFormat), -time.Hour, time.Second},
		{"", 10 * time.Minute, sessionLife},
		{"yesterday", 10 * time.Minute, sessionLife},
	} {
		if got := life(http.Header{"Date": {tt.date}}, date.Add(tt.ends)); got != tt.want {
			t.Errorf("%q and %v later: %v, want %v", tt.date, tt.ends, got, tt.want)
		}
	}
}
