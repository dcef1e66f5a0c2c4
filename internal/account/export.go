package account

import (
	"context"

	"github.com/rushgate/rushgate"
)

// NoteKind is the kind of the events that are operators' notes, which no player sees.
const NoteKind = "note"

// History returns what is remembered of an owner's account, but for operators' notes, the newest event first.
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
		if e := loaded[0].Events[i]; e.Kind != NoteKind {
			events = append(events, e)
		}
	}
	return events, loaded[0].Err
}
