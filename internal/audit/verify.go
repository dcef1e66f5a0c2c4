package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rushgate/rushgate"
)

// Verdict is what came of verifying a log.
type Verdict struct {
	// First and Last are the entries that were looked at; both are 0 for an empty log.
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
	// Trusted says that entries before First were trimmed, so that what First says of the one before it had to be
	// believed. TrimmedBy is the entry in which a node says that it takes them out for their age; without one, all that
	// are missing and that no entry accounts for are Bad.
	Trusted   bool   `json:"trusted"`
	TrimmedBy uint64 `json:"trimmed_by,omitempty"`
	// Hash is that of the last good entry, in hexadecimal. Written down elsewhere together with Last, it shows later that
	// the end of the log was not cut off and written anew.
	Hash string `json:"hash"`
	// Bad is the first entry that is not as it was written, or does not follow the one before it, and Why says so; 0 if
	// all are good.
	Bad uint64 `json:"bad,omitempty"`
	Why string `json:"why,omitempty"`
	// Open are entries that say what was about to be done, without one that says what came of it: of a process that died
	// between the two, or whose store did.
	Open int `json:"open"`
}

// Mark is an entry that was seen earlier: its number and hash, in hexadecimal.
type Mark struct {
	Seq  uint64
	Hash string
}

// ParseMark reads a mark as SEQ:HASH, in which String writes it.
func ParseMark(s string) (Mark, error) {
	seq, hash, _ := strings.Cut(s, ":")
	n, err := strconv.ParseUint(seq, 10, 63)
	if raw, e := hex.DecodeString(hash); err != nil || n == 0 || e != nil || len(raw) != sha256.Size {
		return Mark{}, errors.New("an entry that was seen is its number and hash, such as 120:0f3a…")
	}
	return Mark{n, strings.ToLower(hash)}, nil
}

// String returns the mark as SEQ:HASH, and nothing for one of no entry.
func (m Mark) String() string {
	if m.Seq == 0 {
		return ""
	}
	return fmt.Sprintf("%d:%s", m.Seq, m.Hash)
}

// Verify goes through the whole log. An entry that was seen earlier, unless its Seq is 0, has to be there still and the
// same, or to have been trimmed. A log without its beginning has to say itself that this was trimmed: who can write to
// the store can forge that, as everything, and only an entry that was seen earlier shows it. An error means that
// nothing can be said.
func Verify(ctx context.Context, store rushgate.AuditLog, seen Mark) (Verdict, error) {
	var v Verdict
	first, _, err := store.AuditSpan(ctx)
	if err != nil {
		return v, err
	}
	walk := walker{verdict: &v, seen: seen, next: max(first, 1), begun: make(map[uint64]bool)}
	for {
		records, err := store.LoadAudit(ctx, walk.next, rushgate.MaxPage)
		if err != nil {
			return v, err
		}
		if len(records) > 0 && records[0].Seq > walk.next { // trimmed meanwhile, or a hole
			if kept, _, err := store.AuditSpan(ctx); err != nil {
				return v, err
			} else if kept == records[0].Seq {
				walk.skipTo(kept)
			}
		}
		for _, r := range records {
			if !walk.step(r) {
				return v, nil
			}
		}
		if len(records) < rushgate.MaxPage {
			walk.end()
			return v, nil
		}
	}
}

// walker goes from entry to entry.
type walker struct {
	verdict *Verdict
	seen    Mark
	next    uint64
	hash    string          // of the entry before; empty: it is not known
	begun   map[uint64]bool // entries that nobody has said yet what came of
	trimmed uint64          // the last entry that one says was trimmed
}

// skipTo goes on at an entry whose predecessor is gone.
func (w *walker) skipTo(seq uint64) {
	w.next, w.hash, w.verdict.First = seq, "", 0
	clear(w.begun)
}

