// Package lossy writes lines where the reading end may stop reading, the disk may be full or the pipe may be broken,
// and loses lines rather than make a caller wait.
package lossy

import (
	"bytes"
	"io"
	"sync"
	"time"
)

// Limit is how many bytes of lines a [Writer] keeps for an output that does not take them.
const Limit = 1 << 20

// Writer hands what is written to it on to an output. Write never waits for the output and never fails: what finds no
// room is lost, and counted. It is safe for concurrent use.
type Writer struct {
	out  io.Writer
	note func(lost uint64) []byte
	wake chan struct{} // holds one while there may be something to do
	done chan struct{} // closed when the last line is out

	mu      sync.Mutex
	waiting []byte // whole lines, in order
	spare   []byte // the buffer that waiting takes its place with
	lost    uint64 // lines, of which the output has not been told
	total   uint64 // lines lost since the start
	closed  bool
}

// New returns a writer to out, which belongs to it until [Writer.Close]. note, if not nil, returns the line that tells
// how many were lost; it is written once the output takes lines again.
func New(out io.Writer, note func(lost uint64) []byte) *Writer {
	w := &Writer{out: out, note: note, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go w.run()
	return w
}

// Write takes over p, which is to be one or several whole lines. The result is always len(p) and nil.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || len(w.waiting)+len(p) > Limit {
		w.lose(p)
		return len(p), nil
	}
	w.waiting = append(w.waiting, p...)
	w.nudge()
	return len(p), nil
}

// Lost returns how many lines were lost since the start.
func (w *Writer) Lost() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.total
}

// Close waits until everything is written, but no longer than patience; what is written to w afterwards is lost. It is
// idempotent. An output that still has not taken the last line then keeps a goroutine until it does: a write cannot be
// called back.
func (w *Writer) Close(patience time.Duration) {
	w.mu.Lock()
	w.closed = true
	w.nudge()
	w.mu.Unlock()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-w.done:
	case <-late.C:
	}
}

// nudge lets run look again. Its caller has the lock.
func (w *Writer) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// lose counts the lines in p. Its caller has the lock.
func (w *Writer) lose(p []byte) {
	n := uint64(bytes.Count(p, []byte{'\n'}))
	if len(p) > 0 && p[len(p)-1] != '\n' {
		n++
	}
	w.lost += n
	w.total += n
}

// run writes what waits until the writer is closed.
func (w *Writer) run() {
	defer close(w.done)
	var o output
	for range w.wake {
		for {
			lines, lost, closed := w.take()
			wrote := w.pass(&o, lines, lost)
			if wrote {
				continue // more may have come meanwhile
			}
			if closed { // so that nothing has come since
				return
			}
			break
		}
	}
}

// output is how the last write has left the output.
type output struct {
	failing bool // it has refused what was last written
	torn    bool // it has but the beginning of a line
}

// pass writes lines and tells of those that were lost, and reports whether the output has taken all of something.
func (w *Writer) pass(o *output, lines []byte, lost uint64) (wrote bool) {
	if o.failing { // what was lost came before the lines
		lost, wrote = w.tell(o, lost)
	}
	if len(lines) > 0 {
		wrote = w.deliver(o, lines)
	}
	if !o.failing {
		var told bool
		lost, told = w.tell(o, lost)
		wrote = wrote || told
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lost += lost
	return wrote
}

// tell writes the note of what was lost, and returns what is still to be told.
func (w *Writer) tell(o *output, lost uint64) (left uint64, told bool) {
	if lost == 0 || w.note == nil {
		return 0, false
	}
	if w.send(o, w.note(lost)) > 0 {
		return lost, false
	}
	return 0, true
}

// deliver writes lines, and counts those that the output has not taken whole.
func (w *Writer) deliver(o *output, lines []byte) bool {
	rest := w.send(o, lines)
	if rest == 0 {
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lose(lines[len(lines)-min(rest, len(lines)):])
	return false
}

// send writes whole lines and returns how many bytes of them are missing.
func (w *Writer) send(o *output, lines []byte) (rest int) {
	if o.torn {
		lines = append([]byte{'\n'}, lines...)
	}
	n, err := w.out.Write(lines)
	n = min(max(n, 0), len(lines))
	if n > 0 {
		o.torn = lines[n-1] != '\n'
	}
	o.failing = err != nil || n < len(lines)
	if !o.failing {
		return 0
	}
	return max(len(lines)-n, 1)
}

// take returns what waits, how many lines were lost, and whether nothing comes any more.
func (w *Writer) take() (lines []byte, lost uint64, closed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	lines, lost = w.waiting, w.lost
	w.waiting, w.spare = w.spare[:0], lines
	w.lost = 0
	return lines, lost, w.closed
}
