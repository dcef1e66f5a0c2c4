//go:build unix

package smallfile

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func pipe(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadRegularFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("secret\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	b, info, err := Read(path, 100)
	if err != nil || string(b) != "secret\n" || info.Mode() != 0o640 {
		t.Errorf("Read: %q, %v, %v", b, info, err)
	}
	if b, _, err = Read(path, 3); err != nil || string(b) != "secr" {
		t.Errorf("Read of more than there may be: %q, %v", b, err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if b, _, err = Read(path, 3); err != nil || len(b) != 0 {
		t.Errorf("Read of an empty file: %q, %v", b, err)
	}
	if _, _, err = Read(path+"2", 3); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Read of no file: %v", err)
	}
	if _, _, err = Read(filepath.Dir(path), 3); err == nil {
		t.Error("Read of a folder succeeds")
	}
}

// What a pipe brings is read to its end, however late it comes and in however many parts.
func TestReadPipe(t *testing.T) {
	path, long := pipe(t), bytes.Repeat([]byte("0123456789abcdef"), 10_000)
	written := make(chan error, 1)
	go func() {
		w, err := os.OpenFile(path, os.O_WRONLY, 0) // waits for the reader
		for rest := long; err == nil && len(rest) > 0; rest = rest[1000:] {
			_, err = w.Write(rest[:1000])
		}
		written <- errors.Join(err, w.Close())
	}()
	b, info, err := Read(path, 1<<20)
	if e := <-written; err != nil || e != nil || !bytes.Equal(b, long) || info.Mode()&fs.ModeNamedPipe == 0 {
		t.Errorf("%d bytes of %v, %v, %v", len(b), info.Mode(), err, e)
	}
}

func TestReadSilentPipe(t *testing.T) {
	path := pipe(t)
	if _, _, err := read(path, 100, time.Millisecond); !errors.Is(err, ErrSilent) || !strings.Contains(err.Error(), path) {
		t.Errorf("a pipe that nobody opens: %v", err)
	}
	w, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := w.WriteString("secret"); err != nil {
		t.Fatal(err)
	}
	_, _, err = read(path, 100, time.Millisecond)
	if !errors.Is(err, ErrSilent) || strings.Contains(err.Error(), "secret") {
		t.Errorf("a pipe that nobody closes: %v", err)
	}
}
