package admin

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/strictjson"
)

// playerPage is what an operator sees of one player.
type playerPage struct {
	Account account.Record `json:"account"` // as last saved
	// Live is the player as it is now; null on a node without a dashboard.
	Live       *Player        `json:"live"`
	Devices    []deviceBody   `json:"devices"`
	Identities []identityBody `json:"identities"`
	History    []eventBody    `json:"history"` // newest first
}

// deviceBody is a device that an account is remembered on, without what would let anyone in.
type deviceBody struct {
	Label     string    `json:"label"`
	CreatedAt time.Time `json:"created_at"`
	UsedAt    time.Time `json:"used_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

// eventBody is something that has happened to an account.
type eventBody struct {
	At   time.Time `json:"at"`
	Kind string    `json:"kind"`
	By   string    `json:"by,omitempty"`
	From string    `json:"from,omitempty"`
	Text string    `json:"text,omitempty"`
}

func (a *accounts) show(w http.ResponseWriter, r *http.Request) {
	who, ok := a.named(w, r)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), orderTimeout)
	defer cancel()
	page, err := a.page(ctx, who)
	if err != nil {
		a.logger.Warn("a player's page could not be made", "player", who.Username, "error", err)
	}
	answerOrder(w, http.StatusOK, page, err)
}

func (a *accounts) page(ctx context.Context, who rushgate.Account) (page playerPage, err error) {
	if page.Account, err = a.ledger.Show(ctx, who.Username); err != nil {
		return page, err
	}
	if a.actions != nil {
		live, err := a.actions.Lookup(ctx, who.Username)
		if err != nil {
			return page, err
		}
		page.Live = &live
	}
	page.Devices = make([]deviceBody, len(who.Devices.List))
	for i, d := range who.Devices.List {
		page.Devices[i] = deviceBody{d.Label, d.CreatedAt, d.UsedAt, d.ExpiresAt}
	}
	page.Identities = newIdentityBodies(account.IdentitiesOf(&who))
	page.History = []eventBody{}
	if a.book == nil {
		return page, nil
	}
	histories, err := a.book.LoadHistories(ctx, []string{who.Username})
	if err != nil {
		return page, err
	}
	for i := len(histories[0].Events) - 1; i >= 0; i-- {
		e := &histories[0].Events[i]
		page.History = append(page.History, eventBody{e.At, e.Kind, e.By, e.From, e.Text})
	}
	return page, histories[0].Err
}

// note adds a note to an account's history, where operators read it and no player.
func (a *accounts) note(w http.ResponseWriter, r *http.Request) {
	fits := func(in strictjson.Values) bool { return noteFits(in.String("text")) }
	in, ok := read(w, r, maxOrder, `{"text": "..."} of 1 to 1024 bytes, with line breaks but no other control characters`,
		fits, strictjson.Field{Name: "text"})
	if !ok {
		return
	}
	who, ok := a.named(w, r)
	if !ok {
		return
	}
	event := rushgate.AccountEvent{
		ID: rand.Text(), At: time.Now(), Kind: account.NoteKind, By: personOf(r.Context()).name, Text: in.String("text"),
	}
	do := act{what: "account.note", whom: who.ID, player: who.Username}
	a.carryOut(w, r, do, func(ctx context.Context) (any, error) {
		errs, err := a.book.Note(ctx, []rushgate.Noted{{Player: who.ID, Name: who.Username, AccountEvent: event}})
		if err == nil {
			err = errors.Join(errs...)
		}
		at := event.At.UTC().Truncate(time.Millisecond)
		return eventBody{At: at, Kind: account.NoteKind, By: event.By, Text: event.Text}, err
	})
}

// noteFits reports whether a text can be a note.
func noteFits(text string) bool {
	control := func(c rune) bool { return c != '\n' && unicode.IsControl(c) }
	return strings.TrimSpace(text) != "" && len(text) <= rushgate.MaxEventText && utf8.ValidString(text) &&
		!strings.ContainsFunc(text, control)
}
