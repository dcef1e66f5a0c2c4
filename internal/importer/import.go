// Package importer brings players from elsewhere into a [rushgate.Store]: accounts, which keep their passwords, and
// characters, which keep their ids and all they have. A [Source] reads them, such as that of package oldgame; [Import]
// does the rest.
//
// # Names
//
// A name is kept in the form that [rushgate.LoginName] looks up: its canonical form if it has one, so that Bob is found
// as bob, and otherwise byte for byte. Of several names that have become the same by this, the one that was spelled
// like that from the start is imported and the others are refused.
//
// # Ids
//
// An account has the id of its character. New players get ids above all that the source has given out, including
// those of records that were refused. An account without a character gets such a new id and a new character.
package importer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/world"
)

const (
	// DefaultBatchSize is how many accounts go into the store at once unless Options say otherwise.
	DefaultBatchSize = 256
	// MaxBatchSize bounds [Options].BatchSize.
	MaxBatchSize = 4096
)

// Options adjust [Import]. The zero value works.
type Options struct {
	// DryRun reads and checks everything and writes nothing.
	DryRun bool
	// BatchSize is how many accounts go into the store at once, 1 to [MaxBatchSize]; 0 means [DefaultBatchSize].
	BatchSize int
	// World is the world that the characters will live in, which decides what level their XP is worth; nil means
	// [world.Default].
	World *world.Definition
	// OwnWorld tells that the game has a world of its own: the characters are taken as the source has them.
	OwnWorld bool
	// Harden sets the Hash of accounts that have a Weak one. It is called for those only that the store does not have yet,
	// and not in a dry run. It may be nil if the source has no such accounts. It is called for two
	// batches at once, on goroutines of their own, while source and store are used.
	Harden func(context.Context, []*Account) error
	// Progress, if not nil, is told how far the import has come, on the importing goroutine.
	Progress func(Progress)
	// Logger gets one line when each pass is done; nil means none.
	Logger *slog.Logger
}

// Progress is how far an import has come.
type Progress struct {
	// Writing tells the second pass from the first.
	Writing bool
	// Done of Total units of work: of the source's own in the first pass, accounts in the second. Total is 0 while it is
	// not known.
	Done, Total int64
	// Refused is the number of records refused so far.
	Refused int
}

// Store is the part of a [rushgate.Store] that an import fills.
type Store interface {
	rushgate.Accounts
	rushgate.Importer
}

// Import brings all players of a source into a store. It reads the source twice: first all of it, to find out what goes
// together and what stands in each other's way, then account by account with its character, in batches that the store
// takes whole. It can be interrupted and run again: players who are there already are counted and left as they are.
//
// The error is nil if the import went to its end, however many records were refused: see the [Report], which is filled
// as far as the import came in any case. It wraps [rushgate.ErrIDsInUse] if the store has given the source's ids
// to new players: an import goes first. With DryRun the store may be nil; otherwise it is read, to tell who is present.
func Import(ctx context.Context, src Source, store Store, opts Options) (Report, error) {
	if opts.BatchSize == 0 {
		opts.BatchSize = DefaultBatchSize
	}
	if opts.BatchSize < 1 || opts.BatchSize > MaxBatchSize {
		return Report{}, fmt.Errorf("import: batches of %d, want 1 to %d", opts.BatchSize, MaxBatchSize)
	}
	if store == nil && !opts.DryRun {
		return Report{}, errors.New("import: no store to import into")
	}
	if opts.World == nil {
		opts.World = world.Default()
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	m := &importer{src: src, store: store, opts: opts, world: world.New(opts.World, 0),
		report: Report{DryRun: opts.DryRun}}
	if err := m.run(ctx); err != nil {
		return m.report, fmt.Errorf("import: %w", err)
	}
	return m.report, nil
}

// importer is one import under way.
type importer struct {
	src    Source
	store  Store // nil in a dry run without one
	opts   Options
	world  *world.World // where characters are tried
	index  index
	report Report

	hardened time.Time // until when the time that hardening takes is counted
}

func (m *importer) run(ctx context.Context) error {
	start := time.Now()
	err := m.read(ctx)
	m.report.Reading = time.Since(start)
	if err != nil {
		return fmt.Errorf("read records: %w", err)
	}
	r := &m.report
	m.opts.Logger.Info("legacy records read", "accounts", r.Accounts, "characters", r.Characters, "ignored", r.Ignored,
		"refused", r.Refused, "highest_id", r.HighestID, "elapsed", r.Reading)

	start = time.Now()
	err = m.write(ctx)
	r.Writing = time.Since(start)
	if err != nil {
		return err
	}
	m.opts.Logger.Info("legacy import done", "imported", r.Imported, "hardened", r.Hardened, "present", r.Present,
		"refused", r.Refused,
		"dry_run", r.DryRun, "elapsed", r.Writing)
	return nil
}

// read is the first pass.
func (m *importer) read(ctx context.Context) error {
	visited := 0
	m.index.key = m.src.Key
	err := m.src.Scan(ctx, func(f *Found) error {
		m.index.add(f, &m.report)
		if visited++; visited%1024 == 0 {
			m.progress(Progress{Done: f.Done, Total: f.Total})
		}
		return nil
	})
	if err != nil {
		return err
	}
	m.index.settle(m.src.Repeats(), &m.report)
	m.report.HighestID = m.index.highest
	return nil
}

func (m *importer) progress(p Progress) {
	if m.opts.Progress != nil {
		p.Refused = m.report.Refused
		m.opts.Progress(p)
	}
}

// write is the second pass. Accounts without a character come last: they take ids as new players do, after which the
// store sets no more ids aside.
func (m *importer) write(ctx context.Context) error {
	if !m.opts.DryRun && m.index.highest > 0 {
		if err := m.store.BeginImport(ctx, m.index.highest); err != nil {
			return fmt.Errorf("set ids aside: %w", err)
		}
	}
	var with, without []*accountEntry
	for i := range m.index.accounts {
		switch e := &m.index.accounts[i]; {
		case e.refused:
		case e.character == 0:
			without = append(without, e)
		default:
			with = append(with, e)
		}
	}
	total := int64(len(with) + len(without))
	done, err := m.batches(ctx, with, 0, total, stages{m.prepareRecords, m.importRecords})
	if err != nil {
		return err
	}
	_, err = m.batches(ctx, without, done, total, stages{m.prepareAccounts, m.createAccounts})
	return err
}
