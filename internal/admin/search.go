package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
)

const (
	// maxFound is how many accounts one answer has at most, and defaultFound how many if the request does not say.
	maxFound, defaultFound = 200, 50
	// idPages is how many pages of a store's directory one request looks through for an id, by which no store finds an
	// account. The next request goes on from there.
	idPages = 5
	// maxCursor bounds a cursor, in bytes.
	maxCursor = 1024
)

// accountQuery is what accounts are searched for: all of them, those whose name begins with something, the one of a
// name, or the one of an id.
type accountQuery struct {
	name, prefix, cursor string
	id                   rushgate.PlayerID
	limit                int
}

// readAccountQuery reads the query of a URL. The error is fit for the answer.
func readAccountQuery(raw string) (accountQuery, error) {
	q := accountQuery{limit: defaultFound}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return q, errors.New("the query cannot be read: want name=value, joined by &")
	}
	for key, all := range values {
		if len(all) != 1 {
			return q, fmt.Errorf("%.40q is there %d times, want once", key, len(all))
		}
		if err := q.set(key, all[0]); err != nil {
			return q, err
		}
	}
	said := 0
	for _, is := range []bool{q.name != "", q.prefix != "", q.id != 0} {
		if is {
			said++
		}
	}
	if said > 1 {
		return q, errors.New("want one of name, prefix and id")
	}
	return q, nil
}

func (q *accountQuery) set(key, value string) (err error) {
	switch key {
	case "name", "prefix":
		if len(value) > maxSearch {
			return fmt.Errorf("%s has more than %d bytes", key, maxSearch)
		}
		if key == "name" {
			q.name = value
		} else {
			q.prefix = foldName(value)
		}
	case "id":
		id, err := strconv.ParseUint(value, 10, 63)
		if err != nil || id == 0 {
			return errors.New("id is no whole number above 0")
		}
		q.id = rushgate.PlayerID(id)
	case "cursor":
		if len(value) > maxCursor {
			return errors.New("that is no cursor")
		}
		q.cursor = value
	case "limit":
		q.limit, err = count(key, value, 1, maxFound)
	default:
		return fmt.Errorf("%.40q is none of name, prefix, id, cursor, limit", key)
	}
	return err
}

// foundBody is an account in a list.
type foundBody struct {
	PlayerID      rushgate.PlayerID `json:"player_id"`
	Name          string            `json:"name"`
	CreatedAt     time.Time         `json:"created_at"`
	DisabledUntil *time.Time        `json:"disabled_until"` // null if it never was
	Damaged       bool              `json:"damaged,omitempty"`
}

func newFoundBody(a *rushgate.LoadedAccount, name string) foundBody {
	b := foundBody{PlayerID: a.ID, Name: name, CreatedAt: a.CreatedAt, Damaged: a.Err != nil}
	if until := a.Disabled.Until; !until.IsZero() {
		b.DisabledUntil = &until
	}
	return b
}

// foundPage is one page of what was found.
type foundPage struct {
	Accounts []foundBody `json:"accounts"`
	Cursor   string      `json:"cursor"` // of the next page; empty: there is none
}

func (a *accounts) search(w http.ResponseWriter, r *http.Request) {
	q, err := readAccountQuery(r.URL.RawQuery)
	if err != nil {
		writeProblem(w, http.StatusBadRequest, err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), orderTimeout)
	defer cancel()
	page := foundPage{Accounts: []foundBody{}}
	switch {
	case q.name != "":
		err = a.findName(ctx, q.name, &page)
	case q.id != 0:
		err = a.findID(ctx, &q, &page)
	default:
		err = a.list(ctx, &q, &page)
	}
	if err != nil {
		a.logger.Warn("accounts could not be searched", "error", err)
	}
	answerOrder(w, http.StatusOK, page, err)
}

// findName finds the account of a name, as a player would type it.
func (a *accounts) findName(ctx context.Context, name string, page *foundPage) error {
	found, err := a.ledger.Find(ctx, name)
	if errors.Is(err, account.ErrUnknown) || errors.Is(err, rushgate.ErrInvalidUsername) {
		return nil
	}
	if err == nil {
		page.Accounts = append(page.Accounts, newFoundBody(&rushgate.LoadedAccount{Account: found}, found.Username))
	}
	return err
}

// list lists accounts, all or those whose name begins with something.
func (a *accounts) list(ctx context.Context, q *accountQuery, page *foundPage) error {
	names, next, err := a.names(ctx, q.prefix, q.cursor, q.limit)
	if err != nil {
		return err
	}
	found, err := a.ledger.Load(ctx, names)
	if err != nil {
		return err
	}
	for i := range found {
		if found[i].ID != 0 || found[i].Err != nil { // else it has gone meanwhile
			page.Accounts = append(page.Accounts, newFoundBody(&found[i], names[i]))
		}
	}
	page.Cursor = next
	return nil
}

// findID looks through some pages of the directory for an id.
func (a *accounts) findID(ctx context.Context, q *accountQuery, page *foundPage) error {
	page.Cursor = q.cursor
	for range idPages {
		names, next, err := a.names(ctx, "", page.Cursor, rushgate.MaxPage)
		if err != nil {
			return err
		}
		found, err := a.ledger.Load(ctx, names)
		if err != nil {
			return err
		}
		page.Cursor = next
		for i := range found {
			if found[i].ID == q.id {
				page.Accounts, page.Cursor = append(page.Accounts, newFoundBody(&found[i], names[i])), ""
				return nil
			}
		}
		if next == "" {
			return nil
		}
	}
	return nil
}

var errCursor = errors.New("that is no cursor of this search")

// names asks the directory. What it says of a cursor that it has not given is the operator's business.
func (a *accounts) names(
	ctx context.Context, prefix, cursor string, limit int,
) (names []string, next string, err error) {
	names, next, err = a.book.Usernames(ctx, prefix, cursor, limit)
	if err != nil && cursor != "" && ctx.Err() == nil && !errors.Is(err, rushgate.ErrUnavailable) {
		err = fmt.Errorf("%w (%w)", errCursor, err)
	}
	return names, next, err
}
