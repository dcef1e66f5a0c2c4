package handover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// writeTimeout bounds the sending of one message: the other end reads all the time.
const writeTimeout = 5 * time.Second

// slice is how much of a limit is waited for at a time, see wire.next.
const slice = 250 * time.Millisecond

// heard is a message with what came with it.
type heard struct {
	message
	files []*os.File
}

// wire is one end of a conversation. It reads all the time, so that a process that is gone is noticed at once.
type wire struct {
	conn   *net.UnixConn
	peer   peer
	in     chan heard // closed at the end
	err    error      // why it was closed; to be read then
	mute   bool       // a message could not be sent whole, so none can follow
	closed chan struct{}
	once   sync.Once
	ended  sync.WaitGroup
	since  func(time.Time) time.Duration // time.Since
}

func newWire(c *net.UnixConn, p peer) *wire {
	w := &wire{conn: c, peer: p, in: make(chan heard, 4), closed: make(chan struct{}), since: time.Since}
	w.ended.Go(w.read)
	return w
}

// read reads messages until the connection or the conversation ends.
func (w *wire) read() {
	defer close(w.in)
	r := &fileReader{conn: w.conn}
	for {
		m, err := readMessage(r)
		h := heard{m, r.take()}
		if err == nil && len(h.files) != m.files {
			err = fmt.Errorf("%v came with %d descriptors, and not with %d", m.kind, len(h.files), m.files)
		}
		if err != nil {
			closeFiles(h.files)
			w.err = hangUp(err)
			return
		}
		select {
		case w.in <- h:
		case <-w.closed:
			closeFiles(h.files)
			w.err = errHungUp
			return
		}
	}
}

// hangUp returns [errHungUp] for the errors of a connection whose other end is closed.
func hangUp(err error) error {
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, end) {
			return errHungUp
		}
	}
	return err
}

// close ends the conversation. What was heard and not used is given up. It is idempotent.
func (w *wire) close() {
	w.once.Do(func() {
		close(w.closed)
		_ = w.conn.Close() // nothing that was sent can be lost by it
	})
	w.ended.Wait()
	for h := range w.in {
		closeFiles(h.files)
	}
}

// hear waits for the next message. A no is returned as a [*Refusal], the end of the connection as [errHungUp].
func (w *wire) hear(ctx context.Context, limit time.Duration, want kind) (heard, error) {
	h, err := w.next(ctx, limit)
	if err != nil || h.kind == want {
		return h, err
	}
	closeFiles(h.files)
	if h.kind == sayNo {
		return heard{}, &Refusal{strings.ToValidUTF8(string(h.body), "?")}
	}
	return heard{}, unexpected(h.kind, want)
}

// next waits for the next message, whatever it says. The limit is for the other process: while this one was stopped,
// the other may well have answered, and what it said is not read yet when the timer ends. So next is late only after a
// slice in which this process ran.
func (w *wire) next(ctx context.Context, limit time.Duration) (heard, error) {
	for {
		began := time.Now()
		end := time.NewTimer(min(slice, limit))
		select {
		case h, ok := <-w.in:
			end.Stop()
			if !ok {
				return heard{}, w.err
			}
			return h, nil
		case <-ctx.Done():
			end.Stop()
			return heard{}, context.Cause(ctx)
		case <-end.C:
		}
		if limit -= slice; limit > 0 {
			continue
		}
		if w.since(began) < 2*slice && len(w.in) == 0 {
			return heard{}, errLate
		}
		limit = slice
	}
}

// hungUp waits for the end of the connection, and reports whether it has come in time.
func (w *wire) hungUp(limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for {
		h, err := w.next(ctx, limit)
		if err != nil {
			return errors.Is(err, errHungUp)
		}
		closeFiles(h.files)
	}
}

// kill kills the other process, which has not hung up, and returns its id, or 0 where it is not known. Whether it has
// died is seen by the end of the connection.
func (w *wire) kill() (pid int) {
	if w.peer.pid <= 0 || w.peer.pid == os.Getpid() {
		return 0
	}
	p, err := os.FindProcess(w.peer.pid)
	if err != nil || p.Kill() != nil {
		return 0
	}
	return w.peer.pid
}

// say sends a message, and with it descriptors.
func (w *wire) say(k kind, body []byte, files ...File) (err error) {
	if w.mute {
		return errHungUp
	}
	defer func() { w.mute = err != nil }()
	_ = w.conn.SetWriteDeadline(time.Now().Add(writeTimeout)) // fails for a connection that is closed
	header := appendHeader(make([]byte, 0, headerSize), k, len(files), body)
	if err := send(w.conn, header, files); err != nil {
		return hangUp(err)
	}
	if len(body) == 0 { // to write nothing would fail if the other end has heard all and gone
		return nil
	}
	if _, err := w.conn.Write(body); err != nil {
		return hangUp(err)
	}
	return nil
}

// refuse tells the other process that this one does not go on, and why.
func (w *wire) refuse(why error) {
	words := why.Error()
	_ = w.say(sayNo, []byte(words[:min(len(words), maxWords)])) // it sees the end of the connection otherwise
}

// decode reads what a hello or an offer says. Fields that are not known here are of a later version, and no error.
func decode(b []byte, v any) error {
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("what the other process says of itself cannot be read: %w", err)
	}
	return nil
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // a copy
	}
}
