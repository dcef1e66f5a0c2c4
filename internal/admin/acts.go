package admin

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/rushgate/rushgate"
	rules "github.com/rushgate/rushgate/internal/access"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/audit"
	"github.com/rushgate/rushgate/internal/operator"
)

// outcomeTimeout is how long the audit log may take to hear what came of an act, whose request may be over by then.
const outcomeTimeout = 5 * time.Second

// act is what an operator has the node do, as the audit log has it.
type act struct {
	what   string            // such as "account.disable"
	whom   rushgate.PlayerID // 0: no player
	detail string            // nothing that tells who a player is
	// player is the name for the log of the node, which is not kept as long.
	player string
	// status is that of the answer; 0 stands for 200.
	status int
}

// acts carries out what operators ask for, and has it written down first.
type acts struct {
	log     *audit.Log // nil: nothing is written down but in the node's log
	logger  *slog.Logger
	confirm *confirmer
}

// carryOut does what an operator asks for, and answers with what came of it. It is written into the audit log before
// and after; what cannot be written before is not done.
func (a *acts) carryOut(w http.ResponseWriter, r *http.Request, do act, how func(context.Context) (any, error)) {
	ctx, cancel := context.WithTimeout(r.Context(), orderTimeout)
	defer cancel()
	seq, err := a.begin(ctx, r, do)
	if err != nil {
		a.refuseUnwritten(w, do.what, err)
		return
	}
	out, err := how(ctx)
	a.end(r, do, seq, err)
	status := http.StatusOK
	if do.status != 0 {
		status = do.status
	}
	answerOrder(w, status, out, err)
}

// refuseUnwritten answers a request that was not carried out, because it could not be written down.
func (a *acts) refuseUnwritten(w http.ResponseWriter, what string, err error) {
	a.logger.Error("the audit log takes nothing, so nothing was done", "what", what, "error", err)
	writeProblem(w, http.StatusServiceUnavailable, "the audit log takes nothing now, so nothing was done; try again")
}

// entry is the entry of an act.
func (a *acts) entry(r *http.Request, do act) audit.Entry {
	who := personOf(r.Context())
	return audit.Entry{
		Who: who.name, Role: who.role.String(), What: do.what, Whom: do.whom, Detail: do.detail,
		From: origin(r).Addr().String(),
	}
}

// begin writes down what is about to be done, and returns the number of the entry.
func (a *acts) begin(ctx context.Context, r *http.Request, do ...act) (seq uint64, err error) {
	if a.log == nil || len(do) == 0 {
		return 0, nil
	}
	entries := make([]audit.Entry, len(do))
	for i := range do {
		entries[i] = a.entry(r, do[i])
	}
	return a.log.Append(ctx, entries...)
}

// end writes down what came of it, and tells the node's log.
func (a *acts) end(r *http.Request, do act, seq uint64, err error) {
	who, outcome := personOf(r.Context()), outcomeOf(err)
	attrs := []any{"what", do.what, "operator", who.name, "from", origin(r).Addr(), "outcome", outcome}
	if do.player != "" {
		attrs = append(attrs, "player", do.player)
	}
	if do.detail != "" {
		attrs = append(attrs, "detail", do.detail)
	}
	if err != nil {
		attrs = append(attrs, "error", err)
	}
	a.logger.Warn("an operator has acted", attrs...)
	if a.log == nil {
		return
	}
	e := a.entry(r, do)
	e.Of, e.Outcome, e.Detail = seq, outcome, ""
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), outcomeTimeout)
	defer cancel()
	if _, err := a.log.Append(ctx, e); err != nil {
		a.logger.Error("the audit log has not heard what came of an act", "what", do.what, "entry", seq, "error", err)
	}
}

// problem is an error with what is said of it.
type problem struct {
	is     error
	status int
	word   string // in the audit log
	say    string // empty: the error says it
}

// unreadable is said of what other nodes have put into the store.
const unreadable = "what is in the store cannot be read by this version; the log says more"

// noAccount is said of a name that no account has. It begins with the error, by which command lines know it.
var noAccount = account.ErrUnknown.Error() + "; search by how the name begins (GET /accounts?prefix=)"