// step looks at one entry, and reports whether it is good.
func (w *walker) step(r rushgate.AuditRecord) bool {
	v := w.verdict
	e, err := parse(r.Data)
	bad := func(format string, args ...any) bool {
		v.Bad, v.Why = w.next, fmt.Sprintf(format, args...)
		return false
	}
	if w.hash == "" && r.Seq == 1 {
		w.hash = genesis
	}
	sum := sha256.Sum256(r.Data)
	hash := hex.EncodeToString(sum[:])
	switch {
	case r.Seq != w.next:
		return bad("it is missing")
	case err != nil:
		return bad("it cannot be read")
	case e.Seq != r.Seq:
		return bad("it says that it is entry %d", e.Seq)
	case w.hash == "" && w.seen.Seq == r.Seq-1 && w.seen.Hash != e.Prev:
		return bad("it does not follow the entry before as that was seen earlier")
	case w.hash == "": // those before were trimmed
		v.Trusted = true
	case e.Prev != w.hash:
		return bad("it does not follow the entry before as that is now")
	}
	if w.seen.Seq == r.Seq && w.seen.Hash != hash {
		return bad("it is another one than was seen earlier")
	}
	if v.First == 0 {
		v.First = r.Seq
	}
	switch {
	case e.Of != 0:
		delete(w.begun, e.Of)
	case e.Outcome == "":
		w.begun[e.Seq] = true
	}
	if to := trimmedTo(&e); to > w.trimmed {
		w.trimmed, v.TrimmedBy = to, r.Seq
	}
	v.Last, v.Hash, w.hash, w.next = r.Seq, hash, hash, r.Seq+1
	return true
}

// end says what can be said only when all entries were seen.
func (w *walker) end() {
	v := w.verdict
	v.Open = len(w.begun)
	if !v.Trusted {
		v.TrimmedBy = 0 // what was to be trimmed is there still
	}
	switch {
	case v.Trusted && w.trimmed < v.First-1:
		v.Bad, v.TrimmedBy = w.trimmed+1, 0
		v.Why = fmt.Sprintf("it is missing, with all up to %d, and no entry says that a node has taken them out for "+
			"their age", v.First-1)
	case w.seen.Seq >= w.next:
		v.Bad, v.Why = w.next, "it is missing: a later one was seen earlier"
	}
}

// What an entry says by which a node takes others out for their age.
const (
	trimmer   = "system"
	trimAct   = "audit.trim"
	trimRange = "entries %d to %d"
)

// trimmedTo returns the last of the entries that one says are taken out for their age; 0 if it is about something else.
func trimmedTo(e *Entry) (to uint64) {
	var from uint64
	if e.Who != trimmer || e.What != trimAct {
		return 0
	}
	if n, err := fmt.Sscanf(e.Detail, trimRange, &from, &to); n != 2 || err != nil || from > to || to >= e.Seq {
		return 0
	}
	return to
}

// Trim removes entries that are older than keep: those before the first one that is not. What it is about to do it
// writes into the log first. It returns how many it has removed.
func (l *Log) Trim(ctx context.Context, keep time.Duration) (removed uint64, err error) {
	first, last, err := l.store.AuditSpan(ctx)
	if err != nil || last == 0 {
		return 0, err
	}
	until := time.Now().Add(-keep)
	from := first
	for from < last {
		entries, err := Read(ctx, l.store, from, rushgate.MaxPage)
		if err != nil {
			return 0, err
		}
		old := 0
		for old < len(entries) && entries[old].At.Before(until) && entries[old].Seq < last {
			old++
		}
		from += uint64(old)
		if old < rushgate.MaxPage {
			break
		}
	}
	if from == first {
		return 0, nil
	}
	_, err = l.Append(ctx, Entry{
		Who: trimmer, What: trimAct, Outcome: "begun",
		Detail: fmt.Sprintf(trimRange+", older than %v", first, from-1, keep),
	})
	if err != nil {
		return 0, err
	}
	return from - first, l.store.TrimAudit(ctx, from)
}
