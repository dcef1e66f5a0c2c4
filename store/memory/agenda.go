package memory

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// agenda is what is to be done, by kind and id.
type agenda map[string]map[string]rushgate.Task

func (a agenda) size() (n int) {
	for _, tasks := range a {
		n += len(tasks)
	}
	return n
}

// plan adds a task, which is copied, if there is room for it.
func (a agenda) plan(t rushgate.Task) error {
	if !a.has(&t) {
		return rushgate.ErrTaskChanged
	}
	if _, there := a[t.Kind][t.ID]; !there && a.size() >= rushgate.MaxTasks {
		return rushgate.ErrAgendaFull
	}
	if a[t.Kind] == nil {
		a[t.Kind] = make(map[string]rushgate.Task)
	}
	t.Due, t.Held = toMillisecond(t.Due), time.Time{}
	a[t.Kind][t.ID] = cloneTask(t)
	return nil
}

// has reports whether a task that was taken is there as it was taken. One that nobody has taken is not looked for.
func (a agenda) has(t *rushgate.Task) bool {
	if t.Held.IsZero() {
		return true
	}
	there, found := a[t.Kind][t.ID]
	return found && there.Due.Equal(toMillisecond(t.Held))
}

func cloneTask(t rushgate.Task) rushgate.Task {
	if len(t.Data) == 0 {
		t.Data = nil
	}
	t.Data = bytes.Clone(t.Data)
	return t
}

// PlanTasks implements [rushgate.Agenda].
func (s *Store) PlanTasks(ctx context.Context, tasks []rushgate.Task) ([]error, error) {
	if err := validate.Tasks(tasks); err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	errs := make([]error, len(tasks))
	for i := range tasks {
		errs[i] = s.agenda.plan(tasks[i])
	}
	return errs, nil
}

// TakeTasks implements [rushgate.Agenda]. It looks at every task of the kind.
func (s *Store) TakeTasks(
	ctx context.Context, kind string, limit int, hold time.Duration,
) ([]rushgate.Task, error) {
	if err := validate.Take(kind, limit, hold); err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	now := s.day()
	var due []rushgate.Task
	for _, t := range s.agenda[kind] {
		if !t.Due.After(now) {
			due = append(due, t)
		}
	}
	slices.SortFunc(due, func(a, b rushgate.Task) int { return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.ID, b.ID)) })
	due = slices.Clip(due[:min(limit, len(due))])
	for i, t := range due {
		due[i] = cloneTask(t)
		t.Due = toMillisecond(now.Add(hold + time.Millisecond - 1)) // never early
		due[i].Held = t.Due
		s.agenda[kind][t.ID] = t
	}
	return due, nil
}

// DropTasks implements [rushgate.Agenda].
func (s *Store) DropTasks(ctx context.Context, tasks []rushgate.Task) error {
	if err := validate.Drops(tasks); err != nil {
		return fmt.Errorf("memory: %w", err)
	}
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	for i := range tasks {
		if t := &tasks[i]; s.agenda.has(t) {
			delete(s.agenda[t.Kind], t.ID)
		}
	}
	return nil
}

// LoadTasks implements [rushgate.Agenda].
func (s *Store) LoadTasks(ctx context.Context, ids []rushgate.TaskID) ([]rushgate.Task, error) {
	if err := validate.TaskIDs(ids); err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	tasks := make([]rushgate.Task, len(ids))
	for i, id := range ids {
		tasks[i] = cloneTask(s.agenda[id.Kind][id.ID])
	}
	return tasks, nil
}

// CountTasks implements [rushgate.Agenda].
func (s *Store) CountTasks(ctx context.Context, kind string) (int, error) {
	if err := validate.TaskKind(kind); err != nil {
		return 0, fmt.Errorf("memory: %w", err)
	}
	if err := s.lock(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	return len(s.agenda[kind]), nil
}
