package adapter_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/internal/stress/adapter"
)

var (
	recordURL   = flag.String("record", "", "`URL` of a fresh server to record what TestRecordedServers replays")
	recordKind  = flag.String("record.kind", "", "`KIND` of that server")
	recordFrom  = flag.String("record.source", "", "`NAME` and version of that server")
	recordCases = flag.String("record.cases", "", "comma-separated `NAMES` of the cases to record")
)

// TestRecord writes recordings, with tokens replaced. It holds the server to the same expectations as the replay.
func TestRecord(t *testing.T) {
	if *recordURL == "" {
		t.Skip("no -record")
	}
	base, err := url.Parse(*recordURL)
	if err != nil {
		t.Fatal(err)
	}
	kind := adapter.Kind(*recordKind)
	names := strings.Split(*recordCases, ",")
	for _, sc := range slices.Concat(scenarios, particular[kind]) {
		if !slices.Contains(names, sc.name) {
			continue
		}
		t.Run(sc.name, func(t *testing.T) {
			r := &recorder{t: t, next: newTransport(t), prefix: strings.TrimRight(base.Path, "/")}
			newPlayer(t, adapter.Config{Kind: kind}, *recordURL, r).play(t, sc)
			r.write(recordingFile(kind, sc.name))
		})
	}
}

// recorder is a transport that keeps what passes.
type recorder struct {
	t      *testing.T
	next   http.RoundTripper
	prefix string // of the server's paths
	kept   []exchange
	tokens []string
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	var x exchange
	x.Request.Method, x.Request.Path = req.Method, strings.TrimPrefix(req.URL.RequestURI(), r.prefix)
	x.Request.Header = map[string]string{}
	for _, name := range keptHeaders {
		if v := req.Header.Get(name); v != "" {
			x.Request.Header[name] = v
		}
	}
	if req.Body != nil {
		data, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		x.Request.Body = data
		req.Body = io.NopCloser(bytes.NewReader(data))
	}
	resp, err := r.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(data))
	x.Answer.Status, x.Answer.Header = resp.StatusCode, map[string]string{}
	for _, name := range []string{"Content-Type", "Retry-After"} {
		if v := resp.Header.Get(name); v != "" {
			x.Answer.Header[name] = v
		}
	}
	if json.Valid(data) {
		x.Answer.Body = data
		r.findTokens(data)
	} else {
		x.Answer.Text = string(data)
	}
	r.kept = append(r.kept, x)
	return resp, nil
}

// findTokens notes the tokens in an answer.
func (r *recorder) findTokens(data []byte) {
	var fields map[string]any
	if json.Unmarshal(data, &fields) != nil {
		return
	}
	for _, name := range []string{"token", "refresh_token", "access_token", "session_token"} {
		if v, _ := fields[name].(string); v != "" {
			r.tokens = append(r.tokens, v)
		}
	}
}

func (r *recorder) write(file string) {
	data, err := json.MarshalIndent(recording{Source: *recordFrom, Exchanges: r.kept}, "", "  ")
	if err != nil {
		r.t.Fatal(err)
	}
	for i, v := range r.tokens {
		data = bytes.ReplaceAll(data, []byte(v), fmt.Appendf(nil, "fake-token-%d", i+1))
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(file, append(data, '\n'), 0o644); err != nil {
		r.t.Fatal(err)
	}
}
