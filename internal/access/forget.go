package access

import (
	"context"
	"slices"
	"time"

	"github.com/rushgate/rushgate"
)

// Mentioned returns those of names of accounts, in canonical form, that are on a list or excepted from a ban, as the
// store has it now. Errors are as for [Keeper.SetMode].
func Mentioned(ctx context.Context, store rushgate.Fleet, names []string) (mentioned []string, err error) {
	k := New(Config{Store: store})
	if err := k.refresh(ctx, true); err != nil {
		return nil, err
	}
	if v := &k.read; v.own.lists > v.mode.lists || v.own.bans > v.mode.bans { // who changed them died before saying so
		if err := k.announce(ctx); err != nil {
			return nil, err
		}
		if err := settle(ctx); err != nil {
			return nil, err
		}
	}
	rules := k.Rules()
	for _, name := range names {
		if rules.Mentions(name) {
			mentioned = append(mentioned, name)
		}
	}
	return mentioned, nil
}

// settled is how long after a change every node goes by it that reaches the store: twice as long as a node goes without
// a look.
const settled = 2 * lookEvery

// settle returns when a change that was announced is settled.
func settle(ctx context.Context) error {
	timer := time.NewTimer(settled)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Forget takes names of accounts, in canonical form, off the lists and out of the exceptions from bans: those of
// accounts that go, since the lists let in whoever has a name. If any is mentioned it returns a second later, when no
// node knows them by the lists any more, so that the names may be free from then on. Names that are not mentioned are
// no error. Errors are as for [Keeper.SetMode].
func Forget(ctx context.Context, store rushgate.Fleet, names []string) error {
	k := New(Config{Store: store})
	gone := func(entry string) bool { return stands(entry, names) }
	var changed bool
	err := k.change(ctx, func(v *values) (string, []byte, []byte, error) {
		next := lists{
			slices.DeleteFunc(slices.Clone(v.lists.staff), gone), slices.DeleteFunc(slices.Clone(v.lists.allowed), gone),
		}
		if len(next.staff) == len(v.lists.staff) && len(next.allowed) == len(v.lists.allowed) {
			return "", nil, nil, nil
		}
		changed = true
		return listName, v.listBytes, marshalLists(v.next().lists, next), nil
	})
	if err != nil {
		return err
	}
	err = k.change(ctx, func(v *values) (string, []byte, []byte, error) {
		next, fewer := slices.Clone(v.bans), false
		for i := range next {
			except := slices.DeleteFunc(slices.Clone(next[i].Except), gone)
			fewer = fewer || len(except) < len(next[i].Except)
			next[i].Except = except
		}
		if !fewer {
			return "", nil, nil, nil
		}
		changed = true
		return bansName, v.bansBytes, marshalBans(v.next().bans, next), nil
	})
	if err != nil || !changed {
		return err
	}
	return settle(ctx)
}

// stands reports whether an entry of a list stands for the account of one of names.
func stands(entry string, names []string) bool {
	if slices.Contains(names, entry) {
		return true
	}
	first, other, err := rushgate.LoginNames(entry)
	return err == nil && (slices.Contains(names, first) || other != "" && slices.Contains(names, other))
}
