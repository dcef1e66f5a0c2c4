//go:build unix

package handover

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// patient are limits that no test comes to.
func patient() Limits {
	return Limits{Answer: time.Minute, Able: time.Minute, State: time.Minute, Load: time.Minute, Go: time.Minute,
		Done: time.Minute, Dead: time.Minute}
}

// soon is for limits that a test waits for.
const soon = 20 * time.Millisecond

// old is a process that can be replaced, and says what has become of it.
type old struct {
	host *Host
	path string
	fate chan string // "thawed", "gone", "undead"

	mu     sync.Mutex
	steps  []string
	tried  bool             // as it was told when it was thawed
	fail   map[string]error // at a step
	files  []File
	left   []*os.File
	during map[string]func() // a step
}

func newOld(t *testing.T, limits Limits) *old {
	t.Helper()
	dir, err := os.MkdirTemp("", "ho") // short: the path of a socket has to be
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	o := &old{path: filepath.Join(dir, SocketName), fate: make(chan string, 10), fail: make(map[string]error),
		during: make(map[string]func())}
	node := Node{
		Offer: func(Hello) (Offer, []File, error) {
			err := o.step("offer")
			o.mu.Lock()
			defer o.mu.Unlock()
			return Offer{Program: "old", Facts: map[string]string{"run": "1"}}, o.files, err
		},
		Prepare: func(context.Context) error { return o.step("prepare") },
		Freeze: func(context.Context) ([]Part, error) {
			return []Part{{"realm", []byte("players")}, {"door", nil}}, o.step("freeze")
		},
		Thaw: func(tried bool) {
			o.step("thaw")
			o.mu.Lock()
			o.tried = tried
			o.mu.Unlock()
			o.fate <- "thawed"
		},
		Gone: func(err error) []*os.File {
			if o.step("gone"); err != nil {
				o.fate <- "undead"
			} else {
				o.fate <- "gone"
			}
			o.mu.Lock()
			defer o.mu.Unlock()
			return o.left
		},
	}
	if o.host, err = Listen(o.path, node, slog.New(slog.DiscardHandler), limits); err != nil {
		t.Fatal(err)
	}
	o.host.Start()
	t.Cleanup(o.host.Close)
	return o
}

func (o *old) step(name string) error {
	o.mu.Lock()
	o.steps = append(o.steps, name)
	err, during := o.fail[name], o.during[name]
	o.mu.Unlock()
	if during != nil {
		during()
	}
	return err
}

// failAt has a step fail, and at has something happen in it.
func (o *old) failAt(step string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fail[step] = err
}

func (o *old) at(step string, do func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.during[step] = do
}

// offers are what goes over.
func (o *old) offers(files []File, left []*os.File) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.files, o.left = files, left
}

func (o *old) did(step string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Contains(o.steps, step)
}

func (o *old) wantFate(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-o.fate:
		if got != want {
			t.Errorf("the old process has %s, want %s", got, want)
		}
	case <-time.After(time.Minute):
		t.Fatalf("the old process never has %s", want)
	}
}

// script is one end of a conversation that says and hears what a test wants.
type script struct {
	t *testing.T
	*wire
}

func newScript(t *testing.T, c *net.UnixConn) *script {
	s := &script{t, newWire(c, peer{})}
	t.Cleanup(s.close)
	return s
}

// dialScript is a process that comes to take over.
func dialScript(t *testing.T, path string) *script {
	t.Helper()
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	return newScript(t, c)
}

func (s *script) mustSay(k kind, body []byte, files ...File) {
	s.t.Helper()
	if err := s.say(k, body, files...); err != nil {
		s.t.Fatalf("saying %v: %v", k, err)
	}
}

func (s *script) mustHear(k kind) heard {
	s.t.Helper()
	h, err := s.hear(s.t.Context(), time.Minute, k)
	if err != nil {
		s.t.Fatalf("waiting for %v: %v", k, err)
	}
	return h
}

// hello is a good one.
func hello() []byte { return marshal(Hello{Version: Version, Program: "new"}) }

// refusal returns the words of one.
func refusal(err error) string {
	if r := (*Refusal)(nil); errors.As(err, &r) {
		return r.Words
	}
	return ""
}
