package run

import (
	"bytes"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestProgress(t *testing.T) {
	run := func(t *testing.T, terminal bool) string {
		var out bytes.Buffer
		f := newMixed()
		cfg := f.start(t)
		cfg.Clients, cfg.Timeout = 12, 12*time.Second
		cfg.Progress, cfg.Terminal = &out, terminal
		mustRun(t, t.Context(), cfg)
		return out.String()
	}
	const (
		early   = "[STRESS] Active: 7 | Pending: 1 | Auth ok=6 fail=4 timeout=0 busy=1"
		latency = "Auth latency: min=0.1s avg=0.8s max=2.2s p99=2.2s"
		late    = "[STRESS] Active: 0 | Pending: 0 | Auth ok=6 fail=4 timeout=1 busy=1"
	)
	synctest.Test(t, func(t *testing.T) {
		want := strings.Join([]string{early, latency, early, latency, late, latency, ""}, "\n")
		if got := run(t, false); got != want {
			t.Errorf("plain:\n%s\nwant\n%s", got, want)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		got := run(t, true)
		end := bar(1) + "  12s  leaving for 0s\x1b[K\n"
		if want := "\x1b[3A" + late + "\x1b[K\n" + latency + "\x1b[K\n" + end; !strings.HasSuffix(got, want) {
			t.Errorf("on a terminal: ...%q", got[max(0, len(got)-400):])
		}
		if paints, up := strings.Count(got, "[STRESS]"), strings.Count(got, "\x1b[3A"); paints < 40 || up != paints-1 {
			t.Errorf("%d paints, %d times up", paints, up)
		}
	})
}

func TestReportText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newMixed()
		cfg := f.start(t)
		cfg.Clients, cfg.Timeout, cfg.Admin = 12, 20020*time.Millisecond, "http://admin.test"
		rep := mustRun(t, t.Context(), cfg)
		var out bytes.Buffer
		if err := rep.WriteText(&out); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(out.String(), "\n")
		for i, l := range lines {
			lines[i] = strings.Join(strings.Fields(l), " ")
		}
		for _, want := range []string{
			"register burst of 12 clients against http://game.test",
			"in 6",
			"busy 1 told to come back later until their tries ran out",
			"username-taken 1",
			"timed out 1 neither let in nor refused in time",
			"tries: 20, 3.33 per success; 33.3 % in on try 1, 16.7 % in on try 2",
			"first start to last success: 2.21 s, 2.7 logins/s; hash-bound minimum 0.30 s, ratio 7.37",
			"players inside: 3 before, 9 at the end, 9 expected; sessions lost 0, keep-alives failed 0",
			"tick lateness 1800 0.00 0.00 0.02 0.00 0.50 0.00 3.00",
			"load (batch) 0 - - - - - - -",
			"batches by size: 1×2 16×2",
			"CPU 2.75 s on 2 cores; RSS 3.0 MiB, 1.0 MiB before; 4 workers; " +
				"a hash took 100.0 ms in a full batch when the server started",
		} {
			if !slices.Contains(lines, want) {
				t.Errorf("%q is missing from\n%s", want, out.String())
			}
		}
		if strings.Contains(out.String(), "INTERRUPTED") {
			t.Error("marked as interrupted")
		}
	})
	rep := newReport(&Config{})
	rep.Interrupted = true
	var out bytes.Buffer
	if err := rep.WriteText(&out); err != nil || !strings.Contains(out.String(), "INTERRUPTED") {
		t.Errorf("error %v, text\n%s", err, out.String())
	}
	if err := rep.WriteText(brokenPipe{}); !errors.Is(err, http.ErrBodyNotAllowed) {
		t.Errorf("error %v", err)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, http.ErrBodyNotAllowed }
