package api

import "net/http"

// refuseFor refuses what a mux has no handler for, given the status and the methods of its own refusal. To a client
// that asks for the methods it tells them.
func (h *handler) refuseFor(w http.ResponseWriter, r *http.Request, status int, allowed string) {
	if status != http.StatusMethodNotAllowed || allowed == "" {
		h.refuse(w, errNoPath)
		return
	}
	w.Header().Set("Allow", allowed)
	if r.Method == http.MethodOptions { // it asks for just that (RFC 9110 section 9.3.7)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	h.refuse(w, rejection{status, "What can be asked here is " + allowed + "."})
}

// refusingFor serves what a handler has of its own, the page at /play/, and refuses in its stead what it has not.
func (h *handler) refusingFor(page http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served := &unlessRefused{ResponseWriter: w}
		page.ServeHTTP(served, r)
		if served.status != 0 {
			h.refuseFor(w, r, served.status, w.Header().Get("Allow"))
		}
	})
}

// unlessRefused passes an answer on, but for one that there is nothing here (404) or not by this method (405), of which
// it keeps the status; its headers are set.
type unlessRefused struct {
	http.ResponseWriter
	status int
}

func (u *unlessRefused) WriteHeader(status int) {
	if status == http.StatusNotFound || status == http.StatusMethodNotAllowed {
		u.status = status
		return
	}
	u.ResponseWriter.WriteHeader(status)
}

func (u *unlessRefused) Write(b []byte) (int, error) {
	if u.status != 0 {
		return len(b), nil
	}
	return u.ResponseWriter.Write(b)
}
