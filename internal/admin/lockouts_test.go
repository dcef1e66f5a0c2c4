package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/operator"
)

// An operator sees what is locked out, lifts it once, and the log says so.
func TestLockoutsAreShownAndLifted(t *testing.T) {
	d, err := door.New(door.Config{World: 10, MaxAge: time.Second, Batch: 1, Pace: 100})
	if err != nil {
		t.Fatal(err)
	}
	knock := door.Knock{Addr: netip.MustParseAddr("192.0.2.1"), Name: "alice"}
	for range door.FailureLimit {
		seat, err := d.Knock(knock)
		if err != nil {
			t.Fatal(err)
		}
		seat.Close(door.Wrong)
	}
	var log bytes.Buffer
	mux := &routes{http.NewServeMux()}
	serveLockouts(mux, d, &acts{logger: slog.New(slog.NewTextHandler(&log, nil))})
	ask := func(method, path, body string) (int, string) {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		mux.mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), personKey{}, passerby(operator.Help))))
		return w.Code, w.Body.String()
	}
	_, body := ask("GET", "/lockouts", "")
	var list struct{ Lockouts []lockoutBody }
	if err := json.Unmarshal([]byte(body), &list); err != nil || len(list.Lockouts) != 1 {
		t.Fatalf("%s: %v", body, err)
	}
	l := list.Lockouts[0]
	if l.Kind != "pair" || l.Origin != "192.0.2.1/32" || l.Name != "alice" || time.Until(l.Until) <= 0 {
		t.Errorf("shown is %+v", l)
	}
	path := fmt.Sprintf("/lockouts/%d/lift", l.ID)
	for _, tt := range []struct {
		path, body string
		want       int
	}{
		{path, "", http.StatusUnsupportedMediaType}, {path, "[]", http.StatusBadRequest},
		{path, `{"id":1}`, http.StatusBadRequest}, {"/lockouts/999/lift", "{}", http.StatusNotFound},
		{"/lockouts/x/lift", "{}", http.StatusNotFound}, {path, "\uFEFF{}", http.StatusOK},
		{path, "{}", http.StatusNotFound},
	} {
		if status, body := ask("POST", tt.path, tt.body); status != tt.want {
			t.Errorf("POST %s %q: %d %s, want %d", tt.path, tt.body, status, body, tt.want)
		}
	}
	if seat, err := d.Knock(knock); err != nil {
		t.Errorf("after the lift: %v", err)
	} else {
		seat.Close(door.Wrong)
	}
	if _, body := ask("GET", "/lockouts", ""); strings.TrimSpace(body) != `{"lockouts":[],"more":0}` {
		t.Errorf("after the lift: %s", body)
	}
	if strings.Count(log.String(), "what=lockout.lift operator=local") != 3 ||
		strings.Count(log.String(), "outcome=done") != 1 {
		t.Errorf("the log says\n%s", log.String())
	}
}
