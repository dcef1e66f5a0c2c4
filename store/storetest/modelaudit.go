package storetest

import (
	"bytes"
	"math"
	"slices"

	"pgregory.net/rapid"

	"github.com/rushgate/rushgate"
)

// modelAudit is a log of which the first records may have been trimmed, or have never been there.
type modelAudit struct {
	trimmed uint64 // how many
	data    [][]byte
}

func (a *modelAudit) last() uint64 { return a.trimmed + uint64(len(a.data)) }

func (m *machine) appendAudit(t *rapid.T) {
	log := &m.audit
	last := log.last()
	after := pick(t, "after", last, last, last, last+1, max(last, 1)-1, max(last, 2)-2, 0, math.MaxUint64)
	var data [][]byte
	for range rapid.IntRange(1, 3).Draw(t, "records") {
		data = append(data, []byte(pick(t, "record", "x", "y")))
	}
	if last == 0 && after <= rushgate.MaxAuditSeq { // an empty log begins anywhere
		log.trimmed, last = after, after
	}
	want := after == last
	if after >= log.trimmed && after < last {
		there := log.data[after-log.trimmed:]
		want = len(there) >= len(data) && slices.EqualFunc(there[:len(data)], data, bytes.Equal)
	}
	got, err := m.s.AppendAudit(t.Context(), after, data)
	if err != nil || got != want {
		t.Fatalf("AppendAudit(%d, %q) = %v, %v; want %v after %q", after, data, got, err, want, log.data)
	}
	if after == last {
		log.data = append(log.data, data...)
	}
}

func (m *machine) trimAudit(t *rapid.T) {
	log := &m.audit
	first := rapid.Uint64Range(0, log.last()+2).Draw(t, "first")
	if err := m.s.TrimAudit(t.Context(), first); err != nil {
		t.Fatalf("TrimAudit(%d): %v", first, err)
	}
	if first = min(first, log.last()); first > log.trimmed+1 {
		log.data, log.trimmed = log.data[first-1-log.trimmed:], first-1
	}
}

func (m *machine) loadAudit(t *rapid.T) {
	log := &m.audit
	var first uint64
	if len(log.data) > 0 {
		first = log.trimmed + 1
	}
	if a, b, err := m.s.AuditSpan(t.Context()); err != nil || a != first || b != log.last() {
		t.Fatalf("AuditSpan = %d, %d, %v; want %d, %d", a, b, err, first, log.last())
	}
	from, limit := rapid.Uint64Range(0, log.last()+1).Draw(t, "from"), rapid.IntRange(1, 5).Draw(t, "limit")
	got, err := m.s.LoadAudit(t.Context(), from, limit)
	if err != nil {
		t.Fatalf("LoadAudit(%d, %d): %v", from, limit, err)
	}
	var want []rushgate.AuditRecord
	for seq := max(from, first); seq > 0 && seq <= log.last() && len(want) < limit; seq++ {
		want = append(want, rushgate.AuditRecord{Seq: seq, Data: log.data[seq-first]})
	}
	same := func(a, b rushgate.AuditRecord) bool { return a.Seq == b.Seq && bytes.Equal(a.Data, b.Data) }
	if !slices.EqualFunc(got, want, same) {
		t.Fatalf("LoadAudit(%d, %d) is\n%v, want\n%v", from, limit, got, want)
	}
}
