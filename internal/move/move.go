// Package move brings everything that one store keeps into another, such as from SQLite to Redis: accounts with their
// passwords, other credentials and devices, characters, histories, names that are held, what a fleet shares, and the
// audit log. Each account is read back from where it has been brought and compared.
package move

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/rushgate/rushgate"
)

var (
	// ErrInside refuses to move players while one is inside: a node that runs goes on changing what has been read.
	ErrInside = errors.New("a player is inside; stop all nodes first")
	// ErrNotEmpty refuses a store that has players of its own, or an audit log or values of a fleet that are not those
	// which are to be moved.
	ErrNotEmpty = errors.New("the store to move to is in use already")
	// ErrDiffers is about an account that reads back other than it was.
	ErrDiffers = errors.New("it is not there as it was")
)

// DefaultBatch is how many accounts are moved at once.
const DefaultBatch = 256

// Options adjust a move. The zero value is ready for use.
type Options struct {
	// Shared are the names of the values that a fleet shares and that are moved if they are there.
	Shared []string
	// Batch is how many accounts are moved at once, 1 to [rushgate.MaxPage]. Default [DefaultBatch].
	Batch int
	// Planned returns the tasks that have to be planned for an account where it is brought: those of accounts are not
	// moved. It may be nil.
	Planned func(*rushgate.Account) ([]rushgate.Task, error)
	// Begun is told, by the caller's goroutine, that nothing is in the way and the first account will be moved. It may be
	// nil; an error ends the move before anything is written.
	Begun func() error
	// Moved is told, by the caller's goroutine, once all is there but the audit log, which an entry of the move can be put
	// into then that goes along. It may be nil; an error ends the move.
	Moved func(Report) error
	// Progress is told, on the caller's goroutine, how many of how many accounts are there. It may be nil.
	Progress func(done, total int)
}

// Report is what a move has come to.
type Report struct {
	// Accounts were moved, of which Before were there already, from a move that did not come to its end.
	Accounts, Before int
	// Devices, Events and AuditRecords belong to them.
	Devices, Events, AuditRecords int
	// Held counts the names that are held for players after a rename.
	Held int
	// Shared are the names of the values that were moved.
	Shared []string
	// Damaged are the names of accounts that cannot be read, or by whom they are held, and were left behind.
	Damaged []string
}

// All moves everything from one store to another, which has to be empty, or to have what an earlier call has left
// unfinished; in from, an id is set aside, and else nothing changes. No node may run on either.
//
// Sessions, and tasks that wait to be done, stay behind, but for those that Options.Planned makes anew: players log in
// again, or come in with their devices.
func All(ctx context.Context, from, to rushgate.Store, opts Options) (Report, error) {
	m := &mover{from: from, to: to, opts: opts, seen: make(map[rushgate.PlayerID]bool)}
	if m.opts.Batch == 0 {
		m.opts.Batch = DefaultBatch
	}
	if m.opts.Progress == nil {
		m.opts.Progress = func(int, int) {}
	}
	err := m.begin(ctx)
	if err == nil {
		err = m.accounts(ctx)
	}
	if err == nil {
		err = m.holds(ctx)
	}
	if err == nil {
		err = m.shared(ctx)
	}
	if err == nil && opts.Moved != nil {
		err = opts.Moved(m.report)
	}
	if err == nil {
		err = m.audit(ctx)
	}
	return m.report, err
}

type mover struct {
	from, to rushgate.Store
	opts     Options
	total    int
	seen     map[rushgate.PlayerID]bool // a walk may return a name twice
	report   Report
}

// walk goes through the names of all accounts.
func (m *mover) walk(ctx context.Context, page func(names []string) error) error {
	for cursor := ""; ; {
		names, next, err := m.from.Usernames(ctx, "", cursor, m.opts.Batch)
		if err != nil {
			return fmt.Errorf("read the names of the accounts: %w", err)
		}
		for chunk := range slices.Chunk(names, m.opts.Batch) { // a page may be longer than was asked for
			if err := page(chunk); err != nil {
				return err
			}
		}
		if cursor = next; next == "" {
			return nil
		}
	}
}

