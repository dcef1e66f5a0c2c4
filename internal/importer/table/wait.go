package table

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// How long a server is waited for. Rows that come are waited for as long as there are some, however slow they are.
const (
	connectIn = 10 * time.Second // for a connection, by each of the first maxAddresses of a name
	loginIn   = 10 * time.Second // for the greeting, TLS and the login together
	answerIn  = time.Minute      // for the settings of the connection, and for what tables there are
	rowIn     = 5 * time.Minute  // for the count of the rows, which takes long of many, and for the next one of them
	// lockIn is how long the server has what asks for a table wait for others who keep it locked.
	lockIn = 30 * time.Second
	// askIn is how long a server that has not greeted is asked whether it is PostgreSQL.
	askIn = 2 * time.Second
	// wordAfter is when somebody is told what is waited for.
	wordAfter = 3 * time.Second
)

// silence is the error for a server that has said nothing for too long.
type silence struct {
	awaited string
	limit   time.Duration
}

func (s *silence) Error() string {
	return fmt.Sprintf("waited %v for %s, and nothing came", s.limit, s.awaited)
}

// wait is for what a server is waited: for one thing after the other, each with a limit of its own. Its methods but for
// those of its context are called by one goroutine.
type wait struct {
	context.Context // ends with that it is made of, and when something has not come within its limit
	end             context.CancelCauseFunc
	tell            func(string)

	mu         sync.Mutex  // held while tell runs
	first      *firstWords // of the server by its last connection; nil without one
	awaited    string      // empty if nothing is
	told       string      // what was awaited when somebody was told
	limit      time.Duration
	since      time.Time
	word, last *time.Timer
}

// newWait begins without anything that is waited for. Whoever calls it must stop it.
func newWait(ctx context.Context, tell func(string)) *wait {
	w := &wait{tell: tell}
	w.Context, w.end = context.WithCancelCause(ctx)
	w.word, w.last = time.AfterFunc(wordAfter, w.speak), time.AfterFunc(wordAfter, w.giveUp)
	w.pause()
	return w
}

// on waits for something from now on.
func (w *wait) on(awaited string, limit time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.awaited, w.limit, w.since = awaited, limit, time.Now()
	w.word.Reset(wordAfter)
	w.last.Reset(limit)
}

// pause waits for nothing from now on.
func (w *wait) pause() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.awaited = ""
	w.word.Stop()
	w.last.Stop()
}

// stop ends the context. Nobody is told anything any more when it returns.
func (w *wait) stop() {
	w.pause()
	w.end(nil)
}

// err returns the error for what has not come; nil if the wait has not ended for that.
func (w *wait) err() error {
	var silent *silence
	if errors.As(context.Cause(w), &silent) {
		return silent
	}
	return nil
}

func (w *wait) speak() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.awaited == "" || time.Since(w.since) < wordAfter || w.told == w.awaited {
		return
	}
	w.told = w.awaited
	w.tell(fmt.Sprintf("waiting for %s, for %v at most", w.awaited, w.limit))
}

func (w *wait) giveUp() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.awaited != "" && time.Since(w.since) >= w.limit {
		w.end(&silence{w.awaited, w.limit})
	}
}
