package api

import (
	"net/http"
	"strings"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
)

type historyBody struct {
	Events []eventBody `json:"events"`
}

// eventBody is what a player is told of an event of the account: not who of the operators it was, nor what they wrote.
type eventBody struct {
	At         timestamp `json:"at"`
	Kind       string    `json:"kind"`
	SignIn     bool      `json:"sign_in"`
	ByOperator bool      `json:"by_operator"`
	Address    string    `json:"address,omitempty"`
	Device     string    `json:"device,omitempty"`
}

func newEventBodies(events []rushgate.AccountEvent) []eventBody {
	bodies := make([]eventBody, len(events))
	for i, e := range events {
		bodies[i] = eventBody{At: timestamp(e.At), Kind: e.Kind, SignIn: e.SignIn, ByOperator: e.By != ""}
		if e.By == "" { // else it is where the operator was
			bodies[i].Address, bodies[i].Device, _ = strings.Cut(e.From, " ")
		}
	}
	return bodies
}

// from is where a request about an account comes from, as the account's history has it.
func (h *handler) from(r *http.Request) string { return account.From(h.Proxies.Client(r), "") }

// history tells a player what has happened to the account.
func (h *handler) history(w http.ResponseWriter, r *http.Request, o owner) error {
	events, err := h.Accounts.History(r.Context(), o.account())
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, historyBody{newEventBodies(events)})
	return nil
}