func (m *mover) accounts(ctx context.Context) error {
	return m.walk(ctx, func(names []string) error {
		batch, err := m.read(ctx, m.from, names)
		if err != nil {
			return err
		}
		batch = slices.DeleteFunc(batch, func(p player) bool { return m.seen[p.account.ID] })
		if err := m.write(ctx, batch); err != nil {
			return err
		}
		for i := range batch {
			m.seen[batch[i].account.ID] = true
			m.report.Devices += len(batch[i].account.Devices.List)
			m.report.Events += len(batch[i].events)
		}
		m.report.Accounts += len(batch)
		m.opts.Progress(m.report.Accounts, max(m.total, m.report.Accounts))
		return nil
	})
}

// player is all that is moved of one.
type player struct {
	account   rushgate.Account
	character rushgate.Character
	events    []rushgate.AccountEvent
}

// read returns the players of names, without those whose records are damaged, and those that are gone.
func (m *mover) read(ctx context.Context, store rushgate.Store, names []string) ([]player, error) {
	accounts, err := store.LoadAccounts(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("read accounts: %w", err)
	}
	characters, err := store.LoadCharacters(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("read characters: %w", err)
	}
	histories, err := store.LoadHistories(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("read histories: %w", err)
	}
	where, err := store.Presence(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("read who is inside: %w", err)
	}
	var players []player
	for i, name := range names {
		if errors.Join(accounts[i].Err, characters[i].Err, histories[i].Err, where[i].Err) != nil {
			m.report.Damaged = append(m.report.Damaged, name)
			continue
		}
		if where[i].Inside() {
			return nil, fmt.Errorf("%w: %s, at node %s", ErrInside, name, where[i].Node)
		}
		if accounts[i].ID != 0 {
			players = append(players, player{accounts[i].Account, characters[i].Character, histories[i].Events})
		}
	}
	return players, nil
}

// write brings players into the other store, and compares.
func (m *mover) write(ctx context.Context, players []player) error {
	if len(players) == 0 {
		return nil
	}
	if err := m.importAll(ctx, players); err != nil {
		return err
	}
	if err := m.plan(ctx, players); err != nil {
		return err
	}
	if err := m.remember(ctx, players); err != nil {
		return err
	}
	if err := m.note(ctx, players); err != nil {
		return err
	}
	if err := m.claim(ctx, players); err != nil {
		return err
	}
	return m.compare(ctx, players)
}

func (m *mover) plan(ctx context.Context, players []player) error {
	if m.opts.Planned == nil {
		return nil
	}
	var tasks []rushgate.Task
	for i := range players {
		some, err := m.opts.Planned(&players[i].account)
		if err != nil {
			return fmt.Errorf("plan what account %s waits for: %w", players[i].account.Username, err)
		}
		tasks = append(tasks, some...)
	}
	if len(tasks) == 0 {
		return nil
	}
	errs, err := m.to.PlanTasks(ctx, tasks)
	if err != nil {
		return fmt.Errorf("plan what accounts wait for: %w", err)
	}
	return errors.Join(errs...)
}

func (m *mover) importAll(ctx context.Context, players []player) error {
	records := make([]rushgate.Record, len(players))
	for i, p := range players {
		records[i] = rushgate.Record{Account: p.account, Character: p.character}
		records[i].Account.Devices = rushgate.Devices{} // which an account that is made cannot have
	}
	errs, err := m.to.Import(ctx, records)
	if err != nil {
		return fmt.Errorf("write accounts: %w", err)
	}
	for i, err := range errs {
		switch {
		case errors.Is(err, rushgate.ErrImported):
			m.report.Before++
		case errors.Is(err, rushgate.UsernameTaken), errors.Is(err, rushgate.ErrIDTaken):
			return fmt.Errorf("%w: it has another player %s (%w)", ErrNotEmpty, players[i].account.Username, err)
		case err != nil:
			return fmt.Errorf("write account %s: %w", players[i].account.Username, err)
		}
	}
	return nil
}

