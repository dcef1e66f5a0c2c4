package storetest

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/rushgate/rushgate"
)

var auditCases = []testCase{
	{"AppendsAfterTheLast", auditAppends},
	{"AMovedLogKeepsItsNumbers", auditMoved},
	{"ARepeatIsRecognised", auditRepeated},
	{"AnyBytes", auditBytes},
	{"LoadedInPages", auditPages},
	{"TrimKeepsTheLast", auditTrimmed},
	{"OfAppendersAtOnceOneWins", auditRace},
	{"ManyAppendersLoseNothing", auditChain},
	{"BoundsAreNamed", badAudit},
	{"DurableAcrossReopen", auditReopen},
}

func appendAudit(t *testing.T, s rushgate.Store, after uint64, words string) bool {
	t.Helper()
	var data [][]byte
	for word := range strings.FieldsSeq(words) {
		data = append(data, []byte(word))
	}
	appended, err := s.AppendAudit(t.Context(), after, data)
	if err != nil {
		t.Fatalf("AppendAudit(%d, %s): %v", after, words, err)
	}
	return appended
}

func loadAudit(t *testing.T, s rushgate.Store, from uint64, limit int) []rushgate.AuditRecord {
	t.Helper()
	records, err := s.LoadAudit(t.Context(), from, limit)
	if err != nil {
		t.Fatalf("LoadAudit(%d, %d): %v", from, limit, err)
	}
	return records
}

// wantAudit compares the whole log with words, of which the first has number first.
func wantAudit(t *testing.T, s rushgate.Store, first uint64, words string) {
	t.Helper()
	var got []string
	last := first
	for i, r := range loadAudit(t, s, 0, rushgate.MaxPage) {
		if last = first + uint64(i); r.Seq != last {
			t.Errorf("record %d has number %d, want %d", i, r.Seq, last)
		}
		got = append(got, string(r.Data))
	}
	if strings.Join(got, " ") != words {
		t.Fatalf("the log is %q, want %q", got, words)
	}
	if a, b, err := s.AuditSpan(t.Context()); err != nil || a != first || b != last {
		t.Fatalf("AuditSpan = %d, %d, %v; want %d, %d", a, b, err, first, last)
	}
}

func auditAppends(t *testing.T, h Harness) {
	s := h.open(t)
	wantAudit(t, s, 0, "")
	for i, step := range []struct {
		after    uint64
		words    string
		appended bool
		log      string
	}{
		{math.MaxUint64, "a", false, ""},
		{rushgate.MaxAuditSeq + 1, "a", false, ""},
		{0, "a b", true, "a b"},
		{0, "c", false, "a b"},
		{1, "c", false, "a b"},
		{3, "c", false, "a b"},
		{math.MaxUint64, "a", false, "a b"},
		{2, "c", true, "a b c"},
		{3, "c c", true, "a b c c c"},
	} {
		if got := appendAudit(t, s, step.after, step.words); got != step.appended {
			t.Errorf("step %d: appended %v, want %v", i, got, step.appended)
		}
		wantAudit(t, s, min(1, uint64(len(step.log))), step.log)
	}
}

// auditMoved begins a log where another one began that was trimmed.
func auditMoved(t *testing.T, h Harness) {
	s := h.open(t)
	for range 2 { // also repeated
		if !appendAudit(t, s, 100, "a b") {
			t.Error("the log does not begin after 100")
		}
	}
	if appendAudit(t, s, 0, "a") {
		t.Error("the log begins twice")
	}
	wantAudit(t, s, 101, "a b")
	if !appendAudit(t, s, 102, "c") {
		t.Error("the log does not go on")
	}
	wantAudit(t, s, 101, "a b c")
}

