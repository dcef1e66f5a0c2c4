package storetest

import (
	"errors"
	"time"

	"pgregory.net/rapid"

	"github.com/rushgate/rushgate"
)

func drawTaskID(t *rapid.T) rushgate.TaskID {
	return rushgate.TaskID{Kind: pick(t, "kind", "mail", "end"), ID: pick(t, "task", "a", "b", "c", "d", "e")}
}

func (m *machine) plan(t *rapid.T) {
	var batch []rushgate.Task
	for range rapid.IntRange(1, 4).Draw(t, "batch size") {
		id := drawTaskID(t)
		batch = append(batch, rushgate.Task{
			Kind: id.Kind, ID: id.ID, Data: rapid.SliceOfN(rapid.Byte(), 0, 4).Draw(t, "data"),
			Due: pick(t, "due", epoch, epoch.Add(1), epoch.Add(time.Hour), m.clock(), m.clock().Add(time.Millisecond),
				m.clock().Add(rushgate.LeaseTTL), rushgate.Forever()).Truncate(time.Millisecond),
		})
	}
	got, err := m.s.PlanTasks(t.Context(), batch)
	if err != nil || len(got) != len(batch) {
		t.Fatalf("PlanTasks of %d: %d results, %v", len(batch), len(got), err)
	}
	for i, task := range batch {
		if got[i] != nil {
			t.Fatalf("%+v got %v", task, got[i])
		}
		m.tasks[rushgate.TaskID{Kind: task.Kind, ID: task.ID}] = task
	}
}

// takeTasks takes tasks and checks that they are the first that are due, of those that are so at one time any.
func (m *machine) takeTasks(t *rapid.T) {
	kind, limit := pick(t, "kind", "mail", "end"), rapid.IntRange(1, 6).Draw(t, "limit")
	hold := pick(t, "hold", 1, time.Millisecond, rushgate.LeaseTTL, rushgate.MaxHold)
	got, err := m.s.TakeTasks(t.Context(), kind, limit, hold)
	if err != nil {
		t.Fatalf("TakeTasks(%s, %d, %v): %v", kind, limit, hold, err)
	}
	var last time.Time
	for _, task := range got {
		id := rushgate.TaskID{Kind: kind, ID: task.ID}
		want, there := m.tasks[id]
		if !there || !sameTask(task, want) || task.Due.After(m.clock()) || task.Due.Before(last) {
			t.Fatalf("tasks taken are %+v, and %+v is planned as %+v", got, task, want)
		}
		last = task.Due
		want.Due = m.clock().Add(hold + time.Millisecond - 1).Truncate(time.Millisecond)
		if !task.Held.Equal(want.Due) {
			t.Fatalf("%+v is taken, and set aside until %v", task, want.Due)
		}
		m.tasks[id] = want
		m.taken = append(m.taken, task)
	}
	if len(got) > limit {
		t.Fatalf("%d tasks are taken, want %d at most", len(got), limit)
	}
	for id, task := range m.tasks {
		if id.Kind == kind && !task.Due.After(m.clock()) && (len(got) < limit || task.Due.Before(last)) {
			t.Fatalf("tasks taken are %+v, without %+v", got, task)
		}
	}
}

// drawTask draws the name of a task, or one that was taken some time.
func (m *machine) drawTask(t *rapid.T) rushgate.Task {
	if len(m.taken) > 0 && rapid.Bool().Draw(t, "taken") {
		return rapid.SampledFrom(m.taken).Draw(t, "task taken")
	}
	id := drawTaskID(t)
	return rushgate.Task{Kind: id.Kind, ID: id.ID}
}

// holds reports whether a task is there as it was taken; of one that nobody has taken that is not asked.
func (m *machine) holds(task rushgate.Task) bool {
	there, found := m.tasks[rushgate.TaskID{Kind: task.Kind, ID: task.ID}]
	return task.Held.IsZero() || found && there.Due.Equal(task.Held)
}

func (m *machine) dropTask(t *rapid.T) {
	task := m.drawTask(t)
	if err := m.s.DropTasks(t.Context(), []rushgate.Task{task}); err != nil {
		t.Fatalf("DropTasks(%+v): %v", task, err)
	}
	if m.holds(task) {
		delete(m.tasks, rushgate.TaskID{Kind: task.Kind, ID: task.ID})
	}
}

// planAgain plans one that was taken for another time.
func (m *machine) planAgain(t *rapid.T) {
	task := m.drawTask(t)
	task.Due, task.Data = m.clock().Add(time.Minute).Truncate(time.Millisecond), []byte("again")
	got, err := m.s.PlanTasks(t.Context(), []rushgate.Task{task})
	held := m.holds(task)
	if err != nil || held != (got[0] == nil) || !held && !errors.Is(got[0], rushgate.ErrTaskChanged) {
		t.Fatalf("PlanTasks of %+v, which is held %v: %v, %v", task, held, got, err)
	}
	if held {
		task.Held = time.Time{}
		m.tasks[rushgate.TaskID{Kind: task.Kind, ID: task.ID}] = task
	}
}

func (m *machine) loadTask(t *rapid.T) {
	id := drawTaskID(t)
	if got, err := m.s.LoadTasks(t.Context(), []rushgate.TaskID{id}); err != nil || !sameTask(got[0], m.tasks[id]) {
		t.Fatalf("LoadTasks(%v) = %+v, %v; want %+v", id, got, err, m.tasks[id])
	}
	want := 0
	for other := range m.tasks {
		if other.Kind == id.Kind {
			want++
		}
	}
	if n, err := m.s.CountTasks(t.Context(), id.Kind); err != nil || n != want {
		t.Fatalf("CountTasks(%s) = %d, %v; want %d", id.Kind, n, err, want)
	}
}
