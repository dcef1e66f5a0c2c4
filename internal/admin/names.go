package admin

import (
	"context"
	"fmt"
	"net/http"

	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/strictjson"
)

// rename gives an account another name.
func (a *accounts) rename(w http.ResponseWriter, r *http.Request) {
	hasName := func(in strictjson.Values) bool { return in.String("name") != "" }
	in, ok := read(w, r, maxOrder, `{"name": "..."}, the new name`, hasName, strictjson.Field{Name: "name"})
	if !ok {
		return
	}
	who, ok := a.named(w, r)
	if !ok {
		return
	}
	do := act{what: "account.rename", whom: who.ID, player: who.Username}
	a.carryOut(w, r, do, func(ctx context.Context) (any, error) {
		return a.ledger.RenameFor(ctx, who.Username, in.String("name"), a.nameHold, personOf(r.Context()).name)
	})
}

// removeFactor takes away what an account asks for beside the password. The player hears of it by mail, if there is an
// address.
func (a *accounts) removeFactor(w http.ResponseWriter, r *http.Request) {
	confirm, ok := readConfirm(w, r)
	if !ok {
		return
	}
	who, ok := a.named(w, r)
	if !ok {
		return
	}
	would := fmt.Sprintf("have player %d, %s, come in with the password alone, and end the sessions", who.ID, who.Username)
	if !a.confirmed(w, r, confirm, "account.remove-second-factor", would, "") {
		return
	}
	do := act{what: "account.remove-second-factor", whom: who.ID, player: who.Username}
	a.carryOut(w, r, do, func(ctx context.Context) (any, error) {
		changed, to, err := a.ledger.RemoveFactor(ctx, who.Username, personOf(r.Context()).name)
		if to != "" && a.factorGone != nil {
			owner := account.Owner{Player: changed.Player, Name: changed.Name}
			if late := a.factorGone(ctx, owner, to); late != nil {
				a.logger.Warn("a player is not told by mail that the second factor is gone", "player", owner.Player, "error", late)
			}
		}
		return changed, err
	})
}

// removePasskeys takes all passkeys of an account away.
func (a *accounts) removePasskeys(w http.ResponseWriter, r *http.Request) {
	confirm, ok := readConfirm(w, r)
	if !ok {
		return
	}
	who, ok := a.named(w, r)
	if !ok {
		return
	}
	had := account.Passkeys(&who)
	if had == 0 { // there is nothing to confirm
		answerOrder(w, 0, nil, account.ErrNoPasskey)
		return
	}
	would := fmt.Sprintf("take all passkeys of player %d, %s, away, %d, and end the sessions", who.ID, who.Username, had)
	if !a.confirmed(w, r, confirm, "account.remove-passkeys", would, "") {
		return
	}
	do := act{what: "account.remove-passkeys", whom: who.ID, player: who.Username}
	a.carryOut(w, r, do, func(ctx context.Context) (any, error) {
		return a.ledger.RemovePasskeys(ctx, who.Username, personOf(r.Context()).name)
	})
}
