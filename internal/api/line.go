package api

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/rushgate/rushgate/internal/line"
)

// lineFresh is for how long the document of the line is given out before it is made anew.
const lineFresh = 250 * time.Millisecond

// lineDocument is what all who wait are told alike, made a few times a second however many ask.
type lineDocument struct {
	mu   sync.Mutex
	made time.Time
	body []byte
}

// lineBody is a [line.Document] and where to knock by UDP.
type lineBody struct {
	line.Document
	UDP []string `json:"udp,omitempty"` // host:port
}

// line answers with the document from which a client computes its own place. Proxies may keep it for a second.
func (h *handler) line(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "public, max-age=1")
	w.Write(h.lineDocument())
}

func (h *handler) lineDocument() []byte {
	d := &h.document
	d.mu.Lock()
	defer d.mu.Unlock()
	if now := time.Now(); d.body == nil || now.Sub(d.made) >= lineFresh {
		body := lineBody{Document: h.Door.Document()}
		if h.KnockAddrs != nil {
			body.UDP = h.KnockAddrs()
		}
		b, err := json.Marshal(body)
		if err != nil { // it is of numbers and strings
			panic(err)
		}
		d.made, d.body = now, append(b, '\n')
	}
	return d.body
}
