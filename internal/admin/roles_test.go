package admin

import (
	"net/http"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
)

// What asks nobody who they are is what the guard lets through to, and nothing else.
func TestRolesAndTheGuardAgree(t *testing.T) {
	for pattern, least := range leastRoles {
		_, path, _ := strings.Cut(pattern, " ")
		path = strings.TrimSuffix(path, "{$}")
		free := open(path) || public(path)
		if pattern == "POST /logout" { // of a cookie that may have ended
			free = true
		}
		if free != (least == everybody) {
			t.Errorf("%s: it takes the role %v, and the guard lets everybody through: %v", pattern, least, free)
		}
	}
}

// A route that nobody has given a role cannot be served.
func TestRouteWithoutARole(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("it is served")
		}
	}()
	(&routes{http.NewServeMux()}).HandleFunc("GET /nothing", func(http.ResponseWriter, *http.Request) {})
}

// Ids are written as ranges, in texts that fit into the audit log; those that are not there are left out.
func TestRanges(t *testing.T) {
	for want, ids := range map[string][]rushgate.PlayerID{
		"": {0, 0}, "7": {7, 0, 7}, "1-3,5": {3, 1, 5, 2}, "1,3": {3, 1},
	} {
		if got := strings.Join(ranges(ids), "|"); got != want {
			t.Errorf("%v is %q, want %q", ids, got, want)
		}
	}
	var far []rushgate.PlayerID
	for i := range maxDeleteNames {
		far = append(far, rushgate.PlayerID(1<<53-2*i-1))
	}
	texts := ranges(far)
	for _, text := range texts {
		if len(text) > maxRanges {
			t.Errorf("%d bytes", len(text))
		}
	}
	if len(texts) > rushgate.MaxAuditAppend {
		t.Errorf("%d texts", len(texts))
	}
	if n := strings.Count(strings.Join(texts, ","), ",") + 1; n != maxDeleteNames {
		t.Errorf("%d ids", n)
	}
}
