package validate

import (
	"fmt"
	"strings"
	"time"

	"github.com/rushgate/rushgate"
)

// Tasks reports the first task of a batch that no agenda keeps. The error holds no data.
func Tasks(tasks []rushgate.Task) error {
	for i := range tasks {
		if err := task(&tasks[i]); err != nil {
			return fmt.Errorf("task %d of %d: %w", i+1, len(tasks), err)
		}
	}
	return nil
}

func task(t *rushgate.Task) error {
	if err := drop(t); err != nil {
		return err
	}
	if err := moment(t.Due); err != nil {
		return fmt.Errorf("due: %w", err)
	}
	if len(t.Data) > rushgate.MaxTaskData {
		return fmt.Errorf("data has %d bytes, more than %d", len(t.Data), rushgate.MaxTaskData)
	}
	return nil
}

// Drops reports the first of tasks that no agenda can have taken.
func Drops(tasks []rushgate.Task) error {
	for i := range tasks {
		if err := drop(&tasks[i]); err != nil {
			return fmt.Errorf("task %d of %d: %w", i+1, len(tasks), err)
		}
	}
	return nil
}

func drop(t *rushgate.Task) error {
	if err := taskID(rushgate.TaskID{Kind: t.Kind, ID: t.ID}); err != nil {
		return err
	}
	if t.Held.IsZero() {
		return nil
	}
	if err := moment(t.Held); err != nil {
		return fmt.Errorf("held: %w", err)
	}
	return nil
}

// TaskIDs reports the first name that no task can have.
func TaskIDs(ids []rushgate.TaskID) error {
	for i := range ids {
		if err := taskID(ids[i]); err != nil {
			return fmt.Errorf("task %d of %d: %w", i+1, len(ids), err)
		}
	}
	return nil
}

func taskID(id rushgate.TaskID) error {
	if err := TaskKind(id.Kind); err != nil {
		return err
	}
	if !rushgate.ValidAttempt(id.ID) {
		return fmt.Errorf("id of %d bytes is none", len(id.ID))
	}
	return nil
}

// TaskKind reports a kind that no task can have.
func TaskKind(kind string) error {
	if kind == "" || len(kind) > rushgate.MaxTaskKind {
		return fmt.Errorf("kind of a task has %d bytes, want 1 to %d", len(kind), rushgate.MaxTaskKind)
	}
	if strings.Trim(kind, nameCharacters) != "" {
		return fmt.Errorf("kind of a task %q has other characters than a-z, 0-9 and -", kind)
	}
	return nil
}

// Take reports what keeps tasks from being taken as it is written.
func Take(kind string, limit int, hold time.Duration) error {
	if err := TaskKind(kind); err != nil {
		return err
	}
	if hold <= 0 || hold > rushgate.MaxHold {
		return fmt.Errorf("tasks cannot be set aside for %v, want more than 0 and %v at most", hold, rushgate.MaxHold)
	}
	return Page(limit)
}
