package api

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/ready"
)

const (
	defaultBoardLimit = 10
	maxBoardLimit     = 100
)

type statusBody struct {
	State   string `json:"state"`
	Players int    `json:"players"`
	Run     string `json:"run,omitempty"`
	// Opaque is what the node does with OPAQUE; missing if that is nothing.
	Opaque OpaqueMode `json:"opaque,omitempty"`
	// Guests says that players come in by a device alone.
	Guests bool `json:"guests,omitempty"`
	// Mode is whom the operators let in; what they say of it, and when they mean to open, comes with modes but open.
	Mode    rushgate.Mode `json:"mode"`
	Message string        `json:"message,omitempty"`
	OpensAt *timestamp    `json:"opens_at,omitempty"`
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

func (h *handler) status(w http.ResponseWriter, r *http.Request) {
	state := "open"
	now := h.Ready.State(r.Context())
	if busy, _ := h.Door.Outlook(); busy || now != ready.Ready {
		state = "busy"
	}
	if now == ready.Draining {
		state = "draining"
	}
	rules := h.Rules()
	writeJSON(w, http.StatusOK, statusBody{
		State: state, Players: h.Realm.Players(), Run: h.Run, Opaque: h.opaqueMode(), Guests: h.Guests, Mode: rules.Mode,
		Message: rules.Message, OpensAt: opensAt(rules.OpensAt),
	})
}

// opensAt is when the operators mean to open; nil if that is not said.
func opensAt(t time.Time) *timestamp {
	if t.IsZero() {
		return nil
	}
	at := timestamp(t)
	return &at
}

func (h *handler) leaderboard(w http.ResponseWriter, r *http.Request) {
	board := rushgate.Board(r.PathValue("board"))
	if !slices.Contains(h.Boards, board) {
		h.refuse(w, errNoBoard)
		return
	}
	limit, err := boardLimit(r.URL.Query().Get("limit"))
	if err != nil {
		h.refuse(w, err)
		return
	}
	ranks, err := h.boards.top(r.Context(), board)
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
