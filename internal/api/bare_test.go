package api

import (
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
)

// What has no body by the OpenAPI document takes an empty one, or {}, and refuses every other; nothing is done then.
func TestUnwantedBodies(t *testing.T) {
	d, _ := newMintDoor(t)
	in := d.call(t, "POST", "/v1/register", creds("alice", "correct horse"), "192.0.2.1", "")
	token, _ := in.json["session_token"].(string)
	call := func(method, path, body string) exchange {
		t.Helper()
		return d.call(t, method, path, body, "192.0.2.1", token)
	}
	seen := 0
	for path, item := range document(t)["paths"].(map[string]any) {
		for method, operation := range item.(map[string]any) {
			_, wanted := operation.(map[string]any)["requestBody"]
			if wanted || method != "post" && method != "delete" {
				continue
			}
			seen++
			at := strings.Replace(path, "{handle}", "none", 1)
			for _, body := range []string{"x", "{", "[]", `{"username":"alice"}`, "{}{}", strings.Repeat(" ", MaxBody+1)} {
				e := call(strings.ToUpper(method), at, body)
				if e.status != 400 || e.json["reason"] != string(rushgate.MissingCredentials) {
					t.Errorf("%s %s with %.20q: %d %s", method, path, body, e.status, e.body)
				}
			}
		}
	}
	if seen < 6 {
		t.Errorf("%d routes take no body", seen)
	}
	call("POST", "/v1/connect", "").want(t, "connect", 200, "")
	call("POST", "/v1/connect", " {} ").want(t, "connect", 200, "")
	call("POST", "/v1/logout", "{}").want(t, "logout", 204, "")
}
