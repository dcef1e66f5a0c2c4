package adapter_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/rushgate/rushgate/internal/stress/adapter"
)

// recording is a file of testdata: what an adapter and a server said to each other in one case.
type recording struct {
	// Source is the server that was recorded, or what the file was written from by hand.
	Source    string     `json:"source"`
	Exchanges []exchange `json:"exchanges"`
}

type exchange struct {
	Request struct {
		Method string            `json:"method"`
		Path   string            `json:"path"` // with the query
		Header map[string]string `json:"header,omitempty"`
		Body   json.RawMessage   `json:"body,omitempty"`
	} `json:"request"`
	Answer struct {
		Status int               `json:"status"`
		Header map[string]string `json:"header,omitempty"`
		Body   json.RawMessage   `json:"body,omitempty"` // JSON
		Text   string            `json:"text,omitempty"` // a body that is no JSON
	} `json:"answer"`
}

func recordingFile(kind adapter.Kind, name string) string {
	return filepath.Join("testdata", string(kind), name+".json")
}

func readRecording(t testing.TB, kind adapter.Kind, name string) recording {
	t.Helper()
	data, err := os.ReadFile(recordingFile(kind, name))
	if err != nil {
		t.Fatal(err)
	}
	var rec recording
	if err := json.Unmarshal(data, &rec); err != nil {
		t.Fatalf("%s/%s: %v", kind, name, err)
	}
	if rec.Source == "" || len(rec.Exchanges) == 0 {
		t.Fatalf("%s/%s: no source or no exchanges", kind, name)
	}
	return rec
}

// replay is a server that expects the recorded requests in their order, and gives the recorded answers.
type replay struct {
	t         testing.TB
	mu        sync.Mutex
	exchanges []exchange
}

// serve starts a server below a path of its own, and returns its URL. When the test ends, all must have been asked for.
func serve(t testing.TB, exchanges []exchange) (baseURL string) {
	t.Helper()
	r := &replay{t: t, exchanges: exchanges}
	srv := httptest.NewServer(http.StripPrefix("/base", r))
	t.Cleanup(func() {
		srv.Close()
		if n := len(r.exchanges); n > 0 {
			next := r.exchanges[0].Request
			t.Errorf("%d recorded requests did not come, first %s %s", n, next.Method, next.Path)
		}
	})
	return srv.URL + "/base"
}

func (p *replay) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.exchanges) == 0 {
		p.t.Errorf("unexpected %s %s", r.Method, r.URL)
		w.WriteHeader(http.StatusTeapot)
		return
	}
	x := p.exchanges[0]
	p.exchanges = p.exchanges[1:]
	if r.Method != x.Request.Method || r.URL.RequestURI() != x.Request.Path {
		p.t.Errorf("got %s %s, recorded %s %s", r.Method, r.URL.RequestURI(), x.Request.Method, x.Request.Path)
	}
	for _, secret := range []string{"test-password", "the-password", "another-password", "fake-token"} {
		if strings.Contains(r.URL.String(), secret) {
			p.t.Errorf("%s %s: a secret in the URL", r.Method, r.URL)
		}
	}
	for _, name := range keptHeaders {
		if got, want := r.Header.Get(name), x.Request.Header[name]; got != want {
			p.t.Errorf("%s %s: %s is %q, recorded %q", r.Method, r.URL, name, got, want)
		}
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		p.t.Error(err)
	}
	if !sameJSON(body, x.Request.Body) {
		p.t.Errorf("%s %s: got %s, recorded %s", r.Method, r.URL, body, x.Request.Body)
	}
	for name, value := range x.Answer.Header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(x.Answer.Status)
	if x.Answer.Body != nil {
		w.Write(x.Answer.Body)
	} else {
		io.WriteString(w, x.Answer.Text)
	}
}

// keptHeaders are the headers of requests that matter to the servers.
var keptHeaders = []string{"Accept", "Apikey", "Authorization", "Content-Type"}

func sameJSON(a, b []byte) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b)
	}
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// player asks an adapter as a client would, and remembers the session.
type player struct {
	transport http.RoundTripper
	base      string
	token     string
}

// said is what an adapter answered.
type said struct {
	Status     int
	Reason     string // of a refusal
	RetryMS    int64
	RetryAfter string // header
	PlayerID   uint64
}

func newPlayer(t testing.TB, cfg adapter.Config, base string, next http.RoundTripper) *player {
	t.Helper()
	rt, err := adapter.New(cfg, next)
	if err != nil {
		t.Fatal(err)
	}
	return &player{transport: rt, base: base}
}

// ask sends "METHOD /path" with a body, which may be empty.
func (p *player) ask(t testing.TB, what, body string) said {
	t.Helper()
	method, path, _ := strings.Cut(what, " ")
	req, err := http.NewRequestWithContext(t.Context(), method, p.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if p.token != "" {
		req.Header.Set("Authorization", "Bearer "+p.token)
	}
	resp, err := p.transport.RoundTrip(req)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var b struct {
		Reason   string `json:"reason"`
		Message  string `json:"message"`
		RetryMS  int64  `json:"retry_after_ms"`
		PlayerID uint64 `json:"player_id"`
		Token    string `json:"session_token"`
		Expires  string `json:"expires_at"`
	}
	if len(data) > 0 {
		if err := json.Unmarshal(data, &b); err != nil {
			t.Errorf("%s: %v in %s", what, err, data)
		}
		if (b.Reason == "") != (b.Message == "") || (b.PlayerID == 0) != (b.Expires == "") {
			t.Errorf("%s: not an answer of Rushgate: %s", what, data)
		}
	}
	if b.Token != "" {
		p.token = b.Token
	}
	return said{resp.StatusCode, b.Reason, b.RetryMS, resp.Header.Get("Retry-After"), b.PlayerID}
}
