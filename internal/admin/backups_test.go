package admin_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/rushgate/rushgate/internal/admin"
	"github.com/rushgate/rushgate/internal/audit"
)

// The audit log says of a backup that it has begun, and nothing of how it ended before that is known: of one that is
// killed nothing ever says so.
func TestBackupIsDoneWhenItIs(t *testing.T) {
	cfg, store := whole(t)
	h := newContract(t, admin.New(cfg))
	begin := func() (seq uint64) {
		w := confirmed(t.Context(), h, "/backups", "{}")
		var out struct {
			Outcome string
			Entry   uint64
		}
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != 200 || out.Outcome != "begun" {
			t.Fatalf("%d %s %v", w.Code, w.Body, err)
		}
		return out.Entry
	}
	end := func(seq uint64, outcome string, want int) {
		t.Helper()
		path, body := fmt.Sprintf("/backups/%d/end", seq), fmt.Sprintf(`{"outcome":%q}`, outcome)
		if w := confirmed(t.Context(), h, path, body); w.Code != want {
			t.Errorf("POST %s %s: %d %s", path, body, w.Code, w.Body)
		}
	}
	killed, failed, done := begin(), begin(), begin()
	end(done, "done", 200)
	end(failed, "failed", 200)
	end(done+1, "done", 404) // an outcome, not a beginning
	end(99, "done", 404)
	entries, err := audit.Read(t.Context(), store, 1, 100)
	if err != nil || len(entries) != 5 {
		t.Fatalf("%+v, %v", entries, err)
	}
	for i, want := range []audit.Entry{
		{Detail: "begun"}, {Detail: "begun"}, {Detail: "begun"}, {Of: done, Outcome: "done"}, {Of: failed, Outcome: "failed"},
	} {
		e := entries[i]
		if e.What != "store.backup" || e.Detail != want.Detail || e.Of != want.Of || e.Outcome != want.Outcome {
			t.Errorf("entry %d is %+v, want %+v", e.Seq, e, want)
		}
	}
	v, err := audit.Verify(t.Context(), store, audit.Mark{})
	if err != nil || v.Open != 1 || killed != 1 {
		t.Errorf("of %d acts nothing says what came of it, want 1, which was killed: %v", v.Open, err)
	}
}
