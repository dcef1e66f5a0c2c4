package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/mail"
)

// run sends what is due, until Stop, and waits for what is under way.
func (o *Outbox) run() {
	var sending sync.WaitGroup
	defer sending.Wait()
	look := time.NewTimer(o.cfg.Jitter(minDelay))
	defer look.Stop()
	next := time.Now().Add(minDelay) // when look is taken
	due := time.Now().Add(maxDelay)  // by when the mail is that was asked for last, perhaps of the node before
	for {
		select {
		case <-o.stopping.Done():
			return
		case <-o.nudged:
			if due = time.Now().Add(maxDelay + time.Millisecond); due.Before(next) {
				next = due
				look.Reset(time.Until(next))
			}
			continue
		case <-look.C:
		}
		o.sendDue(&sending)
		wait := pollInterval + o.cfg.Jitter(pollInterval/2)
		if soon := time.Until(due); soon > 0 {
			wait = min(wait, soon)
		}
		wait = max(wait, o.rest())
		next = time.Now().Add(wait)
		look.Reset(wait)
	}
}

// rest returns for how long the mail server is still left alone.
func (o *Outbox) rest() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	return time.Until(o.rests)
}

// sendDue takes tasks and begins to carry them out, until there are no more that are due, or the mail server is away.
func (o *Outbox) sendDue(sending *sync.WaitGroup) {
	for {
		most := atOnce
		if o.cfg.Rush != nil && o.cfg.Rush() {
			o.pause(rushPause)
			most = 1
		}
		free := o.acquire(most)
		if free == 0 || o.rest() > 0 {
			o.release(free)
			return
		}
		tasks := o.take(free)
		for _, t := range tasks {
			sending.Go(func() {
				defer o.release(1)
				o.carryOut(t)
			})
		}
		if o.release(free - len(tasks)); len(tasks) < free {
			return
		}
	}
}

// pause waits, unless the outbox is stopping.
func (o *Outbox) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-o.stopping.Done():
	}
}

// acquire returns how many mails can be sent at once besides those under way, so many at most, and waits until it is
// one: 0 if the outbox is stopping.
func (o *Outbox) acquire(most int) (n int) {
	select {
	case <-o.stopping.Done():
		return 0
	case o.slots <- struct{}{}:
		n = 1
	}
	for n < most {
		select {
		case o.slots <- struct{}{}:
			n++
		default:
			return n
		}
	}
	return n
}

func (o *Outbox) release(n int) {
	for range n {
		<-o.slots
	}
}

// take returns tasks that are due, and counts how many there are.
func (o *Outbox) take(limit int) []rushgate.Task {
	ctx, cancel := context.WithTimeout(o.stopping, storeTimeout)
	defer cancel()
	tasks, err := o.cfg.Agenda.TakeTasks(ctx, Kind, limit, hold)
	if err != nil {
		if o.stopping.Err() == nil {
			o.cfg.Logger.Warn("mail: the store does not say what is to be sent", "error", err)
		}
		return nil
	}
	if n, err := o.cfg.Agenda.CountTasks(ctx, Kind); err == nil {
		o.waiting.Store(int64(n))
	}
	return tasks
}

// outcome is what has become of a task.
type outcome int

const (
	sent       outcome = iota
	unreadable         // by this version
	nobody             // there is no account, or it has no such address
	tooMany            // the account was sent too many codes
	refused            // the mail server will never take it
	expired            // it was tried for too long
	deferred           // it is to be tried again
	unknown            // the store is away: it becomes due again by itself
)

// carryOut does what a task says.
func (o *Outbox) carryOut(planned rushgate.Task) {
	o.figures.inFlight.Add(1)
	defer o.figures.inFlight.Add(-1)
	t := task{id: planned.ID, held: planned.Held}
	out := unreadable
	if json.Unmarshal(planned.Data, &t) == nil {
		out = o.send(&t)
	}
	o.figures.count(out, t.Do)
	switch out {
	case unknown:
		return
	case deferred:
		o.putAgain(t)
	default:
		o.drop(planned)
	}
}

