package mail

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLoadPassword(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	write := func(text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range []string{"hunter2", "hunter2\n", "hunter2\r\n"} {
		write(text, 0o600)
		if got, err := LoadPassword(path); got != "hunter2" || err != nil {
			t.Errorf("%q is read as %q, error %v", text, got, err)
		}
	}
	for _, text := range []string{"", "\n", "hunter2\nhunter3\n", "hunter2\x00", strings.Repeat("hunter2", 1000)} {
		write(text, 0o600)
		got, err := LoadPassword(path)
		if got != "" || !errors.Is(err, ErrPassword) || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%.20q is read as %q, error %v", text, got, err)
		}
	}
	write("hunter2", 0o644)
	if _, err := LoadPassword(path); !errors.Is(err, ErrPassword) {
		t.Errorf("readable by everybody: error %v", err)
	}
	if _, err := LoadPassword(path + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent: error %v", err)
	}
}