func auditRepeated(t *testing.T, h Harness) {
	s := h.open(t)
	appendAudit(t, s, 0, "a b")
	appendAudit(t, s, 2, "c d")
	for _, tt := range []struct {
		after uint64
		words string
		want  bool
	}{
		{0, "a b", true}, {2, "c d", true}, {0, "a", true}, {1, "b c", true}, {0, "a b c d", true}, {3, "d", true},
		{0, "a c", false}, {0, "b", false}, {2, "c d e", false}, {3, "d e", false}, {1, "b b", false}, {5, "c", false},
	} {
		if got := appendAudit(t, s, tt.after, tt.words); got != tt.want {
			t.Errorf("repeated %q after %d: %v, want %v", tt.words, tt.after, got, tt.want)
		}
		wantAudit(t, s, 1, "a b c d")
	}
}

// auditBytes also changes what it has given to the store and got from it, which is its own.
func auditBytes(t *testing.T, h Harness) {
	s := h.open(t)
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	data := [][]byte{{0}, []byte("\r\n"), all, bytes.Repeat([]byte{0xff}, rushgate.MaxAuditData)}
	mine := make([][]byte, len(data))
	for i := range data {
		mine[i] = bytes.Clone(data[i])
	}
	if appended, err := s.AppendAudit(t.Context(), 0, mine); err != nil || !appended {
		t.Fatalf("AppendAudit: %v, %v", appended, err)
	}
	for i := range mine {
		clear(mine[i])
	}
	for range 2 {
		records := loadAudit(t, s, 1, 10)
		for i, r := range records {
			if len(records) != len(data) || !bytes.Equal(r.Data, data[i]) {
				t.Fatalf("record %d of %d came back as %d bytes", i, len(records), len(r.Data))
			}
			clear(r.Data)
		}
	}
	if appended, err := s.AppendAudit(t.Context(), 0, data); err != nil || !appended {
		t.Errorf("repeated: %v, %v", appended, err)
	}
}

func auditPages(t *testing.T, h Harness) {
	const n = 250
	s := h.open(t)
	for after := uint64(0); after < n; {
		var words []string
		for i := range min(rushgate.MaxAuditAppend, n-after) {
			words = append(words, fmt.Sprint("r", after+i+1))
		}
		if !appendAudit(t, s, after, strings.Join(words, " ")) {
			t.Fatalf("not appended after %d", after)
		}
		after += uint64(len(words))
	}
	for _, limit := range []int{1, 7, 100, rushgate.MaxPage} {
		from := uint64(1)
		for from <= n {
			page := loadAudit(t, s, from, limit)
			if len(page) != min(limit, int(n-from+1)) {
				t.Fatalf("page of %d from %d has %d records", limit, from, len(page))
			}
			for _, r := range page {
				if r.Seq != from || string(r.Data) != fmt.Sprint("r", from) {
					t.Fatalf("record %d is %d %q", from, r.Seq, r.Data)
				}
				from++
			}
		}
	}
	for _, from := range []uint64{n + 1, math.MaxInt64, math.MaxUint64} {
		if page := loadAudit(t, s, from, 10); len(page) != 0 {
			t.Errorf("after the end are %d records", len(page))
		}
	}
}

func auditTrimmed(t *testing.T, h Harness) {
	s := h.open(t)
	trim := func(first uint64) {
		t.Helper()
		if err := s.TrimAudit(t.Context(), first); err != nil {
			t.Fatalf("TrimAudit(%d): %v", first, err)
		}
	}
	trim(5) // of an empty log
	wantAudit(t, s, 0, "")
	appendAudit(t, s, 0, "a b c d")
	for range 2 {
		trim(0)
		trim(1)
		wantAudit(t, s, 1, "a b c d")
	}
	for range 2 {
		trim(3)
		trim(2)
		wantAudit(t, s, 3, "c d")
	}
	if page := loadAudit(t, s, 1, 1); len(page) != 1 || page[0].Seq != 3 {
		t.Errorf("from before the first: %+v", page)
	}
	if appendAudit(t, s, 1, "b c") || appendAudit(t, s, 0, "a") {
		t.Error("what was trimmed is recognised")
	}
	if !appendAudit(t, s, 2, "c d") {
		t.Error("what follows a record that was trimmed is not recognised")
	}
	for _, first := range []uint64{5, 100, math.MaxUint64} {
		trim(first)
		wantAudit(t, s, 4, "d")
	}
	if !appendAudit(t, s, 4, "e f") {
		t.Error("nothing can be appended")
	}
	wantAudit(t, s, 4, "d e f")
}

