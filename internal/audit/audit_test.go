package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/memory"
)

func newStore(t *testing.T) *memory.Store {
	t.Helper()
	s := memory.New(memory.Options{})
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func add(t *testing.T, l *Log, entries ...Entry) uint64 {
	t.Helper()
	seq, err := l.Append(t.Context(), entries...)
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

func verify(t *testing.T, store rushgate.AuditLog) Verdict {
	t.Helper()
	v, err := Verify(t.Context(), store, Mark{})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// What was done is read as it was written, each entry after the one before it.
func TestEntries(t *testing.T) {
	s := newStore(t)
	if v := verify(t, s); v != (Verdict{}) {
		t.Errorf("an empty log: %+v", v)
	}
	l := NewLog(s)
	began := add(t, l, Entry{Who: "anna", Role: "run", What: "account.disable", Whom: 7, From: "192.0.2.1"})
	if began != 1 {
		t.Errorf("it is entry %d", began)
	}
	if v := verify(t, s); v.Open != 1 || v.Bad != 0 {
		t.Errorf("before its outcome: %+v", v)
	}
	add(t, l, Entry{Who: "anna", What: "account.disable", Whom: 7, Of: began, Outcome: "done",
		Detail: strings.Repeat("\x01", 9000)})
	entries, err := Read(t.Context(), s, 1, 10)
	if err != nil || len(entries) != 2 {
		t.Fatal(entries, err)
	}
	if e := entries[0]; e.Who != "anna" || e.Whom != 7 || e.At.IsZero() || e.Prev != genesis || e.Seq != 1 {
		t.Errorf("%+v", e)
	}
	if e := entries[1]; e.Of != 1 || e.Prev == genesis || len(e.Detail) != maxDetail {
		t.Errorf("%+v", e)
	}
	if v := verify(t, s); v.Bad != 0 || v.First != 1 || v.Last != 2 || v.Open != 0 || v.Trusted || len(v.Hash) != 64 {
		t.Errorf("%+v", v)
	}
}

// Many entries at once are all there, in their order.
func TestManyEntries(t *testing.T) {
	s := newStore(t)
	all := make([]Entry, 2*rushgate.MaxAuditAppend+5)
	for i := range all {
		all[i] = Entry{Who: "anna", What: fmt.Sprint("act ", i), Outcome: "done"}
	}
	if first := add(t, NewLog(s), all...); first != 1 {
		t.Errorf("the first is entry %d", first)
	}
	entries, err := Read(t.Context(), s, 1, rushgate.MaxPage)
	if err != nil || len(entries) != len(all) || entries[204].What != "act 204" {
		t.Errorf("%d entries, %v", len(entries), err)
	}
	if v := verify(t, s); v.Bad != 0 || v.Last != uint64(len(all)) {
		t.Errorf("%+v", v)
	}
}

// Nodes that write at the same time lose nothing, and the chain holds.
func TestNodesWriteAtTheSameTime(t *testing.T) {
	s := newStore(t)
	const nodes, each = 4, 50
	var group sync.WaitGroup
	for n := range nodes {
		l := NewLog(s)
		group.Go(func() {
			for i := range each {
				if _, err := l.Append(context.Background(), Entry{Who: fmt.Sprint("n", n), What: fmt.Sprint(i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if v := verify(t, s); v.Bad != 0 || v.Last != nodes*each {
		t.Errorf("%+v", v)
	}
}

// kept is a log whose records a test can change.
type kept struct {
	rushgate.AuditLog
	records []rushgate.AuditRecord
	err     error
}

func (k *kept) LoadAudit(_ context.Context, from uint64, limit int) ([]rushgate.AuditRecord, error) {
	for i, r := range k.records {
		if r.Seq >= from {
			return k.records[i:min(i+limit, len(k.records))], nil
		}
	}
	return nil, nil
}

func (k *kept) AuditSpan(context.Context) (first, last uint64, err error) {
	if len(k.records) == 0 {
		return 0, 0, k.err
	}
	return k.records[0].Seq, k.records[len(k.records)-1].Seq, k.err
}

// Whatever is changed is found, at the entry where it is or the one behind it.
func TestVerifyFindsChanges(t *testing.T) {
	s := newStore(t)
	l := NewLog(s)
	for i := range 6 {
		add(t, l, Entry{Who: "anna", What: fmt.Sprint("act ", i), Outcome: "done"})
	}
	for name, tt := range map[string]struct {
		change func([]rushgate.AuditRecord) []rushgate.AuditRecord
		bad    uint64
	}{
		"nothing": {func(r []rushgate.AuditRecord) []rushgate.AuditRecord { return r }, 0},
		"another operator": {func(r []rushgate.AuditRecord) []rushgate.AuditRecord {
			r[2].Data = bytes.Replace(r[2].Data, []byte("anna"), []byte("bert"), 1)
			return r
		}, 4},
		"no JSON": {func(r []rushgate.AuditRecord) []rushgate.AuditRecord {
			r[2].Data = []byte("x")
			return r
		}, 3},
		"taken out": {func(r []rushgate.AuditRecord) []rushgate.AuditRecord { return append(r[:2], r[3:]...) }, 3},
		"swapped": {func(r []rushgate.AuditRecord) []rushgate.AuditRecord {
			r[2].Data, r[3].Data = r[3].Data, r[2].Data
			return r
		}, 3},
		"the first one": {func(r []rushgate.AuditRecord) []rushgate.AuditRecord {
			r[0].Data = bytes.Replace(r[0].Data, []byte(genesis), []byte(strings.Repeat("1", 64)), 1)
			return r
		}, 1},
		"the beginning cut off": {func(r []rushgate.AuditRecord) []rushgate.AuditRecord { return r[2:] }, 1},
	} {
		records, err := s.LoadAudit(t.Context(), 1, 10)
		if err != nil {
			t.Fatal(err)
		}
		v, err := Verify(t.Context(), &kept{records: tt.change(records)}, Mark{})
		if err != nil || v.Bad != tt.bad || (tt.bad != 0) != (v.Why != "") {
			t.Errorf("%s: %+v, %v, want entry %d", name, v, err, tt.bad)
		}
		if v.Trusted != (name == "the beginning cut off") {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

// A log whose end was cut off and written anew is a good chain; who has seen the entry that was there finds it out.
func TestVerifyWithWhatWasSeen(t *testing.T) {
	s, other := newStore(t), newStore(t)
	l := NewLog(s)
	add(t, l, Entry{What: "a"}, Entry{What: "b"}, Entry{What: "c"})
	v := verify(t, s)
	seen := Mark{v.Last, v.Hash}
	add(t, l, Entry{What: "d"})
	if v, err := Verify(t.Context(), s, seen); err != nil || v.Bad != 0 {
		t.Errorf("%+v, %v", v, err)
	}
	forged := NewLog(other)
	add(t, forged, Entry{What: "a"}, Entry{What: "b"})
	if v, err := Verify(t.Context(), other, seen); err != nil || v.Bad != 3 {
		t.Errorf("cut off: %+v, %v", v, err)
	}
	add(t, forged, Entry{What: "x"})
	if v, err := Verify(t.Context(), other, seen); err != nil || v.Bad != 3 {
		t.Errorf("written anew: %+v, %v", v, err)
	}
}

// Entries that are old enough go, but for the last; that they went is in the log, and what is left can be verified. A
// clock that was set back harms nothing.
func TestTrim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		l := NewLog(s)
		if n, err := l.Trim(t.Context(), time.Hour); n != 0 || err != nil {
			t.Errorf("an empty log: %d, %v", n, err)
		}
		for range 2500 {
			add(t, l, Entry{What: "old", Outcome: "done"})
		}
		time.Sleep(2 * time.Hour)
		add(t, l, Entry{What: "young", Outcome: "done"})
		n, err := l.Trim(t.Context(), time.Hour)
		if n != 2500 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		entries, err := Read(t.Context(), s, 1, 10)
		if err != nil || len(entries) != 2 || entries[0].What != "young" || entries[1].What != "audit.trim" ||
			entries[1].Detail != "entries 1 to 2500, older than 1h0m0s" {
			t.Errorf("%+v, %v", entries, err)
		}
		if v := verify(t, s); v.Bad != 0 || !v.Trusted || v.First != 2501 || v.Open != 0 || v.TrimmedBy != 2502 {
			t.Errorf("%+v", v)
		}
		if n, err := l.Trim(t.Context(), time.Hour); n != 0 || err != nil {
			t.Errorf("again: %d, %v", n, err)
		}
		add(t, l, Entry{What: "after", Outcome: "done"})
		time.Sleep(1000 * time.Hour)
		if n, err := l.Trim(t.Context(), time.Hour); n != 2 || err != nil {
			t.Errorf("all are old: %d, %v", n, err)
		}
		if v := verify(t, s); v.Bad != 0 {
			t.Errorf("%+v", v)
		}
	})
}

// Of a log without its beginning it is told whether a node has trimmed it, and so far, or somebody has cut off more.
func TestVerifyTellsTrimmedFromCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		l := NewLog(s)
		seen := make([]Mark, 0, 20)
		act := func(n int) {
			for range n {
				add(t, l, Entry{Who: "anna", What: "act", Outcome: "done"})
				v := verify(t, s)
				seen = append(seen, Mark{v.Last, v.Hash})
			}
		}
		act(5)
		time.Sleep(2 * time.Hour)
		act(3)
		if n, err := l.Trim(t.Context(), time.Hour); n != 5 || err != nil { // by entry 9
			t.Fatal(n, err)
		}
		act(2)
		add(t, l, Entry{Who: "anna", What: trimAct, Detail: "entries 1 to 10", Outcome: "done"})      // is no node
		add(t, l, Entry{Who: trimmer, What: trimAct, Detail: "entries 1 to 99", Outcome: "begun"})    // of what was not there
		add(t, l, Entry{Who: trimmer, What: trimAct, Detail: "entries few to many", Outcome: "done"}) // of no numbers
		records, err := s.LoadAudit(t.Context(), 1, 100)
		if err != nil || records[0].Seq != 6 {
			t.Fatal(records, err)
		}
		check := func(what string, keep int, seen Mark, bad, by uint64) {
			t.Helper()
			v, err := Verify(t.Context(), &kept{records: records[keep:]}, seen)
			if err != nil || v.Bad != bad || v.TrimmedBy != by || !v.Trusted && bad == 0 {
				t.Errorf("%s: %+v, %v; want entry %d to be bad, %d to account for what is gone", what, v, err, bad, by)
			}
		}
		check("as it was trimmed", 0, Mark{}, 0, 9)
		check("what was seen and trimmed", 0, seen[2], 0, 9)
		check("what was seen last before it was trimmed", 0, seen[4], 0, 9)
		check("another one seen there", 0, Mark{5, seen[3].Hash}, 6, 0)
		check("one more cut off", 1, Mark{}, 6, 0)
		check("the entry that says so cut off, too", 4, Mark{}, 1, 0)
		check("all but the last cut off", len(records)-1, Mark{}, 1, 0)
		if err := s.TrimAudit(t.Context(), 6); err != nil { // as a node does that has died after it has said so
			t.Fatal(err)
		}
		if v := verify(t, s); v.Bad != 0 || v.TrimmedBy != 9 {
			t.Errorf("%+v", v)
		}
	})
}

// failing is a store that loses answers, having done what it was asked for.
type failing struct {
	rushgate.AuditLog
	err error
}

func (f *failing) AppendAudit(ctx context.Context, after uint64, data [][]byte) (bool, error) {
	ok, err := f.AuditLog.AppendAudit(ctx, after, data)
	if f.err != nil {
		return false, f.err
	}
	return ok, err
}

// After an answer that was lost the log goes on from what is really last.
func TestLostAnswers(t *testing.T) {
	s := &failing{newStore(t), errors.New("lost")}
	l := NewLog(s)
	if _, err := l.Append(t.Context(), Entry{What: "a"}); !errors.Is(err, s.err) {
		t.Fatalf("Append = %v", err)
	}
	s.err = nil
	if seq := add(t, l, Entry{What: "b"}); seq != 2 {
		t.Errorf("it is entry %d", seq)
	}
	if v := verify(t, s); v.Bad != 0 || v.Last != 2 {
		t.Errorf("%+v", v)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l.turn <- struct{}{} // another adds for long
	if _, err := l.Append(ctx, Entry{What: "c"}); !errors.Is(err, context.Canceled) {
		t.Errorf("who goes away: %v", err)
	}
}

// Whatever is stored, it is an entry or none, and never more than that.
func FuzzParse(f *testing.F) {
	b, _ := json.Marshal(Entry{Seq: 1, At: time.Unix(1, 0), Who: "anna", What: "x", Prev: genesis})
	f.Add(b)
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if e, err := parse(data); (err == nil) != (e.Seq != 0) {
			t.Errorf("%q is %+v, %v", data, e, err)
		}
	})
}
