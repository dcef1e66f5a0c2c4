package admin

import (
	"net/http"
	"strings"
	"testing"
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
