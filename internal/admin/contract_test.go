package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/rushgate/rushgate"
	rules "github.com/rushgate/rushgate/internal/access"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/admin"
	"github.com/rushgate/rushgate/internal/audit"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/operator"
	"github.com/rushgate/rushgate/store/memory"
)

// contract is a handler whose answers are held against the OpenAPI document.
type contract struct {
	http.Handler
	t   *testing.T
	doc map[string]any
}

func newContract(t *testing.T, h http.Handler) *contract {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/openapi.yaml", nil)
	r.Host = "127.0.0.1:9090"
	h.ServeHTTP(w, r)
	var tree map[string]any
	if err := yaml.Unmarshal(w.Body.Bytes(), &tree); err != nil {
		t.Fatalf("openapi.yaml: %v", err)
	}
	b, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return &contract{h, t, doc.(map[string]any)}
}

func (c *contract) find(at ...string) (map[string]any, bool) {
	node := c.doc
	for _, key := range at {
		next, ok := node[key].(map[string]any)
		if !ok {
			return nil, false
		}
		if ref, ok := next["$ref"].(string); ok {
			if next, ok = c.find(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...); !ok {
				return nil, false
			}
		}
		node = next
	}
	return node, true
}

// template returns the documented path that a path is one of.
func (c *contract) template(path string) string {
	paths := c.doc["paths"].(map[string]any)
	if _, ok := paths[path]; ok {
		return path
	}
	for template := range paths {
		want, got := strings.Split(template, "/"), strings.Split(path, "/")
		fits := len(want) == len(got)
		for i := 0; fits && i < len(want); i++ {
			fits = want[i] == got[i] || strings.HasPrefix(want[i], "{")
		}
		if fits {
			return template
		}
	}
	return path
}

// ServeHTTP reports an answer whose status is not documented, or whose body is not as documented.
func (c *contract) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := httptest.NewRecorder()
	c.Handler.ServeHTTP(rec, r)
	c.check(r, rec)
	for name, values := range rec.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(rec.Code)
	w.Write(rec.Body.Bytes())
}

