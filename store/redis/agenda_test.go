package redis

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/redistest"
)

// What stands in the place of the agenda and is none is told and named. Data that was lost leaves no task behind.
func TestDamagedAgenda(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
	task := rushgate.Task{Kind: "mail", ID: "a", Due: time.UnixMilli(1), Data: []byte("5ecret")}
	id := []rushgate.TaskID{{Kind: "mail", ID: "a"}}
	plan := func() error {
		errs, err := s.PlanTasks(t.Context(), []rushgate.Task{task})
		return errors.Join(append(errs, err)...)
	}
	for _, key := range []string{s.tasksKey(), s.dueKey("mail")} {
		server.Do("FLUSHALL")
		if err := plan(); err != nil {
			t.Fatal(err)
		}
		server.Do("SET", key, "5ecret")
		_, taken := s.TakeTasks(t.Context(), "mail", 10, time.Minute)
		_, loaded := s.LoadTasks(t.Context(), id)
		dropped := s.DropTasks(t.Context(), []rushgate.Task{task})
		for what, err := range map[string]error{
			"PlanTasks": plan(), "TakeTasks": taken, "LoadTasks": loaded, "DropTasks": dropped,
		} {
			if !errors.Is(err, rushgate.ErrDamagedRecord) || !strings.Contains(err.Error(), key) ||
				strings.Contains(err.Error(), "5ecret") {
				t.Errorf("%s of a damaged %s: %v", what, key, err)
			}
		}
	}
	if _, err := s.CountTasks(t.Context(), "mail"); !errors.Is(err, rushgate.ErrDamagedRecord) {
		t.Errorf("CountTasks: %v", err)
	}
	server.Do("FLUSHALL")
	if err := plan(); err != nil {
		t.Fatal(err)
	}
	server.Do("DEL", s.tasksKey())
	tasks, err := s.TakeTasks(t.Context(), "mail", 10, time.Minute)
	n, counted := s.CountTasks(t.Context(), "mail")
	if err != nil || counted != nil || len(tasks) != 0 || n != 0 {
		t.Errorf("without data: %+v, %v, %d, %v", tasks, err, n, counted)
	}
	if h := s.Health(); h.Failures != 0 || h.Open {
		t.Errorf("damage counts as the server's: %+v", h)
	}
}

// What stands in the place of the audit log and is none is told, and nothing is added behind it.
func TestDamagedAuditLog(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
	for _, damage := range [][]string{
		{"SET", s.auditKey(), "x"},
		{"XADD", s.auditKey(), "7-1", auditField, "x"},
		{"XADD", s.auditKey(), "7-0", "other", "x"}, // a number as it should be, behind which can be added
	} {
		server.Do("DEL", s.auditKey())
		server.Do(damage[0], damage[1:]...)
		added, appended := s.AppendAudit(t.Context(), 0, auditData(1))
		_, loaded := s.LoadAudit(t.Context(), 0, 10)
		_, _, span := s.AuditSpan(t.Context())
		trimmed := s.TrimAudit(t.Context(), 5)
		for what, err := range map[string]error{"LoadAudit": loaded, "AuditSpan": span, "TrimAudit": trimmed} {
			if !errors.Is(err, rushgate.ErrDamagedRecord) || !strings.Contains(err.Error(), s.auditKey()) {
				t.Errorf("%s of %q: %v", what, damage, err)
			}
		}
		if added || damage[2] != "7-0" && !errors.Is(appended, rushgate.ErrDamagedRecord) {
			t.Errorf("AppendAudit to %q: %v, %v", damage, added, appended)
		}
	}
	server.Do("DEL", s.auditKey())
	for n := uint64(0); n < 250; n += 50 {
		if ok, err := s.AppendAudit(t.Context(), n, auditData(50)); err != nil || !ok {
			t.Fatal(ok, err)
		}
	}
	server.Do("XDEL", s.auditKey(), "7-0")
	if _, err := s.LoadAudit(t.Context(), 5, 10); !errors.Is(err, rushgate.ErrDamagedRecord) {
		t.Errorf("with a record left out: %v", err)
	}
	if h := s.Health(); h.Failures != 0 || h.Open {
		t.Errorf("damage counts as the server's: %+v", h)
	}
}

func auditData(n int) (data [][]byte) {
	for range n {
		data = append(data, []byte(strings.Repeat("d", 100)))
	}
	return data
}

// A long log is trimmed in pieces, each of which keeps the server for a short time.
func TestTrimInPieces(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
	for n := uint64(0); n < 2500; n += 100 {
		if ok, err := s.AppendAudit(t.Context(), n, auditData(100)); err != nil || !ok {
			t.Fatal(ok, err)
		}
	}
	if err := s.TrimAudit(t.Context(), 2400); err != nil {
		t.Fatal(err)
	}
	if first, last, err := s.AuditSpan(t.Context()); err != nil || first != 2400 || last != 2500 {
		t.Errorf("the log has %d to %d, %v", first, last, err)
	}
	if calls := server.Info("commandstats")["cmdstat_xtrim"]; !strings.HasPrefix(calls, "calls=3,") {
		t.Errorf("XTRIM: %s, want 3 calls", calls)
	}
}
