package access

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rushgate/rushgate"
)

// changeTries is how often a change is made to what was read before it is given up.
const changeTries = 5

// ErrBusy gives a change up that others were ahead of again and again.
var ErrBusy = errors.New("the mode, the bans or the lists keep being changed by others")

// SetMode sets the mode for all nodes, and returns it as it is kept. Errors wrap [ErrInvalid], [ErrBusy], [ErrNewer] or
// [ErrBadValue], or are the store's.
func (k *Keeper) SetMode(ctx context.Context, s State) (State, error) {
	s.At, s.OpensAt = k.cfg.Now().Truncate(time.Millisecond), s.OpensAt.Truncate(time.Millisecond)
	if err := s.Check(); err != nil {
		return s, err
	}
	return s, k.change(ctx, func(v *values) (string, []byte, []byte, error) {
		m := mode{s, v.mode.numbers}
		return modeName, v.modeBytes, m.marshal(), nil
	})
}

// NewID returns an id for a ban, which tells nothing.
func NewID() string { return strings.ToLower(rand.Text()[:12]) }

// Ban adds a ban, in place of one that there may be of the same range or device, and returns it as it is kept, with a
// new id if it has none. Bans that have ended are dropped. Errors are as for SetMode, or wrap [ErrFull].
func (k *Keeper) Ban(ctx context.Context, b Ban) (Ban, error) {
	now := k.cfg.Now()
	b.ID = cmp.Or(b.ID, NewID())
	b.At, b.Until = now.Truncate(time.Millisecond), b.Until.Truncate(time.Millisecond)
	if err := b.Check(); err != nil {
		return b, err
	}
	if !now.Before(b.Until) {
		return b, fmt.Errorf("%w: the end is not in the future", ErrInvalid)
	}
	return b, k.changeBans(ctx, func(bans []Ban) ([]Ban, error) {
		bans = slices.DeleteFunc(bans, func(o Ban) bool { return o.subject() == b.subject() })
		if len(bans) >= MaxBans {
			return nil, fmt.Errorf("%w: there are %d bans of ranges and devices", ErrFull, len(bans))
		}
		return append(bans, b), nil
	})
}

// Lift ends a ban before its time and returns it. Errors are as for Ban, or [ErrUnknownBan].
func (k *Keeper) Lift(ctx context.Context, id string) (lifted Ban, err error) {
	return lifted, k.changeBans(ctx, func(bans []Ban) ([]Ban, error) {
		i := slices.IndexFunc(bans, func(b Ban) bool { return b.ID == id })
		if i < 0 {
			return nil, ErrUnknownBan
		}
		lifted = bans[i]
		return slices.Delete(bans, i, i+1), nil
	})
}

// changeBans makes of the bans that are in force others.
func (k *Keeper) changeBans(ctx context.Context, edit func([]Ban) ([]Ban, error)) error {
	return k.change(ctx, func(v *values) (string, []byte, []byte, error) {
		now := k.cfg.Now()
		current := slices.Clone(v.bans)
		if k.cfg.Steady == nil || k.cfg.Steady() {
			current = slices.DeleteFunc(current, func(b Ban) bool { return !now.Before(b.Until) })
		}
		bans, err := edit(current)
		if err != nil {
			return "", nil, nil, err
		}
		newestFirst(bans)
		return bansName, v.bansBytes, marshalBans(v.next().bans, bans), nil
	})
}

// Edit adds names of accounts to a list and takes others from it, as operators write them, and returns it. A name that
// is there already, or is not, is no error; one that is both to be added and taken off is. Errors are as for Ban.
func (k *Keeper) Edit(ctx context.Context, l List, add, remove []string) (names []string, err error) {
	return names, k.change(ctx, func(v *values) (string, []byte, []byte, error) {
		next := v.lists
		list := &next.allowed
		if l == Staff {
			list = &next.staff
		}
		in, err := canonical(add)
		if err != nil {
			return "", nil, nil, err
		}
		out, err := canonical(remove)
		if err != nil {
			return "", nil, nil, err
		}
		for _, name := range in {
			if slices.Contains(out, name) {
				return "", nil, nil, fmt.Errorf("%w: %.40q is to be added and taken off at once", ErrInvalid, name)
			}
		}
		all := append(slices.Clone(*list), in...)
		all = slices.DeleteFunc(all, func(name string) bool { return slices.Contains(out, name) })
		slices.Sort(all)
		*list = slices.Compact(all)
		names = *list
		if err := next.check(); err != nil {
			return "", nil, nil, err
		}
		return listName, v.listBytes, marshalLists(v.next().lists, next), nil
	})
}

// canonical returns names as accounts have them.
func canonical(names []string) ([]string, error) {
	out := make([]string, len(names))
	for i, name := range names {
		first, _, err := rushgate.LoginNames(name)
		if err != nil {
			return nil, fmt.Errorf("%w: no account can have the name %.40q", ErrInvalid, name)
		}
		out[i] = first
	}
	return out, nil
}

// Canonical returns a name as accounts have it. The error wraps [ErrInvalid].
func Canonical(name string) (string, error) {
	names, err := canonical([]string{name})
	if err != nil {
		return "", err
	}
	return names[0], nil
}

// next are revisions that are greater than all that nodes may have read.
func (v *values) next() numbers {
	return numbers{max(v.own.bans, v.mode.bans) + 1, max(v.own.lists, v.mode.lists) + 1}
}

// change changes one value, by what edit makes of all that are there: its name, what it was and what it is to be. Then
// the mode says that there is something new. An empty name says that nothing is to be changed.
func (k *Keeper) change(ctx context.Context, edit func(*values) (name string, before, after []byte, err error)) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for range changeTries {
		if err := k.refresh(ctx, true); err != nil && !errors.Is(err, errLost) {
			return err
		}
		name, before, after, err := edit(&k.read)
		if err != nil {
			return err
		}
		if name == "" {
			return nil
		}
		if len(after) > rushgate.MaxSharedLen {
			return fmt.Errorf("%w: that would be %d bytes, at most %d can be kept", ErrFull, len(after), rushgate.MaxSharedLen)
		}
		swapped, err := k.swap(ctx, name, before, after)
		if err != nil {
			return err
		}
		if swapped {
			return k.announce(ctx)
		}
	}
	return ErrBusy
}

// swap swaps a value, also one that the store has lost.
func (k *Keeper) swap(ctx context.Context, name string, before, after []byte) (swapped bool, err error) {
	swapped, err = k.cfg.Store.SwapShared(ctx, name, before, after)
	if err == nil && !swapped && before != nil {
		if now, err := k.cfg.Store.Shared(ctx, name); err != nil || now != nil {
			return false, err
		}
		return k.cfg.Store.SwapShared(ctx, name, nil, after)
	}
	return swapped, err
}

// announce reads what has come of a change, and has the mode say of bans and lists what revision they have.
func (k *Keeper) announce(ctx context.Context) error {
	for range changeTries {
		if err := k.refresh(ctx, true); err != nil && !errors.Is(err, errLost) {
			return err
		}
		m := k.read.mode
		if m.bans >= k.read.own.bans && m.lists >= k.read.own.lists {
			return nil
		}
		m.numbers = numbers{max(m.bans, k.read.own.bans), max(m.lists, k.read.own.lists)}
		if swapped, err := k.swap(ctx, modeName, k.read.modeBytes, m.marshal()); err != nil {
			return err
		} else if swapped {
			return k.refresh(ctx, false)
		}
	}
	return nil // every node finds it within allEvery all the same
}
