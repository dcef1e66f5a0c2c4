package admin_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/admin"
)

// pipes is a listener whose connections are in memory and have no buffers: what the server writes has to be read.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9090} }

// watched is an operator's server within a synctest bubble, with limits on time that no stream may be subject to.
type watched struct {
	history *admin.History
	server  *http.Server
	pipes   *pipes
	serving sync.WaitGroup
}

func watch(t *testing.T) *watched {
	t.Helper()
	cfg, _ := withDashboard(t)
	cfg.Dashboard.History.Start()
	w := &watched{
		history: cfg.Dashboard.History, pipes: &pipes{conns: make(chan net.Conn), done: make(chan struct{})},
		server: &http.Server{Handler: admin.New(cfg), ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second},
	}
	w.serving.Go(func() { w.server.Serve(w.pipes) })
	t.Cleanup(func() {
		w.history.Stop()
		w.server.Close()
		w.serving.Wait()
	})
	return w
}

// open asks for the stream, as a page that has seen an event before if id is not empty.
func (w *watched) open(t *testing.T, id string) *bufio.Reader {
	t.Helper()
	near, far := net.Pipe()
	w.pipes.conns <- far
	t.Cleanup(func() { near.Close() })
	r, err := http.NewRequest("GET", "http://127.0.0.1:9090/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	if id != "" {
		r.Header.Set("Last-Event-ID", id)
	}
	if err := r.Write(near); err != nil {
		t.Fatal(err)
	}
	//nolint:bodyclose // it would wait for the stream's end; the connection is closed
	resp, err := http.ReadResponse(bufio.NewReader(near), r)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s %v", resp.Status, resp.Header)
	}
	return bufio.NewReader(resp.Body)
}

type event struct {
	kind, id string
	data     struct {
		Now    admin.Sample      `json:"now"`
		Points []json.RawMessage `json:"points"`
		Run    string            `json:"run"`
	}
}

func next(t *testing.T, from *bufio.Reader) (e event, err error) {
	t.Helper()
	for {
		line, err := from.ReadString('\n')
		if err != nil {
			return e, err
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "event":
			e.kind = value
		case "id":
			e.id = value
		case "data":
			if err := json.Unmarshal([]byte(value), &e.data); err != nil {
				t.Fatal(err)
			}
		case "":
			return e, nil
		}
	}
}

// Who opens the page sees the last 15 minutes at once, then a sample a second for longer than any answer may take, and
// hears it when the node stops.
func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		time.Sleep(1000*time.Second + time.Millisecond)
		stream := w.open(t, "")
		if e, err := next(t, stream); err != nil || e.kind != "about" || e.data.Run != "first" {
			t.Fatalf("%+v, %v", e, err)
		}
		e, err := next(t, stream)
		if err != nil || e.kind != "samples" || e.id != "first 1000" || len(e.data.Points) != 900 ||
			e.data.Now.State != admin.Open {
			t.Fatalf("%s %s, %d points, %v", e.kind, e.id, len(e.data.Points), err)
		}
		for range 120 {
			before := time.Now()
			e, err := next(t, stream)
			if err != nil || e.kind != "samples" || len(e.data.Points) != 1 || time.Since(before) > time.Second {
				t.Fatalf("%s, %d points, after %v: %v", e.kind, len(e.data.Points), time.Since(before), err)
			}
		}
		stopped := make(chan error)
		go func() {
			w.history.Stop()
			stopped <- w.server.Shutdown(context.Background())
		}()
		if e, err := next(t, stream); err != nil || e.kind != "stopped" {
			t.Errorf("%+v, %v", e, err)
		}
		if _, err := next(t, stream); !errors.Is(err, io.EOF) {
			t.Errorf("after the end: %v", err)
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

// A page that was cut off goes on where it was, unless the node has been started anew.
func TestEventsGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		time.Sleep(100*time.Second + time.Millisecond)
		for id, want := range map[string]int{
			"first 90": 10, "first 0": 100, "first 200": 100, "second 90": 100, "first": 100, "first -1": 100, "first x": 100,
			"": 100,
		} {
			stream := w.open(t, id)
			next(t, stream)
			if e, err := next(t, stream); err != nil || len(e.data.Points) != want {
				t.Errorf("%q: %d points, %v, want %d", id, len(e.data.Points), err, want)
			}
		}
	})
}

// Who reads slowly gets what was missed at once, up to the newest; who does not read at all is given up.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		stream := w.open(t, "")
		next(t, stream)
		time.Sleep(8*time.Second + time.Millisecond) // the first sample is on its way all that time
		first, _ := next(t, stream)
		second, err := next(t, stream)
		if err != nil || len(first.data.Points) != 1 || len(second.data.Points) != 7 || second.id != "first 8" {
			t.Errorf("%d points, then %d up to %q, %v", len(first.data.Points), len(second.data.Points), second.id, err)
		}
		time.Sleep(12 * time.Second)
		for err == nil {
			_, err = next(t, stream)
		}
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("after 10 s without reading: %v", err)
		}
	})
}

// There are at most 16 streams; who goes makes room.
func TestListenersAreBounded(t *testing.T) {
	cfg, _ := withDashboard(t)
	h := admin.New(cfg)
	ctx, leave := context.WithCancel(t.Context())
	var streams sync.WaitGroup
	started := make(chan struct{})
	for range 16 {
		r := httptest.NewRequestWithContext(ctx, "GET", "/events", nil)
		r.Host = "localhost"
		w := &flushed{ResponseRecorder: httptest.NewRecorder(), started: started}
		streams.Go(func() { h.ServeHTTP(w, r) })
		<-started
	}
	if w := do(h, "GET", "/events", ""); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("one too many: %d", w.Code)
	}
	leave()
	streams.Wait()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(gone, "GET", "/events", nil)
	r.Host = "localhost"
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != 200 {
		t.Errorf("after they have gone: %d", w.Code)
	}
	cfg.Dashboard.History.Stop()
	if w := do(h, "GET", "/events", ""); w.Code != 503 {
		t.Errorf("at a node that has stopped: %d", w.Code)
	}
}

// flushed tells when the first event has left.
type flushed struct {
	*httptest.ResponseRecorder
	started chan<- struct{}
	once    sync.Once
}

func (f *flushed) Flush() { f.once.Do(func() { f.started <- struct{}{} }) }