// send sends the mail of a task, or finds that there is none to be sent.
func (o *Outbox) send(t *task) outcome {
	if age := time.Since(time.UnixMilli(t.Since)); age > MaxAge || age < -MaxAge {
		return expired
	}
	ctx, cancel := context.WithTimeout(o.stopping, mail.SendTimeout+2*storeTimeout)
	defer cancel()
	if out := o.look(ctx, t); out != sent {
		return out
	}
	err := o.cfg.Send(ctx, func(ctx context.Context) (mail.Message, error) { return o.compose(ctx, t) })
	failed, isMail := errors.AsType[*mail.Error](err)
	if err == nil || isMail && !failed.Away {
		o.present()
	}
	switch {
	case err == nil:
		return sent
	case o.stopping.Err() != nil:
		return unknown
	case !isMail:
		return fromLedger(err)
	}
	o.figures.failed(failed.Step)
	switch {
	case failed.Away:
		o.absent(failed)
		return deferred
	case failed.Refused:
		o.cfg.Logger.Info("mail: the mail server refuses a mail", "kind", string(t.Do), "error", failed)
		return refused
	}
	t.Tries++
	return deferred
}

// look finds out whether there is a mail to be sent, before the mail server is asked.
func (o *Outbox) look(ctx context.Context, t *task) outcome {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	switch t.Do {
	case mail.Recover:
		can, err := o.cfg.Ledger.CanRecover(ctx, t.Name)
		if err == nil && !can {
			err = account.ErrNoAddress
		}
		return fromLedger(err)
	case mail.Verify:
		addresses, err := o.cfg.Ledger.Addresses(ctx, t.owner())
		if err == nil && addresses.Pending == "" {
			err = account.ErrNoAddress
		}
		return fromLedger(err)
	case mail.Changed, mail.FactorGone:
		return sent
	}
	return unreadable
}

func (t *task) owner() account.Owner { return account.Owner{Player: t.Player, Name: t.Name} }

// fromLedger is what an error of the ledger means for a task.
func fromLedger(err error) outcome {
	switch {
	case err == nil:
		return sent
	case errors.Is(err, account.ErrTooMany):
		return tooMany
	case errors.Is(err, account.ErrUnknown), errors.Is(err, account.ErrNoAddress),
		errors.Is(err, rushgate.ErrInvalidUsername), errors.Is(err, rushgate.ErrDamagedRecord):
		return nobody
	}
	return unknown
}

// compose makes the code, which the account then knows, and the message with it.
func (o *Outbox) compose(ctx context.Context, t *task) (m mail.Message, err error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	letter := account.Letter{To: t.To, Username: t.Name}
	switch t.Do {
	case mail.Recover:
		letter, err = o.cfg.Ledger.Recover(ctx, t.Name, t.Counted)
	case mail.Verify:
		letter, err = o.cfg.Ledger.ChallengeEmail(ctx, t.owner(), t.Counted)
	}
	if err != nil {
		return m, err
	}
	t.Counted = true
	m, err = o.cfg.Templates.Write(t.Do, t.Languages, mail.Values{
		Server: o.cfg.Server, Username: letter.Username, Code: letter.Code.Text(), Minutes: int(letter.Valid.Minutes()),
	})
	m.To = letter.To
	return m, err
}

// putAgain has a task tried again, unless the player has asked anew meanwhile. If the store is away, it becomes due by
// itself.
func (o *Outbox) putAgain(t task) {
	pause := lastRest
	if t.Tries > 0 {
		pause = min(firstPause<<(t.Tries-1), lastPause)
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	err := o.put(ctx, t, time.Now().Add(pause+o.cfg.Jitter(pause/2)))
	if err != nil && !errors.Is(err, rushgate.ErrTaskChanged) {
		o.cfg.Logger.Warn("mail: the store does not note that a mail is to be tried again", "error", err)
	}
}

// drop removes a task that is done, and none that was asked for meanwhile. If the store is away, the mail is sent once
// more.
func (o *Outbox) drop(done rushgate.Task) {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	if err := o.cfg.Agenda.DropTasks(ctx, []rushgate.Task{done}); err != nil {
		o.cfg.Logger.Warn("mail: the store does not note that a mail is done; it may be sent twice", "error", err)
		return
	}
	o.waiting.Add(-1)
}

// absent notes that the mail server is away, and leaves it alone for a while. The log hears of it once.
func (o *Outbox) absent(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if now.Before(o.rests) { // another has noticed
		return
	}
	pause := min(firstRest<<min(o.away, 10), lastRest)
	o.rests = now.Add(pause + o.cfg.Jitter(pause/2))
	if o.away++; o.away == 1 {
		o.cfg.Logger.Warn("mail: the mail server takes nothing; what is to be sent waits, for an hour at most", "error", err)
	}
}

// present notes that the mail server is there.
func (o *Outbox) present() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.away > 0 {
		o.cfg.Logger.Info("mail: the mail server takes mail again")
	}
	o.away, o.rests = 0, time.Time{}
}
