package server

import (
	"bytes"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// An operator learns at the start what a system lacks that Linux has, and on Linux hears nothing.
func TestAbsentOnOtherSystems(t *testing.T) {
	for goos, words := range map[string][]string{
		"linux":   nil,
		"darwin":  {"system call", "clock of the tick", "CPU time"},
		"windows": {"system call", "clock of the tick", "CPU time", "open files", "readable by their owner"},
	} {
		all := absent(goos)
		if words == nil && all != nil {
			t.Errorf("%s lacks %q", goos, all)
		}
		for _, word := range words {
			if !slices.ContainsFunc(all, func(s string) bool { return strings.Contains(s, word) }) {
				t.Errorf("%s: %q is not among %q", goos, word, all)
			}
		}
	}
	var log bytes.Buffer
	sayWhatIsAbsent(slog.New(slog.NewTextHandler(&log, nil)))
	want := 1
	if runtime.GOOS == "linux" {
		want = 0
	}
	if lines := strings.Count(log.String(), "\n"); lines != want {
		t.Errorf("%d lines in the log, want %d:\n%s", lines, want, log.String())
	}
}
