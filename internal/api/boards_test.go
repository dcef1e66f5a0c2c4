package api

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/memory"
)

// However many ask, the store is asked once a second.
func TestLeaderboardsAreCached(t *testing.T) {
	d := newDoor(t, nil)
	for range 200 {
		d.call(t, "GET", "/v1/leaderboards/xp?limit=3", "", "", "").want(t, "leaderboard", 200, "")
	}
	if n := d.store.tops.Load(); n < 1 || n > 20 {
		t.Errorf("200 requests asked the store %d times", n)
	}
}

// awayStore is a store whose leaderboards a test decides.
type awayStore struct {
	rushgate.Store
	top  func(context.Context) ([]rushgate.Rank, error)
	asks atomic.Int64
}

func (s *awayStore) Top(ctx context.Context, _ rushgate.Board, _ int) ([]rushgate.Rank, error) {
	s.asks.Add(1)
	return s.top(ctx)
}

func newBoards(t *testing.T) (*boardCache, *awayStore, *strings.Builder) {
	t.Helper()
	s := &awayStore{Store: memory.New(memory.Options{})}
	log := new(strings.Builder)
	return &boardCache{store: s, logger: slog.New(slog.NewTextHandler(log, nil))}, s, log
}

// A store that is away is no reason to show nothing: the last copy is, however old, and at once.
func TestLeaderboardsOutliveTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s, log := newBoards(t)
		answers := func(context.Context) ([]rushgate.Rank, error) { return []rushgate.Rank{{Rank: 1, Name: "alice"}}, nil }
		hangs := func(ctx context.Context) ([]rushgate.Rank, error) { <-ctx.Done(); return nil, errors.New("hangs") }
		s.top = hangs
		if _, err := b.top(t.Context(), rushgate.BoardXP); !errors.Is(err, rushgate.ServerBusy) {
			t.Errorf("nothing to show: %v", err)
		}
		s.top = answers
		time.Sleep(boardAge)
		if ranks, err := b.top(t.Context(), rushgate.BoardXP); err != nil || len(ranks) != 1 {
			t.Errorf("the store is back: %v, %v", ranks, err)
		}
		s.top = hangs
		time.Sleep(boardAge)
		_, _ = b.top(t.Context(), rushgate.BoardXP) // the one that learns of it waits
		for range 60 {
			time.Sleep(boardAge)
			start, asked := time.Now(), s.asks.Load()
			for range 10 {
				ranks, err := b.top(t.Context(), rushgate.BoardXP)
				if err != nil || len(ranks) != 1 || !time.Now().Equal(start) {
					t.Fatalf("while the store is away: %v, %v after %v", ranks, err, time.Since(start))
				}
			}
			if n := s.asks.Load() - asked; n > 1 {
				t.Fatalf("the store was asked %d times at once", n)
			}
		}
		time.Sleep(boardTimeout)
		synctest.Wait()
		if n := strings.Count(log.String(), "leaderboard cannot be read"); n != 2 {
			t.Errorf("two outages made %d lines in the log", n)
		}
	})
}
