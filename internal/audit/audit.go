// Package audit writes down who has had the nodes of a fleet do what, in a log to which is only added. Each entry holds
// the hash of the one before, so that nobody can change or take out one in the middle without that being found. A
// player is a number in it and never a name, so that a player who is deleted has left no trace of who it was.
package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rushgate/rushgate"
)

const (
	// maxDetail is the greatest length of [Entry].Detail in bytes: what is more is cut off.
	maxDetail = 256
	// appendTries is how often entries are put behind those that others have added meanwhile. Each time one succeeds.
	appendTries = 100
)

var (
	// ErrBusy gives up entries that others were ahead of again and again.
	ErrBusy = errors.New("audit: the log keeps growing faster than this node can add to it")
	// ErrUnreadable says that an entry cannot be read. It quotes nothing.
	ErrUnreadable = errors.New("audit: that is no entry")
)

// Entry is one line of the log. Its names in JSON are what is stored, and part of the operator's listener.
type Entry struct {
	// Seq counts from 1. It is the order of the log; times need not rise with it.
	Seq uint64 `json:"seq"`
	// At is the time of the node that has written the entry, to the millisecond.
	At time.Time `json:"at"`
	// Who is the operator, and Role what the operator had as a role then.
	Who  string `json:"who"`
	Role string `json:"role,omitempty"`
	// What was done, such as "account.disable".
	What string `json:"what"`
	// Whom it was done to; 0 if that is no player. Never a name.
	Whom rushgate.PlayerID `json:"whom,omitempty"`
	// Detail says more. It holds nothing that tells who a player is.
	Detail string `json:"detail,omitempty"`
	// From is the address of the operator.
	From string `json:"from,omitempty"`
	// Of is the entry that says what was about to be done, of an entry that says by Outcome what came of it.
	Of      uint64 `json:"of,omitempty"`
	Outcome string `json:"outcome,omitempty"`
	// Prev is the SHA-256 of the bytes of the entry before, in hexadecimal; 64 zeros for the first one ever.
	Prev string `json:"prev"`
}

// Log adds to the log of a store. It is safe for concurrent use, and any number of processes may have one on the same
// store.
type Log struct {
	store rushgate.AuditLog
	turn  chan struct{} // one adds at a time

	known bool // what is last
	last  uint64
	hash  [sha256.Size]byte // of the last entry
}

// NewLog returns the log of a store.
func NewLog(store rushgate.AuditLog) *Log { return &Log{store: store, turn: make(chan struct{}, 1)} }

// Append adds entries, one after the other, and returns the number of the first. It fills in Seq, At and Prev. If there
// is an error, some of them may have been added.
func (l *Log) Append(ctx context.Context, entries ...Entry) (first uint64, err error) {
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	defer func() { <-l.turn }()
	for len(entries) > 0 {
		some := entries[:min(len(entries), rushgate.MaxAuditAppend)]
		seq, err := l.add(ctx, some)
		if err != nil {
			return 0, err
		}
		if first == 0 {
			first = seq
		}
		entries = entries[len(some):]
	}
	return first, nil
}

// add adds entries all at once. The caller has the turn.
func (l *Log) add(ctx context.Context, entries []Entry) (first uint64, err error) {
	for range appendTries {
		if err := l.look(ctx); err != nil {
			return 0, err
		}
		data, hash, err := l.chain(entries)
		if err != nil {
			return 0, err
		}
		first := l.last + 1
		l.known = false // until it is, whatever happens
		added, err := l.store.AppendAudit(ctx, l.last, data)
		if err != nil {
			return 0, err
		}
		if added {
			l.known, l.last, l.hash = true, l.last+uint64(len(data)), hash
			return first, nil
		}
	}
	return 0, ErrBusy
}

// look finds out which entry is last, unless that is known.
func (l *Log) look(ctx context.Context) error {
	if l.known {
		return nil
	}
	_, last, err := l.store.AuditSpan(ctx)
	if err != nil {
		return err
	}
	if l.last, l.hash = last, [sha256.Size]byte{}; last == 0 {
		return nil
	}
	records, err := l.store.LoadAudit(ctx, last, 1)
	if err != nil {
		return err
	}
	if len(records) != 1 || records[0].Seq != last {
		return fmt.Errorf("audit: entry %d is not there, which the store says is the last", last)
	}
	l.hash = sha256.Sum256(records[0].Data)
	return nil
}

// chain returns entries as they are stored behind the last one, and the hash of the last of them.
func (l *Log) chain(entries []Entry) (data [][]byte, hash [sha256.Size]byte, err error) {
	hash = l.hash
	for i, e := range entries {
		e.Seq, e.At, e.Prev = l.last+uint64(i)+1, time.Now().UTC().Truncate(time.Millisecond), genesis
		if e.Seq > 1 {
			e.Prev = hex.EncodeToString(hash[:])
		}
		e.Detail = e.Detail[:min(len(e.Detail), maxDetail)]
		b, err := json.Marshal(e)
		if err != nil {
			return nil, hash, err
		}
		data, hash = append(data, b), sha256.Sum256(b)
	}
	return data, hash, nil
}

// genesis is Prev of the first entry ever.
const genesis = "0000000000000000000000000000000000000000000000000000000000000000"

// Read returns entries in order, beginning with the one numbered from or the first that is kept. One that cannot be
// read has nothing but its number and the word "unreadable" in What.
func Read(ctx context.Context, store rushgate.AuditLog, from uint64, limit int) ([]Entry, error) {
	records, err := store.LoadAudit(ctx, from, limit)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(records))
	for i, r := range records {
		if entries[i], err = parse(r.Data); err != nil {
			entries[i] = Entry{Seq: r.Seq, What: "unreadable"}
		}
	}
	return entries, nil
}

// parse reads an entry. The error is [ErrUnreadable].
func parse(data []byte) (e Entry, err error) {
	if json.Unmarshal(data, &e) != nil || e.Seq == 0 {
		return Entry{}, ErrUnreadable
	}
	return e, nil
}
