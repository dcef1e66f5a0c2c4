// Package unserved answers in a server's own words what a mux has no handler for. A mux by itself says in plain text
// that there is nothing at a path, or not by a method, where all else that the server refuses is JSON.
package unserved

import "net/http"

// Handler serves what a mux has. Where it has no handler, refuse answers, given the status of the mux's own refusal and
// the methods that there are at the path, as in the header Allow; these are empty unless the status is 405.
func Handler(
	mux *http.ServeMux, refuse func(w http.ResponseWriter, r *http.Request, status int, allowed string),
) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuses, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		answer := refusal{header: make(http.Header)}
		refuses.ServeHTTP(&answer, r)
		refuse(w, r, answer.status, answer.header.Get("Allow"))
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
