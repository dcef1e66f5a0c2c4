package unserved

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestHandler(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /here/{name}", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.PathValue("name")) })
	h := Handler(mux, func(w http.ResponseWriter, _ *http.Request, status int, allowed string) {
		fmt.Fprintf(w, "%d %s", status, allowed)
	})
	for request, want := range map[[2]string]string{
		{"GET", "/here/it-is"}: "it-is",
		{"POST", "/here/it"}:   "405 GET, HEAD",
		{"GET", "/elsewhere"}:  "404 ",
		{"DELETE", "/"}:        "404 ",
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(request[0], request[1], nil))
		if got := w.Body.String(); got != want {
			t.Errorf("%v: %q, want %q", request, got, want)
		}
	}
}
