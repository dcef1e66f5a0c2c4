// Package outbox has the mail that is still to be sent: it is kept as tasks in the store's agenda, so that it survives
// every process and a mail server that is away, and sent by whichever node gets to it first.
//
// A task says what is to be done for which player, and holds no code: that is made when the mail server is ready to
// take the mail. Requests for a new password are noted without a look at the account, so that neither the answer nor
// the time that it takes says whether there is one; the look is taken some moments later.
package outbox

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/mail"
)

const (
	// Kind is that of the tasks.
	Kind = "mail"
	// MaxWaiting is how many mails may wait; the agenda has room for other tasks in any case.
	MaxWaiting = 10_000
	// MaxAge is for how long a mail is tried. By then the player has asked again, or given up.
	MaxAge = time.Hour

	// atOnce is how many mails a node sends at the same time.
	atOnce = 4
	// hold is for how long a task is kept from other nodes: longer than a mail and the calls of the store take.
	hold = 3 * time.Minute
	// pollInterval is how often a node looks for mail that it does not know of, chance added.
	pollInterval = 10 * time.Second
	// A mail is due between minDelay and maxDelay after it was asked for, by chance: what is done for an account that
	// there is must not be noticed by who asked.
	minDelay, maxDelay = time.Second, 4 * time.Second
	// firstPause is how long a mail that was not taken waits, twice as long each time, up to lastPause.
	firstPause, lastPause = time.Minute, 30 * time.Minute
	// A mail server that is away is left alone for firstRest, twice as long each time, up to lastRest.
	firstRest, lastRest = 5 * time.Second, time.Minute
	// rushPause is between two mails in a rush of logins. What most of them are about, another password for a lost one,
	// takes a hash, of which errands get no more then, see package door; and a mail costs as much as half a hash.
	rushPause = 100 * time.Millisecond
	// storeTimeout bounds a call of the store.
	storeTimeout = 10 * time.Second
)

// ErrFull refuses a mail because too many are waiting.
var ErrFull = errors.New("too many mails are waiting to be sent")

// Config says what an outbox works with. All but Rush and Jitter is required.
type Config struct {
	Agenda    rushgate.Agenda
	Ledger    *account.Ledger
	Templates *mail.Templates
	// Send hands a message over, as [mail.Sender.Send] does.
	Send func(ctx context.Context, compose func(context.Context) (mail.Message, error)) error
	// Server is what the players call the game.
	Server string
	Logger *slog.Logger
	// Rush reports whether logins need the node: it then sends one mail at a time, rushPause apart. Nil means never.
	Rush func() bool
	// Jitter returns a random duration from 0 to less than n; nil means a pseudo-random one.
	Jitter func(n time.Duration) time.Duration
}

// Outbox sends mail. Its methods may be called from many goroutines.
type Outbox struct {
	cfg     Config
	figures figures
	limit   int64         // how many may wait; tests make it small
	waiting atomic.Int64  // as last counted, and what has come and gone since
	nudged  chan struct{} // holds one: there is something to do soon
	slots   chan struct{} // holds one for each mail that is being sent

	mu    sync.Mutex
	away  int       // how often in a row the mail server was not there
	rests time.Time // until when it is left alone

	startOnce, stopOnce sync.Once
	stopping            context.Context
	stop                context.CancelFunc
	running             sync.WaitGroup
}

// New returns an outbox that sends nothing yet; mail may be asked for.
func New(cfg Config) *Outbox {
	if cfg.Jitter == nil {
		cfg.Jitter = mathrand.N[time.Duration]
	}
	o := &Outbox{cfg: cfg, limit: MaxWaiting, nudged: make(chan struct{}, 1), slots: make(chan struct{}, atOnce)}
	o.stopping, o.stop = context.WithCancel(context.Background())
	return o
}

// Start has mail sent, until Stop. It is idempotent.
func (o *Outbox) Start() { o.startOnce.Do(func() { o.running.Go(o.run) }) }

// Stop ends the sending, and returns when it has ended. What was under way is tried again later, here or on another
// node. It is idempotent.
func (o *Outbox) Stop() {
	o.stopOnce.Do(func() {
		o.startOnce.Do(func() {})
		o.stop()
	})
	o.running.Wait()
}

// task is what a [rushgate.Task] says.
type task struct {
	Do mail.Kind `json:"do"`
	// Name is the account's, or for one whose password is lost, what the client has sent as that.
	Name   string            `json:"name"`
	Player rushgate.PlayerID `json:"player,omitempty"`
	// To is the reader of a notice; the others are read by whom the account says when they are sent.
	To        string `json:"to,omitempty"`
	Languages string `json:"languages,omitempty"`
	// Since is when it was asked for, in milliseconds of Unix time, and Tries how often it was not taken.
	Since int64 `json:"since"`
	Tries int   `json:"tries,omitempty"`
	// Counted says that its code is among those of the hour.
	Counted bool `json:"counted,omitempty"`

	id   string
	held time.Time // until when this node has it
}

// Recover has a code sent to the player who logs in by a name, if there is one with an address. Key is the same for
// all ways to write the name: of several that wait, one is sent. The account is not looked at.
func (o *Outbox) Recover(ctx context.Context, name, key, languages string) error {
	sum := sha256.Sum256([]byte(key))
	id := "r-" + base64.RawURLEncoding.EncodeToString(sum[:])
	return o.plan(ctx, task{Do: mail.Recover, Name: name, Languages: languages, id: id})
}

// Verify has a code sent to the address that an owner wants to have.
func (o *Outbox) Verify(ctx context.Context, who account.Owner, languages string) error {
	id := "v-" + strconv.FormatUint(uint64(who.Player), 10)
	return o.plan(ctx, task{Do: mail.Verify, Name: who.Name, Player: who.Player, Languages: languages, id: id})
}

// Changed has the reader of an address told that it is no longer the one of an owner's account.
func (o *Outbox) Changed(ctx context.Context, who account.Owner, address, languages string) error {
	return o.plan(ctx, task{
		Do: mail.Changed, Name: who.Name, Player: who.Player, To: address, Languages: languages, id: "c-" + rand.Text(),
	})
}

// FactorGone has the player of an account told, at an address, that an operator has taken its second factor away.
func (o *Outbox) FactorGone(ctx context.Context, who account.Owner, address string) error {
	return o.plan(ctx, task{Do: mail.FactorGone, Name: who.Name, Player: who.Player, To: address, id: "f-" + rand.Text()})
}

// plan notes a mail that was asked for now.
func (o *Outbox) plan(ctx context.Context, t task) error {
	if o.waiting.Load() >= o.limit {
		o.figures.full.Add(1)
		return ErrFull
	}
	now := time.Now()
	t.Since = now.UnixMilli()
	due := now.Add(minDelay + o.cfg.Jitter(maxDelay-minDelay))
	switch err := o.put(ctx, t, due); {
	case errors.Is(err, rushgate.ErrAgendaFull):
		o.figures.full.Add(1)
		return ErrFull
	case err != nil:
		return err
	}
	o.waiting.Add(1)
	select {
	case o.nudged <- struct{}{}:
	default: // it is known already
	}
	return nil
}

// put writes a task, in place of the one before.
func (o *Outbox) put(ctx context.Context, t task, due time.Time) error {
	data, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	errs, err := o.cfg.Agenda.PlanTasks(ctx, []rushgate.Task{{Kind: Kind, ID: t.id, Due: due, Data: data, Held: t.held}})
	if err != nil {
		return err
	}
	return errs[0]
}
