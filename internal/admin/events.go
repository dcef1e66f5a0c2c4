package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// listenersAtOnce is how many streams of events there may be; further ones are refused.
	listenersAtOnce = 16
	// eventTimeout ends a stream whose reader does not take an event within it.
	eventTimeout = 10 * time.Second
)

// About says which node this is; the page shows it.
type About struct {
	Name    string    `json:"name"`    // where players reach it
	Store   string    `json:"store"`   // what kind
	Started time.Time `json:"started"` // when
	Build   Build     `json:"build"`
	// Run is unique to one start of the node.
	Run string `json:"run"`
	// Docs is where the documentation of this version is on the web, with a slash at the end. [New] fills it in.
	Docs string `json:"docs"`
	// Login says that browsers log in, so that they can log out; Operator and Role say as whom. They are filled in for
	// each reader.
	Login    bool   `json:"login"`
	Operator string `json:"operator"`
	Role     string `json:"role"`
}

// events streams a history as server-sent events (WHATWG HTML, section 9.2). Each event has the samples since the one
// before, so the history itself is the only buffer: who reads slowly gets fewer and larger events, each of which ends
// with the newest sample. There is one a second, which is also what shows that the stream lives.
type events struct {
	history   *History
	about     About
	access    *access
	listeners chan struct{} // one for each stream
}

func newEvents(h *History, about About, access *access) *events {
	return &events{history: h, about: about, access: access, listeners: make(chan struct{}, listenersAtOnce)}
}

func (e *events) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case <-e.history.quit:
		writeProblem(w, http.StatusServiceUnavailable, "the node is stopping")
		return
	default:
	}
	select {
	case e.listeners <- struct{}{}:
		defer func() { <-e.listeners }()
	default:
		w.Header().Set("Retry-After", "10")
		writeProblem(w, http.StatusServiceUnavailable, "too many dashboards are open")
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	stream := stream{w: w, control: http.NewResponseController(w), run: e.about.Run}
	stream.follow(e, r, e.seen(r.Header.Get("Last-Event-ID")))
}

// seen returns the number of the last sample that a reader had who comes back, and 0 for others.
func (e *events) seen(id string) int64 {
	run, number, _ := strings.Cut(id, " ")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || run != e.about.Run {
		return 0
	}
	return n
}

// stream is one reader's.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	run     string
}

// follow writes events until the reader goes, stalls, or the history ends.
func (s *stream) follow(e *events, r *http.Request, seen int64) {
	who, said := personOf(r.Context()), e.about
	said.Login, said.Operator, said.Role = !e.access.unasked(), who.name, who.role.String()
	about, err := json.Marshal(said)
	if err != nil || s.write("about", "", about) != nil {
		return
	}
	for {
		u := e.history.after(seen)
		if u.last != seen && u.now != nil {
			if s.write("samples", fmt.Sprint(s.run, " ", u.last), u.encode()) != nil {
				return
			}
			seen = u.last
		}
		select {
		case <-u.more:
		case <-r.Context().Done():
			return
		case <-e.history.quit:
			if end, err := json.Marshal(last(e.history.state)); err == nil {
				_ = s.write("stopped", "", end) // the reader finds out in any case
			}
			return
		}
	}
}

// write writes one event, whose data has no line breaks, and sees that it leaves.
func (s *stream) write(event, id string, data []byte) error {
	// The server's own limit is for answers, not for streams. A writer that knows no deadlines has no limit to extend.
	_ = s.control.SetWriteDeadline(time.Now().Add(eventTimeout))
	b := fmt.Appendf(nil, "event: %s\n", event)
	if id != "" {
		b = fmt.Appendf(b, "id: %s\n", id)
	}
	b = append(append(append(b, "data: "...), data...), "\n\n"...)
	if _, err := s.w.Write(b); err != nil {
		return err
	}
	return s.control.Flush()
}

func (u update) encode() []byte {
	b := append([]byte(`{"now":`), u.now...)
	b = append(b, `,"points":[`...)
	for i, p := range u.points {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, p...)
	}
	return append(b, "]}"...)
}
