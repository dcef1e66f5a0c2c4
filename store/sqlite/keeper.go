package sqlite

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/rushgate/rushgate"
)

const (
	// keepInterval is how often the keeper looks at the files.
	keepInterval = 500 * time.Millisecond
	// maxLog is how many bytes the write-ahead log keeps on the disk when it is not needed: SQLite begins it anew about
	// there by itself, as long as no reader holds it up.
	maxLog = 4 << 20
	// longLog is from where on the keeper does not wait for a quiet moment, and retryLog how often it then tries.
	longLog  = 16 << 20
	retryLog = 10 * time.Second
)

// keeper watches a store's files, and shortens the write-ahead log after something has held it up.
type keeper struct {
	store  *Store
	logger *slog.Logger
	quit   chan struct{}
	ended  sync.WaitGroup

	commits uint64    // at the last look
	tried   time.Time // to shorten the log

	mu   sync.Mutex
	gone error // nil while the files are there
}

func (k *keeper) start() {
	k.ended.Go(func() {
		again := time.NewTicker(keepInterval)
		defer again.Stop()
		for {
			select {
			case now := <-again.C:
				k.look(now)
			case <-k.quit:
				return
			}
		}
	})
}

func (k *keeper) stop() {
	close(k.quit)
	k.ended.Wait()
}

// look is one round of the keeper.
func (k *keeper) look(now time.Time) {
	if k.note(k.store.files.check()) == nil {
		k.shorten(now)
	}
}

// note remembers whether the files are gone, logs when that changes, and returns its argument.
func (k *keeper) note(gone error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case gone != nil && k.gone == nil:
		k.logger.Error("no player can register, come in or be saved: what would be written would be lost; put the files "+
			"back where they were, or stop the node and restore them", "error", gone)
	case gone == nil && k.gone != nil:
		k.logger.Info("the files of the database are back: players are saved again")
	}
	k.gone = gone
	return gone
}

// shorten empties a log that is longer than it needs to be, if no writer is busy, or if it has become very long. It
// does nothing to a log that a reader still needs.
func (k *keeper) shorten(now time.Time) {
	log, err := os.Stat(k.store.files.logPath())
	commits := k.store.writer.commits.Load()
	quiet := commits == k.commits
	k.commits = commits
	if err != nil || log.Size() <= maxLog || !quiet && (log.Size() < longLog || now.Sub(k.tried) < retryLog) {
		return
	}
	k.tried = now
	if err := k.store.writer.truncateLog(); err != nil {
		k.logger.Debug("the write-ahead log could not be shortened", "error", err)
	}
}

// Health tells whether the database's files are where they were opened, and how long the write-ahead log is. It
// implements [rushgate.HealthReporter].
func (s *Store) Health() rushgate.Health {
	var h rushgate.Health
	if !s.hasBegun() {
		return h
	}
	if log, err := os.Stat(s.files.logPath()); err == nil {
		h.LogBytes = log.Size()
	}
	s.keeper.mu.Lock()
	defer s.keeper.mu.Unlock()
	if s.keeper.gone != nil {
		h.Open, h.Warnings = true, []string{s.keeper.gone.Error()}
	}
	return h
}

// truncateLog moves what is in the log into the database and empties it, unless a reader is in the way. It waits for
// none: writers wait for it.
func (w *writer) truncateLog() error {
	return w.alone(func(ctx context.Context) error {
		if _, err := w.conn.ExecContext(ctx, `PRAGMA busy_timeout = 0`); err != nil {
			return err
		}
		var busy, pages, moved int
		err := w.conn.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &pages, &moved)
		if _, e := w.conn.ExecContext(ctx, fmt.Sprintf(`PRAGMA busy_timeout = %d`, busyTimeout)); e != nil {
			return e
		}
		return err
	})
}