func auditRace(t *testing.T, h Harness) {
	const appenders, rounds = 8, 5
	s := h.open(t)
	for round := range rounds {
		var wg sync.WaitGroup
		won := make([]bool, appenders)
		for i := range appenders {
			wg.Go(func() {
				data := [][]byte{fmt.Appendf(nil, "%d by %d", round, i), fmt.Appendf(nil, "and more by %d", i)}
				appended, err := s.AppendAudit(t.Context(), uint64(2*round), data)
				if err != nil {
					t.Errorf("AppendAudit: %v", err)
				}
				won[i] = appended
			})
		}
		wg.Wait()
		records := loadAudit(t, s, uint64(2*round+1), 10)
		if len(records) != 2 {
			t.Fatalf("round %d has %d records", round, len(records))
		}
		for i := range won {
			first, second := fmt.Sprintf("%d by %d", round, i), fmt.Sprintf("and more by %d", i)
			if there := string(records[0].Data) == first && string(records[1].Data) == second; there != won[i] {
				t.Errorf("round %d: %d was told %v, and the log goes on with %q", round, i, won[i], records[0].Data)
			}
		}
	}
}

// auditChain has several read where the log ends and append there until they succeed.
func auditChain(t *testing.T, h Harness) {
	const appenders, additions = 4, 5
	s := h.open(t)
	var wg sync.WaitGroup
	for i := range appenders {
		wg.Go(func() {
			for n := range additions {
				for appended := false; !appended; {
					_, last, err := s.AuditSpan(t.Context())
					if err == nil {
						appended, err = s.AppendAudit(t.Context(), last, [][]byte{fmt.Appendf(nil, "%d.%d", i, n)})
					}
					if err != nil {
						t.Errorf("addition %d of %d: %v", n, i, err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	seen := make(map[string]int)
	for _, r := range loadAudit(t, s, 1, rushgate.MaxPage) {
		seen[string(r.Data)]++
	}
	for i := range appenders {
		for n := range additions {
			if entry := fmt.Sprintf("%d.%d", i, n); seen[entry] != 1 || len(seen) != appenders*additions {
				t.Errorf("%q is in the log %d times, among %d", entry, seen[entry], len(seen))
			}
		}
	}
}

func badAudit(t *testing.T, h Harness) {
	const secret = "5ecret"
	s := h.open(t)
	for says, data := range map[string][][]byte{
		"0 audit records":            nil,
		"101 audit records":          make([][]byte, rushgate.MaxAuditAppend+1),
		"record 2 of 2 has 0 bytes":  {[]byte(secret), {}},
		"record 1 of 1 has 4098 byt": {bytes.Repeat([]byte(secret), 683)},
	} {
		_, err := s.AppendAudit(t.Context(), 0, data)
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), secret) {
			t.Errorf("AppendAudit: error %v, want one that says %q and no data", err, says)
		}
	}
	for _, limit := range []int{-1, 0, rushgate.MaxPage + 1} {
		if _, err := s.LoadAudit(t.Context(), 1, limit); err == nil || !strings.Contains(err.Error(), "limit") {
			t.Errorf("LoadAudit of %d: error %v, want one that names the limit", limit, err)
		}
	}
	wantAudit(t, s, 0, "")
}

func auditReopen(t *testing.T, h Harness) {
	s := h.open(t)
	appendAudit(t, s, 0, "a b c")
	s = h.reopen(t, s)
	wantAudit(t, s, 1, "a b c")
	if err := s.TrimAudit(t.Context(), 100); err != nil {
		t.Fatal(err)
	}
	s = h.reopen(t, s)
	wantAudit(t, s, 3, "c")
	if appendAudit(t, s, 0, "d") || !appendAudit(t, s, 3, "d") {
		t.Error("after a restart records are appended wrongly")
	}
	wantAudit(t, s, 3, "c d")
}
