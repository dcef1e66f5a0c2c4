package admin

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/strictjson"
)

// accountOrder is what an order about one account may say; each order heeds what it needs.
type accountOrder struct {
	Name string
	// PasswordHash is a hash of package password. A password itself never comes this way.
	PasswordHash string
	// Until is nil for ever.
	Until  *time.Time
	Reason string
}

// readAccountOrder reads an order from a request, or answers it.
func readAccountOrder(w http.ResponseWriter, r *http.Request) (out accountOrder, ok bool) {
	check := func(in strictjson.Values) bool {
		out = accountOrder{Name: in.String("name"), PasswordHash: in.String("password_hash"), Reason: in.String("reason")}
		if s := in.String("until"); s != "" {
			until, err := time.Parse(time.RFC3339, s)
			if err != nil {
				return false
			}
			out.Until = &until
		}
		return out.Name != ""
	}
	const want = `{"name": "...", "password_hash": "...", "until": "2027-01-31T00:00:00Z", "reason": "..."}, of which ` +
		`each order needs some`
	_, ok = read(w, r, maxOrder, want, check, strictjson.Field{Name: "name"}, strictjson.Field{Name: "password_hash"},
		strictjson.Field{Name: "until"}, strictjson.Field{Name: "reason"})
	return out, ok
}

// accounts serves orders about accounts, over TLS or on loopback: hashes come with some of them.
type accounts struct {
	ledger *account.Ledger
	logger *slog.Logger
}

func (a *accounts) serve(mux *routes) {
	l := a.ledger
	mux.Handle("POST /accounts/delete", DeleteAccounts(l, a.logger))
	a.order(mux, "show", slog.LevelInfo, func(ctx context.Context, in *accountOrder) (any, error) {
		return l.Show(ctx, in.Name)
	})
	a.order(mux, "create", slog.LevelWarn, func(ctx context.Context, in *accountOrder) (any, error) {
		return l.Create(ctx, in.Name, in.PasswordHash)
	})
	a.order(mux, "set-password", slog.LevelWarn, func(ctx context.Context, in *accountOrder) (any, error) {
		return l.SetPassword(ctx, in.Name, in.PasswordHash)
	})
	a.order(mux, "disable", slog.LevelWarn, func(ctx context.Context, in *accountOrder) (any, error) {
		disabled := rushgate.Disabled{Until: rushgate.Forever(), Reason: in.Reason}
		if in.Until != nil {
			disabled.Until = *in.Until
		}
		return l.Disable(ctx, in.Name, disabled)
	})
	a.order(mux, "enable", slog.LevelWarn, func(ctx context.Context, in *accountOrder) (any, error) {
		return l.Enable(ctx, in.Name)
	})
	a.order(mux, "end-sessions", slog.LevelWarn, func(ctx context.Context, in *accountOrder) (any, error) {
		return l.EndSessions(ctx, in.Name)
	})
}

// order serves one order about one account, and logs who has given it and what came of it.
func (a *accounts) order(
	mux *routes, what string, level slog.Level, do func(context.Context, *accountOrder) (any, error),
) {
	mux.HandleFunc("POST /accounts/"+what, func(w http.ResponseWriter, r *http.Request) {
		in, ok := readAccountOrder(w, r)
		if !ok {
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), orderTimeout)
		defer cancel()
		out, err := do(ctx, &in)
		attrs := []any{"order", what, "player", in.Name, "from", origin(r).Addr()}
		if err != nil {
			attrs = append(attrs, "error", err)
		}
		a.logger.Log(ctx, level, "the operator has given an order about an account", attrs...)
		answerOrder(w, out, err)
	})
}

// answerOrder answers an order with what came of it. A problem of the operator's making is said as it is.
func answerOrder(w http.ResponseWriter, out any, err error) {
	switch {
	case err == nil:
		writeJSON(w, http.StatusOK, out)
	case errors.Is(err, account.ErrUnknown):
		writeProblem(w, http.StatusNotFound, err.Error())
	case errors.Is(err, account.ErrTaken), errors.Is(err, account.ErrInside), errors.Is(err, account.ErrBusy):
		writeProblem(w, http.StatusConflict, err.Error())
	case errors.Is(err, rushgate.ErrInvalidUsername):
		writeProblem(w, http.StatusBadRequest, "no account can have such a name")
	case errors.Is(err, account.ErrInvalid):
		writeProblem(w, http.StatusBadRequest, err.Error())
	case errors.Is(err, rushgate.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		writeProblem(w, http.StatusServiceUnavailable, "the store does not answer in time; try again")
	case errors.Is(err, rushgate.ErrDamagedRecord):
		writeProblem(w, http.StatusInternalServerError, "the account's record is damaged; the log says where")
	default:
		writeProblem(w, http.StatusInternalServerError, "that has failed; the log says why")
	}
}
