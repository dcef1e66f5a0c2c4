package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/api"
	"github.com/rushgate/rushgate/internal/metric"
	"github.com/rushgate/rushgate/internal/opaque"
)

// OpaqueMode says what a node does with OPAQUE (RFC 9807), by which a password never reaches it.
type OpaqueMode string

// What a node can do with OPAQUE.
const (
	// OpaqueOff: nobody logs in by it.
	OpaqueOff OpaqueMode = OpaqueMode(api.OpaqueOff)
	// OpaquePrefer: players may register by it, and an account may move over from a password, whose hash is dropped then.
	OpaquePrefer OpaqueMode = OpaqueMode(api.OpaquePrefer)
	// OpaqueOnly: no password is taken.
	OpaqueOnly OpaqueMode = OpaqueMode(api.OpaqueOnly)
)

// OpaqueModes returns what there is.
func OpaqueModes() []OpaqueMode { return []OpaqueMode{OpaqueOff, OpaquePrefer, OpaqueOnly} }

// OpaqueKeysName is the name, within the data folder, of the file with the keys of OPAQUE, unless there is an
// OpaqueKeyFile.
const OpaqueKeysName = "opaque.key"

// sharedOpaqueKeys is the name under which a fleet shares the ids of the keys of OPAQUE, which are no secret.
const sharedOpaqueKeys = "opaque-keys"

// sharedOpaqueMode is the name under which it shares what the node that was started last does with OPAQUE.
const sharedOpaqueMode = "opaque-mode"

// OpaqueSharedNames returns the names of the values that nodes share about OPAQUE, see [rushgate.Fleet]. They go along
// with the players of a store: without them a node that lacks its keys would make others.
func OpaqueSharedNames() []string { return []string{sharedOpaqueKeys, sharedOpaqueMode} }

// agreeTimeout bounds the calls by which a node agrees with the others on keys, while it runs.
const agreeTimeout = 5 * time.Second

// opaqueState is what a node has for OPAQUE; nil if it is off.
type opaqueState struct {
	*opaque.Server
	panics atomic.Int64
}

// opaqueFile is where the keys of OPAQUE are.
func (c Config) opaqueFile() string {
	if c.OpaqueKeyFile != "" {
		return c.OpaqueKeyFile
	}
	return filepath.Join(c.DataDir, OpaqueKeysName)
}

// validateOpaque checks what a node does with OPAQUE.
func (c Config) validateOpaque() error {
	if !slices.Contains(OpaqueModes(), c.Opaque) {
		return wrong("Opaque", "OPAQUE is %q, want off, prefer or only", c.Opaque)
	}
	if c.Opaque == OpaqueOff && c.OpaqueKeyFile != "" {
		return wrong("OpaqueKeyFile", "there is a file with keys of OPAQUE, but OPAQUE is off; it is for prefer and only")
	}
	return nil
}

// givenOpaqueKeys returns the keys of the file that the node is told of; nil if there is none.
func (c Config) givenOpaqueKeys() (*opaque.Keys, error) {
	if c.OpaqueKeyFile == "" {
		return nil, nil
	}
	keys, err := opaque.LoadKeys(c.OpaqueKeyFile)
	if err != nil {
		return nil, fmt.Errorf("server: %w", &SettingError{"OpaqueKeyFile", err})
	}
	return keys, nil
}

// openOpaque makes what answers by OPAQUE, with the keys that were given, or those of the data folder.
func (s *Server) openOpaque(ctx context.Context, keys *opaque.Keys) (err error) {
	if s.cfg.Opaque == OpaqueOff {
		return nil
	}
	made := false
	if keys == nil {
		if keys, made, err = s.ownOpaqueKeys(ctx); err != nil {
			return fmt.Errorf("server: %w", s.cfg.blameOpaqueFile(err))
		}
	}
	if s.successor == nil { // else the node that this one goes on in place of has agreed, and has the store
		if err := agreeOnKeys(ctx, s.store, s.cfg.opaqueFile(), keys); err != nil {
			if made {
				os.Remove(s.cfg.opaqueFile()) // it would look like the one that is missing
			}
			return fmt.Errorf("server: %w", s.cfg.blameOpaqueFile(err))
		}
	}
	state := &opaqueState{}
	state.Server, err = opaque.NewServer(opaque.Config{Keys: keys, Panicked: func(stack []byte) {
		state.panics.Add(1)
		s.cfg.Logger.Error("OPAQUE panicked", "stack", string(stack))
	}})
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	s.opaque = state
	return nil
}

