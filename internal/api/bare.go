package api

import (
	"net/http"

	"github.com/rushgate/rushgate/internal/strictjson"
)

// bare serves a request that says everything by its path and its headers: one with a body other than {} is refused,
// since whoever sends it wants something that would not be done.
func (h *handler) bare(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := wantNoBody(r); err != nil {
			h.refuse(w, err)
			return
		}
		serve(w, r)
	}
}

// wantNoBody returns an error for a request with a body other than {}. Its errors are [malformed].
func wantNoBody(r *http.Request) error {
	if r.ContentLength == 0 {
		return nil
	}
	body, err := readBody(r)
	if err != nil || len(body) == 0 {
		return err
	}
	if _, err := strictjson.Object(body); err != nil {
		return malformed{"The body must be empty, or {}."}
	}
	return nil
}
