package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/rushgate/rushgate"
)

const (
	defaultBoardLimit = 10
	maxBoardLimit     = 100
	// boardAge is how old a leaderboard may be: however many ask, the store is asked once in that time.
	boardAge = time.Second
	// boardTimeout bounds the store's answer.
	boardTimeout = 5 * time.Second
)

type statusBody struct {
	State   string `json:"state"`
	Players int    `json:"players"`
}

type boardBody struct {
	Board   rushgate.Board `json:"board"`
	Entries []rankBody     `json:"entries"`
}

type rankBody struct {
	Rank     int               `json:"rank"`
	PlayerID rushgate.PlayerID `json:"player_id"`
	Name     string            `json:"name"`
	Score    int64             `json:"score"`
}

func (h *handler) status(w http.ResponseWriter, _ *http.Request) {
	state := "open"
	switch {
	case h.Draining():
		state = "draining"
	case h.Pool.Busy():
		state = "busy"
	}
	writeJSON(w, http.StatusOK, statusBody{state, h.Realm.Players()})
}

func (h *handler) leaderboard(w http.ResponseWriter, r *http.Request) {
	board := rushgate.Board(r.PathValue("board"))
	switch board {
	case rushgate.BoardXP, rushgate.BoardLevel, rushgate.BoardDeaths:
	default:
		h.refuse(w, errNoBoard)
		return
	}
	limit, err := boardLimit(r.URL.Query().Get("limit"))
	if err != nil {
		h.refuse(w, err)
		return
	}
	ranks, err := h.boards.top(r.Context(), board)
	if err != nil && r.Context().Err() == nil { // the store's fault, also when it is the store's time that was up
		h.Logger.Error("leaderboard cannot be read", "error", err)
		err = rushgate.InternalError
	}
	if err != nil {
		h.refuse(w, err)
		return
	}
	body := boardBody{Board: board, Entries: []rankBody{}}
	for _, rank := range ranks[:min(limit, len(ranks))] {
		body.Entries = append(body.Entries, rankBody{rank.Rank, rank.Player, rank.Name, rank.Score})
	}
	writeJSON(w, http.StatusOK, body)
}

func boardLimit(s string) (int, error) {
	if s == "" {
		return defaultBoardLimit, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > maxBoardLimit {
		return 0, malformed{fmt.Sprintf("limit must be a whole number from 1 to %d.", maxBoardLimit)}
	}
	return n, nil
}

// boardCache stands between the public and the store.
type boardCache struct {
	store   rushgate.Store
	flight  singleflight.Group
	mu      sync.Mutex
	entries map[rushgate.Board]cachedBoard
}

type cachedBoard struct {
	ranks []rushgate.Rank
	at    time.Time
}

// top returns the first [maxBoardLimit] lines of a leaderboard.
func (b *boardCache) top(ctx context.Context, board rushgate.Board) ([]rushgate.Rank, error) {
	b.mu.Lock()
	cached, ok := b.entries[board]
	b.mu.Unlock()
	if ok && time.Since(cached.at) < boardAge {
		return cached.ranks, nil
	}
	result := b.flight.DoChan(string(board), func() (any, error) { return b.load(board) })
	select {
	case r := <-result:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.([]rushgate.Rank), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (b *boardCache) load(board rushgate.Board) ([]rushgate.Rank, error) {
	ctx, cancel := context.WithTimeout(context.Background(), boardTimeout) // many wait for it, not one of them owns it
	defer cancel()
	ranks, err := b.store.Top(ctx, board, maxBoardLimit)
	if err != nil {
		return nil, fmt.Errorf("api: leaderboard %s: %w", board, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.entries == nil {
		b.entries = make(map[rushgate.Board]cachedBoard)
	}
	b.entries[board] = cachedBoard{ranks, time.Now()}
	return ranks, nil
}
