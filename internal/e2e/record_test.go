package e2e

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
)

// record keeps what a tab does that its visitor does not see. Its methods may be called from several goroutines.
type record struct {
	t    testing.TB
	host string // the only one that the page may talk to, but for other
	// other is one more, or "".
	other string

	mu       sync.Mutex
	problems []string        // of the console and the content security policy
	deaf     bool            // to problems
	expected map[string]bool // whether it has to come
	urls     []string
	asked    map[network.RequestID]string // where they go
	come     []string                     // where those went that have been answered, whole
	channels int                          // WebSockets
	secrets  []string
	received float64 // bytes over the wire, headers included
}

// secondDropped is what the console says of a second WebSocket that a page drops before it is open, since the first has
// come to life. Any page in play may open one: on a busy machine nothing may come for a while.
const secondDropped = "WebSocket connection to 'ws://NODE/v1/channel' failed: " +
	"WebSocket is closed before the connection is established."

func newRecord(t testing.TB, page string) *record {
	t.Helper()
	u, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	return &record{
		t: t, host: u.Host, expected: map[string]bool{secondDropped: false}, asked: map[network.RequestID]string{},
	}
}

// hear takes an event of the DevTools protocol.
func (r *record) hear(event any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		r.problem("exception: " + e.ExceptionDetails.Text + " " + describe(e.ExceptionDetails.Exception))
	case *runtime.EventConsoleAPICalled:
		for _, arg := range e.Args {
			r.problem("console." + string(e.Type) + ": " + describe(arg))
		}
	case *runtime.EventBindingCalled:
		r.problem("content security policy: " + e.Payload)
	case *log.EventEntryAdded:
		text := e.Entry.Text
		if e.Entry.Source == log.EntrySourceNetwork && !strings.Contains(text, r.host) {
			text += " " + e.Entry.URL
		}
		r.problem(text)
	case *network.EventRequestWillBeSent:
		r.urls = append(r.urls, e.Request.URL)
		r.asked[e.RequestID] = e.Request.URL
	case *network.EventWebSocketCreated:
		r.urls = append(r.urls, e.URL)
		r.channels++
	case *network.EventLoadingFinished:
		r.received += e.EncodedDataLength
		r.come = append(r.come, r.asked[e.RequestID])
	}
}

func describe(o *runtime.RemoteObject) string {
	switch {
	case o == nil:
		return ""
	case o.Description != "":
		return o.Description
	default:
		return string(o.Value)
	}
}

// problem notes a problem, NODE in place of the node's own address.
func (r *record) problem(text string) {
	if text = strings.ReplaceAll(text, r.host, "NODE"); r.other != "" {
		text = strings.ReplaceAll(text, r.other, "OTHER")
	}
	r.problems = append(r.problems, strings.TrimSpace(text))
}

// allow has the page talk to another host, too.
func (r *record) allow(host string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.other = host
}

// expect names problems that the test is about to cause, tolerate those that it may cause; … stands for any end.
func (r *record) expect(problems ...string)   { r.foresee(problems, true) }
func (r *record) tolerate(problems ...string) { r.foresee(problems, false) }

func (r *record) foresee(problems []string, certain bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range problems {
		r.expected[p] = certain
	}
}

// foreseen reports whether a test has named a problem.
func (r *record) foreseen(problem string) bool {
	for known := range r.expected {
		if start, open := strings.CutSuffix(known, "…"); problem == known || open && strings.HasPrefix(problem, start) {
			return true
		}
	}
	return false
}

// has reports whether there has been a problem.
func (r *record) has(problem string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.problems, problem)
}

// refusal is how the console tells of an answer other than a success.
func refusal(path, status string) string {
	return fmt.Sprintf("Failed to load resource: the server responded with a status of %s http://NODE%s", status, path)
}

// keepOut names a secret that must be in no URL.
func (r *record) keepOut(secret string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if secret == "" {
		r.t.Error("there is no secret to look for")
	}
	r.secrets = append(r.secrets, secret)
}

// bytes returns how much has come over the wire so far.
func (r *record) bytes() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int(r.received)
}

// got reports whether something has come whose address has that in it.
func (r *record) got(part string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.come, func(url string) bool { return strings.Contains(url, part) })
}

// webSockets returns how many have been opened so far.
func (r *record) webSockets() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.channels
}

// heedless has the console say what it likes: how Chromium tells of what it keeps from a page is not for tests to know.
func (r *record) heedless() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.deaf = true
}

// judge fails the test for whatever the page should not have done.
func (r *record) judge() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.problems {
		if r.deaf {
			break
		}
		if !r.foreseen(p) {
			r.t.Errorf("the browser's console has: %s", p)
		}
	}
	for problem, certain := range r.expected {
		if certain && !slices.Contains(r.problems, problem) {
			r.t.Errorf("the browser's console lacks: %s", problem)
		}
	}
	if len(r.urls) == 0 {
		r.t.Error("no request was recorded")
	}
	for _, raw := range r.urls {
		if u, err := url.Parse(raw); err != nil || u.Host != r.host && u.Host != r.other {
			r.t.Errorf("the page asked for %s, which is not at %s", raw, r.host)
		}
		for _, secret := range r.secrets {
			if strings.Contains(raw, secret) {
				r.t.Errorf("a secret is in the URL of a request for %s", strings.ReplaceAll(raw, secret, "SECRET"))
			}
		}
	}
}
