package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	waiting "github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/internal/web"
)

// The line of a [lineServer] as of the page's first look: a thousand called so far, and 2000 more who wait.
const (
	lineNow  = 1_800_000_000_000
	linePace = 4.0
)

// lineServer serves the page, and has a line that goes on when a test says so.
type lineServer struct {
	url string

	mu       sync.Mutex
	document waiting.Document
	away     bool
	answer   func() (int, map[string]any) // to the next knock
	knocks   []map[string]any
}

func newLineServer(t testing.TB) *lineServer {
	s := &lineServer{document: waiting.Document{
		Now: lineNow, Serving: lineNow - 2000, Pace: linePace, Waiting: 2000, Factor: 0.4,
		Marks: []waiting.Mark{{Turn: lineNow - 2000, Before: 0}, {Turn: lineNow, Before: 2000}},
	}}
	s.answer = func() (int, map[string]any) { return s.refusal(1234, "ticket-1", "") }
	mux := http.NewServeMux()
	mux.Handle("/play/", web.Play(web.Look{}))
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(t, w, http.StatusOK, map[string]any{"mode": "open"})
	})
	mux.HandleFunc("GET /v1/line", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.away {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		writeJSON(t, w, http.StatusOK, s.document)
	})
	mux.HandleFunc("POST /v1/{door}", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		s.knocks = append(s.knocks, body)
		status, answer := s.answer()
		writeJSON(t, w, status, answer)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.url = server.URL + "/play/"
	return s
}

func writeJSON(t testing.TB, w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		t.Error(err)
	}
}

// refusal says that a client is somewhere in the line.
func (s *lineServer) refusal(place int, ticket, lost string) (int, map[string]any) {
	eta := float64(place) / linePace * 1000
	body := map[string]any{
		"reason": "server-busy", "message": "The server is busy.", "retry_after_ms": 60_000, "place": place,
		"eta_low_ms": int(0.75 * eta), "eta_high_ms": int(1.3*eta + 5000), "poll_after_ms": 1000,
		"turn_ms": lineNow - 2000 + place - 1, "ticket": ticket,
	}
	if lost != "" {
		body["place_lost"] = lost
	}
	return http.StatusServiceUnavailable, body
}

// set changes the line.
func (s *lineServer) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// called has the line go on until so many of the first 2000 have been called.
func (s *lineServer) called(n int) {
	s.set(func() {
		s.document.Serving = lineNow - 2000 + int64(n)
		s.document.Waiting = 2000 - n
		s.document.Marks = []waiting.Mark{{Turn: s.document.Serving, Before: 0}, {Turn: lineNow + 1, Before: 2001 - n}}
	})
}

// last returns a field of the last knock, or "".
func (s *lineServer) last(field string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.knocks) == 0 {
		return ""
	}
	v, _ := s.knocks[len(s.knocks)-1][field].(string)
	return v
}

// hurried has pauses of more than half a second last half a second.
const hurried = `{
	const { setTimeout } = globalThis;
	globalThis.setTimeout = (f, ms, ...args) => setTimeout(f, Math.min(ms, 500), ...args);
}`

// inLine returns once the page says which place the player has.
func (p *tab) inLine(place string) {
	p.Helper()
	p.wait(fmt.Sprintf(`$("line").checkVisibility() && !$("credentials").checkVisibility() &&
		$("line-title").innerText.replace(/\s+/g, " ") === "You are number %s in line" &&
		document.title === "%s in line · Rushgate"`,
		place, place))
}