// noteOpaqueMode tells the store what this node does with OPAQUE, for programs that work on the store without a node.
// Where there never was OPAQUE nothing is noted.
func (s *Server) noteOpaqueMode(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, agreeTimeout)
	defer cancel()
	before, err := s.store.Shared(ctx, sharedOpaqueMode)
	if err == nil && string(before) != string(s.cfg.Opaque) && (before != nil || s.cfg.Opaque != OpaqueOff) {
		_, err = s.store.SwapShared(ctx, sharedOpaqueMode, before, []byte(s.cfg.Opaque))
	}
	if err != nil {
		s.cfg.Logger.Warn("the store does not know what this node does with OPAQUE; \"rushgate account\" may set passwords "+
			"that nobody can log in with", "error", err)
	}
}

// OpaqueModeOf returns what the node on a store that was started last does with OPAQUE, or did.
func OpaqueModeOf(ctx context.Context, store rushgate.Fleet) (OpaqueMode, error) {
	mode, err := store.Shared(ctx, sharedOpaqueMode)
	if err != nil || mode == nil {
		return OpaqueOff, err
	}
	return OpaqueMode(mode), nil
}

// answersOpaque is what answers by OPAQUE; nil if it is off.
func (s *Server) answersOpaque() *opaque.Server {
	if s.opaque == nil {
		return nil
	}
	return s.opaque.Server
}

// blameOpaqueFile says of an error which setting it is about that tells where the keys are, unless it is the store's.
func (c Config) blameOpaqueFile(err error) error {
	switch {
	case errors.Is(err, rushgate.ErrUnavailable):
		return err
	case c.OpaqueKeyFile == "":
		return &SettingError{"DataDir", err}
	}
	return &SettingError{"OpaqueKeyFile", err}
}

// ownOpaqueKeys returns the keys of OPAQUE of the data folder, made when the nodes of the store have had none yet, or
// new ones for this run of a node that keeps nothing. It reports whether the file was made.
func (s *Server) ownOpaqueKeys(ctx context.Context) (keys *opaque.Keys, made bool, err error) {
	if s.cfg.Backend == Memory {
		keys, err = opaque.NewKeys(nil)
		return keys, false, err
	}
	path := s.cfg.opaqueFile()
	keys, err = opaque.LoadKeys(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return keys, false, err
	}
	if s.successor == nil { // else the node before has the store, and had no need of keys or has agreed on them
		known, err := s.store.Shared(ctx, sharedOpaqueKeys)
		if err == nil && len(known) > 0 {
			err = fmt.Errorf("%s is missing, and %w (%s): %s", path, errOtherKeys, known, putKeysBack)
		}
		if err != nil {
			return nil, false, err
		}
	}
	if keys, err = opaque.NewKeys(nil); err != nil {
		return nil, false, err
	}
	return keys, true, writeFile(path, keys.Marshal(), 0o600)
}

// errOtherKeys refuses to start with keys by which nobody could log in who was registered with others, and with which
// players would be registered whom the other nodes do not know.
var errOtherKeys = errors.New("the nodes of this store have used other keys of OPAQUE")

// putKeysBack is what helps then. A new file does not: whoever is registered would have lost the password.
const putKeysBack = "put back your copy of the file, or take that of the other nodes; docs/operations.md (Keys and " +
	"secrets) says what to do where there is none"

