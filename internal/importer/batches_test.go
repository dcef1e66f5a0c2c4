package importer

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/memory"
)

// slowStore takes a second to take accounts.
type slowStore struct{ rushgate.Store }

func (s slowStore) CreateAccounts(ctx context.Context, accounts []rushgate.Account) ([]error, error) {
	time.Sleep(time.Second)
	return s.Store.CreateAccounts(ctx, accounts)
}

func (s slowStore) Import(ctx context.Context, records []rushgate.Record) ([]error, error) {
	time.Sleep(time.Second)
	return s.Store.Import(ctx, records)
}

// slowSource takes a second to find records.
type slowSource struct{ *list }

func (s slowSource) Fetch(ctx context.Context, refs []Ref) ([]Record, error) {
	time.Sleep(time.Second)
	records, err := s.list.Fetch(ctx, refs)
	for i := range records {
		records[i].Character.ID = refs[i].ID
	}
	return records, err
}

func weakPlayers(n int, characters bool) *list {
	l := players(n)
	for i := range l.accounts {
		a := &l.accounts[i]
		if a.Hash, a.Weak = "", (&Weak{Digest: []byte("x")}); !characters {
			a.Character = 0
		}
	}
	return l
}

// Reading and writing cost no time beside hardening, which is what takes long, but for the first batch and the last.
func TestHardeningNeverWaits(t *testing.T) {
	for _, characters := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			start, store := time.Now(), memory.New(memory.Options{})
			cores := make(chan struct{}, 1)
			r, err := Import(t.Context(), slowSource{weakPlayers(20, characters)}, slowStore{store}, Options{BatchSize: 2,
				Harden: func(_ context.Context, all []*Account) error {
					cores <- struct{}{}
					defer func() { <-cores }()
					time.Sleep(2 * time.Second)
					for _, a := range all {
						a.Hash = sampleHash
					}
					return nil
				}})
			if took := time.Since(start); took != (1+10*2+1)*time.Second || r.Hardening != 20*time.Second {
				t.Errorf("characters %v: it took %v, of which %v to harden", characters, took, r.Hardening)
			}
			if err != nil || r.Imported != 20 || r.Hardened != 20 {
				t.Errorf("characters %v: %+v, %v", characters, r, err)
			}
		})
	}
}

// An import that fails, or is interrupted, in one stage ends all others before it returns, and what was written is
// counted.
func TestImportEndsAllStages(t *testing.T) {
	errStage := errors.New("a stage failed")
	for fails := range 3 {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var hardening atomic.Int32
			r, err := Import(ctx, weakPlayers(8, false), memory.New(memory.Options{}), Options{BatchSize: 2,
				Harden: func(ctx context.Context, all []*Account) error {
					hardening.Add(1)
					defer hardening.Add(-1)
					if all[0].Name == fmt.Sprintf("player-%07d", 2*fails) {
						if fails == 2 {
							cancel()
						} else {
							return errStage
						}
					}
					select {
					case <-ctx.Done():
						return ctx.Err()
					case <-time.After(time.Second):
					}
					for _, a := range all {
						a.Hash = sampleHash
					}
					return nil
				}})
			if !errors.Is(err, []error{errStage, errStage, context.Canceled}[fails]) || hardening.Load() != 0 {
				t.Errorf("%v, %d under way", err, hardening.Load())
			}
			if want := 2 * fails; fails < 2 && r.Imported != want {
				t.Errorf("%d imported, want %d", r.Imported, want)
			}
		})
	}
}
