package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/line"
)

const (
	// lineFresh is for how long the document of a line is given out before it is made anew.
	lineFresh = 250 * time.Millisecond
	// lineCache has proxies keep a document for a second.
	lineCache = "public, max-age=1"
)

// LineDocuments are what all who wait are told alike, in the line before the door and in that of the world, each made a
// few times a second however many ask. The fields are set before the first use; it may be used from many goroutines,
// and must not be copied.
type LineDocuments struct {
	// Door has the lines. Required.
	Door *door.Door
	// KnockAddrs returns where to knock by UDP, host:port each. It must not block. Nil means nowhere.
	KnockAddrs func() []string
	// Now is the clock by which the documents get old. Nil means [time.Now].
	Now func() time.Time

	mu          sync.Mutex
	door, world lineDocument
}

// lineDocument is the document of one line.
type lineDocument struct {
	made time.Time
	body []byte
}

// lineBody is a [line.Document], what a new place costs, and where to knock by UDP.
type lineBody struct {
	line.Document
	workBody
	UDP []string `json:"udp,omitempty"` // host:port
}

// of returns the document of a line as JSON, which the caller must not change.
func (d *LineDocuments) of(world bool) []byte {
	now := time.Now
	if d.Now != nil {
		now = d.Now
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	doc := &d.door
	if world {
		doc = &d.world
	}
	if now := now(); doc.body == nil || now.Sub(doc.made) >= lineFresh {
		b, err := json.Marshal(d.read(world))
		if err != nil { // it is of numbers and strings
			panic(err)
		}
		doc.made, doc.body = now, append(b, '\n')
	}
	return doc.body
}

// read asks the door how far a line has come.
func (d *LineDocuments) read(world bool) lineBody {
	if world {
		return lineBody{Document: d.Door.WorldDocument()}
	}
	body := lineBody{Document: d.Door.Document(), workBody: newWorkBody(d.Door.Work())}
	if d.KnockAddrs != nil {
		body.UDP = d.KnockAddrs()
	}
	return body
}

// line answers with the document from which a client computes its own place, in the line before the door or in that of
// the world.
func (h *handler) line(w http.ResponseWriter, r *http.Request) {
	var body []byte
	switch which := r.URL.Query()["line"]; {
	case len(which) == 0 || len(which) == 1 && (which[0] == "door" || which[0] == ""):
		body = h.Lines.of(false)
	case len(which) == 1 && which[0] == "world":
		body = h.Lines.of(true)
	default:
		h.refuse(w, malformed{"line must be door or world."})
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", lineCache)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
}
