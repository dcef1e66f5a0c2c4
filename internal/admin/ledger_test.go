package admin_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/admin"
	"github.com/rushgate/rushgate/password"
)

// Each order about an account does what it says, is answered as JSON, and has a line in the log without the hash.
func TestAccountOrders(t *testing.T) {
	store := newStore(t) // alice and bob are out, carol is inside
	var log bytes.Buffer
	h := admin.New(admin.Config{
		Metrics: prometheus.NewRegistry(), Ledger: account.New(store), Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	hasher, err := password.NewHasher(password.Config{Iterations: password.MinIterations})
	if err != nil {
		t.Fatal(err)
	}
	job := password.New("correct horse")
	hasher.Run(t.Context(), []*password.Job{&job})
	hash := `"password_hash":"` + job.Hash + `"`
	soon := `"until":"` + time.Now().Add(time.Hour).UTC().Format(time.RFC3339) + `"`
	for _, tt := range []struct {
		order, body string
		status      int
		answer      string
	}{
		{"create", `{"name":"Dave",` + hash + `}`, 200, `{"player_id":4,"name":"dave"}`},
		{"create", `{"name":"dave",` + hash + `}`, 409, "already is an account of this name"},
		{"create", `{"name":"x",` + hash + `}`, 400, "no account can have such a name"},
		{"create", `{"name":"erin"}`, 400, "password hash"},
		{"create", `{"name":"erin","password_hash":"correct horse"}`, 400, "password hash"},
		{"show", `{"name":"DAVE"}`, 200, `"name":"dave"`},
		{"show", `{"name":"erin"}`, 404, "no account of this name"},
		{"show", `{"name":""}`, 400, "want"},
		{"show", `nothing`, 400, "want"},
		{"set-password", `{"name":"alice",` + hash + `}`, 200, `"player_id":1,"name":"alice"}`},
		{"set-password", `{"name":"alice","password_hash":""}`, 400, "password hash"},
		{"end-sessions", `{"name":"carol"}`, 200, `"leaving":"n"`},
		{"end-sessions", `{"name":"bob"}`, 200, `"name":"bob"}`},
		{"disable", `{"name":"bob","reason":"cheating",` + soon + `}`, 200, `"name":"bob"}`},
		{"show", `{"name":"bob"}`, 200, `"disabled_reason":"cheating"`},
		{"disable", `{"name":"bob"}`, 200, `"name":"bob"}`},
		{"show", `{"name":"bob"}`, 200, `"disabled_until":"9999-12-31T00:00:00Z","disabled_reason":""`},
		{"disable", `{"name":"bob","until":"2020-01-01T00:00:00Z"}`, 400, "not in the future"},
		{"disable", `{"name":"bob","until":"soon"}`, 400, "want"},
		{"disable", `{"name":"bob","reason":"` + strings.Repeat("x", 257) + `"}`, 400, "257 bytes"},
		{"enable", `{"name":"bob"}`, 200, `"name":"bob"}`},
		{"show", `{"name":"bob"}`, 200, `"disabled_until":null`},
		{"enable", `{"name":"nobody"}`, 404, "no account of this name"},
	} {
		log.Reset()
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1/accounts/"+tt.order,
			strings.NewReader(tt.body))
		req.Header.Set("Content-Type", "application/json")
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		got := rec.Body.String()
		if rec.Code != tt.status || !strings.Contains(got, tt.answer) || !json.Valid(rec.Body.Bytes()) {
			t.Errorf("%s %s: %d %s, want %d with %s", tt.order, tt.body, rec.Code, got, tt.status, tt.answer)
		}
		if rec.Code == 200 && !strings.Contains(log.String(), "order="+tt.order) {
			t.Errorf("%s: log: %s", tt.order, &log)
		}
		if strings.Contains(log.String(), job.Hash) || strings.Contains(log.String(), "correct horse") {
			t.Errorf("%s: a secret is in the log: %s", tt.order, &log)
		}
	}
	for _, order := range []string{"create", "set-password", "show", "disable", "enable", "end-sessions"} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1/accounts/"+order,
			strings.NewReader(`{"name":"bob"}`))
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		if rec.Code != http.StatusUnsupportedMediaType {
			t.Errorf("%s without a type: %d", order, rec.Code)
		}
	}
}
