package run

import (
	"bytes"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

// A line that wraps would leave a copy of itself with each paint.
func TestNoLineIsWiderThanTheTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, width := range []int{0, 1, 2, 40, 79, 1000} {
			var out bytes.Buffer
			p := &progress{w: &out, terminal: true, width: func() int { return width }, run: &run{}, begin: time.Now()}
			whole := p.lines()
			p.show()
			p.show()
			lines := strings.Split(strings.ReplaceAll(out.String(), "\x1b[3A", ""), "\x1b[K\n")
			if len(lines) != 2*len(whole)+1 {
				t.Fatalf("width %d: %q", width, lines)
			}
			for i, line := range lines[:len(lines)-1] {
				line, want := strings.TrimPrefix(line, "\r"), whole[i%len(whole)]
				n := utf8.RuneCountInString(line)
				cut := width > 0 && utf8.RuneCountInString(want) >= width
				if !strings.HasPrefix(want, line) || cut && n != width-1 || !cut && line != want {
					t.Errorf("width %d: %q of %q", width, line, want)
				}
			}
		}
	})
}

// The terminal echoes what is typed, such as ^C, where the cursor is.
func TestPaintsBeginInTheFirstColumn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.knock = func(w http.ResponseWriter, _ *http.Request, name string, _ int) { f.admit(w, name, time.Second) }
		cfg := f.start(t)
		var out paints
		cfg.Clients, cfg.Progress, cfg.Terminal = 1, &out, true
		mustRun(t, t.Context(), cfg)
		if len(out) < 3 || slices.ContainsFunc(out, func(s string) bool { return !strings.HasPrefix(s, "\r") }) {
			t.Errorf("%q", out)
		}
	})
}

// paints are the writes of a progress.
type paints []string

func (p *paints) Write(b []byte) (int, error) {
	*p = append(*p, string(b))
	return len(b), nil
}

func TestWidthOfWhatIsNoTerminal(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if a, b := widthOf(new(bytes.Buffer))(), widthOf(null)(); a != 0 || b != 0 {
		t.Errorf("%d and %d columns", a, b)
	}
}
