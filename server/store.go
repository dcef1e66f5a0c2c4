package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/filelock"
	"github.com/rushgate/rushgate/store/memory"
	"github.com/rushgate/rushgate/store/redis"
	"github.com/rushgate/rushgate/store/sqlite"
)

// openStore opens the store, or takes the embedder's, and names this run of the node. A node that goes on in place of
// another has that one's names and lock, and a database that is there is opened by beginStore.
func (s *Server) openStore(ctx context.Context) (in rushgate.Instance, err error) {
	in = rushgate.Instance{Node: rand.Text(), Run: rand.Text()}
	if s.cfg.Backend == Memory {
		s.store = memory.New(memory.Options{Boards: s.cfg.Boards})
		return in, nil
	}
	if s.cfg.Backend == Redis { // before there is anything in the data folder: of a start in vain nothing is to be left
		if s.store, err = s.openRedis(ctx); err != nil {
			return in, fmt.Errorf("server: %w", err)
		}
	}
	if err := os.MkdirAll(s.cfg.DataDir, 0o700); err != nil {
		return in, fmt.Errorf("server: data folder: %w", &SettingError{"DataDir", err})
	}
	database := filepath.Join(s.cfg.DataDir, DatabaseName)
	var inherited *os.File
	if s.successor != nil {
		if inherited, err = s.successor.lock(database); err != nil {
			return in, err
		}
	}
	if s.cfg.Backend != SQLite && inherited != nil {
		s.lock, inherited = inherited, nil
	} else if s.cfg.Backend != SQLite {
		// The lock that the database would have: two nodes with one id would take each other's players.
		if s.lock, err = filelock.Acquire(database + ".lock"); err != nil {
			return in, fmt.Errorf("server: data folder: %w", err)
		}
	}
	switch {
	case s.cfg.Store != nil:
		s.store = s.cfg.Store
	case s.cfg.Backend == Redis: // is open
	default:
		s.store, err = openDatabase(ctx, s.cfg.DataDir,
			sqlite.Options{Logger: s.cfg.Logger, Inherited: inherited, Boards: s.cfg.Boards})
	}
	s.inner = s.store
	if err != nil {
		s.store = nil
		return in, fmt.Errorf("server: %w", err)
	}
	if reporter, ok := s.store.(rushgate.HealthReporter); ok {
		s.health = reporter.Health
	}
	if s.successor != nil {
		return s.successor.instance(), s.successor.sameStore(ctx, s)
	}
	if in.Node, err = nodeID(s.cfg.DataDir); err != nil { // only now that no other node can be making one
		return in, err
	}
	return in, s.cfg.withdraw() // what a run that was killed has left: it names another process by now
}

// usedName is the name, within the data folder, of the file that says that the folder's players are in a database. The
// folder of a node on Redis has no such file.
const usedName = "rushgate.db.used"

// OpenDatabase opens the SQLite database of a data folder, which must exist, or makes it. It refuses to make one
// ([sqlite.ErrMissing]) if the folder has had one, or if there is an empty one beside what nodes keep there: players
// would find themselves unknown, and their names free for others. logger may be nil, see [sqlite.Options].
func OpenDatabase(ctx context.Context, dir string, logger *slog.Logger) (*sqlite.Store, error) {
	return openDatabase(ctx, dir, sqlite.Options{Logger: logger})
}

func openDatabase(ctx context.Context, dir string, opts sqlite.Options) (*sqlite.Store, error) {
	database, used, node := filepath.Join(dir, DatabaseName), filepath.Join(dir, usedName), filepath.Join(dir, nodeIDName)
	opts.Existing = exists(used) || exists(database) && exists(node)
	store, err := sqlite.Open(ctx, database, opts)
	switch {
	case errors.Is(err, sqlite.ErrMissing) && opts.Existing:
		return nil, fmt.Errorf("%w: the players of %s were in it; put it back, with the files beside it whose names begin "+
			"like its own, or restore a backup; to begin anew without these players, remove %s and %s",
			err, dir, used, node)
	case err != nil:
		return nil, err
	}
	if exists(used) {
		return store, nil
	}
	if err := writeFile(used, []byte("The players of this folder are in "+DatabaseName+".\n"), 0o644); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return store, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// openRedis opens the store on Redis and warns of settings that lose what it acknowledges.
func (s *Server) openRedis(ctx context.Context) (rushgate.Store, error) {
	store, err := redis.Open(ctx, redis.Options{
		URLs: s.cfg.RedisURLs, SentinelMaster: s.cfg.RedisSentinel, Prefix: s.cfg.RedisPrefix, Logger: s.cfg.Logger,
		Boards: s.cfg.Boards,
	})
	if errors.Is(err, redis.ErrInvalidURL) {
		return nil, wrong("RedisURLs", "%w", err)
	} else if err != nil {
		return nil, &SettingError{"RedisURLs", err}
	}
	if _, err := store.Durability(ctx); err != nil { // which logs what it finds
		return nil, &SettingError{"RedisURLs", errors.Join(err, store.Close())}
	}
	return store, nil
}

// beginStore opens for good what openStore has found to be usable.
func (s *Server) beginStore(ctx context.Context) error {
	if database, ok := s.inner.(*sqlite.Store); ok && s.cfg.Store == nil {
		return database.Begin(ctx)
	}
	return nil
}

// closeStore closes what openStore has opened, which an embedder's store is not.
func (s *Server) closeStore() (err error) {
	if s.store != nil && s.cfg.Store == nil {
		if e := s.store.Close(); e != nil {
			err = fmt.Errorf("server: close store: %w", e)
		}
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	return err
}
