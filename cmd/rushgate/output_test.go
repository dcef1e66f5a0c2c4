package main

import (
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/server"
)

// unreadPipe returns the writing end of a pipe that is full and that no process reads.
func unreadPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	for range 2 { // what a first round has left free is less than a page
		if err := w.SetWriteDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, 1<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("a pipe that is not read takes a megabyte: %v", err)
		}
	}
	return w
}

// brokenPipe returns the writing end of a pipe whose reading end is closed.
func brokenPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return w
}

// fullDisk returns a file that takes nothing.
func fullDisk(t *testing.T) *os.File {
	t.Helper()
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// Whatever becomes of standard error, players come in and the node ends in order.
func TestStandardErrorThatTakesNothing(t *testing.T) {
	outputs := map[string]func(*testing.T) *os.File{"unread pipe": unreadPipe, "broken pipe": brokenPipe, "full disk": fullDisk}
	for name, output := range outputs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := startNodeLogging(t, output(t), t.TempDir(), "--log-level", "debug")
			c := newClient(t, n.http, client.Options{MaxRetries: -1})
			if _, err := c.Register(t.Context(), "alice", "correct horse"); err != nil {
				t.Error(err)
			}
			n.signal(t, syscall.SIGTERM)
			if err := n.wait(t); err != nil {
				t.Errorf("after SIGTERM: %v", err)
			}
		})
	}
}

// A start that fails says so where it can, and ends where it cannot.
func TestFailedStartWithStandardErrorThatTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe() // holds up each write until it is read
		args := []string{"serve", "--world", "/does/not/exist"}
		if status := run(t.Context(), args, io.Discard, w); status != 1 {
			t.Errorf("status %d, want 1", status)
		}
		r.Close()
	})
}

// What is missing is told in the format of the log.
func TestLinesMissingFromTheLog(t *testing.T) {
	for format, want := range map[string]string{"text": "lines=17\n", "json": `"lines":17}` + "\n"} {
		v := newServeFlags()
		if err := v.declare().parse([]string{"--log-format", format, "--log-level", "error"}); err != nil {
			t.Fatal(err)
		}
		line := string(v.noteLost(17))
		if !strings.HasSuffix(line, want) || strings.Count(line, "\n") != 1 || !strings.Contains(line, "missing") {
			t.Errorf("%s: %q", format, line)
		}
	}
}

// A node in this process: what its goroutines log is all written when serve returns.
func TestLogIsFlushedAtTheEnd(t *testing.T) {
	status, out, errs := runCommand(t, "serve", "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--udp", server.NoUDP,
		"--db", "memory", "--data", t.TempDir())
	if status != 0 || !strings.Contains(errs, "msg=stopped") || !strings.HasPrefix(out, "ready ") {
		t.Errorf("status %d, stdout %q, stderr %q", status, out, errs)
	}
}
