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

// ErrTaskChanged refuses a [Task] that is to be planned in place of one that was taken, because that one is not there
// any more as it was taken.
var ErrTaskChanged = errors.New("the task was planned anew, taken again or dropped meanwhile")

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
	// Held is what TakeTasks returns with a task: the time until when it is set aside, by which it is told from one that
	// has been planned in its place, or taken again. It is zero for a task that nobody has taken.
	Held time.Time
}

// TaskID names a [Task].
type TaskID struct{ Kind, ID string }

// Agenda is what is to be done later, and survives every process: mail to be sent, accounts to be deleted. A task is
// done at least once, and may be done twice.
type Agenda interface {
	// PlanTasks adds tasks, each in place of the one of its kind and ID, if there is one, for which there is always room.
	// One with Held is added only in place of the task that was taken so. Each item's error is nil, [ErrAgendaFull] or
	// [ErrTaskChanged].
	PlanTasks(ctx context.Context, tasks []Task) ([]error, error)
	// TakeTasks returns tasks of a kind that are due, those due first before others, limit of them at most (1 to
	// [MaxPage]), and sets each aside for a while, more than 0 and [MaxHold] at most: it becomes due then, with
	// Due moved, unless it is dropped or planned anew before. No two calls return a task within that time. What is
	// returned has the Due from before, and Held.
	TakeTasks(ctx context.Context, kind string, limit int, hold time.Duration) ([]Task, error)
	// DropTasks removes tasks, of which Kind, ID and Held count: one with Held only if it still is as it was taken, so
	// that one that was planned anew meanwhile stays. That one is not there any more is no error.
	DropTasks(ctx context.Context, tasks []Task) error
	// LoadTasks returns tasks as they are planned, in the order of ids; the zero Task is one that is not there.
	LoadTasks(ctx context.Context, ids []TaskID) ([]Task, error)
	// CountTasks returns how many tasks of a kind there are.
	CountTasks(ctx context.Context, kind string) (int, error)
}
