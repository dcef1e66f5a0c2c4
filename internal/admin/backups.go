package admin

import (
	"context"
	"net/http"
	"strconv"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/audit"
	"github.com/rushgate/rushgate/internal/strictjson"
)

// backupAct is what the audit log calls a backup.
const backupAct = "store.backup"

// backupBody is what is answered of a backup: begun, done or failed, and the entry that says that it has begun; 0 if
// nothing is written down.
type backupBody struct {
	Outcome string `json:"outcome"`
	Entry   uint64 `json:"entry"`
}

// backups has it written down that the players are copied, by a process that has the files of the store: that it
// begins, so that a copy that is broken off has left a trace, and what came of it.
type backups struct {
	*acts
	log rushgate.AuditLog
}

func (b *backups) serve(mux *routes) {
	mux.HandleFunc("POST /backups", b.begin)
	mux.HandleFunc("POST /backups/{entry}/end", b.end)
}

func (b *backups) begin(w http.ResponseWriter, r *http.Request) {
	if _, ok := readNothing(w, r); !ok {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), orderTimeout)
	defer cancel()
	seq, err := b.acts.begin(ctx, r, act{what: backupAct, detail: "begun"})
	if err != nil {
		b.refuseUnwritten(w, backupAct, err)
		return
	}
	who := personOf(r.Context())
	b.logger.Warn("an operator copies the players", "operator", who.name, "from", origin(r).Addr())
	writeJSON(w, http.StatusOK, backupBody{"begun", seq})
}

func (b *backups) end(w http.ResponseWriter, r *http.Request) {
	outcome := ""
	check := func(in strictjson.Values) bool {
		outcome = in.String("outcome")
		return outcome == "done" || outcome == "failed"
	}
	const want = `{"outcome": "done or failed"}`
	if _, ok := read(w, r, maxOrder, want, check, strictjson.Field{Name: "outcome"}); !ok {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), orderTimeout)
	defer cancel()
	seq, begun, err := b.begun(ctx, r.PathValue("entry"))
	switch {
	case err != nil:
		b.logger.Warn("the audit log could not be read", "error", err)
		answerOrder(w, 0, nil, err)
		return
	case !begun:
		writeProblem(w, http.StatusNotFound, "no entry of this number in the audit log says that a backup has begun")
		return
	}
	e := b.entry(r, act{what: backupAct})
	e.Of, e.Outcome = seq, outcome
	if _, err := b.acts.log.Append(ctx, e); err != nil {
		b.logger.Error("the audit log has not heard what came of an act", "what", backupAct, "entry", seq, "error", err)
		writeProblem(w, http.StatusServiceUnavailable, "the audit log takes nothing now; try again")
		return
	}
	b.logger.Warn("an operator has copied the players", "operator", e.Who, "from", e.From, "outcome", outcome)
	writeJSON(w, http.StatusOK, backupBody{outcome, seq})
}

// begun finds the entry whose number a path has, and reports whether it says that a backup has begun.
func (b *backups) begun(ctx context.Context, number string) (seq uint64, begun bool, err error) {
	seq, err = strconv.ParseUint(number, 10, 63)
	if err != nil || seq == 0 {
		return 0, false, nil
	}
	entries, err := audit.Read(ctx, b.log, seq, 1)
	if err != nil || len(entries) != 1 {
		return seq, false, err
	}
	e := &entries[0]
	return seq, e.Seq == seq && e.What == backupAct && e.Of == 0 && e.Outcome == "", nil
}
