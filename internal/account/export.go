package account

import (
	"context"

	"github.com/rushgate/rushgate"
)

// History returns what is remembered of an owner's account, the newest event first.
func (l *Ledger) History(ctx context.Context, who Owner) ([]rushgate.AccountEvent, error) {
	if _, err := l.owned(ctx, who); err != nil {
		return nil, err
	}
	loaded, err := l.store.LoadHistories(ctx, []string{who.Name})
	if err != nil {
		return nil, err
	}
	events := make([]rushgate.AccountEvent, 0, len(loaded[0].Events))
	for i := len(loaded[0].Events) - 1; i >= 0; i-- {
		events = append(events, loaded[0].Events[i])
	}
	return events, loaded[0].Err
}