func (c *contract) check(r *http.Request, rec *httptest.ResponseRecorder) {
	path, method := c.template(r.URL.Path), strings.ToLower(r.Method)
	response, ok := c.find("paths", path, method, "responses", strconv.Itoa(rec.Code))
	if !ok {
		c.t.Errorf("%s %s answered %d, which openapi.yaml does not know", r.Method, path, rec.Code)
		return
	}
	content, _ := response["content"].(map[string]any)
	mediaType, _, _ := strings.Cut(rec.Header().Get("Content-Type"), ";")
	media, ok := content[mediaType].(map[string]any)
	if !ok {
		c.t.Errorf("%s %s answered %d as %q", r.Method, path, rec.Code, mediaType)
		return
	}
	var value any = rec.Body.String()
	if mediaType == "application/json" {
		var err error
		if value, err = jsonschema.UnmarshalJSON(bytes.NewReader(rec.Body.Bytes())); err != nil {
			c.t.Errorf("%s %s answered %q: %v", r.Method, path, rec.Body, err)
			return
		}
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	c.doc["$defs"] = map[string]any{"answer": media["schema"]}
	if err := compiler.AddResource("openapi.json", c.doc); err != nil {
		c.t.Fatal(err)
	}
	schema, err := compiler.Compile("openapi.json#/$defs/answer")
	if err != nil {
		c.t.Fatal(err)
	}
	if err := schema.Validate(value); err != nil {
		c.t.Errorf("%s %s answered %d %s: %v", r.Method, path, rec.Code, rec.Body, err)
	}
}

// whole is a node with everything that a listener can have, which asks for no token yet.
func whole(t *testing.T) (admin.Config, *memory.Store) {
	t.Helper()
	cfg, _ := withDashboard(t)
	store := newStore(t)
	d, err := door.New(door.Config{World: 10, MaxAge: time.Second, Batch: 1, Pace: 100})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Ledger, cfg.Book, cfg.Audit, cfg.Door = account.New(store), store, store, d
	cfg.Access = rules.New(rules.Config{Store: store})
	cfg.Operators, cfg.Staff = operator.NewRoll(store), operator.NewBook(store)
	if err := cfg.Operators.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	return cfg, store
}

// Each operation answers as the document says, also what it refuses.
func TestAnswersAreAsDocumented(t *testing.T) {
	cfg, store := whole(t)
	cfg.Dashboard.History.Start()
	h := newContract(t, admin.New(cfg))
	for deadline := time.Now().Add(time.Minute); do(h.Handler, "GET", "/status", "").Code != 200; {
		if time.Now().After(deadline) {
			t.Fatal("the node has no figures")
		}
		time.Sleep(time.Millisecond)
	}
	get := func(path string, want int) string {
		t.Helper()
		w := do(h, "GET", path, "")
		if w.Code != want {
			t.Errorf("GET %s: %d %s, want %d", path, w.Code, w.Body, want)
		}
		return w.Body.String()
	}
	post := func(path, body string, want int) string {
		t.Helper()
		w := confirmed(t.Context(), h, path, body)
		if w.Code != want {
			t.Errorf("POST %s %s: %d %s, want %d", path, body, w.Code, w.Body, want)
		}
		return w.Body.String()
	}
	for path, want := range map[string]int{
		"/me": 200, "/openapi.yaml": 200, "/status": 200, "/players": 200, "/players?sort=x": 400, "/accounts": 200,
		"/accounts?name=a&id=1": 400, "/accounts?cursor=x": 400, "/accounts/alice": 200, "/accounts/nobody": 404,
		"/accounts/a%00b": 400, "/lockouts": 200, "/operators": 200, "/audit": 200, "/audit?before=0": 400,
		"/mode": 200, "/bans": 200, "/bans?limit=x": 400, "/lists": 200,
		"/audit/verify": 200, "/healthz": 200, "/readyz": 200, "/metrics": 200, "/metrics.json": 200,
	} {
		get(path, want)
	}
	post("/accounts", `{"name":"dave","password_hash":""}`, 400)
	post("/accounts/alice/password", "{}", 400)
	post("/accounts/alice/disable", `{"reason":"Insults","note":"third time"}`, 200)
	post("/accounts/alice/disable", `{"note":"two\nlines"}`, 400)
	post("/accounts/alice/enable", "{}", 200)
	post("/accounts/alice/end-sessions", "{}", 200)
	post("/accounts/alice/recovery-code", "{}", 200)
	post("/accounts/alice/end-session", "{}", 200)
	post("/accounts/alice/name", `{"name":"carol"}`, 409)
	post("/accounts/bob/name", `{"name":"robert"}`, 200)
	post("/accounts/robert/name", `{"name":"bob"}`, 200)
	post("/accounts/alice/remove-second-factor", "{}", 409)
	post("/accounts/alice/remove-passkeys", "{}", 409)
	post("/accounts/alice/notes", `{"text":"asked for her name back\ntwice"}`, 200)
	post("/accounts/alice/notes", `{"text":"\u0007"}`, 400)
	post("/accounts/alice/delete", "{}", 200)
	post("/accounts/alice/delete", "{}", 404)
	post("/accounts/carol/delete", "{}", 409)
	post("/accounts/delete", `{"names":["bob","nobody"]}`, 200)
	post("/lockouts/7/lift", "{}", 404)
	post("/backups", "{}", 200)
	post("/backups/33/end", `{"outcome":"failed"}`, 200)
	post("/backups/none/end", `{"outcome":"done"}`, 404)
	post("/backups/1/end", `{"outcome":"done"}`, 404) // which is another act
	post("/backups/1/end", `{"outcome":"soon"}`, 400)
	post("/operators", `{"name":"ben","role":"look"}`, 409) // the first has to have another
	post("/operators", `{"name":"anna","role":"all"}`, 200)
	if w := do(h, "GET", "/me", ""); w.Code != 401 {
		t.Errorf("without a token: %d", w.Code)
	}
	post("/drain", "{}", 401)
	post("/backups", "{}", 401)
	if entries, err := audit.Read(t.Context(), store, 1, 100); err != nil || len(entries) != 38 {
		t.Errorf("%d entries, %v: %+v", len(entries), err, entries)
	}
}

// Each route has an operation that says which role it takes, but for what browsers use.
func TestOpenAPIMatchesTheRoutes(t *testing.T) {
	cfg, _ := whole(t)
	c := newContract(t, admin.New(cfg))
	documented := map[string]string{}
	for path, item := range c.doc["paths"].(map[string]any) {
		for method, operation := range item.(map[string]any) {
			if method == "parameters" {
				continue
			}
			role, _ := operation.(map[string]any)["x-role"].(string)
			documented[strings.ToUpper(method)+" "+path] = role
		}
	}
	for pattern, role := range admin.LeastRoles() {
		_, path, _ := strings.Cut(pattern, " ")
		switch path {
		case "/{$}", "/events", "/login", "/logout", "/style.css", "/icon.svg":
			continue
		}
		if strings.HasSuffix(path, ".js") || strings.HasPrefix(path, "/debug/pprof/") {
			continue
		}
		said, ok := documented[pattern]
		if role == "none" {
			role = ""
		}
		if !ok || said != role {
			t.Errorf("%s takes the role %q and is documented, %v, with %q", pattern, role, ok, said)
		}
		delete(documented, pattern)
	}
	if len(documented) > 0 {
		t.Errorf("documented and not routed are %v", documented)
	}
}

// refusing is an audit log that takes nothing.
type refusing struct {
	rushgate.AuditLog
	err error
}

func (r refusing) AppendAudit(context.Context, uint64, [][]byte) (bool, error) { return false, r.err }

// What cannot be written down is not done, and the answer says so.
func TestNothingIsDoneUnrecorded(t *testing.T) {
	cfg, store := whole(t)
	cfg.Audit = refusing{store, errors.New("10.0.0.7 is away")}
	drained := false
	cfg.Dashboard.Actions.Drain = func() { drained = true }
	h := newContract(t, admin.New(cfg))
	for path, body := range map[string]string{
		"/drain": "{}", "/accounts/alice/delete": "{}", "/accounts/bob/disable": "{}",
		"/accounts/delete": `{"names":["alice","bob"]}`, "/operators": `{"name":"anna","role":"all"}`,
		"/accounts/bob/notes": `{"text":"x"}`, "/mode": `{"mode":"closed"}`, "/bans": `{"range":"203.0.113.0/24"}`,
		"/lists": `{"list":"staff","add":["bob"]}`, "/backups": "{}",
	} {
		w := confirmed(t.Context(), h, path, body)
		said := w.Body.String()
		if w.Code != 503 || !strings.Contains(said, "nothing was done") || strings.Contains(said, "10.0") {
			t.Errorf("POST %s: %d %s", path, w.Code, w.Body)
		}
	}
	all, err := operator.NewBook(store).List(t.Context())
	if left(t, store) != "alice bob carol" || drained || len(all) != 0 || err != nil {
		t.Errorf("%s are left, drained: %v, %d operators, %v", left(t, store), drained, len(all), err)
	}
	if r := cfg.Access.Rules(); r.Closed() || len(r.Bans()) > 0 || len(r.Names(rules.Staff)) > 0 {
		t.Errorf("the rules have changed: %+v", r)
	}
	bob := do(h, "GET", "/accounts/bob", "").Body.String()
	if strings.Contains(bob, "9999") || strings.Contains(bob, "note") {
		t.Errorf("bob was changed: %s", bob)
	}
}

// A list of names is deleted for which no player is known, as damaged records are: that is in the log, too.
func TestListOfNobodyIsInTheAuditLog(t *testing.T) {
	cfg, store := whole(t)
	w := confirmed(t.Context(), admin.New(cfg), "/accounts/delete", `{"names":["nobody"]}`)
	if records, err := store.LoadAudit(t.Context(), 1, 100); w.Code != 200 || err != nil || len(records) != 2 {
		t.Errorf("%d %s; %d records, %v", w.Code, w.Body, len(records), err)
	}
}

// The audit log says who did what to whom, and nothing by which a player can be known once the account is gone.
func TestAuditNamesNoPlayer(t *testing.T) {
	cfg, store := whole(t)
	token, err := cfg.Staff.Add(t.Context(), "anna", operator.All, operator.Console)
	if err != nil {
		t.Fatal(err)
	}
	if err := cfg.Operators.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	h := admin.New(cfg)
	as := []string{"Authorization", "Bearer " + token}
	for path, body := range map[string]string{
		"/accounts/alice/disable":     `{"reason":"alice called bob names","note":"bob said so"}`,
		"/accounts/alice/end-session": "{}",
		"/accounts/alice/notes":       `{"text":"alice@example.org"}`, "/accounts/delete": `{"names":["bob","nobody"]}`,
	} {
		if w := confirmed(t.Context(), h, path, body, as...); w.Code != 200 {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	records, err := store.LoadAudit(t.Context(), 1, 100)
	if err != nil || len(records) != 8 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	var all strings.Builder
	for _, r := range records {
		all.Write(r.Data)
	}
	for _, never := range []string{"alice", "bob", "nobody", "@", token} {
		if strings.Contains(all.String(), never) {
			t.Errorf("%s is in it: %s", never, all.String())
		}
	}
	for _, want := range []string{`"who":"anna","role":"all"`, `"whom":1`, `"detail":"players 2"`, `"from":"192.0.2.1"`,
		`"outcome":"done"`} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("no %s in it: %s", want, all.String())
		}
	}
	if v, err := audit.Verify(t.Context(), store, audit.Mark{}); err != nil || v.Bad != 0 || v.Open != 0 {
		t.Errorf("%+v, %v", v, err)
	}
}

// Accounts are found by name, by how a name begins, and by id; a page at a time.
func TestSearch(t *testing.T) {
	cfg, store := whole(t)
	for i := range 7 {
		name := "dave" + strconv.Itoa(i)
		if errs, err := store.CreateAccounts(t.Context(), []rushgate.Account{{
			ID: rushgate.PlayerID(100 + i), Username: name, PasswordHash: "h", CreatedAt: time.Now(),
		}}); err != nil || errs[0] != nil {
			t.Fatal(errs, err)
		}
	}
	h := admin.New(cfg)
	find := func(query string) (names string, cursor string) {
		t.Helper()
		var page struct {
			Accounts []struct{ Name string }
			Cursor   string
		}
		w := do(h, "GET", "/accounts?"+query, "")
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != 200 {
			t.Fatalf("%s: %d %s", query, w.Code, w.Body)
		}
		var all []string
		for _, a := range page.Accounts {
			all = append(all, a.Name)
		}
		return strings.Join(all, " "), page.Cursor
	}
	for query, want := range map[string]string{
		"name=ALICE": "alice", "name=nobody": "", "name=%00": "", "prefix=Dave": "dave0 dave1 dave2 dave3 dave4 dave5 dave6",
		"prefix=x": "", "id=103": "dave3", "id=99": "", "id=1": "alice",
	} {
		if got, cursor := find(query); got != want || cursor != "" {
			t.Errorf("%s: %q, %q, want %q", query, got, cursor, want)
		}
	}
	var all []string
	for cursor := ""; ; {
		var page string
		if page, cursor = find("limit=3&cursor=" + cursor); page != "" {
			all = append(all, page)
		}
		if cursor == "" {
			break
		}
	}
	if got := strings.Join(all, " "); got != "alice bob carol dave0 dave1 dave2 dave3 dave4 dave5 dave6" {
		t.Errorf("all accounts are %s", got)
	}
}