// problems are the errors that acts end with, but for those that are nobody's business but the log's.
var problems = []problem{
	{account.ErrUnknown, http.StatusNotFound, "unknown", noAccount},
	{rushgate.BadCredentials, http.StatusNotFound, "unknown", noAccount},
	{account.ErrTaken, http.StatusConflict, "taken", account.ErrTaken.Error()},
	{account.ErrInside, http.StatusConflict, "inside", account.ErrInside.Error()},
	{account.ErrBusy, http.StatusConflict, "busy", account.ErrBusy.Error()},
	{account.ErrSameName, http.StatusConflict, "same", account.ErrSameName.Error()},
	{account.ErrHeld, http.StatusConflict, "held", account.ErrHeld.Error()},
	{account.ErrDoomed, http.StatusConflict, "doomed", account.ErrDoomed.Error()},
	{account.ErrMerged, http.StatusConflict, "doomed", account.ErrMerged.Error()},
	{account.ErrMerging, http.StatusConflict, "busy", account.ErrMerging.Error()},
	{account.ErrFull, http.StatusConflict, "full", account.ErrFull.Error()},
	{account.ErrNoFactor, http.StatusConflict, "none", account.ErrNoFactor.Error()},
	{account.ErrNoPasskey, http.StatusConflict, "none", account.ErrNoPasskey.Error()},
	{errNoPasswords, http.StatusConflict, "none", errNoPasswords.Error()},
	{account.ErrListed, http.StatusConflict, "listed", account.ErrListed.Error()},
	{account.ErrAwaited, http.StatusConflict, "listed", account.ErrAwaited.Error()},
	{rushgate.ErrInvalidUsername, http.StatusBadRequest, "invalid", "no account can have such a name"},
	{account.ErrInvalid, http.StatusBadRequest, "invalid", ""},
	{operator.ErrUnknown, http.StatusNotFound, "unknown", ""},
	{operator.ErrTaken, http.StatusConflict, "taken", ""},
	{operator.ErrLast, http.StatusConflict, "last", ""},
	{operator.ErrFull, http.StatusConflict, "full", ""},
	{operator.ErrBusy, http.StatusConflict, "busy", ""},
	{operator.ErrInvalid, http.StatusBadRequest, "invalid", ""},
	{rules.ErrInvalid, http.StatusBadRequest, "invalid", ""},
	{rules.ErrUnknownBan, http.StatusNotFound, "unknown", ""},
	{rules.ErrFull, http.StatusConflict, "full", ""},
	{rules.ErrBusy, http.StatusConflict, "busy", ""},
	{rules.ErrNewer, http.StatusConflict, "unreadable", unreadable},
	{rules.ErrBadValue, http.StatusConflict, "unreadable", unreadable},
	{errCursor, http.StatusBadRequest, "invalid", errCursor.Error()},
	{errSearching, http.StatusConflict, "busy", ""},
	{errNoLockout, http.StatusNotFound, "unknown", ""},
	{errSome, http.StatusInternalServerError, "some", ""},
	{rushgate.ErrDamagedRecord, http.StatusInternalServerError, "damaged",
		"the account's record is damaged; the log says where"},
	{rushgate.ErrUnavailable, http.StatusServiceUnavailable, "store-away", "the store does not answer in time; try again"},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, "timeout", "the store does not answer in time; try again"},
	{rushgate.ServerBusy, http.StatusServiceUnavailable, "busy", "the node has too much to do; try again"},
}

func problemOf(err error) problem {
	for _, p := range problems {
		if errors.Is(err, p.is) {
			if p.say == "" {
				p.say = err.Error()
			}
			return p
		}
	}
	return problem{err, http.StatusInternalServerError, "failed", "that has failed; the log says why"}
}

// outcomeOf is a word for what came of an act.
func outcomeOf(err error) string {
	if err == nil {
		return "done"
	}
	return problemOf(err).word
}

// answerOrder answers with what came of an order. A problem of the operator's making is said as it is.
func answerOrder(w http.ResponseWriter, status int, out any, err error) {
	if err != nil {
		p := problemOf(err)
		writeProblem(w, p.status, p.say)
		return
	}
	writeJSON(w, status, out)
}
