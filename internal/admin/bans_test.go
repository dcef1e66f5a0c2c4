package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
	rules "github.com/rushgate/rushgate/internal/access"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/store/memory"
)

// booth is a listener at which the operator says who may come in.
type booth struct {
	http.Handler
	keeper *rules.Keeper
	log    bytes.Buffer
}

func newBooth(t *testing.T) *booth {
	t.Helper()
	store := memory.New(memory.Options{})
	t.Cleanup(func() { store.Close() })
	b := &booth{keeper: rules.New(rules.Config{Store: store})}
	mux := http.NewServeMux()
	g := &gatekeeper{b.keeper, account.New(store), slog.New(slog.NewTextHandler(&b.log, nil))}
	g.serve(func(pattern string, h http.HandlerFunc) { mux.HandleFunc(pattern, h) })
	b.Handler = mux
	return b
}

// ask returns the answer to a request, with a body if there is one to send.
func (b *booth) ask(t *testing.T, method, path, body string, want int) map[string]any {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	var out map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != want {
		t.Fatalf("%s %s %s: %d %s, want %d", method, path, body, w.Code, w.Body, want)
	}
	return out
}

func TestModeIsSetAndShown(t *testing.T) {
	b := newBooth(t)
	if got := b.ask(t, "GET", "/mode", "", 200); got["mode"] != "open" || got["current"] != true {
		t.Errorf("at first: %v", got)
	}
	b.ask(t, "POST", "/mode", `{"mode":"closed","message":"Soon","opens_at":"2090-01-31T18:00:00Z","out":true}`, 200)
	got := b.ask(t, "GET", "/mode", "", 200)
	if got["mode"] != "closed" || got["message"] != "Soon" || got["opens_at"] != "2090-01-31T18:00:00Z" ||
		got["out"] != true || got["by"] != "operator" {
		t.Errorf("set: %v", got)
	}
	if !strings.Contains(b.log.String(), "mode=closed") || !strings.Contains(b.log.String(), "by=operator") {
		t.Errorf("the log is\n%s", b.log.String())
	}
	for _, bad := range []string{
		`{}`, `{"mode":"ajar"}`, `{"mode":"open","message":"x"}`, `{"mode":"closed","opens_at":"soon"}`,
		`{"mode":"closed","message":"a\nb"}`, `{"mode":"closed","until":"x"}`, `[]`,
	} {
		b.ask(t, "POST", "/mode", bad, 400)
	}
}

func TestBansAreAddedListedAndLifted(t *testing.T) {
	b := newBooth(t)
	device := rules.DeviceOf("box").String()
	first := b.ask(t, "POST", "/bans/add",
		`{"range":"203.0.113.9/24","except":["Carol"],"text":"Bots","until":"2090-01-31T00:00:00Z","reason":"market"}`, 200)
	if first["kind"] != "range" || first["range"] != "203.0.113.0/24" || first["until"] != "2090-01-31T00:00:00Z" ||
		first["reason"] != "market" || first["by"] != "operator" || fmt.Sprint(first["except"]) != "[carol]" {
		t.Errorf("a ban of a range: %v", first)
	}
	b.ask(t, "POST", "/bans/add", fmt.Sprintf(`{"device":%q}`, device), 200)
	if got := b.ask(t, "GET", "/bans?limit=1&offset=1", "", 200); got["total"] != 2.0 || len(got["bans"].([]any)) != 1 {
		t.Errorf("the second page: %v", got)
	}
	b.ask(t, "POST", "/bans/lift", fmt.Sprintf(`{"id":%q}`, first["id"]), 200)
	b.ask(t, "POST", "/bans/lift", fmt.Sprintf(`{"id":%q}`, first["id"]), 404)
	got := b.ask(t, "GET", "/bans", "", 200)["bans"].([]any)
	if len(got) != 1 || got[0].(map[string]any)["device"] != device || got[0].(map[string]any)["until"] != nil {
		t.Errorf("the bans are %v", got)
	}
	if strings.Contains(b.log.String(), device) {
		t.Errorf("the log has a device:\n%s", b.log.String())
	}
	for _, bad := range []string{
		`{}`, `{"range":"x"}`, `{"range":"0.0.0.0/0"}`, `{"device":"x"}`, `{"range":"10.0.0.0/8","device":"` + device + `"}`,
		`{"range":"10.0.0.0/8","until":"2001-01-01T00:00:00Z"}`, `{"range":"10.0.0.0/8","until":"never"}`,
		`{"device":"` + device + `","except":["ann"]}`, `{"range":"10.0.0.0/8","except":[""]}`,
		`{"account":"ann","except":["ann"]}`,
	} {
		b.ask(t, "POST", "/bans/add", bad, 400)
	}
	b.ask(t, "POST", "/bans/add", `{"account":"nobody"}`, 404)
	b.ask(t, "POST", "/bans/lift", `{}`, 400)
	for _, bad := range []string{"?offset=-1", "?limit=x"} {
		b.ask(t, "GET", "/bans"+bad, "", 400)
	}
}

func TestListsAreEditedAndShown(t *testing.T) {
	b := newBooth(t)
	if got := b.ask(t, "GET", "/lists", "", 200); fmt.Sprint(got) != "map[allowlist:[] staff:[]]" {
		t.Errorf("at first: %v", got)
	}
	b.ask(t, "POST", "/lists/edit", `{"list":"staff","add":["Ann","bob"]}`, 200)
	b.ask(t, "POST", "/lists/edit", `{"list":"allowlist","add":["eve"]}`, 200)
	b.ask(t, "POST", "/lists/edit", `{"list":"staff","remove":["BOB"]}`, 200)
	if got := b.ask(t, "GET", "/lists", "", 200); fmt.Sprint(got) != "map[allowlist:[eve] staff:[ann]]" {
		t.Errorf("then: %v", got)
	}
	for _, bad := range []string{`{"list":"staff"}`, `{"list":"guests","add":["ann"]}`, `{"list":"staff","add":[""]}`} {
		b.ask(t, "POST", "/lists/edit", bad, 400)
	}
	if !b.keeper.Rules().Lets("ann") || b.keeper.Rules().Mode != rushgate.ModeOpen {
		t.Error("lists alone keep out players")
	}
}
