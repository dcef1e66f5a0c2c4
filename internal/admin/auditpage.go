package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/audit"
)

// maxEntries is how many entries of the audit log one answer has at most, and defaultEntries how many if the request
// does not say.
const maxEntries, defaultEntries = 500, 50

// auditPage is some of the audit log, newest first.
type auditPage struct {
	Entries []audit.Entry `json:"entries"`
	First   uint64        `json:"first"` // that is kept; 0: the log is empty
	Last    uint64        `json:"last"`
}

// serveAudit shows the audit log.
func serveAudit(mux *routes, a *acts, log rushgate.AuditLog) {
	mux.HandleFunc("GET /audit", func(w http.ResponseWriter, r *http.Request) {
		before, limit, err := readAuditQuery(r.URL.RawQuery)
		if err != nil {
			writeProblem(w, http.StatusBadRequest, err.Error())
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), orderTimeout)
		defer cancel()
		page, err := readAudit(ctx, log, before, limit)
		if err != nil {
			a.logger.Warn("the audit log could not be read", "error", err)
		}
		answerOrder(w, http.StatusOK, page, err)
	})
	mux.HandleFunc("GET /audit/verify", func(w http.ResponseWriter, r *http.Request) {
		seen, err := readMark(r.URL.RawQuery)
		if err != nil {
			writeProblem(w, http.StatusBadRequest, err.Error())
			return
		}
		verdict, err := audit.Verify(r.Context(), log, seen)
		if err != nil {
			a.logger.Warn("the audit log could not be verified", "error", err)
		}
		answerOrder(w, http.StatusOK, verdict, err)
	})
}

// readMark reads the query of a URL that may have an entry seen earlier. The error is fit for the answer.
func readMark(raw string) (audit.Mark, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return audit.Mark{}, errors.New("the query cannot be read: want name=value, joined by &")
	}
	for key := range values {
		if key != "seen" {
			return audit.Mark{}, fmt.Errorf("%.40q is not seen", key)
		}
	}
	if values.Get("seen") == "" {
		return audit.Mark{}, nil
	}
	return audit.ParseMark(values.Get("seen"))
}

// readAuditQuery reads the query of a URL. The error is fit for the answer.
func readAuditQuery(raw string) (before uint64, limit int, err error) {
	limit = defaultEntries
	values, err := url.ParseQuery(raw)
	if err != nil {
		return 0, 0, errors.New("the query cannot be read: want name=value, joined by &")
	}
	for key, all := range values {
		if len(all) != 1 {
			return 0, 0, fmt.Errorf("%.40q is there %d times, want once", key, len(all))
		}
		switch key {
		case "before":
			if before, err = strconv.ParseUint(all[0], 10, 63); err != nil || before == 0 {
				return 0, 0, errors.New("before is no whole number above 0")
			}
		case "limit":
			if limit, err = count(key, all[0], 1, maxEntries); err != nil {
				return 0, 0, err
			}
		default:
			return 0, 0, fmt.Errorf("%.40q is none of before, limit", key)
		}
	}
	return before, limit, nil
}

// readAudit returns the newest entries, or those before one; 0 stands for behind the last.
func readAudit(ctx context.Context, log rushgate.AuditLog, before uint64, limit int) (auditPage, error) {
	page := auditPage{Entries: []audit.Entry{}}
	var err error
	if page.First, page.Last, err = log.AuditSpan(ctx); err != nil || page.Last == 0 {
		return page, err
	}
	if before == 0 || before > page.Last {
		before = page.Last + 1
	}
	if before <= page.First {
		return page, nil
	}
	from := max(page.First, before-min(before, uint64(limit)))
	if page.Entries, err = audit.Read(ctx, log, from, int(before-from)); err != nil {
		return page, err
	}
	slices.Reverse(page.Entries)
	return page, nil
}
