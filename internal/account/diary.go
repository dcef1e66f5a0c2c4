package account

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/rushgate/rushgate"
)

const (
	// diaryInterval is how often a diary writes, and diaryBatch how many events at most; in a rush of logins diaryShare.
	diaryInterval = 2 * time.Second
	diaryBatch    = 512
	diaryShare    = 32
	// maxSignIns is how many sign-ins wait to be written at most, and maxChanges how many other events.
	maxSignIns = 16_384
	maxChanges = 4096
	// diaryTimeout bounds a call of the store, and diaryLast what is written at the end.
	diaryTimeout = 10 * time.Second
	diaryLast    = time.Second
	// diaryRest is the longest pause after a call that has failed.
	diaryRest = time.Minute
)

// From says where an event comes from: an address, and what the player calls the device, which may be empty.
func From(addr netip.Addr, device string) string {
	from := ""
	if addr.IsValid() {
		from = addr.WithZone("").String()
	}
	if device != "" {
		from += " " + device
	}
	return from
}

// visit is what sign-ins have in common of which only the newest is written, if they come within a moment.
type visit struct {
	player     rushgate.PlayerID
	kind, from string
}

// Diary notes what happens to accounts, off the way of those who do it: events wait in memory, bounded, and are written
// together a moment later. In a rush of logins few are at a time, and the rest waits for its end. What finds no room,
// because the store is away for long, is counted and forgotten. Its methods may be called from many goroutines; only
// Stop waits for the store.
type Diary struct {
	store  rushgate.Histories
	rush   func() bool
	logger *slog.Logger

	mu      sync.Mutex
	signIns map[visit]rushgate.Noted
	changes []rushgate.Noted
	written int64
	dropped int64

	failing bool // the log has heard of it; of the one who writes

	life    sync.Mutex
	end     context.CancelFunc // nil while it does not run
	running sync.WaitGroup
}

// NewDiary returns a diary that writes nothing yet. Rush reports whether the store is needed for logins.
func NewDiary(store rushgate.Histories, rush func() bool, logger *slog.Logger) *Diary {
	return &Diary{store: store, rush: rush, logger: logger, signIns: make(map[visit]rushgate.Noted)}
}

// SignIn notes that a player has come in, in a way that kind names. It never waits.
func (d *Diary) SignIn(who Owner, kind, from string) {
	e := event(who, kind, from)
	e.SignIn = true
	d.mu.Lock()
	defer d.mu.Unlock()
	d.addSignIn(e)
}

// Change notes something else. It never waits.
func (d *Diary) Change(e rushgate.Noted) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.addChange(e)
}

// Renamed has what waits to be noted of a player noted under another name, which the account has from now on.
func (d *Diary) Renamed(player rushgate.PlayerID, name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.changes {
		if d.changes[i].Player == player {
			d.changes[i].Name = name
		}
	}
	for key, e := range d.signIns {
		if key.player == player {
			e.Name = name
			d.signIns[key] = e
		}
	}
}

// event returns one of now.
func event(who Owner, kind, from string) rushgate.Noted {
	return rushgate.Noted{Player: who.Player, Name: who.Name, AccountEvent: rushgate.AccountEvent{
		ID: rand.Text(), At: time.Now().Truncate(time.Millisecond), Kind: kind, From: from,
	}}
}

func (d *Diary) addSignIn(e rushgate.Noted) {
	key := visit{e.Player, e.Kind, e.From}
	switch other, there := d.signIns[key]; {
	case there && other.At.After(e.At):
	case !there && len(d.signIns) >= maxSignIns:
		d.dropped++
	default:
		d.signIns[key] = e
	}
}

func (d *Diary) addChange(e rushgate.Noted) {
	if len(d.changes) >= maxChanges {
		d.dropped++
		return
	}
	d.changes = append(d.changes, e)
}

// DiaryFigures are totals since the start, but for Waiting.
type DiaryFigures struct {
	Written, Dropped int64
	Waiting          int
}

// Figures returns what the diary has done.
func (d *Diary) Figures() DiaryFigures {
	d.mu.Lock()
	defer d.mu.Unlock()
	return DiaryFigures{d.written, d.dropped, len(d.signIns) + len(d.changes)}
}

// Start has events written, until Stop. It is idempotent, and may be called again after that.
func (d *Diary) Start() {
	d.life.Lock()
	defer d.life.Unlock()
	if d.end != nil {
		return
	}
	ctx, end := context.WithCancel(context.Background())
	d.end = end
	d.running.Go(func() { d.run(ctx) })
}

// Stop writes what waits, as far as that takes no longer than a second, and returns when nothing is being written any
// more. It is idempotent.
func (d *Diary) Stop() {
	d.life.Lock()
	defer d.life.Unlock()
	if d.end == nil {
		return
	}
	d.end()
	d.running.Wait()
	d.end = nil
	ctx, cancel := context.WithTimeout(context.Background(), diaryLast)
	defer cancel()
	for d.write(ctx, diaryBatch) == nil && d.Figures().Waiting > 0 {
	}
}

func (d *Diary) run(ctx context.Context) {
	pause := diaryInterval
	next := time.NewTimer(pause)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
		most := diaryBatch
		if d.rush() {
			most = diaryShare
		}
		err := d.write(ctx, most)
		if pause = diaryInterval; err != nil {
			pause = diaryRest
		}
		d.tell(ctx, err)
		next.Reset(pause)
	}
}

func (d *Diary) tell(ctx context.Context, err error) {
	if ctx.Err() == nil && err != nil && !d.failing {
		d.logger.Warn("what happens to accounts is not noted: the store does not take it", "error", err)
	}
	d.failing = err != nil
}

// write writes so many events at most. If the store does not take them, they wait again.
func (d *Diary) write(ctx context.Context, most int) error {
	batch := d.take(most)
	if len(batch) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, diaryTimeout)
	defer cancel()
	errs, err := d.store.Note(ctx, batch)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		for _, e := range batch {
			if e.SignIn {
				d.addSignIn(e)
			} else {
				d.addChange(e)
			}
		}
		return err
	}
	for _, err := range errs {
		switch {
		case err == nil:
			d.written++
		case !errors.Is(err, rushgate.BadCredentials): // else the account is gone, and its history with it
			d.dropped++
		}
	}
	return nil
}

// take takes events out, those first that are no sign-ins.
func (d *Diary) take(most int) []rushgate.Noted {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := min(len(d.changes), most)
	batch := append([]rushgate.Noted(nil), d.changes[:n]...)
	if d.changes = d.changes[n:]; len(d.changes) == 0 {
		d.changes = nil
	}
	for key, e := range d.signIns {
		if len(batch) >= most {
			break
		}
		batch = append(batch, e)
		delete(d.signIns, key)
	}
	return batch
}
