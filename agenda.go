package rushgate

import (
	"context"
	"errors"
	"time"
)

const (
	// MaxTasks is how many tasks an [Agenda] holds.
	MaxTasks = 1 << 17
	// MaxTaskData is the greatest length of [Task].Data in bytes.
	MaxTaskData = 4096
	// MaxTaskKind is the greatest length of [Task].Kind.
	MaxTaskKind = 32
	// MaxHold is the longest time for which TakeTasks sets a task aside.
	MaxHold = 24 * time.Hour
)

// ErrAgendaFull refuses a [Task] because there are [MaxTasks] already.
var ErrAgendaFull = errors.New("too much is waiting to be done")

// Task is something that a node has to do at some later time, whichever node that is then.
type Task struct {
	// Kind says what is to be done: 1 to [MaxTaskKind] characters of a-z, 0-9 and "-".
	Kind string
	// ID tells the task from others of its kind, see [ValidAttempt].
	ID string
	// Due is when to do it, to the millisecond, after 1970 and [Forever] at most. It is compared with the store's clock.
	Due time.Time
	// Data says the rest: at most [MaxTaskData] bytes, which may be none.
	Data []byte
}

// TaskID names a [Task].
type TaskID struct{ Kind, ID string }

// Agenda is what is to be done later, and survives every process: mail to be sent, accounts to be deleted. A task is
// done at least once, and may be done twice.
type Agenda interface {
	// PlanTasks adds tasks, each in place of the one of its kind and ID, if there is one, for which there is always room.
	// Each item's error is nil or [ErrAgendaFull].
	PlanTasks(ctx context.Context, tasks []Task) ([]error, error)
	// TakeTasks returns tasks of a kind that are due, those due first before others, limit of them at most (1 to
	// [MaxPage]), and sets each aside for a while, more than 0 and [MaxHold] at most: it becomes due then, with
	// Due moved, unless it is dropped or planned anew before. No two calls return a task within that time. What is
	// returned has the Due from before.
	TakeTasks(ctx context.Context, kind string, limit int, hold time.Duration) ([]Task, error)
	// DropTasks removes tasks; one that is not there is no error.
	DropTasks(ctx context.Context, ids []TaskID) error
	// LoadTasks returns tasks as they are planned, in the order of ids; the zero Task is one that is not there.
	LoadTasks(ctx context.Context, ids []TaskID) ([]Task, error)
	// CountTasks returns how many tasks of a kind there are.
	CountTasks(ctx context.Context, kind string) (int, error)
}
