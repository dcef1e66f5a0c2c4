package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
)

func newClient(t *testing.T, base string, opts client.Options) *client.Client {
	t.Helper()
	c, err := client.New(base, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// kill -9 in the middle of a burst of registrations, again and again: a player who has got a 201 can log in as
// soon as the node is back, although the sessions it had were never closed.
func TestKill9LosesNothingThatWasPromised(t *testing.T) {
	dir := t.TempDir()
	var promised []string
	for round := range 3 {
		n := startNode(t, dir)
		var mu sync.Mutex
		var wg sync.WaitGroup
		before, enough := len(promised), make(chan struct{})
		for i := range 100 {
			wg.Go(func() {
				name := fmt.Sprintf("player-%d-%d", round, i)
				c := newClient(t, n.http, client.Options{MaxRetries: -1})
				if _, err := c.Register(t.Context(), name, "correct horse"); err != nil {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				if promised = append(promised, name); len(promised) == before+30 {
					close(enough)
				}
			})
		}
		<-enough
		n.signal(t, syscall.SIGKILL)
		n.wait(t)
		wg.Wait()
	}
	n := startNode(t, dir)
	var wg sync.WaitGroup
	for i, name := range promised {
		// An address of its own for each: a failure of one must not lock out the others.
		own := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 1, byte(i/250), byte(i%250+1))}}
		c := newClient(t, n.http, client.Options{Transport: &http.Transport{DialContext: own.DialContext}})
		wg.Go(func() {
			if _, err := c.Login(t.Context(), name, "correct horse"); err != nil {
				t.Errorf("%s was told 201 and cannot log in: %v", name, err)
			}
		})
	}
	wg.Wait()
	t.Logf("%d registrations were promised, in 3 rounds", len(promised))
}

// A registration whose answer is lost to kill -9 is resolved by sending the same attempt again.
func TestKill9LostAnswerIsResolved(t *testing.T) {
	dir := t.TempDir()
	n := startNode(t, dir)
	attempt := func() string { return "the-same-attempt" }
	first, err := newClient(t, n.http, client.Options{AttemptID: attempt}).Register(t.Context(), "alice", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	n.signal(t, syscall.SIGKILL)
	n.wait(t)
	n = startNode(t, dir)
	again, err := newClient(t, n.http, client.Options{AttemptID: attempt}).Register(t.Context(), "alice", "correct horse")
	if err != nil || again.PlayerID != first.PlayerID {
		t.Errorf("the same attempt after a crash: %+v, %v", again, err)
	}
}

// Signals that come at once are one: timeout(1) sends its own to the process and to the group.
func TestSignalsAtOnceAreOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals := make(chan os.Signal, 2)
		signals <- syscall.SIGTERM
		signals <- syscall.SIGTERM
		ended, forced := false, make(chan os.Signal, 1)
		go func() { forced <- heed(signals, func() { ended = true }) }()
		synctest.Wait()
		time.Sleep(sameSignal - 1)
		signals <- syscall.SIGTERM
		synctest.Wait()
		if !ended || len(forced) > 0 {
			t.Errorf("ended in order: %v, at once: %v", ended, len(forced) > 0)
		}
		time.Sleep(time.Nanosecond)
		signals <- os.Interrupt
		if s := <-forced; s != os.Interrupt {
			t.Error(s)
		}
	})
}

// The first signal drains; the second ends the node at once, whatever is still to be done.
func TestSecondSignalForces(t *testing.T) {
	// Four batches of one worker, each of which takes longer than the one with which a node that starts measures a hash.
	const registrations = 64
	n := startNode(t, t.TempDir(), "--password-hash-iterations", "1000000", "--auth-workers", "1")
	answered := make(chan error, registrations)
	for i := range registrations {
		c := newClient(t, n.http, client.Options{MaxRetries: -1})
		go func() {
			_, err := c.Register(t.Context(), fmt.Sprintf("player-%d", i), "correct horse")
			answered <- err
		}()
	}
	waitFor(t, n, fmt.Sprintf(`"queued": %d`, registrations))
	n.signal(t, syscall.SIGTERM)
	n.log.waitFor(t, "draining")
	impatient, stop := time.NewTicker(sameSignal), make(chan struct{})
	defer impatient.Stop()
	go func() {
		for {
			_ = n.cmd.Process.Signal(syscall.SIGTERM) // which may be too soon, or too late
			select {
			case <-impatient.C:
			case <-stop:
				return
			}
		}
	}()
	err := n.wait(t)
	close(stop)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 128+int(syscall.SIGTERM) {
		t.Errorf("after two signals: %v; the log says:\n%s", err, n.log)
	}
	cut := 0
	for range registrations {
		if err := <-answered; errors.Is(err, rushgate.InternalError) {
			t.Errorf("a registration that was cut off: %v", err)
		} else if err != nil {
			cut++
		}
	}
	if cut == 0 {
		t.Error("all registrations were done before the node ended")
	}
}

// waitFor asks the admin listener until its dump contains a text.
func waitFor(t *testing.T, n *node, text string) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		resp, err := http.Get(n.admin + "/metrics.json")
		if err != nil {
			t.Fatal(err)
		}
		dump, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(dump), text) {
			return
		}
	}
	t.Fatalf("the dump never showed %s", text)
}
