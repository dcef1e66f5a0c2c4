package admin_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
	rules "github.com/rushgate/rushgate/internal/access"
	"github.com/rushgate/rushgate/internal/admin"
	"github.com/rushgate/rushgate/internal/audit"
	"github.com/rushgate/rushgate/internal/operator"
	"github.com/rushgate/rushgate/store/memory"
)

// booth is a listener at which anna, who may run nodes, says who may come in. All answers are held against the
// document.
type booth struct {
	t      *testing.T
	h      http.Handler
	keeper *rules.Keeper
	store  *memory.Store
	token  string
	log    bytes.Buffer
}

func newBooth(t *testing.T) *booth {
	t.Helper()
	b := &booth{t: t}
	cfg, store := whole(t)
	cfg.Logger = textLog(&b.log)
	b.keeper, b.store = cfg.Access, store
	document := newContract(t, admin.New(cfg)).doc
	_, err := cfg.Staff.Add(t.Context(), "ben", operator.All, operator.Console)
	if err == nil {
		b.token, err = cfg.Staff.Add(t.Context(), "anna", operator.Run, operator.Console)
	}
	if err == nil {
		err = cfg.Operators.Refresh(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	b.h = &contract{admin.New(cfg), t, document}
	return b
}

// ask returns the answer to a request, with a body if there is one to send.
func (b *booth) ask(method, path, body string, want int) map[string]any {
	b.t.Helper()
	w := do(b.h, method, path, body, bearer(b.token)...)
	var out map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != want {
		b.t.Fatalf("%s %s %s: %d %s, want %d", method, path, body, w.Code, w.Body, want)
	}
	return out
}

// written returns what the audit log has of what was done, a line each.
func (b *booth) written() string {
	b.t.Helper()
	entries, err := audit.Read(b.t.Context(), b.store, 1, 100)
	if err != nil {
		b.t.Fatal(err)
	}
	var out strings.Builder
	for _, e := range entries {
		fmt.Fprintln(&out, e.Who, e.Role, e.What, e.Whom, e.Detail, e.Outcome)
	}
	return out.String()
}

func TestModeIsSetAndShown(t *testing.T) {
	b := newBooth(t)
	if got := b.ask("GET", "/mode", "", 200); got["mode"] != "open" || got["current"] != true {
		t.Errorf("at first: %v", got)
	}
	b.ask("POST", "/mode", `{"mode":"closed","message":"Soon","opens_at":"2090-01-31T18:00:00Z","out":true}`, 200)
	got := b.ask("GET", "/mode", "", 200)
	if got["mode"] != "closed" || got["message"] != "Soon" || got["opens_at"] != "2090-01-31T18:00:00Z" ||
		got["out"] != true || got["by"] != "anna" {
		t.Errorf("set: %v", got)
	}
	const want = "anna run access.mode 0 mode closed, out true \nanna run access.mode 0  done\n"
	if got := b.written(); got != want {
		t.Errorf("the audit log has\n%s, want\n%s", got, want)
	}
	for _, bad := range []string{
		`{}`, `{"mode":"ajar"}`, `{"mode":"open","message":"x"}`, `{"mode":"closed","opens_at":"soon"}`,
		`{"mode":"closed","message":"a\nb"}`, `{"mode":"closed","until":"x"}`, `[]`,
	} {
		b.ask("POST", "/mode", bad, 400)
	}
}

func TestBansAreAddedListedAndLifted(t *testing.T) {
	b := newBooth(t)
	device := rules.DeviceOf("box").String()
	first := b.ask("POST", "/bans",
		`{"range":"203.0.113.9/24","except":["Carol"],"text":"Bots","until":"2090-01-31T00:00:00Z","reason":"market"}`, 200)
	if first["kind"] != "range" || first["range"] != "203.0.113.0/24" || first["until"] != "2090-01-31T00:00:00Z" ||
		first["reason"] != "market" || first["by"] != "anna" || fmt.Sprint(first["except"]) != "[carol]" {
		t.Errorf("a ban of a range: %v", first)
	}
	second := b.ask("POST", "/bans", fmt.Sprintf(`{"device":%q}`, device), 200)
	if got := b.ask("GET", "/bans?limit=1&offset=1", "", 200); got["total"] != 2.0 || len(got["bans"].([]any)) != 1 {
		t.Errorf("the second page: %v", got)
	}
	b.ask("POST", fmt.Sprintf("/bans/%s/lift", first["id"]), "{}", 200)
	b.ask("POST", fmt.Sprintf("/bans/%s/lift", first["id"]), "{}", 404)
	got := b.ask("GET", "/bans", "", 200)["bans"].([]any)
	if len(got) != 1 || got[0].(map[string]any)["device"] != device || got[0].(map[string]any)["until"] != nil {
		t.Errorf("the bans are %v", got)
	}
	written := b.written()
	for _, want := range []string{
		fmt.Sprintf("access.ban 0 ban %s of range 203.0.113.0/24 until 2090-01-31T00:00:00Z", first["id"]),
		fmt.Sprintf("access.ban 0 ban %s of a device for ever", second["id"]),
		fmt.Sprintf("anna run access.lift 0 ban %s \nanna run access.lift 0  done", first["id"]),
		fmt.Sprintf("anna run access.lift 0 ban %s \nanna run access.lift 0  unknown", first["id"]),
	} {
		if !strings.Contains(written, want) {
			t.Errorf("no %s in the audit log:\n%s", want, written)
		}
	}
	for where, text := range map[string]string{"log": b.log.String(), "audit log": written} {
		if strings.Contains(text, device) || strings.Contains(text, "carol") {
			t.Errorf("the %s has a device or an account:\n%s", where, text)
		}
	}
}

func TestOrdersToBanThatAreRefused(t *testing.T) {
	b := newBooth(t)
	device := rules.DeviceOf("box").String()
	for _, bad := range []string{
		`{}`, `{"range":"x"}`, `{"range":"0.0.0.0/0"}`, `{"device":"x"}`, `{"range":"10.0.0.0/8","device":"` + device + `"}`,
		`{"range":"10.0.0.0/8","until":"2001-01-01T00:00:00Z"}`, `{"range":"10.0.0.0/8","until":"never"}`,
		`{"device":"` + device + `","except":["ann"]}`, `{"range":"10.0.0.0/8","except":[""]}`, `{"account":"ann"}`,
	} {
		b.ask("POST", "/bans", bad, 400)
	}
	b.ask("POST", "/bans/x/lift", "", 400)
	b.ask("POST", "/bans/x/lift", "{}", 404)
	for _, bad := range []string{"?offset=-1", "?limit=x"} {
		b.ask("GET", "/bans"+bad, "", 400)
	}
	if n := len(b.keeper.Rules().Bans()); n != 0 {
		t.Errorf("%d bans", n)
	}
}

func TestListsAreEditedAndShown(t *testing.T) {
	b := newBooth(t)
	if got := b.ask("GET", "/lists", "", 200); fmt.Sprint(got) != "map[allowlist:[] staff:[]]" {
		t.Errorf("at first: %v", got)
	}
	b.ask("POST", "/lists", `{"list":"staff","add":["Ann","bob"]}`, 200)
	b.ask("POST", "/lists", `{"list":"allowlist","add":["eve"]}`, 200)
	b.ask("POST", "/lists", `{"list":"staff","remove":["BOB"]}`, 200)
	if got := b.ask("GET", "/lists", "", 200); fmt.Sprint(got) != "map[allowlist:[eve] staff:[ann]]" {
		t.Errorf("then: %v", got)
	}
	written := b.written()
	if !strings.Contains(written, "anna run access.list 0 list staff, 2 added, 0 removed") ||
		strings.Contains(written, "bob") {
		t.Errorf("the audit log has\n%s", written)
	}
	for _, bad := range []string{`{"list":"staff"}`, `{"list":"guests","add":["ann"]}`, `{"list":"staff","add":[""]}`} {
		b.ask("POST", "/lists", bad, 400)
	}
	for bad, says := range map[string]string{
		`{"list":"staff","add":["dora","ad min"]}`: "ad min", `{"list":"allowlist","add":["a/b"]}`: "a/b",
		`{"list":"staff","add":["a"]}`: `"a"`, `{"list":"staff","add":["Dora"],"remove":["dora"]}`: "at once",
	} {
		if said := fmt.Sprint(b.ask("POST", "/lists", bad, 400)); !strings.Contains(said, says) {
			t.Errorf("%s: %s, want %s", bad, said, says)
		}
	}
	nobody := fmt.Sprint(b.ask("POST", "/bans", `{"range":"10.0.0.0/8","except":["ad min"]}`, 400))
	if !strings.Contains(nobody, "ad min") {
		t.Errorf("a ban that leaves a name alone that nobody can have: %s", nobody)
	}
	if _, err := b.keeper.Edit(t.Context(), rules.Staff, []string{"ad min"}, nil); err != nil {
		t.Fatal(err)
	}
	b.ask("POST", "/lists", `{"list":"staff","remove":["ad min"]}`, 200) // from when that was not looked at
	if !b.keeper.Rules().Lets("ann") || b.keeper.Rules().Mode != rushgate.ModeOpen {
		t.Error("lists alone keep out players")
	}
}

// Everyone sees who is kept out; who may run nodes decides it.
func TestRolesThatDecideWhoComesIn(t *testing.T) {
	cfg, _ := whole(t)
	h, tokens := withOperators(t, cfg)
	for _, role := range operator.Roles() {
		for _, path := range []string{"/mode", "/bans", "/lists"} {
			if w := do(h, "GET", path, "", bearer(tokens[role])...); w.Code != 200 {
				t.Errorf("GET %s as %s: %d %s", path, role, w.Code, w.Body)
			}
		}
		want := 403
		if role == "run" || role == "all" {
			want = 200
		}
		for path, body := range map[string]string{
			"/mode": `{"mode":"open"}`, "/bans": `{"range":"203.0.113.0/24"}`, "/lists": `{"list":"staff","add":["ann"]}`,
		} {
			if w := do(h, "POST", path, body, bearer(tokens[role])...); w.Code != want {
				t.Errorf("POST %s as %s: %d %s", path, role, w.Code, w.Body)
			}
		}
	}
}

// What operators have to know of a ban of an account stays on the player's page when the ban is over.
func TestHistoryOfBans(t *testing.T) {
	b := newBooth(t)
	b.ask("POST", "/accounts/Alice/disable",
		`{"reason":"Insults","note":"third time, see ticket 7","until":"2090-01-31T00:00:00Z"}`, 200)
	b.ask("POST", "/accounts/alice/enable", "{}", 200)
	b.ask("POST", "/accounts/alice/enable", "{}", 200) // which changes nothing
	b.ask("POST", "/accounts/alice/disable", `{"reason":"Cheating"}`, 200)
	page := b.ask("GET", "/accounts/alice", "", 200)
	var got []string
	for _, e := range page["history"].([]any) {
		e := e.(map[string]any)
		got = append(got, fmt.Sprint(e["kind"], " by ", e["by"], " ", e["text"]))
	}
	slices.Reverse(got)
	const want = "banned by anna until 2090-01-31T00:00:00Z: third time, see ticket 7\n" +
		"unbanned by anna <nil>\nbanned by anna for ever: Cheating"
	if strings.Join(got, "\n") != want {
		t.Errorf("the history is\n%s, want\n%s", strings.Join(got, "\n"), want)
	}
	if text := b.written() + b.log.String(); strings.Contains(text, "ticket 7") || strings.Contains(text, "Insults") {
		t.Errorf("the logs have what was written about a player:\n%s", text)
	}
}
