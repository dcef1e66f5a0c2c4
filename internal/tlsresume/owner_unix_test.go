//go:build unix

package tlsresume_test

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

// A file of another user is not believed: that user may know the keys.
func TestFileOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	b := newBench(t)
	b.open()
	before := b.secrets()
	if err := os.Chown(b.file, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	b.open()
	after, log := b.secrets(), b.log.String()
	if len(after) != 1 || after[0] == before[0] || !strings.Contains(log, "another user") {
		t.Errorf("%d keys, or the one of before; the log says %s", len(after), log)
	}
}

// A pipe in the file's place holds up no start.
func TestPipeInPlaceOfFile(t *testing.T) {
	b := newBench(t)
	if err := syscall.Mkfifo(b.file, 0o600); err != nil {
		t.Fatal(err)
	}
	b.open()
	if len(b.secrets()) != 1 || !strings.Contains(b.log.String(), "not a regular file") {
		t.Errorf("the log says %s", &b.log)
	}
}
