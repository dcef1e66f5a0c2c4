package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/internal/opaqueclient"
)

// Whatever a server answers that was asked to begin, the client goes on only with what can be finished, and tells
// nothing of the password.
func FuzzOpaqueBeginning(f *testing.F) {
	zeros := encode(make([]byte, 320))
	for _, body := range []string{
		``, `{}`, `{"ke2":"AAAA","state":"AAAA","state_valid_ms":60000}`, `{"ke2":"` + zeros + `","state":"A"}`,
		`{"response":"` + zeros[:86] + `","state":"A","state_valid_ms":-1}`, `{"ke2":1}`, `{"ke2":"` + zeros + `="}`,
	} {
		f.Add(200, []byte(body))
	}
	f.Add(404, []byte(`{"reason":"missing-credentials","message":"correct horse"}`))
	c, err := New("http://node.test", Options{Opaque: OpaqueOnly})
	if err != nil {
		f.Fatal(err)
	}
	c.proofs.Cost = opaqueclient.Cost{Passes: 1, Memory: 8, Lanes: 1}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		send := func(context.Context, *request) (answer, error) {
			return answer{status: status, header: http.Header{}, body: body}, nil
		}
		r := request{op: "login", path: "/", secrets: []string{"correct horse"}}
		for name, begin := range map[string]func() (*begun, error){
			"login":        func() (*begun, error) { return c.prove(t.Context(), send, r, nil, "correct horse", &Answer{}) },
			"registration": func() (*begun, error) { return c.enlist(t.Context(), send, r, nil, "correct horse", &Answer{}) },
		} {
			b, err := begin()
			switch {
			case err == nil && (status != http.StatusOK || !urlSafe(b.State, 1, maxOpaqueState) || b.Message == ""):
				t.Errorf("%s goes on with %+v", name, b)
			case err != nil && strings.Contains(fmt.Sprint(err), "correct horse"):
				t.Errorf("%s: the error has the password: %v", name, err)
			case status == http.StatusNotFound && !errors.Is(err, errUnknownThere):
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
