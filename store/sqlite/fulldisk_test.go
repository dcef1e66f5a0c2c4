//go:build linux || darwin

package sqlite

import (
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
)

// fullDiskEnv makes the test binary one whose files cannot grow when it says so: the limit is that of a whole process.
const fullDiskEnv = "RUSHGATE_TEST_FULL_DISK"

// Reading goes on when the disk is full, so a probe that only read would find nothing wrong.
func TestPingShowsAFullDisk(t *testing.T) {
	if os.Getenv(fullDiskEnv) == "" {
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestPingShowsAFullDisk$")
		cmd.Env = append(os.Environ(), fullDiskEnv+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	signal.Ignore(syscall.SIGXFSZ)
	path := filepath.Join(t.TempDir(), "rushgate.db")
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ping := func(what string, ok bool) {
		t.Helper()
		for range 3 {
			if err := s.Ping(t.Context()); (err == nil) != ok {
				t.Errorf("Ping %s: %v", what, err)
			}
		}
	}
	ping("an empty store", true)
	if err := register(s, 1); err != nil {
		t.Fatal(err)
	}
	log, err := os.Stat(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	var room syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &room); err != nil {
		t.Fatal(err)
	}
	full := room
	full.Cur = uint64(log.Size())
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
		t.Fatal(err)
	}
	ping("with a full disk", false)
	if err := register(s, 2); err == nil {
		t.Error("an account was written to a full disk")
	}
	wantAccounts(t, s, 1)
	ping("with a full disk, after a write that failed", false)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &room); err != nil {
		t.Fatal(err)
	}
	ping("when there is room again", true)
	if err := register(s, 2); err != nil {
		t.Errorf("when there is room again: %v", err)
	}
}
