package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

const dueTasksQuery = `SELECT kind, id, due, data FROM tasks WHERE kind = ? AND due <= ? ORDER BY due, id LIMIT ?`

// PlanTasks implements [rushgate.Agenda].
func (s *Store) PlanTasks(ctx context.Context, tasks []rushgate.Task) ([]error, error) {
	if err := validate.Tasks(tasks); err != nil {
		return nil, wrap(err)
	}
	errs := make([]error, len(tasks))
	err := s.do(ctx, func(ctx context.Context) error {
		room := 0 // at least
		for i := range tasks {
			t, put := &tasks[i], s.writes.putTask
			if room == 0 {
				if err := s.writes.room.QueryRowContext(ctx, rushgate.MaxTasks).Scan(&room); err != nil {
					return fmt.Errorf("count tasks: %w", err)
				}
			}
			if room == 0 {
				put = s.writes.replaceTask
			}
			if held, err := s.hasTask(ctx, t); err != nil {
				return err
			} else if !held {
				errs[i] = rushgate.ErrTaskChanged
				continue
			}
			n, err := affected(put.ExecContext(ctx, t.Kind, t.ID, t.Due.UnixMilli(), notNull(t.Data)))
			if err != nil {
				return fmt.Errorf("plan %s: %w", t.Kind, err)
			}
			if n == 0 {
				errs[i] = rushgate.ErrAgendaFull
			}
			room = max(room-1, 0)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return errs, nil
}

// hasTask reports whether a task that was taken is there as it was taken. One that nobody has taken is not looked for.
func (s *Store) hasTask(ctx context.Context, t *rushgate.Task) (held bool, err error) {
	if t.Held.IsZero() {
		return true, nil
	}
	if err := s.writes.hasTask.QueryRowContext(ctx, t.Kind, t.ID, t.Held.UnixMilli()).Scan(&held); err != nil {
		return false, fmt.Errorf("look for %s that was taken: %w", t.Kind, err)
	}
	return held, nil
}

// TakeTasks implements [rushgate.Agenda]. It writes only if a task is due.
func (s *Store) TakeTasks(
	ctx context.Context, kind string, limit int, hold time.Duration,
) ([]rushgate.Task, error) {
	if err := validate.Take(kind, limit, hold); err != nil {
		return nil, wrap(err)
	}
	if due, err := s.isDue(ctx, kind); err != nil || !due {
		return nil, err
	}
	var tasks []rushgate.Task
	err := s.do(ctx, func(ctx context.Context) (err error) {
		now := s.day()
		if tasks, err = s.dueTasks(ctx, kind, now, limit); err != nil {
			return fmt.Errorf("take %s: %w", kind, err)
		}
		until := now.Add(hold + time.Millisecond - 1).UnixMilli() // never early
		for i := range tasks {
			if _, err := s.writes.moveTask.ExecContext(ctx, until, kind, tasks[i].ID); err != nil {
				return fmt.Errorf("set %s aside: %w", kind, err)
			}
			tasks[i].Held = fromMillis(until)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return tasks, nil
}

func (s *Store) isDue(ctx context.Context, kind string) (due bool, err error) {
	if err := s.enter(ctx); err != nil {
		return false, err
	}
	defer s.leave()
	if err := s.reads.isDue.QueryRowContext(ctx, kind, s.day().UnixMilli()).Scan(&due); err != nil {
		return false, wrap(fmt.Errorf("look for %s that is due: %w", kind, err))
	}
	return due, nil
}

func (s *Store) dueTasks(
	ctx context.Context, kind string, now time.Time, limit int,
) (tasks []rushgate.Task, err error) {
	rows, err := s.writes.dueTasks.QueryContext(ctx, kind, now.UnixMilli(), limit)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // what went wrong is in rows.Err
	for rows.Next() {
		t, err := scanTask(rows)
		if err != nil {
			return nil, err
		}
		tasks = append(tasks, t)
	}
	return tasks, rows.Err()
}

// scanTask reads one row of a query for tasks.
func scanTask(row interface{ Scan(dest ...any) error }) (t rushgate.Task, err error) {
	var due int64
	if err := row.Scan(&t.Kind, &t.ID, &due, &t.Data); err != nil {
		return rushgate.Task{}, err
	}
	t.Due = fromMillis(due)
	if len(t.Data) == 0 {
		t.Data = nil
	}
	return t, nil
}

// DropTasks implements [rushgate.Agenda].
func (s *Store) DropTasks(ctx context.Context, tasks []rushgate.Task) error {
	if err := validate.Drops(tasks); err != nil {
		return wrap(err)
	}
	return s.do(ctx, func(ctx context.Context) error {
		for i := range tasks {
			t := &tasks[i]
			if held, err := s.hasTask(ctx, t); err != nil {
				return err
			} else if !held {
				continue
			}
			if _, err := s.writes.dropTask.ExecContext(ctx, t.Kind, t.ID); err != nil {
				return fmt.Errorf("drop %s: %w", t.Kind, err)
			}
		}
		return nil
	})
}

// LoadTasks implements [rushgate.Agenda].
func (s *Store) LoadTasks(ctx context.Context, ids []rushgate.TaskID) ([]rushgate.Task, error) {
	if err := validate.TaskIDs(ids); err != nil {
		return nil, wrap(err)
	}
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	tasks := make([]rushgate.Task, len(ids))
	for i, id := range ids {
		var err error
		tasks[i], err = scanTask(s.reads.task.QueryRowContext(ctx, id.Kind, id.ID))
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, wrap(fmt.Errorf("load %s: %w", id.Kind, err))
		}
	}
	return tasks, nil
}

// CountTasks implements [rushgate.Agenda].
func (s *Store) CountTasks(ctx context.Context, kind string) (n int, err error) {
	if err := validate.TaskKind(kind); err != nil {
		return 0, wrap(err)
	}
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.leave()
	if err := s.reads.tasksOf.QueryRowContext(ctx, kind).Scan(&n); err != nil {
		return 0, wrap(fmt.Errorf("count %s: %w", kind, err))
	}
	return n, nil
}
