// Package oldgame reads the players of the game that Rushgate replaces: it is a [importer.Source].
//
// The old game kept its records in Redis, as strings that its Common Lisp runtime had printed:
//
//	account:bob   (:VERSION 2 :USERNAME "bob" :PASSWORD-HASH "salt$key" :CHARACTER-ID 12)
//	player:12     (:VERSION 4 :ID 12 :X 112.5 … :ZONE-ID :ZONE-42)
//
// They are read from that Redis ([OpenRedis]) or from a file ([OpenFile]), strictly, and nothing in them is evaluated:
// what is not understood whole is refused, and harms no other record.
package oldgame

import (
	"context"
	"strings"

	"github.com/rushgate/rushgate/internal/importer"
)

// Source is the records of the old game, in a file or in Redis. It is used by one goroutine at a time.
type Source struct{ records records }

// records is where the keys and values of the old game are.
type records interface {
	// scan visits every record once, or more often if repeats says so, until visit returns an error. The values of
	// players may be left out.
	scan(ctx context.Context, visit func(item) error) error
	// fetch reads records that scan has visited once more. An item's err is set if it is no longer there.
	fetch(ctx context.Context, refs []ref) ([]item, error)
	// repeats reports that scan may visit a record more than once.
	repeats() bool
	close() error
}

// ref is where records finds one again.
type ref struct {
	key  string
	at   int64 // offset in a file
	line int   // in a file; 0 elsewhere
}

// item is a record as a key with its value.
type item struct {
	ref
	value string
	err   error // the record cannot be read; the key is there if it could be
	// How far the scan has come, in units of its own; total is 0 if it cannot tell.
	done, total int64
}

// Scan implements [importer.Source].
func (s *Source) Scan(ctx context.Context, visit func(*importer.Found) error) error {
	var f importer.Found
	return s.records.scan(ctx, func(it item) error {
		f = found(it)
		return visit(&f)
	})
}

// Fetch implements [importer.Source].
func (s *Source) Fetch(ctx context.Context, refs []importer.Ref) ([]importer.Record, error) {
	ours := make([]ref, len(refs))
	for i, r := range refs {
		ours[i] = ref{s.Key(r), r.At, r.Line}
	}
	items, err := s.records.fetch(ctx, ours)
	if err != nil {
		return nil, err
	}
	read := make([]importer.Record, len(items))
	for i, it := range items {
		read[i] = fetched(refs[i], it)
	}
	return read, nil
}

// Key implements [importer.Source].
func (s *Source) Key(r importer.Ref) string {
	if r.Kind == importer.AccountRecord {
		return keyAccounts + r.Name
	}
	return playerKey(r.ID)
}

// Repeats implements [importer.Source].
func (s *Source) Repeats() bool { return s.records.repeats() }

// Close closes the file or the connections.
func (s *Source) Close() error { return s.records.close() }

// found returns a record as the first pass of an import sees it.
func found(it item) importer.Found {
	f := importer.Found{
		Ref: importer.Ref{At: it.at, Line: it.line}, Key: it.key, Err: it.err, Done: it.done, Total: it.total,
	}
	if f.Err != nil {
		f.Cause = importer.Unreadable
	}
	var err error
	switch {
	case strings.HasPrefix(it.key, keyAccounts):
		f.Kind, f.Name = importer.AccountRecord, strings.TrimPrefix(it.key, keyAccounts)
		if f.Err == nil {
			f.Account, err = parseAccount(it.key, it.value)
		}
	case strings.HasPrefix(it.key, keyPlayers):
		f.Kind = importer.CharacterRecord
		f.ID, err = parsePlayerKey(it.key)
	}
	if f.Err == nil && err != nil {
		f.Err, f.Cause = err, importer.Malformed
	}
	return f
}

// fetched returns a record as the second pass of an import sees it.
func fetched(r importer.Ref, it item) (out importer.Record) {
	if it.err != nil {
		return importer.Record{Err: it.err, Cause: importer.Gone}
	}
	if r.Kind == importer.AccountRecord {
		out.Account, out.Err = parseAccount(it.key, it.value)
	} else {
		out.Character, out.Err = parsePlayer(r.ID, it.value)
	}
	if out.Err != nil {
		out.Cause = importer.Malformed
	}
	return out
}
