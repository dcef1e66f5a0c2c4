package e2e

import (
	"net/http"
	"testing"
)

// An operator sees on the page that an address is locked out, lifts it, and the player gets in.
func TestDashboardLiftsLockouts(t *testing.T) {
	node := start(t, config(t))
	p := open(t, dashboard(node))
	p.wait(`$("no-lockouts").checkVisibility() && !$("lockouts").checkVisibility()`)
	if status := register(t.Context(), node, "alice"); status != http.StatusCreated {
		t.Fatalf("registration: %d", status)
	}
	for range 5 {
		knock(t.Context(), node, "login", "alice", "wrong horse")
	}
	if status := knock(t.Context(), node, "login", "alice", "correct horse"); status != http.StatusTooManyRequests {
		t.Fatalf("after five failures: %d", status)
	}
	p.wait(`$("lockouts").checkVisibility() && !$("no-lockouts").checkVisibility()`)
	p.wait(`/the account alice/.test($("lockouts").textContent) && /127\.0\.0\.1\/32/.test($("lockouts").textContent)`)
	p.click("#lockouts button")
	p.wait(`$("confirm").open`)
	p.click("#confirm-yes")
	p.wait(`$("lockouts-result").textContent === "The lockout is lifted."`)
	p.wait(`$("no-lockouts").checkVisibility() && !$("lockouts").checkVisibility()`)
	if status := knock(t.Context(), node, "login", "alice", "correct horse"); status != http.StatusConflict {
		t.Errorf("after the lift: %d, want that alice is inside already", status)
	}
}
