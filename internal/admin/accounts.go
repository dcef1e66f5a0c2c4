package admin

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/strictjson"
)

// Bounds of a request to delete accounts.
const (
	maxDeleteNames = 1000
	maxDeleteBody  = 256 << 10 // bytes
)

// DeleteAccounts returns the handler of POST /accounts/delete, which deletes the accounts of {"names": [...]}, in
// canonical form and at most 1000, for ever unless their players are logged in. It answers how many were deleted, were
// unknown, were kept because their players are inside, and could not be deleted; with the latter the status is 500.
// Each account that is gone, or could not be deleted, has a line in the log.
func DeleteAccounts(ledger *account.Ledger, log *slog.Logger) http.Handler {
	return sameOrigin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		few := func(in strictjson.Values) bool { return len(in.Strings("names")) <= maxDeleteNames }
		in, ok := read(w, r, maxDeleteBody, `{"names": [...]} with at most 1000 of them`, few,
			strictjson.Field{Name: "names", Kind: strictjson.Strings})
		if !ok {
			return
		}
		var out deletion
		names := in.Strings("names")
		for i, err := range ledger.DeleteAll(r.Context(), names) {
			out.count(err)
			out.audit(r, log, names[i], err)
		}
		status := http.StatusOK
		if out.Failed > 0 {
			status, out.Error = http.StatusInternalServerError, "some could not be deleted; the log says why"
		}
		writeJSON(w, status, out)
	}))
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

// audit logs an account that is gone, or that the store could not delete.
func (d *deletion) audit(r *http.Request, log *slog.Logger, name string, err error) {
	ctx, from := context.WithoutCancel(r.Context()), origin(r).Addr()
	switch {
	case err == nil:
		log.LogAttrs(ctx, slog.LevelWarn, "account deleted", slog.String("player", name), slog.Any("from", from))
	case errors.Is(err, account.ErrUnknown), errors.Is(err, account.ErrInside):
	default:
		log.LogAttrs(ctx, slog.LevelError, "account not deleted",
			slog.String("player", name), slog.Any("from", from), slog.Any("error", err))
	}
}
