package server

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/internal/backlog"
)

// An operator whose system keeps few connections waiting learns at the start what to set.
func TestSmallBacklogIsTold(t *testing.T) {
	for limit, told := range map[int]bool{1: true, 128: true, 1023: true, 1024: false, 4096: false, 65535: false} {
		var log bytes.Buffer
		sayIfFewMayWait(slog.New(slog.NewTextHandler(&log, nil)), backlog.Queue{Limit: limit})
		if got := strings.Contains(log.String(), "net.core.somaxconn"); got != told {
			t.Errorf("a limit of %d: told %v, want %v: %s", limit, got, told, &log)
		}
	}
}
