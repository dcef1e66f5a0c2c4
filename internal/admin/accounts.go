package admin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/strictjson"
)

// Bounds of a request to delete accounts.
const (
	maxDeleteNames = 1000
	maxDeleteBody  = 256 << 10 // bytes
)

// damagedToo finds the account that a path names. A record that cannot be read can be deleted all the same: of it only
// the name is known.
func (a *accounts) damagedToo(w http.ResponseWriter, r *http.Request) (rushgate.Account, bool) {
	ctx, cancel := context.WithTimeout(r.Context(), orderTimeout)
	defer cancel()
	found, err := a.ledger.Find(ctx, r.PathValue("name"))
	if errors.Is(err, rushgate.ErrDamagedRecord) {
		found.Username, err = rushgate.LoginName(r.PathValue("name"))
	}
	if err != nil {
		answerOrder(w, 0, nil, err)
		return rushgate.Account{}, false
	}
	return found, true
}

// removeAll deletes the accounts of {"names": [...]}, in canonical form and at most 1000, for ever unless their players
// are logged in. It answers how many were deleted, were unknown, were kept because their players are inside, and could
// not be deleted; with the latter the status is 500. Each account that is gone, or could not be deleted, has a line in
// the log.
func (a *accounts) removeAll(w http.ResponseWriter, r *http.Request) {
	few := func(in strictjson.Values) bool { return len(in.Strings("names")) <= maxDeleteNames }
	in, ok := read(w, r, maxDeleteBody, `{"names": [...]} with at most 1000 of them`, few,
		strictjson.Field{Name: "names", Kind: strictjson.Strings}, strictjson.Field{Name: "confirm"})
	if !ok {
		return
	}
	names := in.Strings("names")
	ctx, cancel := context.WithTimeout(r.Context(), orderTimeout)
	defer cancel()
	ids, err := a.ledger.IDs(ctx, names)
	if err != nil {
		answerOrder(w, 0, nil, err)
		return
	}
	would := fmt.Sprintf("delete %d accounts and their characters for ever", len(names))
	if !a.confirmed(w, r, in.String("confirm"), "accounts.delete", would, digest(names, ids)) {
		return
	}
	var orders []act
	for _, players := range ranges(ids) {
		orders = append(orders, act{what: "accounts.delete", detail: "players " + players})
	}
	if len(orders) == 0 && len(names) > 0 { // damaged ones are deleted all the same, and so is who registers meanwhile
		orders = append(orders, act{what: "accounts.delete", detail: "names of players that are not known"})
	}
	first, err := a.begin(ctx, r, orders...)
	if err != nil {
		a.refuseUnwritten(w, "accounts.delete", err)
		return
	}
	var out deletion
	for i, err := range a.ledger.DeleteAll(ctx, names) {
		out.count(err)
		a.tell(r, names[i], err)
	}
	for i := range orders { // which were written all at once
		a.end(r, orders[i], first+uint64(i), out.err())
	}
	status := http.StatusOK
	if out.Failed > 0 {
		status, out.Error = http.StatusInternalServerError, "some could not be deleted; the log says why"
	}
	writeJSON(w, status, out)
}

// maxRanges is the greatest length in bytes of one text of ranges: fewer than [rushgate.MaxAuditAppend] have all that
// one request can name.
const maxRanges = 200

// ranges writes ids of players, of which those that are 0 are left out, as numbers and ranges of them, such as
// "1-200,207", in texts that fit into entries of the audit log.
func ranges(ids []rushgate.PlayerID) (texts []string) {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	ids = slices.DeleteFunc(slices.Compact(ids), func(id rushgate.PlayerID) bool { return id == 0 })
	var text string
	for len(ids) > 0 {
		n := 1
		for n < len(ids) && ids[n] == ids[0]+rushgate.PlayerID(n) {
			n++
		}
		next := fmt.Sprint(ids[0])
		if n > 1 {
			next = fmt.Sprintf("%d-%d", ids[0], ids[n-1])
		}
		switch {
		case text == "":
			text = next
		case len(text)+1+len(next) > maxRanges:
			texts, text = append(texts, text), next
		default:
			text += "," + next
		}
		ids = ids[n:]
	}
	if text != "" {
		texts = append(texts, text)
	}
	return texts
}

// digest stands for a list of names, and for whose they are, in what confirms that the accounts are to be deleted.
func digest(names []string, ids []rushgate.PlayerID) string {
	h := sha256.New()
	for i, name := range names {
		fmt.Fprintf(h, "%q %d\n", name, ids[i])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// deletion says what became of accounts that were to be deleted.
type deletion struct {
	Deleted int    `json:"deleted"`
	Unknown int    `json:"unknown"`
	Inside  int    `json:"inside"`
	Failed  int    `json:"failed,omitempty"`
	Error   string `json:"error,omitempty"`
}

func (d *deletion) count(err error) {
	switch {
	case err == nil:
		d.Deleted++
	case errors.Is(err, account.ErrUnknown):
		d.Unknown++
	case errors.Is(err, account.ErrInside):
		d.Inside++
	default:
		d.Failed++
	}
}

// errSome says that not all that was asked for was done.
var errSome = errors.New("some accounts could not be deleted")

// err is nil unless some could not be deleted.
func (d *deletion) err() error {
	if d.Failed > 0 {
		return errSome
	}
	return nil
}

// tell logs an account that is gone, or that the store could not delete.
func (a *accounts) tell(r *http.Request, name string, err error) {
	ctx, from := context.WithoutCancel(r.Context()), origin(r).Addr()
	switch {
	case err == nil:
		a.logger.LogAttrs(ctx, slog.LevelWarn, "account deleted", slog.String("player", name), slog.Any("from", from))
	case errors.Is(err, account.ErrUnknown), errors.Is(err, account.ErrInside):
	default:
		a.logger.LogAttrs(ctx, slog.LevelError, "account not deleted",
			slog.String("player", name), slog.Any("from", from), slog.Any("error", err))
	}
}
