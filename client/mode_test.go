package client_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
)

// answering is a server that answers each request with the next of some bodies, and keeps what it was sent.
func answering(t *testing.T, status int, bodies ...string) (url string, sent *[]map[string]any) {
	t.Helper()
	sent = new([]map[string]any)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		var in map[string]any
		_ = json.Unmarshal(b, &in) // of a GET there is none
		*sent = append(*sent, in)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, bodies[min(len(*sent), len(bodies))-1])
	}))
	t.Cleanup(srv.Close)
	return srv.URL, sent
}

func loginTo(t *testing.T, url string, opts client.Options) error {
	t.Helper()
	opts.MaxRetries, opts.NoLine = -1, true
	c, err := client.New(url, opts)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Login(t.Context(), "alice", "correct horse")
	return err
}

func TestRefusalsSayWhatTheOperatorSays(t *testing.T) {
	opens := time.Date(2027, 1, 31, 18, 0, 0, 0, time.UTC)
	for body, want := range map[string]rushgate.Refusal{
		`{"reason":"server-busy","message":"Soon","mode":"closed","opens_at":"2027-01-31T18:00:00.000Z"}`: {
			Mode: rushgate.ModeClosed, Text: "Soon", OpensAt: opens},
		`{"reason":"server-busy","message":"Busy","retry_after_ms":1}`:               {},
		`{"reason":"server-busy","message":"Busy","retry_after_ms":1,"mode":"open"}`: {},
		`{"reason":"server-busy","message":"x","mode":"new-one","opens_at":"soon"}`:  {Mode: "new-one", Text: "x"},
		`{"reason":"server-busy","message":"your correct horse","mode":"closed"}`:    {Mode: rushgate.ModeClosed},
		`{"reason":"account-disabled","message":"m","appeal_url":"https://example.org/appeal"}`: {
			AppealURL: "https://example.org/appeal"},
		`{"reason":"account-disabled","message":"m","appeal_url":"javascript:alert(1)"}`:           {},
		`{"reason":"account-disabled","message":"m","appeal_url":"https://example.org/\u0007"}`:    {},
		`{"reason":"rate-limited","message":"m","mode":"closed","appeal_url":"https://a.example"}`: {},
	} {
		url, _ := answering(t, 503, body)
		got, ok := errors.AsType[*rushgate.Refusal](loginTo(t, url, client.Options{}))
		if !ok || got.Mode != want.Mode || got.Text != want.Text || !got.OpensAt.Equal(want.OpensAt) ||
			got.AppealURL != want.AppealURL {
			t.Errorf("%s: %+v, want %+v", body, got, want)
		}
	}
}

func TestOlderServersAreToldNoDevice(t *testing.T) {
	const old = `{"reason":"missing-credentials",` +
		`"message":"The body has a field other than username, password, attempt_id."}`
	url, sent := answering(t, 400, old, `{"reason":"bad-credentials","message":"m"}`)
	if err := loginTo(t, url, client.Options{DeviceID: "box-1"}); !errors.Is(err, rushgate.BadCredentials) {
		t.Errorf("Login: %v", err)
	}
	if n := len(*sent); n != 2 || (*sent)[0]["device_id"] != "box-1" || (*sent)[1]["device_id"] != nil ||
		(*sent)[0]["attempt_id"] != (*sent)[1]["attempt_id"] {
		t.Errorf("it was sent %v", *sent)
	}
	if _, err := client.New(url, client.Options{DeviceID: "not one"}); err == nil {
		t.Error("a device id that is none was taken")
	}
}

func TestStatusHasTheMode(t *testing.T) {
	url, _ := answering(t, 200,
		`{"state":"busy","players":3,"mode":"staff","message":"Soon","opens_at":"2027-01-31T18:00:00.000Z"}`,
		`{"state":"open","players":0}`)
	c, err := client.New(url, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Status(t.Context())
	if err != nil || s.Mode != rushgate.ModeStaff || s.Message != "Soon" || s.OpensAt.Year() != 2027 {
		t.Errorf("got %+v, %v", s, err)
	}
	if s, err := c.Status(t.Context()); err != nil || s.Mode != "" {
		t.Errorf("of an older server: %+v, %v", s, err)
	}
}
