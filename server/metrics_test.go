package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/redistest"
	"github.com/rushgate/rushgate/server"
)

// operator asks a path of the admin listener.
func operator(t *testing.T, s *server.Server, path string) (status int, body string) {
	t.Helper()
	resp, err := http.Get("http://" + s.AdminAddr().String() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// exposition returns what Prometheus would read.
func exposition(t *testing.T, s *server.Server) string {
	t.Helper()
	status, body := operator(t, s, "/metrics")
	if status != http.StatusOK {
		t.Fatalf("/metrics: %d\n%s", status, body)
	}
	return body
}

// family is what a document or an exposition says of the metrics of one name.
type family struct {
	kind   string
	labels string // names, sorted, with spaces between; without le
}

var (
	typeLine   = regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`)
	sampleLine = regexp.MustCompile(`(?m)^([a-z_]+)(?:\{(.*)\})? `)
	labelName  = regexp.MustCompile(`([a-z_]+)="`)
	quoted     = regexp.MustCompile("`([^`]+)`")
)

// families reads an exposition.
func families(t *testing.T, text string) map[string]family {
	t.Helper()
	all := make(map[string]family)
	for _, m := range typeLine.FindAllStringSubmatch(text, -1) {
		all[m[1]] = family{kind: m[2]}
	}
	for _, m := range sampleLine.FindAllStringSubmatch(text, -1) {
		name := m[1]
		if _, ok := all[name]; !ok {
			name = regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
		}
		f, ok := all[name]
		if !ok {
			t.Errorf("sample %s has no type", m[1])
			continue
		}
		labels := strings.Fields(f.labels)
		for _, l := range labelName.FindAllStringSubmatch(m[2], -1) {
			if l[1] != "le" && !slices.Contains(labels, l[1]) {
				labels = append(labels, l[1])
			}
		}
		slices.Sort(labels)
		f.labels = strings.Join(labels, " ")
		all[name] = f
	}
	return all
}

// documented reads the tables of docs/metrics.md.
func documented(t *testing.T) (all map[string]family, text string) {
	t.Helper()
	doc, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	all = make(map[string]family)
	for line := range strings.Lines(string(doc)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 8 || !strings.HasPrefix(line, "| `") {
			continue
		}
		var labels []string
		for _, l := range quoted.FindAllStringSubmatch(cells[3], -1) {
			labels = append(labels, l[1])
		}
		slices.Sort(labels)
		for _, m := range quoted.FindAllStringSubmatch(cells[1], -1) {
			if _, twice := all[m[1]]; twice {
				t.Errorf("docs/metrics.md has %s twice", m[1])
			}
			all[m[1]] = family{strings.TrimSpace(cells[2]), strings.Join(labels, " ")}
			if strings.TrimSpace(cells[4]) == "" {
				t.Errorf("docs/metrics.md has no unit for %s", m[1])
			}
		}
	}
	return all, string(doc)
}

// The document lists what a node exports, no more and no less, with types, labels and bounds.
func TestMetricsAreDocumented(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the document is about Linux")
	}
	cfg := config(t, t.TempDir())
	cfg.Opaque = server.OpaquePrefer
	cfg.TLS = true                                                                // its certificate has figures
	cfg.SMTPURL, cfg.MailFrom = "smtps://mail.example.org", "noreply@example.org" // nothing is sent
	cfg.Provers = map[string]server.Prover{"launcher": func(context.Context, []byte) (server.ProvenIdentity, error) {
		return server.ProvenIdentity{}, nil
	}}
	cfg.SteamReturn = "https://play.example.org/play/back/steam" // which is called, and has figures of calls
	exposed := exposition(t, start(t, cfg))
	got := families(t, exposed)
	want, doc := documented(t)
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if f, ok := want[name]; !ok {
			t.Errorf("%s is not in docs/metrics.md", name)
		} else if f != got[name] {
			t.Errorf("%s is %+v, in docs/metrics.md %+v", name, got[name], f)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if _, ok := got[name]; !ok {
			t.Errorf("%s is in docs/metrics.md only", name)
		}
	}
	for row, metric := range map[string]string{
		"waiting, stages, store": "rushgate_auth_wait_seconds", "tick": "rushgate_tick_lateness_seconds",
		"batch size": "rushgate_auth_batch_size",
	} {
		_, after, _ := strings.Cut(doc, "| "+row+" | ")
		bounds, _, _ := strings.Cut(strings.NewReplacer(",", "", " (requests)", "").Replace(after), " |")
		var exported []string
		for _, m := range regexp.MustCompile(metric+`_bucket\{le="([0-9.e-]+)"\}`).FindAllStringSubmatch(exposed, -1) {
			le, err := strconv.ParseFloat(m[1], 64)
			if err != nil {
				t.Fatal(err)
			}
			exported = append(exported, strconv.FormatFloat(le, 'f', -1, 64))
		}
		if got := strings.Join(exported, " "); got == "" || got != bounds {
			t.Errorf("%s has bounds %s, in docs/metrics.md %s", metric, got, bounds)
		}
	}
}

// Whatever is exported to Prometheus is in the dump by the same name.
func TestDumpHasEveryMetric(t *testing.T) {
	s := start(t, config(t, t.TempDir()))
	var dump struct{ Metrics map[string]float64 }
	if err := json.Unmarshal([]byte(metrics(t, s)), &dump); err != nil {
		t.Fatal(err)
	}
	for name, f := range families(t, exposition(t, s)) {
		if f.kind == "histogram" || f.kind == "summary" {
			name += "_count"
		}
		if !slices.ContainsFunc(slices.Collect(maps.Keys(dump.Metrics)), func(sample string) bool {
			return sample == name || strings.HasPrefix(sample, name+"{")
		}) {
			t.Errorf("the dump has no %s", name)
		}
	}
	if got := dump.Metrics[`rushgate_auth_queue_capacity`]; got != 200 {
		t.Errorf("the queue's capacity is %v in the dump, want 200", got)
	}
	if _, ok := dump.Metrics[`rushgate_auth_stage_seconds_count{stage="load"}`]; !ok {
		t.Error("the dump has no labels")
	}
}

func TestMetricsKeepTheConventions(t *testing.T) {
	text := exposition(t, start(t, config(t, t.TempDir())))
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	promtool(t, strings.NewReader(text), "check", "metrics")
}

// value returns the value of one sample, written as in the exposition.
func value(t *testing.T, text, sample string) float64 {
	t.Helper()
	_, after, ok := strings.Cut("\n"+text, "\n"+sample+" ")
	var v float64
	if _, err := fmt.Sscan(after, &v); !ok || err != nil {
		t.Fatalf("there is no %s", sample)
	}
	return v
}

// A player's way through the door and out again shows in the figures.
func TestMetricsOfALogin(t *testing.T) {
	s := start(t, config(t, t.TempDir()))
	c := newClient(t, s, client.Options{})
	session, err := c.Register(t.Context(), "alice", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Login(t.Context(), "alice", "wrong"); !errors.Is(err, rushgate.BadCredentials) {
		t.Fatalf("login with a wrong password: %v", err)
	}
	want := func(samples map[string]float64) {
		t.Helper()
		text := exposition(t, s)
		for sample, v := range samples {
			if got := value(t, text, sample); got != v {
				t.Errorf("%s is %v, want %v", sample, got, v)
			}
		}
	}
	want(map[string]float64{
		`rushgate_auth_requests_total{outcome="success"}`:           1,
		`rushgate_auth_requests_total{outcome="failed"}`:            1,
		`rushgate_auth_requests_total{outcome="busy"}`:              0,
		`rushgate_auth_failures_total{reason="bad-credentials"}`:    1,
		`rushgate_auth_failures_total{reason="internal-error"}`:     0,
		`rushgate_auth_queued_total`:                                2,
		`rushgate_auth_queue_capacity`:                              200,
		`rushgate_auth_wait_seconds_count`:                          2,
		`rushgate_auth_wait_seconds_bucket{le="+Inf"}`:              2,
		`rushgate_auth_batch_size_sum`:                              2,
		`rushgate_auth_batch_size_bucket{le="1"}`:                   2,
		`rushgate_door_failing`:                                     1,
		`rushgate_door_seats`:                                       1,
		`rushgate_store_call_seconds_count{operation="admit"}`:      1,
		`rushgate_store_call_seconds_count{operation="presence"}`:   0,
		`rushgate_store_errors_total{operation="admit"}`:            0,
		`rushgate_store_circuit_open`:                               0,
		`rushgate_leases_held`:                                      1,
		`rushgate_players`:                                          1,
		`rushgate_sessions_opened_total`:                            1,
		`rushgate_draining`:                                         0,
		`rushgate_log_lines_lost_total`:                             0,
		`rushgate_udp_clients`:                                      0,
		`rushgate_udp_ignored_packets_total{cause="undecryptable"}`: 0,
	})
	text := exposition(t, s)
	for _, sample := range []string{
		"rushgate_ticks_total", "rushgate_tick_lateness_seconds_count", "rushgate_auth_hash_seconds",
	} {
		if value(t, text, sample) <= 0 {
			t.Errorf("%s is 0", sample)
		}
	}
	if err := session.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(map[string]float64{
		"rushgate_leases_held": 0, "rushgate_players": 0,
		"rushgate_sessions_closed_total": 1, "rushgate_leases_lost_total": 0,
	})
}

// What the doorman refuses shows like every other refusal, and so does what has answered it.
func TestMetricsOfARefusal(t *testing.T) {
	s := start(t, config(t, t.TempDir()))
	transport := &http.Transport{DisableKeepAlives: true} // the next request of a connection is the API's
	c := newClient(t, s, client.Options{Transport: transport, NoLine: true})
	for range 5 {
		if _, err := c.Login(t.Context(), "alice", "wrong"); !errors.Is(err, rushgate.BadCredentials) {
			t.Fatalf("login with a wrong password: %v", err)
		}
	}
	for range 2 {
		if _, err := c.Login(t.Context(), "alice", "wrong"); !errors.Is(err, rushgate.RateLimited) {
			t.Fatalf("login of an account that is locked: %v", err)
		}
	}
	by, other := "doorman", "api"
	if runtime.GOOS != "linux" {
		by, other = other, by
	}
	text := exposition(t, s)
	for sample, v := range map[string]float64{
		`rushgate_auth_requests_total{outcome="rate_limited"}`:            2,
		`rushgate_door_refusals_total{by="` + by + `",cause="locked"}`:    2,
		`rushgate_door_refusals_total{by="` + other + `",cause="locked"}`: 0,
		`rushgate_doorman_connections_accepted_total`:                     7,
		`rushgate_doorman_connections_closed_total{cause="silent"}`:       0,
		`rushgate_doorman_bounded`:                                        0,
		`rushgate_doorman_allowed_cores`:                                  float64(runtime.GOMAXPROCS(0)),
	} {
		if got := value(t, text, sample); got != v {
			t.Errorf("%s is %v, want %v", sample, got, v)
		}
	}
	if strings.Contains(text, "rushgate_doorman_handshakes") {
		t.Error("there are handshakes without TLS")
	}
	if runtime.GOOS != "linux" {
		return
	}
	if limit := value(t, text, "rushgate_accept_queue_limit"); limit < 1 {
		t.Errorf("%v connections can wait", limit)
	}
	for _, part := range []string{"tick", "hash", "door", "rest"} {
		waitUntil(t, func() bool { // the tick may have had no turn yet
			return value(t, exposition(t, s), `rushgate_cpu_seconds_total{part="`+part+`"}`) > 0
		})
	}
}

// A node without a realtime channel has no figures for it, and says that it is ready until it drains.
func TestOperatorWithoutUDP(t *testing.T) {
	cfg := config(t, t.TempDir())
	cfg.UDPAddr = server.NoUDP
	s := start(t, cfg)
	if text := exposition(t, s); strings.Contains(text, "rushgate_udp") || !strings.Contains(text, "rushgate_players 0") {
		t.Errorf("exported:\n%s", text)
	}
	for path, want := range map[string]string{"/healthz": "ok\n", "/readyz": "ok\n"} {
		if status, body := operator(t, s, path); status != http.StatusOK || body != want {
			t.Errorf("%s: %d %q", path, status, body)
		}
	}
	if status, _ := operator(t, s, "/debug/pprof/goroutine"); status != http.StatusOK {
		t.Errorf("profile of the goroutines: %d", status)
	}
}

// What breaks off the way to the store shows in the figures, and no player is sent to such a node.
func TestOperatorSeesAStoreThatIsAway(t *testing.T) {
	r := redistest.Start(t)
	s := start(t, onRedis(t, r))
	if status, body := operator(t, s, "/readyz"); status != http.StatusOK {
		t.Fatalf("before: %d %s", status, body)
	}
	r.Kill()
	await(t, "circuit that is open", func(context.Context) bool {
		operator(t, s, "/readyz") // each a call for the circuit to count
		return value(t, exposition(t, s), "rushgate_store_circuit_open") == 1
	})
	await(t, "node that is not ready", func(context.Context) bool {
		status, body := operator(t, s, "/readyz")
		return status == http.StatusServiceUnavailable && body == "the store takes no writes\n"
	})
	text := exposition(t, s)
	if n := value(t, text, "rushgate_store_circuit_openings_total"); n != 1 {
		t.Errorf("the circuit has opened %v times, want once", n)
	}
	if value(t, text, `rushgate_store_errors_total{operation="ping"}`) == 0 {
		t.Error("no call has failed")
	}
	r.Restart()
	await(t, "node that is ready again", func(context.Context) bool {
		status, _ := operator(t, s, "/readyz")
		return status == http.StatusOK && value(t, exposition(t, s), "rushgate_store_circuit_open") == 0
	})
}
