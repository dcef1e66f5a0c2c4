package access

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rushgate/rushgate"
)

const (
	// lookEvery is how often a node reads the mode, and with it whether bans or lists have changed. A player inside is to
	// be out within a second of a ban.
	lookEvery = 500 * time.Millisecond
	// allEvery is how often it reads the bans and lists though nothing says that they have changed: a node that has
	// changed them may have died before it could say so.
	allEvery = 30 * time.Second
	// lookTimeout ends an attempt.
	lookTimeout = 2 * time.Second
)

// Config says what a [Keeper] keeps in step with what.
type Config struct {
	// Store is where the fleet's decisions are. Required.
	Store rushgate.Fleet
	// Changed, if not nil, is told of rules other than those before, one call at a time, by [Keeper.Begin], the keeper's
	// goroutine, or those that change something. It must not block for long.
	Changed func(*Rules)
	// Steady reports whether the time of day is to be trusted; while it is not, bans that seem to have ended are kept. Nil
	// stands for always.
	Steady func() bool
	// Now tells the time; nil means [time.Now].
	Now func() time.Time
	// Logger defaults to [slog.Default].
	Logger *slog.Logger
}

// Keeper has a node go by what its fleet has decided. While the store does not answer, or has what cannot be read, the
// rules stay as they are. Its methods may be called from many goroutines; a nil Keeper has open doors and no bans.
type Keeper struct {
	cfg   Config
	rules atomic.Pointer[Rules]

	mu    sync.Mutex // held by who reads or changes the values
	read  values
	whole time.Time // when all values were last read
	told  trouble   // what the log has heard of

	troubled atomic.Bool
	refused  [2]atomic.Int64 // by a ban of a range, of a device
	end      context.CancelFunc
	running  sync.WaitGroup
}

// values are what was read last, and the bytes of it, by which they are swapped.
type values struct {
	mode  mode
	bans  []Ban
	lists lists
	own   numbers // revisions that bans and lists have themselves

	modeBytes, bansBytes, listBytes []byte
}

// New returns a keeper of open doors, until it has looked.
func New(cfg Config) *Keeper {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Changed == nil {
		cfg.Changed = func(*Rules) {}
	}
	k := &Keeper{cfg: cfg, end: func() {}}
	k.read.mode.Mode = rushgate.ModeOpen
	k.rules.Store(open)
	return k
}

// Rules returns what counts now.
func (k *Keeper) Rules() *Rules {
	if k == nil {
		return open
	}
	return k.rules.Load()
}

// Begin looks for the first time, and returns when it has, or the store has not answered in time.
func (k *Keeper) Begin(ctx context.Context) { k.look(ctx) }

// Start goes on looking, until Stop.
func (k *Keeper) Start() {
	var ctx context.Context
	ctx, k.end = context.WithCancel(context.Background())
	k.running.Go(func() {
		t := time.NewTicker(lookEvery)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
				k.look(ctx)
			}
		}
	})
}

// Stop ends the looking, and returns when it has ended. It is idempotent.
func (k *Keeper) Stop() {
	k.end()
	k.running.Wait()
}

// look reads what is new. What goes wrong is told to the log, once for as long as it lasts.
func (k *Keeper) look(ctx context.Context) {
	inner, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	k.mu.Lock()
	defer k.mu.Unlock()
	err := k.refresh(inner, false)
	if ctx.Err() != nil { // the node stops
		return
	}
	k.tell(err)
}

