package server

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/audit"
	"github.com/rushgate/rushgate/store/memory"
)

// What is too old is taken out of the audit log within a minute of a start: a node that is restarted every day would
// otherwise never do it. By a clock that is not to be trusted nothing is.
func TestAuditLogIsTrimmedSoonAfterTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, steady := memory.New(memory.Options{}), false
		add := func() {
			t.Helper()
			if _, err := audit.NewLog(store).Append(t.Context(), audit.Entry{Who: "ann", What: "node.drain"}); err != nil {
				t.Fatal(err)
			}
		}
		first := func() uint64 {
			t.Helper()
			kept, _, err := store.AuditSpan(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return kept
		}
		add()
		time.Sleep(48 * time.Hour)
		add()
		for _, doubtful := range []bool{true, false} {
			steady = !doubtful
			s := newStaff(store, 24*time.Hour, func() bool { return steady }, slog.New(slog.DiscardHandler))
			s.start()
			time.Sleep(2 * trimDelay)
			synctest.Wait()
			if got, want := first(), map[bool]uint64{true: 1, false: 2}[doubtful]; got != want {
				t.Errorf("doubtful %v: the first entry is %d, want %d", doubtful, got, want)
			}
			s.stop()
		}
	})
}
