package importer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rushgate/rushgate"
)

// batch is accounts that go into the store at once.
type batch struct {
	size     int               // how many entries it was made of
	accounts []*Account        // those that are left of them
	refs     []Ref             // of the accounts
	records  []rushgate.Record // of the accounts, if they have characters

	hardening  chan struct{} // closed when the hashes are hardened, or could not be
	begun, end time.Time     // of that
	err        error
}

// stages are what is done with a batch before its hashes are hardened, and what is after that.
type stages struct {
	prepare func(context.Context, []*accountEntry) (*batch, error)
	finish  func(context.Context, *batch) error
}

// batches brings in accounts, some at a time. While the hashes of some are hardened, which takes all cores, those
// before are written and those after are read; and these are hardened as soon as a core has nothing left to do of the
// others.
func (m *importer) batches(
	ctx context.Context, entries []*accountEntry, done, total int64, do stages,
) (int64, error) {
	var working sync.WaitGroup
	defer working.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var before *batch
	conclude := func(b *batch) error {
		if b == nil {
			return nil
		}
		err := m.await(b)
		if err == nil && len(b.accounts) > 0 {
			err = do.finish(ctx, b)
		}
		if err == nil {
			done += int64(b.size)
			m.progress(Progress{Writing: true, Done: done, Total: total})
		}
		return err
	}
	for part := range slices.Chunk(entries, m.opts.BatchSize) {
		if err := ctx.Err(); err != nil {
			return done, err
		}
		next, err := do.prepare(ctx, part)
		if err == nil {
			err = m.beginHardening(ctx, next, &working)
		}
		if err == nil {
			err = conclude(before)
		}
		if err != nil {
			return done, err
		}
		before = next
	}
	err := conclude(before)
	return done, err
}

// await returns when the hashes of a batch are hardened.
func (m *importer) await(b *batch) error {
	<-b.hardening
	if b.begun.Before(m.hardened) {
		b.begun = m.hardened // for that time counts already
	}
	if b.end.After(b.begun) {
		m.report.Hardening += b.end.Sub(b.begun)
		m.hardened = b.end
	}
	return b.err
}

// beginHardening has the hashes made of the accounts of a batch that have weak ones.
func (m *importer) beginHardening(ctx context.Context, b *batch, working *sync.WaitGroup) error {
	b.hardening = make(chan struct{})
	var weak []*Account
	for _, a := range b.accounts {
		if a.Weak != nil && a.Hash == "" {
			weak = append(weak, a)
		}
	}
	if len(weak) == 0 || m.opts.DryRun {
		close(b.hardening)
		return nil
	}
	if m.opts.Harden == nil {
		return errors.New("the source has hashes that are to be hardened, and there is nothing that does")
	}
	b.begun = time.Now()
	working.Go(func() {
		defer close(b.hardening)
		if err := m.opts.Harden(ctx, weak); err != nil {
			b.err = fmt.Errorf("harden %d hashes: %w", len(weak), err)
		}
		b.end = time.Now()
	})
	return nil
}
