package api

import (
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
)

// A player whose account is disabled is told until when and why, but only with the right password.
func TestAccountDisabled(t *testing.T) {
	d := newDoor(t, nil)
	in := d.call(t, "POST", "/v1/register", creds("alice", "correct horse"), "192.0.2.1", "")
	in.want(t, "register", 201, "")
	d.call(t, "POST", "/v1/logout", "", "", in.json["session_token"].(string))
	const dated = "This account is disabled until 2006-01-02 15:04 UTC"
	soon := time.Now().Add(time.Hour).Truncate(time.Second).UTC()
	for _, tt := range []struct {
		disabled rushgate.Disabled
		until    any // in the answer
		message  string
	}{
		{rushgate.Disabled{Until: soon, Reason: "cheating"}, soon.Format(time.RFC3339),
			soon.Format(dated) + ": cheating."},
		{rushgate.Disabled{Until: soon}, soon.Format(time.RFC3339), soon.Format(dated) + "."},
		{rushgate.Disabled{Until: rushgate.Forever(), Reason: "cheating"}, nil, "This account is disabled: cheating."},
		{rushgate.Disabled{Until: rushgate.Forever()}, nil, "This account is disabled."},
	} {
		change := rushgate.AccountChange{Player: 1, Name: "alice", Disabled: &tt.disabled}
		if errs, err := d.store.UpdateAccounts(t.Context(), []rushgate.AccountChange{change}); err != nil || errs[0] != nil {
			t.Fatal(errs, err)
		}
		e := d.call(t, "POST", "/v1/login", creds("alice", "correct horse"), "192.0.2.1", "")
		e.want(t, "login", 403, rushgate.AccountDisabled)
		reason := any(tt.disabled.Reason)
		if reason == "" {
			reason = nil
		}
		if e.json["disabled_until"] != tt.until || e.json["disabled_reason"] != reason || e.json["message"] != tt.message {
			t.Errorf("answer %s, want until %v, %q", e.body, tt.until, tt.message)
		}
		if e.header.Get("Retry-After") != "" || e.json["retry_after_ms"] != nil {
			t.Errorf("waiting does not help: %s", e.body)
		}
		wrong := d.call(t, "POST", "/v1/login", creds("alice", "wrong"), "192.0.2.2", "")
		wrong.want(t, "wrong password", 401, rushgate.BadCredentials)
		if strings.Contains(wrong.body, "disabled") {
			t.Errorf("with a wrong password the ban is told: %s", wrong.body)
		}
	}
}
