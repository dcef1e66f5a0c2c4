package admin_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rushgate/rushgate/internal/admin"
	"github.com/rushgate/rushgate/internal/metric"
	"github.com/rushgate/rushgate/internal/ready"
)

// config is that of a node whose store answers.
func config() admin.Config {
	return admin.Config{
		Sections: admin.Sections{"numbers": func() any { return []int{1, 2} }},
		Metrics:  prometheus.NewRegistry(),
		Ready:    ready.New(func() bool { return false }, func(context.Context) error { return nil }),
		Logger:   slog.New(slog.DiscardHandler),
	}
}

func textLog(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

func get(h http.Handler, path string) *httptest.ResponseRecorder { return do(h, "GET", path, "") }

func TestPaths(t *testing.T) {
	registry, err := admin.NewRegistry(metric.Collector(func(out metric.Scrape) { out.Gauge("rushgate_x", "An x.", 3) }))
	if err != nil {
		t.Fatal(err)
	}
	cfg := config()
	cfg.Metrics = registry
	h := admin.New(cfg)
	for path, want := range map[string]struct {
		status int
		body   string // is in the answer
	}{
		"/healthz":                         {200, "ok\n"},
		"/readyz":                          {200, "ok\n"},
		"/metrics.json":                    {200, `"numbers": [`},
		"/metrics":                         {200, "\n# HELP rushgate_x An x.\n# TYPE rushgate_x gauge\nrushgate_x 3\n"},
		"/debug/pprof/":                    {200, "goroutine"},
		"/debug/pprof/goroutine?debug=1":   {200, "goroutine profile"},
		"/debug/pprof/trace?seconds=0.001": {200, "go 1."},
		"/debug/pprof/symbol":              {200, "num_symbols"},
		"/debug/pprof/cmdline":             {404, "Unknown profile"},
		"/debug/vars":                      {404, ""},
		"/":                                {404, ""},
	} {
		if w := get(h, path); w.Code != want.status || !strings.Contains(w.Body.String(), want.body) {
			t.Errorf("GET %s = %d\n%.300s\nwant %d with %q", path, w.Code, w.Body, want.status, want.body)
		}
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/metrics.json", "/debug/pprof/profile"} {
		if w := do(h, "POST", path, ""); w.Code != http.StatusMethodNotAllowed {
			t.Errorf("POST %s = %d", path, w.Code)
		} else if h := w.Header(); h.Get("Content-Type") != "application/json" || h.Get("Allow") != "GET, HEAD" ||
			!strings.Contains(w.Body.String(), `{"error":"what can be asked here is GET, HEAD"}`) {
			t.Errorf("POST %s: %s, %v", path, w.Body, h)
		}
	}
	if w := get(h, "/nothing"); w.Header().Get("Content-Type") != "application/json" ||
		w.Body.String() != `{"error":"there is nothing at this path"}`+"\n" {
		t.Errorf("GET /nothing: %v, %s", w.Header(), w.Body)
	}
}

// A metric that cannot be collected costs none of the others, and the log says why.
func TestOneBadMetric(t *testing.T) {
	var log strings.Builder
	cfg := config()
	cfg.Logger = textLog(&log)
	registry, err := admin.NewRegistry(metric.Collector(func(out metric.Scrape) {
		out.Counter("rushgate_good_total", "A good one.", 1)
		out.Counter("rushgate_bad_total", "Half a label.", 1, "label")
	}))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Metrics = registry
	w := get(admin.New(cfg), "/metrics")
	body := w.Body.String()
	if w.Code != 200 || !strings.Contains(body, "\nrushgate_good_total 1\n") || strings.Contains(body, "bad") {
		t.Errorf("%d\n%s", w.Code, body)
	}
	if !strings.Contains(log.String(), "rushgate_bad_total") {
		t.Errorf("the log says %q", log.String())
	}
}

func TestMetricsThatContradictEachOther(t *testing.T) {
	one := metric.Collector(func(out metric.Scrape) { out.Gauge("rushgate_x", "An x.", 3) })
	other := metric.Collector(func(out metric.Scrape) { out.Gauge("rushgate_x", "Another x.", 3) })
	if _, err := admin.NewRegistry(one, other); err == nil {
		t.Error("two metrics of one name were accepted")
	}
}

// A profile takes as long as it was asked to, also if that is longer than the server gives other requests.
func TestProfileOutlastsTimeouts(t *testing.T) {
	srv := httptest.NewUnstartedServer(admin.New(config()))
	// a busy machine takes a while
	srv.Config.ReadTimeout, srv.Config.WriteTimeout = 900*time.Millisecond, 900*time.Millisecond
	srv.Start()
	defer srv.Close()
	start := time.Now()
	resp, err := http.Get(srv.URL + "/debug/pprof/profile?seconds=1")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if took := time.Since(start); err != nil || resp.StatusCode != 200 || len(body) == 0 || took < time.Second {
		t.Errorf("after %v: %s, %d bytes, %v", took, resp.Status, len(body), err)
	}
}

var errAway = errors.New("redis://user:secret@10.0.0.1:6379 is away")