// agreeOnKeys notes in the store which keys the nodes have, by their ids. A file that has none of them is another
// fleet's, or a new one in place of one that was lost.
func agreeOnKeys(ctx context.Context, store rushgate.Fleet, path string, keys *opaque.Keys) error {
	var ids []string
	for _, id := range keys.IDs() {
		ids = append(ids, id.String())
	}
	for range 10 {
		before, err := store.Shared(ctx, sharedOpaqueKeys)
		if err != nil {
			return err
		}
		known := strings.Fields(string(before))
		if len(known) > 0 && !slices.ContainsFunc(ids, func(id string) bool { return slices.Contains(known, id) }) {
			return fmt.Errorf("%w (%s), of which %s has none: %s", errOtherKeys, before, path, putKeysBack)
		}
		swapped, err := store.SwapShared(ctx, sharedOpaqueKeys, before, []byte(strings.Join(ids, " ")))
		if err != nil || swapped {
			return err
		}
	}
	return nil // others are at it, who have one of these keys
}

// reloadOpaque reads the keys of OPAQUE again. Those that are in no file any more are dropped: their players have lost
// their passwords.
func (s *Server) reloadOpaque() (changed bool, err error) {
	next, err := opaque.LoadKeys(s.cfg.opaqueFile())
	if err != nil {
		return false, err
	}
	before := s.opaque.Keys()
	if slices.Equal(before.IDs(), next.IDs()) {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), agreeTimeout)
	defer cancel()
	if err := agreeOnKeys(ctx, s.store, s.cfg.opaqueFile(), next); err != nil {
		return false, err
	}
	s.opaque.SetKeys(next)
	return true, nil
}

// opaqueMetrics has what package opaque has recovered from.
func (s *Server) opaqueMetrics(out metric.Scrape) {
	out.Counter("rushgate_opaque_panics_total", "Panics in OPAQUE, each of which is a fault of the program.",
		float64(s.opaque.panics.Load()))
}

// MakeOpaqueKeys makes a file with a new key of OPAQUE, and returns the key's id, which is no secret. The file must not
// be there.
func MakeOpaqueKeys(path string) (id string, err error) {
	if _, err := os.Lstat(path); err == nil {
		return "", fmt.Errorf("server: %s: %w: players may be registered with its keys", path, fs.ErrExist)
	}
	keys, err := opaque.NewKeys(nil)
	if err != nil {
		return "", fmt.Errorf("server: %w", err)
	}
	return keys.IDs()[0].String(), writeFile(path, keys.Marshal(), 0o600)
}

// PrepareOpaqueKey adds a new key to a file with keys of OPAQUE, and returns its id. Nothing is made with it before
// [UseOpaqueKey]. Nodes that run go by the file within a few seconds.
func PrepareOpaqueKey(path string) (id string, err error) {
	keys, err := opaque.LoadKeys(path)
	if err == nil {
		keys, err = keys.Prepared(nil)
	}
	if err != nil {
		return "", fmt.Errorf("server: %w", err)
	}
	ids := keys.IDs()
	return ids[len(ids)-1].String(), rewriteFile(path, keys.Marshal())
}

// ErrNoPreparedKey says that no key of a file is prepared, so that none was put to use in place of the one that is.
var ErrNoPreparedKey = errors.New("no key is prepared")

// UseOpaqueKey puts the key of a file with keys of OPAQUE to use that was prepared last, and returns its id. All nodes
// should know it by then. If none is prepared, the file stays as it is, the id is that of the key in use, and the error
// wraps [ErrNoPreparedKey]: those that were in use before may be known to others.
func UseOpaqueKey(path string) (id string, err error) {
	keys, err := opaque.LoadKeys(path)
	if err != nil {
		return "", fmt.Errorf("server: %w", err)
	}
	next, err := keys.Promoted()
	if err != nil {
		return keys.IDs()[0].String(), fmt.Errorf("server: %s: %w", path, ErrNoPreparedKey)
	}
	return next.IDs()[0].String(), rewriteFile(path, next.Marshal())
}
