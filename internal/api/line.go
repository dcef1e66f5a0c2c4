package api

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/rushgate/rushgate/internal/line"
)

// lineFresh is for how long the document of a line is given out before it is made anew.
const lineFresh = 250 * time.Millisecond

// lineDocuments are those of the two lines.
type lineDocuments struct{ door, world lineDocument }

// lineDocument is what all who wait are told alike, made a few times a second however many ask.
type lineDocument struct {
	mu   sync.Mutex
	made time.Time
	body []byte
}

// lineBody is a [line.Document], what a new place costs, and where to knock by UDP.
type lineBody struct {
	line.Document
	workBody
	UDP []string `json:"udp,omitempty"` // host:port
}

// line answers with the document from which a client computes its own place, in the line before the door or in that of
// the world. Proxies may keep it for a second.
func (h *handler) line(w http.ResponseWriter, r *http.Request) {
	var body []byte
	switch which := r.URL.Query()["line"]; {
	case len(which) == 0 || len(which) == 1 && (which[0] == "door" || which[0] == ""):
		body = h.documents.door.fresh(func() lineBody {
			b := lineBody{Document: h.Door.Document(), workBody: newWorkBody(h.Door.Work())}
			if h.KnockAddrs != nil {
				b.UDP = h.KnockAddrs()
			}
			return b
		})
	case len(which) == 1 && which[0] == "world":
		body = h.documents.world.fresh(func() lineBody { return lineBody{Document: h.Door.WorldDocument()} })
	default:
		h.refuse(w, malformed{"line must be door or world."})
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "public, max-age=1")
	w.Write(body)
}

// fresh returns the document, made anew if it is time.
func (d *lineDocument) fresh(make func() lineBody) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now := time.Now(); d.body == nil || now.Sub(d.made) >= lineFresh {
		b, err := json.Marshal(make())
		if err != nil { // it is of numbers and strings
			panic(err)
		}
		d.made, d.body = now, append(b, '\n')
	}
	return d.body
}
