package server

import (
	"context"
	"log/slog"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/access"
)

// silentFleet is a store that does not answer.
type silentFleet struct{ rushgate.Fleet }

func (silentFleet) Shared(context.Context, string) ([]byte, error) {
	return nil, rushgate.ErrUnavailable
}

// The operator is told on the dashboard that the node goes by an earlier mode and earlier bans.
func TestNoticeOfEarlierRules(t *testing.T) {
	k := access.New(access.Config{Store: silentFleet{}, Logger: slog.New(slog.DiscardHandler)})
	if got := accessNotices(k); len(got) != 0 {
		t.Errorf("before the first look: %+v", got)
	}
	k.Begin(t.Context())
	if got := accessNotices(k); len(got) != 1 || !got[0].Bad {
		t.Errorf("while the store is away: %+v", got)
	}
}
