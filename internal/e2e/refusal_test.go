package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/internal/web"
)

func TestWrongPassword(t *testing.T) {
	node := start(t, config(t))
	if status := register(t.Context(), node, "alice"); status != http.StatusCreated {
		t.Fatalf("registration: %d", status)
	}
	p := open(t, play(node))
	p.expect(refusal("/v1/login", "401 (Unauthorized)"),
		refusal("/v1/register", "409 (Conflict)"), refusal("/v1/register", "400 (Bad Request)"))
	for _, name := range []string{"alice", "nobody"} {
		p.knock("#login", name, "wrong horse")
		p.says("Wrong user name or password.")
	}
	p.knock("#register", "alice", secret)
	p.says("This user name is taken. Please choose another one.")
	p.knock("#register", "bob the builder", secret)
	p.wait(`$("status").textContent.length > 10 && $("status").dataset.kind === "error"`)
}

// says returns once the form says something, as an error.
func (p *tab) says(message string) {
	p.Helper()
	p.wait(fmt.Sprintf(`$("status").textContent === %q && $("status").dataset.kind === "error"`, message))
}

// Whatever comes in place of a node's answer, players read words.
func TestUnknownAnswers(t *testing.T) {
	answers := []struct {
		name, body string
		status     int
		want       string
	}{
		{"a new reason with words", `{"reason":"too-late","message":"The tavern is closed."}`, 403, "The tavern is closed."},
		{"a new reason without words", `{"reason":"too-late"}`, 403, "The server said no: too-late."},
		{"JSON of somebody else", `{"error":{"code":7}}`, 500, ""},
		{"a reason that is none", `{"reason":{"code":7},"message":"{}"}`, 409, ""},
		{"a proxy's page", `<html><h1>404 Not Found</h1></html>`, 404, ""},
		{"a success that is none", `{"hello":1}`, 200, "The server’s answer makes no sense. Is this a Rushgate node?"},
		{"an empty success", ``, 200, "The server’s answer makes no sense. Is this a Rushgate node?"},
	}
	asked := make(chan int, 1) // which answer is next
	mux := http.NewServeMux()
	mux.Handle("/play/", web.Play(web.Look{}))
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"status":"ok","mode":"open"}`)
	})
	mux.HandleFunc("POST /v1/login", func(w http.ResponseWriter, _ *http.Request) {
		a := answers[<-asked]
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body)
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	p := open(t, srv.URL+"/play/")
	for _, status := range []string{"403 (Forbidden)", "404 (Not Found)", "409 (Conflict)",
		"500 (Internal Server Error)"} {
		p.expect(refusal("/v1/login", status))
	}
	for i, a := range answers {
		asked <- i
		p.knock("#login", "alice", secret)
		p.wait(`$("status").dataset.kind === "error" && !login.disabled`)
		got := p.text("#status")
		if strings.ContainsAny(got, `{}<>"`) || len(got) < 10 || a.want != "" && got != a.want {
			t.Errorf("%s: the page says %q", a.name, got)
		}
	}
}

// quick has the pauses between tries be one, two and four times so many ms, instead of a random part of one, two and
// four seconds.
func quick(ms int) string { return fmt.Sprintf(`Math.random = () => %g;`, float64(ms)/1000) }

var retrying = regexp.MustCompile(`^Server is busy, retrying in \d+ s \((\d) of 3\)$`)

// retries returns which retries the page has announced.
func (p *tab) retries() (seen string) {
	p.Helper()
	for _, text := range eval[[]string](p, `shown`) {
		if m := retrying.FindStringSubmatch(text); m != nil && !strings.HasSuffix(seen, m[1]) {
			seen += m[1]
		}
	}
	return seen
}

// placeless has a server say that it is busy, and nothing of a line, as one does that is going down.
func placeless() (int, map[string]any) {
	return http.StatusServiceUnavailable, map[string]any{
		"reason": "server-busy", "message": "The server is busy.", "retry_after_ms": 1,
	}
}

func TestBusyForTooLong(t *testing.T) {
	s := newLineServer(t)
	s.set(func() { s.answer = placeless })
	p := open(t, s.url, quick(50))
	p.expect(refusal("/v1/register", "503 (Service Unavailable)"), refusal("/v1/register", "409 (Conflict)"))
	p.knock("#register", "alice", secret)
	p.says("Server is too busy. Please try again later.")
	if seen := p.retries(); seen != "123" {
		t.Errorf("the page announced the retries %q in %q", seen, eval[[]string](p, `shown`))
	}
	s.set(func() {
		s.answer = func() (int, map[string]any) {
			return http.StatusConflict, map[string]any{"reason": "username-taken", "message": "No."}
		}
	})
	p.click("#register") // the form is as it was
	p.says("This user name is taken. Please choose another one.")
}

func TestCancelWhileBusy(t *testing.T) {
	s := newLineServer(t)
	s.set(func() { s.answer = placeless })
	p := open(t, s.url, quick(999))
	p.expect(refusal("/v1/register", "503 (Service Unavailable)"))
	p.knock("#register", "alice", secret)
	p.wait(`/of 3/.test($("status").textContent)`)
	p.click("#cancel")
	p.wait(`$("status").textContent === "Cancelled." && !login.disabled && cancel.hidden`)
}

// A player waits at a node that is busy, in its line, and is in when there is room.
func TestBusyForAWhile(t *testing.T) {
	cfg := busyConfig(t)
	node := start(t, cfg)
	p := open(t, play(node))
	p.expect(refusal("/v1/register", "503 (Service Unavailable)"))
	leave := crowd(t, node, cfg)
	p.knock("#register", "alice", secret)
	p.wait(`$("line").checkVisibility() && $("line").dataset.place > 0`)
	p.keepOut(eval[string](p, `JSON.parse(sessionStorage["rushgate.place"]).secret`))
	leave()
	p.inside("alice")
	if kept := eval[bool](p, `sessionStorage.getItem("rushgate.place") !== null || document.title !== "Rushgate"`); kept {
		t.Error("the page keeps a place that is used, or the title of it")
	}
}
