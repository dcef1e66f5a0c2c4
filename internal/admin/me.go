package admin

import (
	_ "embed"
	"net/http"
)

//go:embed openapi.yaml
var openAPI []byte

// serveMe says who asks, and what can be asked.
func serveMe(mux *routes, access *access) {
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		who := personOf(r.Context())
		writeJSON(w, http.StatusOK, struct {
			Name  string `json:"name"`
			Role  string `json:"role"`
			Token bool   `json:"token"` // was asked for
		}{who.name, who.role.String(), !access.unasked()})
	})
	mux.HandleFunc("GET /openapi.yaml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		w.Write(openAPI)
	})
}

// serveStatus answers with the newest sample of the history.
func serveStatus(mux *routes, h *History) {
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		now := h.latest()
		if now == nil {
			writeProblem(w, http.StatusServiceUnavailable, "the node has no figures yet; try again")
			return
		}
		writeJSON(w, http.StatusOK, now)
	})
}