// A player waits in the line, over a reload and a server that is away, and has the same place until the turn comes.
func TestWaitingInLine(t *testing.T) {
	s := newLineServer(t)
	p := open(t, s.url, hurried)
	p.expect(refusal("/v1/login", "503 (Service Unavailable)"), refusal("/v1/login", "401 (Unauthorized)"))
	p.knock("#login", "alice", secret)
	p.inLine("1,234")
	lineSecret := s.last("line_secret")
	p.keepOut(lineSecret)
	p.keepOut("ticket-1")
	p.wait(`document.activeElement.id === "line-title" &&
		/^About \d to \d minutes to go$/.test($("line-left").innerText) &&
		/^Confirmed /.test($("line-confirmed").textContent) &&
		/^You are number 1,234 in line/.test($("said").textContent)`)
	said := p.text("#said")

	s.called(300)
	p.inLine("934")
	p.wait(`$("line-bar").ariaValueNow === "24"`)
	if now := p.text("#said"); now != said {
		t.Errorf("screen readers are told %q right after %q", now, said)
	}

	p.do(chromedp.Reload())
	p.inLine("934")
	p.wait(`$("line-bar").ariaValueNow >= 24 && /password when your turn has come/.test($("line-note").textContent)`)
	if kept := eval[string](p, `JSON.stringify(Object.entries(sessionStorage))`); strings.Contains(kept, secret) {
		t.Error("the page keeps the password")
	}

	p.expect(refusal("/v1/line", "502 (Bad Gateway)"))
	s.set(func() { s.away = true })
	p.wait(`$("line").dataset.state === "away" &&
		/^The server does not answer. Your place is kept; trying again in \d+ s.$/.test($("line-news").textContent)`)
	p.inLine("934")
	s.set(func() { s.away = false })
	s.called(500)
	p.inLine("734")
	p.wait(`$("line-news").textContent === "" && $("line").dataset.state === "waiting"`)

	s.called(1234)
	p.wait(`$("credentials").checkVisibility() && !$("line").checkVisibility() &&
		document.title === "Your turn · Rushgate" && /^It is your turn/.test($("status").textContent) &&
		$("username").value === "alice" && document.activeElement.id === "password"`)
	s.set(func() {
		s.answer = func() (int, map[string]any) {
			return 401, map[string]any{"reason": "bad-credentials", "message": "No."}
		}
	})
	p.fill("#password", "wrong horse")
	p.click("#login")
	p.says("Wrong user name or password. Your turn is kept for a few minutes.")
	if got := s.last("ticket"); got != "ticket-1" || s.last("line_secret") != lineSecret {
		t.Errorf("the page came with the ticket %q and another secret than before, or with another ticket", got)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.knocks) != 2 {
		t.Errorf("%d knocks, want 2", len(s.knocks))
	}
}

// A player who is told that the place is lost reads why, can leave, and can think better of it.
func TestLeavingTheLine(t *testing.T) {
	s := newLineServer(t)
	p := open(t, s.url, hurried)
	p.expect(refusal("/v1/login", "503 (Service Unavailable)"))
	s.set(func() {
		s.answer = func() (int, map[string]any) { return s.refusal(1900, "ticket-2", "expired") }
	})
	p.knock("#login", "alice", secret)
	p.inLine("1,900")
	p.wait(`/^Your turn had come and gone before this page came back/.test($("line-news").textContent)`)
	p.click("#line-leave")
	p.wait(`$("line-sure").checkVisibility() && document.activeElement.id === "line-stay"`)
	p.click("#line-stay")
	p.wait(`!$("line-sure").checkVisibility() && document.activeElement.id === "line-leave"`)
	p.click("#line-leave")
	p.click("#line-go")
	p.outside("You have left the line.")
	if kept := eval[bool](p, `sessionStorage.getItem("rushgate.place") !== null || document.title !== "Rushgate"`); kept {
		t.Error("the page keeps the place, or the title of it")
	}
	p.do(chromedp.Reload())
	p.wait(`!login.disabled && $("credentials").checkVisibility() && !$("line").checkVisibility()`)
}

// Before the opening the page counts down to it.
func TestWaitingForTheOpening(t *testing.T) {
	s := newLineServer(t)
	s.set(func() { s.document.Opens = lineNow + 605_000 })
	p := open(t, s.url, hurried)
	p.expect(refusal("/v1/login", "503 (Service Unavailable)"))
	p.knock("#login", "alice", secret)
	p.wait(`$("line").dataset.state === "opening" &&
		/^The line opens in \d+:\d\d$/.test($("line-title").innerText.replace(/\s+/g, " ").trim()) &&
		/drawn by lot/.test($("line-left").textContent) && !$("line-bar").checkVisibility() &&
		/^Opens in \d+:\d\d · Rushgate$/.test(document.title)`)
	p.wait(`/The line opens in \d+ minutes.*drawn by lot/.test($("said").textContent)`)
	s.set(func() { s.document.Opens = 0 })
	p.inLine("1,234")
	p.wait(`$("line-bar").checkVisibility() && $("line-bar").ariaValueNow === "0"`)
}