// refresh reads the mode, and of bans and lists what it says is new; or all, now and then, and if all is asked for. The
// caller has the lock. What was read before an error counts.
func (k *Keeper) refresh(ctx context.Context, all bool) error {
	now := k.cfg.Now()
	v := k.read
	all = all || k.whole.IsZero() || now.Sub(k.whole) >= allEvery || now.Before(k.whole)
	var errs []error
	errs = append(errs, k.readValue(ctx, modeName, &v.modeBytes, func(b []byte) (err error) {
		m, err := parseMode(b)
		if err == nil {
			v.mode = m
		}
		return err
	}))
	if errors.Is(errs[0], rushgate.ErrUnavailable) || ctx.Err() != nil {
		return errs[0]
	}
	if all || v.mode.bans > v.own.bans {
		errs = append(errs, k.readValue(ctx, bansName, &v.bansBytes, func(b []byte) error {
			revision, bans, err := parseBans(b)
			if err == nil {
				v.own.bans, v.bans = revision, bans
			}
			return err
		}))
	}
	if all || v.mode.lists > v.own.lists {
		errs = append(errs, k.readValue(ctx, listName, &v.listBytes, func(b []byte) error {
			revision, l, err := parseLists(b)
			if err == nil {
				v.own.lists, v.lists = revision, l
			}
			return err
		}))
	}
	err := errors.Join(errs...)
	if all && err == nil {
		k.whole = now
	}
	k.use(v)
	return err
}

// errLost says that a value is gone that was there. What it said stays in force, and is written again with the next
// change.
var errLost = errors.New("access: the store has lost a value")

// readValue reads a value, and has it parsed if it is another than before, which then becomes what it is now.
func (k *Keeper) readValue(ctx context.Context, name string, before *[]byte, parse func([]byte) error) error {
	b, err := k.cfg.Store.Shared(ctx, name)
	switch {
	case err != nil:
		return err
	case b == nil && *before != nil:
		return errLost
	case string(b) == string(*before):
		return nil
	}
	if err := parse(b); err != nil {
		return err
	}
	*before = b
	return nil
}

// use makes values the rules, if they are others.
func (k *Keeper) use(v values) {
	same := string(v.modeBytes) == string(k.read.modeBytes) && string(v.bansBytes) == string(k.read.bansBytes) &&
		string(v.listBytes) == string(k.read.listBytes)
	k.read = v
	if same {
		return
	}
	r := newRules(v.mode, v.bans, v.lists)
	r.numbers = v.own
	k.rules.Store(r)
	k.cfg.Changed(r)
}

// trouble is what keeps a node from going by what is in the store.
type trouble int

const (
	noTrouble trouble = iota
	storeAway
	lostValue
	badValue
)

func troubleOf(err error) trouble {
	switch {
	case err == nil:
		return noTrouble
	case errors.Is(err, ErrNewer), errors.Is(err, ErrBadValue), errors.Is(err, rushgate.ErrDamagedRecord):
		return badValue
	case errors.Is(err, errLost):
		return lostValue
	}
	return storeAway
}

// tell has the log hear of a trouble that is new, and of its end.
func (k *Keeper) tell(err error) {
	now := troubleOf(err)
	k.troubled.Store(now != noTrouble)
	if now == k.told {
		return
	}
	k.told = now
	const meanwhile = "the mode and the bans that were read last stay in force"
	switch now {
	case noTrouble:
		k.cfg.Logger.Info("the mode of the doors and the bans have been read from the store")
	case storeAway:
		k.cfg.Logger.Warn("the mode of the doors and the bans cannot be read from the store; trying again",
			"meanwhile", meanwhile, "error", err)
	case lostValue:
		k.cfg.Logger.Error("the store has lost the mode of the doors, the bans or the lists; each is written again with its "+
			"next change", "meanwhile", meanwhile)
	case badValue:
		k.cfg.Logger.Error("the mode of the doors, or the bans, that are in the store cannot be used and are left as they "+
			"are: update the node if a newer version has written them, else remove them (docs/operations.md)",
			"meanwhile", meanwhile, "error", err)
	}
}

// Current reports whether the rules are those of the fleet, as far as is known: the last look has succeeded.
func (k *Keeper) Current() bool { return k == nil || !k.troubled.Load() }

// Refuse counts a player who is kept out by a ban, and returns what the player is told.
func (k *Keeper) Refuse(b *Ban) *rushgate.Refusal {
	i := 0
	if !b.Range.IsValid() {
		i = 1
	}
	k.refused[i].Add(1)
	return b.Refusal()
}
