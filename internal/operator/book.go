package operator

import (
	"context"
	"slices"
	"strings"
	"time"
)

// changeTries is how often a change is made to what was read before it is given up.
const changeTries = 10

// Store is the part of a [rushgate.Fleet] that the operators are kept in.
type Store interface {
	Shared(ctx context.Context, name string) ([]byte, error)
	SwapShared(ctx context.Context, name string, oldValue, newValue []byte) (swapped bool, err error)
}

// Book is where operators are added, changed and removed. Nodes hear of a change within a second. It is safe for
// concurrent use, also by several processes at once.
type Book struct{ store Store }

// NewBook returns the book of a store.
func NewBook(store Store) *Book { return &Book{store} }

// List returns the operators by name.
func (b *Book) List(ctx context.Context) ([]Operator, error) {
	value, err := b.store.Shared(ctx, SharedName)
	if err != nil {
		return nil, err
	}
	return parse(value)
}

// Find returns an operator; the error may be [ErrUnknown].
func (b *Book) Find(ctx context.Context, name string) (Operator, error) {
	all, err := b.List(ctx)
	if err != nil {
		return Operator{}, err
	}
	i := find(all, name)
	if i < 0 {
		return Operator{}, ErrUnknown
	}
	return all[i], nil
}

// Add makes an operator and returns the token, which is kept nowhere. The first one has to have the role [All]: from
// then on every node wants a token. The error is an [ErrInvalid], or [ErrTaken], [ErrLast], [ErrFull], [ErrBusy], or
// the store's.
func (b *Book) Add(ctx context.Context, name string, role Role, by string) (token string, err error) {
	if err := CheckName(name); err != nil {
		return "", err
	}
	if !role.May(Look) {
		return "", ErrInvalid
	}
	token, sum := newToken()
	return token, b.change(ctx, func(all []Operator) ([]Operator, error) {
		switch i := find(all, name); {
		case i >= 0:
			return nil, ErrTaken
		case len(all) >= Max:
			return nil, ErrFull
		}
		return append(all, Operator{name, role, time.Now().UTC().Truncate(time.Second), by, sum}), nil
	})
}

// SetRole gives an operator another role. The error is [ErrUnknown], [ErrLast], [ErrBusy], or the store's.
func (b *Book) SetRole(ctx context.Context, name string, role Role) error {
	if !role.May(Look) {
		return ErrInvalid
	}
	return b.one(ctx, name, func(o *Operator) { o.Role = role })
}

// Renew gives an operator another token, and returns it; the one before is worth nothing within a second. Errors are as
// for SetRole.
func (b *Book) Renew(ctx context.Context, name string) (token string, err error) {
	token, sum := newToken()
	return token, b.one(ctx, name, func(o *Operator) { o.token = sum })
}

// Remove removes an operator, who is out within a second. Errors are as for SetRole.
func (b *Book) Remove(ctx context.Context, name string) error {
	return b.change(ctx, func(all []Operator) ([]Operator, error) {
		i := find(all, name)
		if i < 0 {
			return nil, ErrUnknown
		}
		return slices.Delete(all, i, i+1), nil
	})
}

// one changes one operator.
func (b *Book) one(ctx context.Context, name string, do func(*Operator)) error {
	return b.change(ctx, func(all []Operator) ([]Operator, error) {
		i := find(all, name)
		if i < 0 {
			return nil, ErrUnknown
		}
		do(&all[i])
		return all, nil
	})
}

// change makes a change to the list as it is now.
func (b *Book) change(ctx context.Context, do func([]Operator) ([]Operator, error)) error {
	for range changeTries {
		before, err := b.store.Shared(ctx, SharedName)
		if err != nil {
			return err
		}
		all, err := parse(before)
		if err != nil {
			return err
		}
		if all, err = do(all); err != nil {
			return err
		}
		if !slices.ContainsFunc(all, func(o Operator) bool { return o.Role == All }) {
			return ErrLast
		}
		slices.SortFunc(all, func(a, b Operator) int { return strings.Compare(a.Name, b.Name) })
		after, err := format(all)
		if err != nil {
			return err
		}
		if swapped, err := b.store.SwapShared(ctx, SharedName, before, after); err != nil || swapped {
			return err
		}
	}
	return ErrBusy
}

func find(all []Operator, name string) int {
	return slices.IndexFunc(all, func(o Operator) bool { return o.Name == name })
}
