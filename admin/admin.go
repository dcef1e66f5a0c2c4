// Package admin is the operator's door: health and everything the node measures, on a listener of its own.
package admin

import (
	"encoding/json"
	"net/http"
)

// Sections names the parts of the metrics dump and how to get each; the results must be fit for package json and are
// asked for with every request.
type Sections map[string]func() any

// New returns the operator's handler: GET /healthz and GET /metrics.json.
func New(sections Sections) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Write([]byte("ok\n"))
	})
	mux.HandleFunc("GET /metrics.json", func(w http.ResponseWriter, _ *http.Request) {
		dump := make(map[string]any, len(sections))
		for name, section := range sections {
			dump[name] = section()
		}
		body, err := json.MarshalIndent(dump, "", "  ")
		if err != nil {
			http.Error(w, "the metrics cannot be written as JSON", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(append(body, '\n'))
	})
	return mux
}
