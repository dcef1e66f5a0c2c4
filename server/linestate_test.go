package server

import (
	"bytes"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/line"
)

// queueing is a line and the file that its state is kept in.
type queueing struct {
	*lineState
	line *line.Line
	log  lines
}

// newQueueing begins a line with what the file has.
func newQueueing(t *testing.T, file string) *queueing {
	t.Helper()
	q := &queueing{}
	logger := slog.New(slog.NewTextHandler(&q.log, nil))
	var err error
	if q.line, err = line.New(line.Config{Pace: 1, State: loadLineState(file, logger)}); err != nil {
		t.Fatal(err)
	}
	q.lineState = newLineState(file, logger, q.line.State)
	return q
}

// arrive gives so many players a place, and returns their tickets.
func (q *queueing) arrive(t *testing.T, n int) (tickets []line.Ticket) {
	t.Helper()
	for range n {
		ticket, _, err := q.line.Take(line.Ask{Origin: netip.MustParsePrefix("192.0.2.1/32"), Alone: true})
		if err != nil {
			t.Fatal(err)
		}
		tickets = append(tickets, ticket)
	}
	return tickets
}

func (q *queueing) waiting() (n int) {
	for _, w := range q.line.Stats().Waiting {
		n += w
	}
	return n
}

func content(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A node that is killed has saved the line a second ago at most, and the next run goes on with it.
func TestLineStateOfANodeThatIsKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), lineStateName)
		q := newQueueing(t, file)
		q.start()
		time.Sleep(10 * time.Second)
		q.arrive(t, 20)
		time.Sleep(line.StateEvery)
		synctest.Wait()
		killed := content(t, file)
		q.stop() // which a node that is killed does not come to
		if err := os.WriteFile(file, killed, 0o600); err != nil {
			t.Fatal(err)
		}
		next := newQueueing(t, file)
		if n := next.waiting(); n < 20 || n > 22 { // what came after the state was saved is made up for
			t.Errorf("%d wait after the restart, 20 did before it", n)
		}
		if q.log.count("\n")+next.log.count("\n") > 0 {
			t.Errorf("the logs say\n%s%s", q.log.b.String(), next.log.b.String())
		}
	})
}

// A line in which nobody waits costs a write a minute, and one in which anybody does, or did at the last write, one a
// second.
func TestLineStateIsSavedWhenItMatters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), lineStateName)
		q := newQueueing(t, file)
		q.start()
		defer q.stop()
		writes := func(d time.Duration) (n int) {
			t.Helper()
			var last []byte
			if _, err := os.Stat(file); err == nil {
				last = content(t, file)
			}
			for range d / line.StateEvery {
				time.Sleep(line.StateEvery)
				synctest.Wait()
				if now := content(t, file); !bytes.Equal(now, last) {
					last = now
					n++
				}
			}
			return n
		}
		want := func(when string, got, want int) {
			t.Helper()
			if got != want {
				t.Errorf("%s: %d writes, want %d", when, got, want)
			}
		}
		want("ten idle minutes", writes(10*time.Minute), 10)
		q.arrive(t, 5)
		want("ten seconds while players wait", writes(10*time.Second), 10)
		for q.waiting() > 0 {
			time.Sleep(time.Second)
			q.line.Tick(10, 10)
		}
		synctest.Wait()
		writes(2 * time.Second)
		if n, err := line.CheckState(content(t, file)); err != nil || n != 0 {
			t.Errorf("after all were called, %d wait in the file, %v", n, err)
		}
		want("half a minute after that", writes(30*time.Second), 0)
		if names, err := filepath.Glob(filepath.Join(filepath.Dir(file), "*")); err != nil || len(names) != 1 {
			t.Errorf("the folder has %q, %v", names, err)
		}
	})
}

// The last state is that of the stop.
func TestLineStateOfANodeThatStops(t *testing.T) {
	file := filepath.Join(t.TempDir(), lineStateName)
	q := newQueueing(t, file)
	q.start()
	q.arrive(t, 7)
	for range 2 {
		q.stop()
	}
	if n, err := line.CheckState(content(t, file)); err != nil || n != 7 {
		t.Errorf("%d wait in the file, %v; want 7", n, err)
	}
	if n := newQueueing(t, file).waiting(); n < 7 {
		t.Errorf("%d wait after the restart", n)
	}
}

// Whatever stands in the file's place, the node begins with an empty line, says so once, and puts the file aside.
func TestLineStateThatCannotBeUsed(t *testing.T) {
	q := newQueueing(t, filepath.Join(t.TempDir(), lineStateName))
	q.arrive(t, 9)
	good := string(q.line.State())
	for name, bad := range map[string]string{
		"empty":             "",
		"cut off":           good[:len(good)-1],
		"half of it":        good[:len(good)/2],
		"altered":           good[:9] + string(good[9]^1) + good[10:],
		"zeros":             strings.Repeat("\x00", len(good)),
		"of a newer format": "\x02" + good[1:],
		"two of them":       good + good,
		"text":              "waiting: 9\n",
		"huge":              strings.Repeat(good, maxLineState/len(good)+1),
		"a folder":          "",
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), lineStateName)
			write := func(b string) error { return os.WriteFile(file, []byte(b), 0o600) }
			if name == "a folder" {
				write = func(string) error { return os.Mkdir(file, 0o700) }
			}
			if err := write(bad); err != nil {
				t.Fatal(err)
			}
			q := newQueueing(t, file)
			if q.waiting() != 0 || q.log.count("level=ERROR") != 1 || q.log.count("\n") != 1 || q.log.count(file) != 2 {
				t.Errorf("%d wait; the log says\n%s", q.waiting(), q.log.b.String())
			}
			if name != "a folder" && string(content(t, file+lineStateAside)) != bad {
				t.Error("what was put aside is something else")
			}
			q.arrive(t, 3)
			q.stop()
			if next := newQueueing(t, file); next.waiting() < 3 || next.log.count("\n") > 0 {
				t.Errorf("%d wait after the restart; the log says\n%s", next.waiting(), next.log.b.String())
			}
		})
	}
}

// A file that cannot be written is told once, tried again, and told when it can.
func TestLineStateThatCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := filepath.Join(t.TempDir(), "gone")
		q := newQueueing(t, filepath.Join(folder, lineStateName))
		q.start()
		defer q.stop()
		time.Sleep(5 * line.StateEvery)
		synctest.Wait()
		if q.log.count("level=WARN") != 1 || q.log.count("\n") != 1 {
			t.Errorf("the log says\n%s", q.log.b.String())
		}
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(line.StateEvery)
		synctest.Wait()
		if q.log.count("is saved again") != 1 || q.log.count("\n") != 2 {
			t.Errorf("the log says\n%s", q.log.b.String())
		}
	})
}
