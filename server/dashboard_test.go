package server_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/rushgate/rushgate/internal/auth"
)

// dashboardQueries returns the expressions of the dashboard as they stand there.
func dashboardQueries(t *testing.T) (queries []string) {
	t.Helper()
	file, err := os.ReadFile("../deploy/grafana/rushgate.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard any
	if err := json.Unmarshal(file, &dashboard); err != nil {
		t.Fatal(err)
	}
	var visit func(any)
	visit = func(node any) {
		switch node := node.(type) {
		case map[string]any:
			for key, child := range node {
				if expr, ok := child.(string); ok && key == "expr" {
					queries = append(queries, expr)
				}
				visit(child)
			}
		case []any:
			for _, child := range node {
				visit(child)
			}
		}
	}
	visit(dashboard)
	slices.Sort(queries)
	return queries
}

// alertQueries returns the expressions of the alerts.
func alertQueries(t *testing.T) (queries []string) {
	t.Helper()
	file, err := os.ReadFile("../deploy/prometheus/rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	var rules struct {
		Groups []struct{ Rules []struct{ Expr string } }
	}
	if err := yaml.Unmarshal(file, &rules); err != nil {
		t.Fatal(err)
	}
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			queries = append(queries, r.Expr)
		}
	}
	return queries
}

var (
	notMetrics = regexp.MustCompile(`"[^"]*"|\{[^{}]*\}|\[[^\]]*\]|\b(by|without|on|ignoring)\s*\([^)]*\)`)
	identifier = regexp.MustCompile(`\b[a-zA-Z_:][a-zA-Z0-9_:]*\b\s*\(?`)
	operators  = []string{"and", "or", "unless", "bool"}
	ofFamily   = regexp.MustCompile(`_(bucket|sum|count)$`)
)

// metricNames returns the names of the metrics in an expression: what is neither a function nor a label.
func metricNames(expr string) (names []string) {
	bare := notMetrics.ReplaceAllString(expr, " ")
	bare = notMetrics.ReplaceAllString(bare, " ") // braces with strings in them
	for _, word := range identifier.FindAllString(bare, -1) {
		word = strings.TrimSpace(word)
		if !strings.HasSuffix(word, "(") && !slices.Contains(operators, word) {
			names = append(names, word)
		}
	}
	return names
}

func TestMetricNames(t *testing.T) {
	for expr, want := range map[string][]string{
		`up{job="rushgate"} == 0`: {"up"},
		`histogram_quantile(0.99, sum by (stage, le) (` +
			`rate(a_bucket{instance=~"$instance", x="{y}"}[$__rate_interval])))`: {"a_bucket"},
		"sum by (instance) (rate(a_total[5m]))\n  / sum without(x) (b_total) > 0.2": {"a_total", "b_total"},
		`60 * rate (a_total[5m])`: {"a_total"},
		"sum(a) > 0 and b\n  unless on (instance) (rate(c_total[2m]) or d > 0)": {"a", "b", "c_total", "d"},
	} {
		if got := metricNames(expr); !slices.Equal(got, want) {
			t.Errorf("%s has %q, want %q", expr, got, want)
		}
	}
}

// The dashboard and the alerts are about metrics that a node exports.
func TestQueriesUseMetricsThatExist(t *testing.T) {
	cfg := config(t, t.TempDir())
	cfg.TLS = true // its certificate has figures
	exported := families(t, exposition(t, start(t, cfg)))
	dashboard, alerts := dashboardQueries(t), alertQueries(t)
	if len(dashboard) < 20 || len(alerts) < 8 {
		t.Errorf("there are only %d queries and %d alerts", len(dashboard), len(alerts))
	}
	for _, expr := range slices.Concat(dashboard, alerts) {
		names := metricNames(expr)
		if len(names) == 0 {
			t.Errorf("no metric in %s", expr)
		}
		for _, name := range names {
			f, ok := exported[name]
			if ok && f.kind == "histogram" {
				t.Errorf("%s is a histogram, of which there is no sample by that name: %s", name, expr)
			}
			if _, part := exported[ofFamily.ReplaceAllString(name, "")]; !ok && !part && name != "up" {
				t.Errorf("no metric %s: %s", name, expr)
			}
		}
	}
}

// The operator's page has words for each reason for which players fail.
func TestReasonsHaveWords(t *testing.T) {
	script, err := os.ReadFile("../internal/admin/page/dashboard.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, reason := range append(slices.Clone(auth.Failures), "request-expired") {
		if !strings.Contains(string(script), `"`+string(reason)+`": "`) {
			t.Errorf("the page shows %s as it is", reason)
		}
	}
}
