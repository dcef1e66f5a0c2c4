package importer

import "context"

// Source is where the records of the old game are read from, and only read: [OpenFile] or [OpenRedis]. It is used by
// one goroutine at a time.
type Source interface {
	// scan visits every record once, or more often if repeats says so, until visit returns an error. The values of
	// players may be left out.
	scan(ctx context.Context, visit func(item) error) error
	// fetch reads records that scan has visited once more. An item's err is set if it is no longer there.
	fetch(ctx context.Context, refs []ref) ([]item, error)
	// repeats reports that scan may visit a record more than once.
	repeats() bool
	// Close releases what the source holds.
	Close() error
}

// ref is where a source finds a record again.
type ref struct {
	key  string
	at   int64 // offset in a file
	line int   // in a file; 0 elsewhere
}

// item is a record as a source has it.
type item struct {
	ref
	value string
	err   error // the record cannot be read; the key is there if it could be
	// How far the scan has come, in units of the source's own; total is 0 if it cannot tell.
	done, total int64
}
