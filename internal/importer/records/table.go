package records

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"iter"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/importer"
	"github.com/rushgate/rushgate/internal/importer/scheme"
	"github.com/rushgate/rushgate/internal/importer/source"
)

// Table is the accounts that another system keeps in a table, as package source reads it. It is used by one goroutine
// at a time.
//
// A file that is no database cannot be read from the middle. So the accounts are numbered, and the second pass goes
// through the file beside the import, which asks for them in their order.
type Table struct {
	players *source.Reader
	schemes *scheme.Reader

	next func() (source.Player, error, bool) // of the second pass; nil before it and after its end
	stop func()
	end  context.CancelFunc // of the context of that pass
	at   int64              // the number of the last player that next has returned
	last source.Player      // that player
}

// FromTable returns the accounts of a table.
func FromTable(players *source.Reader, schemes *scheme.Set) *Table {
	return &Table{players: players, schemes: schemes.Reader()}
}

// Close implements [importer.Source]. What is left of a server's rows is not read: its connection is closed instead.
func (t *Table) Close() error {
	if t.next != nil {
		t.end()
	}
	t.rewind()
	return nil
}

// rewind ends the second pass, so that another can begin.
func (t *Table) rewind() {
	if t.next != nil {
		t.stop()
		t.end()
		t.next = nil
	}
}

// Key implements [importer.Source].
func (t *Table) Key(r importer.Ref) string {
	if r.Kind == importer.CharacterRecord {
		return fmt.Sprint("character ", r.ID)
	}
	return r.Name
}

// Repeats implements [importer.Source].
func (t *Table) Repeats() bool { return false }

// Scan implements [importer.Source].
func (t *Table) Scan(ctx context.Context, visit func(*importer.Found) error) error {
	at := int64(0)
	rows := t.players.Counts()
	for p, err := range t.players.Players(ctx) {
		if err != nil {
			return err
		}
		at++
		f := importer.Found{
			Ref:  importer.Ref{Kind: importer.AccountRecord, Name: p.Name, At: at, Line: p.Line},
			Key:  p.Name,
			Done: p.Done, Total: t.players.Size(),
			Err: p.Err, Cause: importer.Unreadable, Rows: rows,
		}
		switch {
		case p.Other:
			f.Kind = importer.OtherRecord
		case p.Err == nil:
			f.Account, _, f.Cause, f.Err = t.account(&p)
		}
		if err := visit(&f); err != nil {
			return err
		}
		if f.Err != nil || f.Account.Character == 0 {
			continue
		}
		of := importer.Ref{Kind: importer.CharacterRecord, ID: f.Account.Character, At: at, Line: p.Line}
		if err := visit(&importer.Found{Ref: of, Key: t.Key(of), Done: p.Done, Total: f.Total, Rows: rows}); err != nil {
			return err
		}
	}
	return nil
}

// Fetch implements [importer.Source].
func (t *Table) Fetch(ctx context.Context, refs []importer.Ref) ([]importer.Record, error) {
	found := make([]importer.Record, len(refs))
	proofs := make([]*scheme.Proof, len(refs))
	for i, ref := range refs {
		p, err := t.player(ctx, ref.At)
		if err != nil {
			return nil, err
		}
		mine := p.Err == nil && p.Name == ref.Name
		if ref.Kind == importer.CharacterRecord {
			mine = p.Err == nil && p.Character != nil && p.Character.ID == ref.ID
		}
		switch {
		case !mine:
			found[i] = importer.Record{Err: errMoved, Cause: importer.Gone}
		case ref.Kind == importer.CharacterRecord:
			found[i].Character = *p.Character
		default:
			found[i].Account, proofs[i], found[i].Cause, found[i].Err = t.account(p)
		}
	}
	return found, lockOpen(ctx, found, proofs)
}

// player returns the player of a number. It goes back to the beginning if that was before the last one.
func (t *Table) player(ctx context.Context, at int64) (*source.Player, error) {
	if t.next == nil || at < t.at {
		t.rewind()
		var pass context.Context
		pass, t.end = context.WithCancel(context.WithoutCancel(ctx))
		t.next, t.stop = iter.Pull2(t.players.Players(pass))
		t.at = 0
	}
	for t.at < at {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p, err, more := t.next()
		if err != nil {
			return nil, err
		}
		if !more {
			p.Err = errMoved
		}
		t.at, t.last = t.at+1, p
	}
	return &t.last, nil
}

// account returns the account of a player, and what proves its password; or why it is refused.
func (t *Table) account(p *source.Player) (a importer.Account, proof *scheme.Proof, cause importer.Cause, err error) {
	if p.NoPassword {
		a, cause, err = withoutPassword(p)
	} else {
		a, proof, cause, err = account(t.schemes, &record{p.Record, p.Name})
	}
	if !p.Until.IsZero() {
		a.Disabled.Until = p.Until
	}
	if p.Character != nil {
		a.Character = p.Character.ID
	}
	return a, proof, cause, err
}

// withoutPassword returns an account for somebody who logged in some other way, so that nobody takes the name.
func withoutPassword(p *source.Player) (importer.Account, importer.Cause, error) {
	const kind = "no password"
	name, err := rushgate.LoginName(p.Name)
	if err != nil {
		return importer.Account{}, importer.Malformed, err
	}
	return importer.Account{
		Version: rushgate.AccountVersion, Name: name, Kind: kind, Mark: cmp.Or(p.System, kind) + "\x00" + p.Username,
		Weak: &importer.Weak{Digest: []byte(rand.Text())}, Locked: "it had no password",
	}, "", nil
}
