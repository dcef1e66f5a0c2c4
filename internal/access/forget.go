package access

import (
	"context"
	"slices"

	"github.com/rushgate/rushgate"
)

// Mentioned returns those of names of accounts, in canonical form, that are on a list or excepted from a ban, as the
// store has it now. Errors are as for [Keeper.SetMode].
func Mentioned(ctx context.Context, store rushgate.Fleet, names []string) (mentioned []string, err error) {
	k := New(Config{Store: store})
	if err := k.refresh(ctx, true); err != nil {
		return nil, err
	}
	rules := k.Rules()
	for _, name := range names {
		if rules.Mentions(name) {
			mentioned = append(mentioned, name)
		}
	}
	return mentioned, nil
}

// Forget takes names of accounts, in canonical form, off the lists and out of the exceptions from bans, on every node
// within a second: those of accounts that go, since the lists let in whoever has a name. Names that are not mentioned
// are no error. Errors are as for [Keeper.SetMode].
func Forget(ctx context.Context, store rushgate.Fleet, names []string) error {
	k := New(Config{Store: store})
	gone := func(entry string) bool { return stands(entry, names) }
	err := k.change(ctx, func(v *values) (string, []byte, []byte, error) {
		next := lists{
			slices.DeleteFunc(slices.Clone(v.lists.staff), gone), slices.DeleteFunc(slices.Clone(v.lists.allowed), gone),
		}
		if len(next.staff) == len(v.lists.staff) && len(next.allowed) == len(v.lists.allowed) {
			return "", nil, nil, nil
		}
		return listName, v.listBytes, marshalLists(v.next().lists, next), nil
	})
	if err != nil {
		return err
	}
	return k.change(ctx, func(v *values) (string, []byte, []byte, error) {
		next, changed := slices.Clone(v.bans), false
		for i := range next {
			except := slices.DeleteFunc(slices.Clone(next[i].Except), gone)
			changed = changed || len(except) < len(next[i].Except)
			next[i].Except = except
		}
		if !changed {
			return "", nil, nil, nil
		}
		return bansName, v.bansBytes, marshalBans(v.next().bans, next), nil
	})
}

// stands reports whether an entry of a list stands for the account of one of names.
func stands(entry string, names []string) bool {
	if slices.Contains(names, entry) {
		return true
	}
	first, other, err := rushgate.LoginNames(entry)
	return err == nil && (slices.Contains(names, first) || other != "" && slices.Contains(names, other))
}