func (m *mover) remember(ctx context.Context, players []player) error {
	var changes []rushgate.AccountChange
	for i := range players {
		if a := &players[i].account; len(a.Devices.List) > 0 {
			changes = append(changes, rushgate.AccountChange{
				Player: a.ID, Name: a.Username, Epoch: a.Epoch, Devices: a.Devices.List,
			})
		}
	}
	if len(changes) == 0 {
		return nil
	}
	errs, err := m.to.UpdateAccounts(ctx, changes)
	if err != nil {
		return fmt.Errorf("write devices: %w", err)
	}
	for i, err := range errs {
		if err != nil {
			return fmt.Errorf("write the devices of %s: %w", changes[i].Name, err)
		}
	}
	return nil
}

func (m *mover) note(ctx context.Context, players []player) error {
	var events []rushgate.Noted
	for i := range players {
		for _, e := range players[i].events {
			a := &players[i].account
			events = append(events, rushgate.Noted{Player: a.ID, Name: a.Username, AccountEvent: e})
		}
	}
	for chunk := range slices.Chunk(events, rushgate.MaxPage) {
		errs, err := m.to.Note(ctx, chunk)
		if err != nil {
			return fmt.Errorf("write histories: %w", err)
		}
		for i, err := range errs {
			if err != nil {
				return fmt.Errorf("write the history of %s: %w", chunk[i].Name, err)
			}
		}
	}
	return nil
}

// compare reads what was written.
func (m *mover) compare(ctx context.Context, players []player) error {
	names := make([]string, len(players))
	for i := range players {
		names[i] = players[i].account.Username
	}
	there, err := m.read(ctx, m.to, names)
	if err != nil {
		return err
	}
	if len(there) != len(players) {
		return fmt.Errorf("%w: %d of %d accounts are there", ErrDiffers, len(there), len(players))
	}
	for i := range players {
		if !same(&players[i], &there[i]) {
			return fmt.Errorf("account %s: %w", names[i], ErrDiffers)
		}
	}
	return nil
}

// same reports whether two players are the same, but for what a store counts for itself: the version of a record that
// was written anew, and the revision of the devices.
func same(a, b *player) bool {
	x, y := *a, *b
	for _, p := range []*player{&x, &y} {
		p.account.Version, p.account.Devices.Revision = 0, 0
		p.account.CreatedAt, p.character.CreatedAt = stamp(p.account.CreatedAt), stamp(p.character.CreatedAt)
		p.account.Disabled.Until = stamp(p.account.Disabled.Until)
		p.account.Devices.List = slices.Clone(p.account.Devices.List)
		for i := range p.account.Devices.List {
			d := &p.account.Devices.List[i]
			d.CreatedAt, d.UsedAt, d.ExpiresAt = stamp(d.CreatedAt), stamp(d.UsedAt), stamp(d.ExpiresAt)
		}
		p.events = slices.Clone(p.events)
		for i := range p.events {
			p.events[i].At = stamp(p.events[i].At)
		}
	}
	return sameBut(&x, &y)
}

// sameBut compares where empty and absent are the same, and not a number is itself.
func sameBut(x, y *player) bool {
	a, b := x.character, y.character
	if fmt.Sprint(a.X, a.Y) != fmt.Sprint(b.X, b.Y) || !bytes.Equal(a.Data, b.Data) || !a.Numbers.Equal(b.Numbers) {
		return false
	}
	for _, c := range []*rushgate.Character{&a, &b} {
		c.X, c.Y, c.Data, c.Numbers = 0, 0, nil, nil
	}
	p, q := x.account, y.account
	if !slices.Equal(p.Credentials, q.Credentials) || !slices.Equal(p.Devices.List, q.Devices.List) {
		return false
	}
	for _, c := range []*rushgate.Account{&p, &q} {
		c.Credentials, c.Devices.List = nil, nil
	}
	return reflect.DeepEqual(a, b) && reflect.DeepEqual(p, q) && slices.Equal(x.events, y.events)
}

func stamp(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Round(0)
}

// shared moves the values that the nodes of a fleet have in common.
func (m *mover) shared(ctx context.Context) error {
	for _, name := range m.opts.Shared {
		value, err := m.from.Shared(ctx, name)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		if value == nil {
			continue
		}
		swapped, err := m.to.SwapShared(ctx, name, nil, value)
		if err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		if !swapped {
			return fmt.Errorf("%w: it has other %s", ErrNotEmpty, name)
		}
		m.report.Shared = append(m.report.Shared, name)
	}
	return nil
}
