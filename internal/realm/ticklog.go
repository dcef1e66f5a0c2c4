package realm

import (
	"context"
	"log/slog"
)

// tickLogDepth is how many lines may wait; a tick that has more to say than the log can take is not worth reading.
const tickLogDepth = 64

// tickLog carries the tick's log lines to a goroutine that may block on writing them: a log on a full pipe must not
// stop the world.
type tickLog struct {
	logger *slog.Logger
	lines  chan tickLine
}

type tickLine struct {
	level slog.Level
	text  string
	args  []any
}

func newTickLog(logger *slog.Logger) *tickLog {
	return &tickLog{logger: logger, lines: make(chan tickLine, tickLogDepth)}
}

// log hands over a line, or drops it when the log cannot keep up.
func (l *tickLog) log(level slog.Level, text string, args ...any) {
	select {
	case l.lines <- tickLine{level, text, args}:
	default:
	}
}

// run writes lines until ctx ends.
func (l *tickLog) run(ctx context.Context) {
	for {
		select {
		case line := <-l.lines:
			l.write(line)
		case <-ctx.Done():
			return
		}
	}
}

// flush writes what is waiting.
func (l *tickLog) flush() {
	for {
		select {
		case line := <-l.lines:
			l.write(line)
		default:
			return
		}
	}
}

func (l *tickLog) write(line tickLine) {
	l.logger.Log(context.Background(), line.level, line.text, line.args...)
}
