//go:build unix

package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A file may be a pipe, as a shell's <(…) is; one to which nobody writes ends with the first signal.
func TestFilesThatArePipes(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"serve", "--config", pipe}, {"serve", "--world", pipe}, {"stress", "run", pipe}} {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		var stdout, stderr bytes.Buffer
		if status := run(ctx, args, &stdout, &stderr); status != 1 {
			t.Errorf("%v: status %d, %s%s", args, status, &stdout, &stderr)
		}
		for range 2 { // let the goroutine that is left go: it may be about to open the pipe
			w, err := os.OpenFile(pipe, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			w.Close()
		}
	}
	pipe += "2"
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() { written <- os.WriteFile(pipe, []byte("http: nowhere\n"), 0) }()
	status, _, stderr := runCommandIn(t.Context(), "serve", "--config", pipe)
	if err := <-written; err != nil || status != 2 || !strings.Contains(stderr, "--http: ") {
		t.Errorf("status %d, %s, %v", status, stderr, err)
	}
}

func runCommandIn(ctx context.Context, args ...string) (status int, stdout, stderr string) {
	var out, err bytes.Buffer
	status = run(ctx, args, &out, &err)
	return status, out.String(), err.String()
}

// A pipe can be read once only.
func TestTokenFromAPipe(t *testing.T) {
	pipe, token := filepath.Join(t.TempDir(), "pipe"), strings.Repeat("0123456789abcdef", 3)
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() { written <- os.WriteFile(pipe, []byte(token+"\n"), 0) }()
	node, err := newNodeClient("http://127.0.0.1:7788", pipe)
	if e := <-written; err != nil || e != nil || node.token != token {
		t.Errorf("%+v, %v, %v", node, err, e)
	}
}
