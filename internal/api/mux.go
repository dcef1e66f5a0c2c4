package api

import "net/http"

// refusing serves what a mux has, and refuses in its stead what it has not: every refusal is JSON.
func (h *handler) refusing(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuses, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		answer := refusal{header: make(http.Header)}
		refuses.ServeHTTP(&answer, r)
		allowed := answer.header.Get("Allow")
		if answer.status != http.StatusMethodNotAllowed || allowed == "" {
			h.refuse(w, errNoPath)
			return
		}
		w.Header().Set("Allow", allowed)
		h.refuse(w, rejection{answer.status, "What can be asked here is " + allowed + "."})
	})
}

// refusal takes what a mux answers a request for which it has no handler: of that it keeps the status and the headers.
type refusal struct {
	header http.Header
	status int
}

func (r *refusal) Header() http.Header         { return r.header }
func (r *refusal) WriteHeader(status int)      { r.status = status }
func (r *refusal) Write(b []byte) (int, error) { return len(b), nil }
