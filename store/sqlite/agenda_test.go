package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
)

// byHand changes the database as an operator can, by hand.
func byHand(t *testing.T, s *Store, statements ...string) {
	t.Helper()
	err := s.do(t.Context(), func(ctx context.Context) error {
		for _, statement := range statements {
			if _, err := s.writer.conn.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("%s: %w", statement, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// queryPlan returns what SQLite does for a query.
func queryPlan(t *testing.T, s *Store, query string, args ...any) string {
	t.Helper()
	rows, err := s.read.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, detail)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		t.Fatal(err)
	}
	return strings.Join(plan, "; ")
}

// What grows with the number of accounts, tasks or records is found by an index, and not sorted.
func TestQueriesUseAnIndex(t *testing.T) {
	s := newStore(t)
	w := &writeStmts{}
	text := w.lasting()
	taken := w.queries()[&w.taken]
	for _, tt := range []struct {
		query string
		args  []any
		index string
	}{
		{usernamesQuery, []any{"", 1}, "INDEX sqlite_autoindex_accounts_1 (username>?)"},
		{dueTasksQuery, []any{"", 1, 1}, "INDEX tasks_by_due (kind=? AND due<?)"},
		{auditQuery, []any{1, 1}, "INTEGER PRIMARY KEY (rowid>?)"},
		{auditSpanQuery, nil, "SEARCH audit"},
		{identityOwnersQuery, []any{"[]"}, "identities USING PRIMARY KEY (key=?)"},
		{taken, []any{"", 1, ""}, "INDEX sqlite_autoindex_accounts_1 (username=?)"},
		{taken, []any{"", 1, ""}, "INDEX accounts_by_skeleton (skeleton=?)"},
		{taken, []any{"", 1, ""}, "INDEX held_names_by_skeleton (skeleton=?)"},
		{text[&w.isHeld], []any{"", 1}, "PRIMARY KEY (username=?)"},
		{text[&w.freeAll], []any{1}, "INDEX held_names_by_end (until<?)"},
		{text[&w.looksLike], []any{"", 1, 1}, "INDEX accounts_by_skeleton (skeleton=?)"},
		{text[&w.looksLike], []any{"", 1, 1}, "INDEX held_names_by_skeleton (skeleton=?)"},
		{text[&w.forget], []any{1}, "PRIMARY KEY (player_id=?)"},
		{text[&w.trimSignIns], []any{1, 1}, "INDEX events_by_time (player_id=? AND sign_in=?)"},
		{text[&w.trimEvents], []any{1, 1, 1}, "INDEX events_by_time (player_id=? AND sign_in=?)"},
		{text[&w.trimAudit], []any{1, 1}, "INTEGER PRIMARY KEY (rowid<?)"},
	} {
		plan := queryPlan(t, s, tt.query, tt.args...)
		rest := strings.NewReplacer("SCAN CONSTANT ROW", "", "SCAN json_each", "").Replace(plan)
		if !strings.Contains(plan, tt.index) || strings.Contains(rest, "SCAN") || strings.Contains(rest, "TEMP") {
			t.Errorf("%s\nis answered by %q, want one that uses %q", tt.query, plan, tt.index)
		}
	}
}

// An agenda that is full takes what replaces a task, whatever the number of kinds, and nothing else.
func TestFullAgenda(t *testing.T) {
	s := newStore(t)
	task := func(kind, id string) rushgate.Task { return rushgate.Task{Kind: kind, ID: id, Due: time.UnixMilli(1)} }
	plan := func(wantFull int, tasks ...rushgate.Task) {
		t.Helper()
		errs, err := s.PlanTasks(t.Context(), tasks)
		if err != nil {
			t.Fatal(err)
		}
		full := 0
		for _, err := range errs {
			if errors.Is(err, rushgate.ErrAgendaFull) {
				full++
			} else if err != nil {
				t.Error(err)
			}
		}
		if full != wantFull {
			t.Errorf("%d tasks found it full, want %d", full, wantFull)
		}
	}
	plan(0, task("a", "1"), task("b", "1"))
	byHand(t, s, fmt.Sprintf(`UPDATE task_counts SET n = %d WHERE kind = 'a'`, rushgate.MaxTasks-3))
	plan(2, task("a", "2"), task("a", "1"), task("a", "2"), task("c", "1"), task("a", "3"), task("b", "1"), task("b", "2"))
	if err := s.DropTasks(t.Context(), []rushgate.Task{{Kind: "c", ID: "1"}, {Kind: "c", ID: "none"}}); err != nil {
		t.Fatal(err)
	}
	plan(1, task("c", "2"), task("c", "3"))
	for kind, want := range map[string]int{"a": rushgate.MaxTasks - 2, "b": 1, "c": 1, "d": 0} {
		if n, err := s.CountTasks(t.Context(), kind); err != nil || n != want {
			t.Errorf("there are %d tasks of kind %s, %v; want %d", n, kind, err, want)
		}
	}
}

// To ask for tasks when none is due costs no write.
func TestNothingDueIsNotWritten(t *testing.T) {
	s := newStore(t)
	later := rushgate.Task{Kind: "mail", ID: "a", Due: time.Now().Add(time.Hour)}
	if _, err := s.PlanTasks(t.Context(), []rushgate.Task{later}); err != nil {
		t.Fatal(err)
	}
	before := s.Stats()
	for range 3 {
		if tasks, err := s.TakeTasks(t.Context(), "mail", 10, time.Minute); err != nil || len(tasks) != 0 {
			t.Errorf("TakeTasks: %v, %v", tasks, err)
		}
	}
	if after := s.Stats(); after != before {
		t.Errorf("the writer has done %+v, before it had %+v", after, before)
	}
}
