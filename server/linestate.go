package server

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/rushgate/rushgate/internal/line"
)

const (
	// lineStateName is the name, within the data folder, of the file with the state of the line before the door, and
	// worldStateName of that with the state of the world's line.
	lineStateName  = "line.state"
	worldStateName = "world-line.state"
	// lineStateAside is added to the name of a file that cannot be used.
	lineStateAside = ".aside"
	// maxLineState bounds the file, in bytes: several times what a line has.
	maxLineState = 1 << 20
	// idleStateEvery is how often the state of a line is saved in which nobody waits: all that it tells then is for how
	// long turns that have come are still good.
	idleStateEvery = time.Minute
)

// lineState keeps the state of a line in a file, so that the next run of the node honours every place, also after a
// kill -9.
type lineState struct {
	file   string
	logger *slog.Logger
	take   func() []byte // the state of now

	saved   time.Time // when it was last saved
	idle    bool      // nobody waited then
	failing bool      // the log has heard of it

	end     chan struct{} // nil while it is not saved
	running sync.WaitGroup
}

func newLineState(file string, logger *slog.Logger, take func() []byte) *lineState {
	return &lineState{file: file, logger: logger, take: take}
}

// start saves the state every [line.StateEvery], until pause or stop. It is idempotent.
func (l *lineState) start() {
	if l.end != nil {
		return
	}
	end := make(chan struct{})
	l.end = end
	l.running.Go(func() { every(line.StateEvery, end, l.save) })
}

// pause has the file left alone: another process may write it. It is idempotent.
func (l *lineState) pause() {
	if l.end != nil {
		close(l.end)
		l.running.Wait()
		l.end = nil
	}
}

// stop saves the state once more, on the disk. The line should have come to rest.
func (l *lineState) stop() {
	l.pause()
	l.tell(writeFile(l.file, l.take(), 0o600))
}

// save writes the state unless nobody waits, and nobody has since it was last written, a moment ago.
func (l *lineState) save(now time.Time) {
	state := l.take()
	waiting, err := line.CheckState(state)
	idle := waiting == 0
	if err == nil && idle && l.idle && now.Sub(l.saved).Abs() < idleStateEvery {
		return
	}
	if err == nil {
		err = replaceFile(l.file, state)
	}
	if l.tell(err); err == nil {
		l.saved, l.idle = now, idle
	}
}

func (l *lineState) tell(err error) {
	switch {
	case err != nil && !l.failing:
		l.logger.Warn("the state of the line cannot be saved: after a restart those who wait come in before their turn",
			"file", l.file, "error", err)
	case err == nil && l.failing:
		l.logger.Info("the state of the line is saved again", "file", l.file)
	}
	l.failing = err != nil
}

// loadLineState returns the state that an earlier run has left, nil for none. A file that cannot be used is told to the
// log and put aside, under one name that the next such file takes from it.
func loadLineState(file string, logger *slog.Logger) []byte {
	state, err := readLineState(file)
	if err == nil {
		return state
	}
	aside := file + lineStateAside
	if moved := os.Rename(file, aside); moved != nil {
		err = errors.Join(err, moved)
	}
	logger.Error("the state of the line cannot be used, and the line begins anew: those who waited come in before their "+
		"turn; if a newer version has written it, stop the node and put it back for that",
		"file", file, "put_aside", aside, "error", err)
	return nil
}

func readLineState(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // opening it could take for ever
		return nil, errors.New("not a regular file")
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	state, err := io.ReadAll(io.LimitReader(f, maxLineState+1))
	if err != nil {
		return nil, err
	}
	if len(state) > maxLineState {
		return nil, fmt.Errorf("larger than %d bytes", maxLineState)
	}
	if _, err := line.CheckState(state); err != nil {
		return nil, err
	}
	return state, nil
}
