package redis

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// The agenda is on one server of a Cluster, since all its keys have the same between their braces: the data of all
// tasks in a hash, by kind and id, and for each kind a sorted set of ids by when they are due.
func (s *Store) tasksKey() string { return s.prefix + "{" + s.prefix + "agenda}:tasks" }
func (s *Store) dueKey(kind string) string {
	return s.prefix + "{" + s.prefix + "agenda}:due:" + kind
}

// plannedAtOnce bounds for how long one script keeps the server from others.
const plannedAtOnce = 100

// agendaCommand is a script about the tasks of a kind.
func (s *Store) agendaCommand(script *script, kind string, args ...string) command {
	return command{script: script, key: s.tasksKey(), second: s.dueKey(kind), args: args}
}

// runAgenda is runScripts for the agenda, of which anything that is damaged fails the call.
func (s *Store) runAgenda(ctx context.Context, commands []command) ([]answer, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	answers, err := s.runScripts(ctx, commands)
	if err != nil {
		return nil, err
	}
	for i := range answers {
		if a := &answers[i]; a.word == damaged {
			return nil, fmt.Errorf("%w (%s or %s)", a.problem(), commands[i].key, commands[i].second)
		}
	}
	return answers, nil
}

// PlanTasks implements [rushgate.Agenda]. One script plans tasks of one kind that follow each other. If
// its answer is lost it is sent again, and finds a task with Held changed: by itself.
func (s *Store) PlanTasks(ctx context.Context, tasks []rushgate.Task) ([]error, error) {
	if err := validate.Tasks(tasks); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	var commands []command
	for i := range tasks {
		t := &tasks[i]
		last := len(commands) - 1
		if i == 0 || tasks[i-1].Kind != t.Kind || len(commands[last].args) >= 2+4*plannedAtOnce {
			commands = append(commands,
				s.agendaCommand(planScript, t.Kind, strconv.Itoa(rushgate.MaxTasks), t.Kind))
			last++
		}
		commands[last].args = append(commands[last].args, t.ID, formatTime(t.Due), string(t.Data), held(t))
	}
	answers, err := s.runAgenda(ctx, commands)
	if err != nil {
		return nil, err
	}
	errs := make([]error, 0, len(tasks))
	for i := range answers {
		for j := range (len(commands[i].args) - 2) / 4 {
			switch answers[i].text(j) {
			case "1":
				errs = append(errs, nil)
			case "0":
				errs = append(errs, rushgate.ErrAgendaFull)
			case "changed":
				errs = append(errs, rushgate.ErrTaskChanged)
			default:
				return nil, answers[i].problem()
			}
		}
	}
	return errs, nil
}

// held is how scripts are told of Held, and nothing for a task that nobody has taken.
func held(t *rushgate.Task) string {
	if t.Held.IsZero() {
		return ""
	}
	return formatTime(t.Held)
}

// TakeTasks implements [rushgate.Agenda]. Tasks whose answer is lost are taken nevertheless, and due again later.
func (s *Store) TakeTasks(
	ctx context.Context, kind string, limit int, hold time.Duration,
) ([]rushgate.Task, error) {
	if err := validate.Take(kind, limit, hold); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	aside := strconv.FormatInt((hold + time.Millisecond - 1).Milliseconds(), 10) // never early
	take := s.agendaCommand(takeScript, kind, s.now(), kind, strconv.Itoa(limit), aside)
	take.once = true // sent again, it would set others aside as well
	answers, err := s.runAgenda(ctx, []command{take})
	if err != nil {
		return nil, err
	}
	var tasks []rushgate.Task
	a := &answers[0]
	for i := 1; i+2 < len(a.rest); i += 3 {
		t := readTask(kind, a.text(i), a, i+1)
		t.Held = time.UnixMilli(a.number(0)).UTC()
		tasks = append(tasks, t)
	}
	return tasks, nil
}

// readTask reads when a task is due, and its data, from an answer.
func readTask(kind, id string, a *answer, at int) rushgate.Task {
	t := rushgate.Task{Kind: kind, ID: id, Due: time.UnixMilli(a.number(at)).UTC()}
	if data := a.text(at + 1); data != "" {
		t.Data = []byte(data)
	}
	return t
}

// DropTasks implements [rushgate.Agenda], each task by one script.
func (s *Store) DropTasks(ctx context.Context, tasks []rushgate.Task) error {
	if err := validate.Drops(tasks); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	commands := make([]command, len(tasks))
	for i := range tasks {
		t := &tasks[i]
		commands[i] = s.agendaCommand(dropScript, t.Kind, t.Kind, t.ID, held(t))
	}
	_, err := s.runAgenda(ctx, commands)
	return err
}

// LoadTasks implements [rushgate.Agenda], each task by one script.
func (s *Store) LoadTasks(ctx context.Context, ids []rushgate.TaskID) ([]rushgate.Task, error) {
	if err := validate.TaskIDs(ids); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	commands := make([]command, len(ids))
	for i, id := range ids {
		commands[i] = s.agendaCommand(loadTaskScript, id.Kind, id.Kind, id.ID)
	}
	answers, err := s.runAgenda(ctx, commands)
	if err != nil {
		return nil, err
	}
	tasks := make([]rushgate.Task, len(ids))
	for i := range answers {
		if a := &answers[i]; a.word == "planned" {
			tasks[i] = readTask(ids[i].Kind, ids[i].ID, a, 0)
		}
	}
	return tasks, nil
}

// CountTasks implements [rushgate.Agenda].
func (s *Store) CountTasks(ctx context.Context, kind string) (int, error) {
	if err := validate.TaskKind(kind); err != nil {
		return 0, fmt.Errorf("redis: %w", err)
	}
	if err := s.enter(); err != nil {
		return 0, err
	}
	defer s.leave()
	results, err := s.run(ctx, []command{{name: "ZCARD", key: s.dueKey(kind)}})
	if err != nil {
		return 0, err
	}
	n, err := results[0].AsInt64()
	if err != nil {
		return 0, damagedRecord(fmt.Errorf("key %s: %w", s.dueKey(kind), err))
	}
	return int(n), nil
}
