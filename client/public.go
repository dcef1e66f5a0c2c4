package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/rushgate/rushgate"
)

// State says whether a server lets players in. Newer servers may know more states.
type State string

// The states of a server.
const (
	StateOpen     State = "open"
	StateBusy     State = "busy"
	StateDraining State = "draining"
)

// Status is a server's public state.
type Status struct {
	State State
	// Players is how many players are inside.
	Players int
	// Run is unique to one start of a node, and empty if the server does not tell. Two answers with different ones are
	// from different nodes, or of a node before and after a restart.
	Run string
	// Mode is whom the server's operators let in; empty if the server is older than modes. Those that this package does
	// not know are best taken for closed doors.
	Mode rushgate.Mode
	// Message is what they say to those who are kept out, and OpensAt when they mean to open: both may be missing.
	Message string
	OpensAt time.Time
	// Opaque says what the server does with OPAQUE: [OpaqueOff] if it knows none.
	Opaque Opaque
	// Guests says that the server takes guests, see [Client.Guest].
	Guests bool
}

// Status asks the server how it is. It is tried once.
func (c *Client) Status(ctx context.Context) (Status, error) {
	r := request{op: "status", method: http.MethodGet, path: "/v1/status"}
	ans, err := c.exchange(ctx, r)
	if err != nil {
		return Status{}, err
	}
	var body struct {
		State   State  `json:"state"`
		Players *int   `json:"players"`
		Run     string `json:"run"`

		Mode    rushgate.Mode `json:"mode"`
		Message string        `json:"message"`
		OpensAt string        `json:"opens_at"`
		Opaque  Opaque        `json:"opaque"`
		Guests  bool          `json:"guests"`
	}
	if err := r.decode(ans, &body, http.StatusOK); err != nil {
		return Status{}, err
	}
	if body.State == "" || body.Players == nil || *body.Players < 0 {
		return Status{}, r.bad("a status without state or players")
	}
	return Status{
		State: body.State, Players: *body.Players, Run: body.Run, Mode: body.Mode, Message: printable(body.Message),
		OpensAt: instant(body.OpensAt), Opaque: body.Opaque, Guests: body.Guests,
	}, nil
}

// Leaderboard returns the first limit lines of a leaderboard, best score first. A limit of zero or less leaves the
// number to the server, which also has its own greatest limit. It is tried once.
func (c *Client) Leaderboard(ctx context.Context, board rushgate.Board, limit int) ([]rushgate.Rank, error) {
	r := request{op: "leaderboard", method: http.MethodGet, path: "/v1/leaderboards/" + url.PathEscape(string(board))}
	if limit > 0 {
		r.path += "?limit=" + strconv.Itoa(limit)
	}
	ans, err := c.exchange(ctx, r)
	if err != nil {
		return nil, err
	}
	var body struct {
		Board   rushgate.Board `json:"board"`
		Entries []struct {
			Rank     int               `json:"rank"`
			PlayerID rushgate.PlayerID `json:"player_id"`
			Name     string            `json:"name"`
			Score    int64             `json:"score"`
		} `json:"entries"`
	}
	if err := r.decode(ans, &body, http.StatusOK); err != nil {
		return nil, err
	}
	if body.Board != board {
		return nil, r.bad("another board than asked for")
	}
	ranks := make([]rushgate.Rank, 0, len(body.Entries))
	for _, e := range body.Entries {
		ranks = append(ranks, rushgate.Rank{Rank: e.Rank, Player: e.PlayerID, Name: e.Name, Score: e.Score})
	}
	return ranks, nil
}
