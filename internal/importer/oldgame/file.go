package oldgame

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/rushgate/rushgate/internal/importer/jsonl"
	"github.com/rushgate/rushgate/internal/textfile"
)

var errMoved = errors.New("no longer where it was found: the file was changed meanwhile")

// file is records in JSONL: one object {"key":"account:bob","value":"(:VERSION 2 …)"} on each line, with
// whatever other fields. Each of the two is there once, spelled like this. Blank lines do not count.
type file struct{ lines *jsonl.File }

// OpenFile opens a file of records: JSONL, one object {"key":"account:bob","value":"(:VERSION 2 …)"} on each line, with
// whatever other fields. It must be a regular file, since it is read twice.
func OpenFile(path string) (*Source, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	return &Source{f}, nil
}

func openFile(path string) (*file, error) {
	lines, err := jsonl.Open(path)
	if err != nil {
		return nil, err
	}
	return &file{lines}, nil
}

func (s *file) close() error { return s.lines.Close() }

func (s *file) repeats() bool { return false }

func (s *file) scan(ctx context.Context, visit func(item) error) error {
	return s.lines.Scan(ctx, func(l jsonl.Line) error {
		it := item{ref: ref{at: l.At, line: l.Number}, err: l.Err, done: l.Next, total: s.lines.Size()}
		if l.Err == nil {
			it.key, it.value, it.err = parseLine(l.Text)
		} else {
			it.key, _, _ = parseLine(l.Text) // which may be in the beginning
		}
		return visit(it)
	})
}

var errNotRecord = errors.New("the line is not a JSON object with the strings \"key\" and \"value\"")

// parseLine reads the two fields of a line. With an error the key is returned if it could be read, or empty. Errors
// quote nothing of the line: there may be passwords in other fields.
func parseLine(line []byte) (key, value string, err error) {
	line = bytes.TrimSpace(bytes.TrimPrefix(line, []byte(textfile.Mark)))
	k, v, err := fields(line)
	// U+FFFD stands for what is not UTF-8 and for half a surrogate pair, and would make one name of several.
	broken := func(s *string) bool { return s != nil && strings.ContainsRune(*s, utf8.RuneError) }
	if k != nil && !broken(k) {
		key = *k
	}
	switch {
	case !utf8.Valid(line):
		err = errors.New("the line is not UTF-8")
	case err != nil:
	case k == nil:
		err = errors.New("the line has no \"key\"")
	case v == nil:
		err = errors.New("the line has no \"value\"")
	case broken(k) || broken(v):
		err = errors.New("the line has text that is not UTF-8")
	default:
		return key, *v, nil
	}
	return key, "", err
}

// fields returns the fields "key" and "value" of a JSON object, nil for one that is null or not there. Names that
// differ in case are other fields. With an error, what was read before it is returned.
func fields(line []byte) (key, value *string, err error) {
	d := json.NewDecoder(bytes.NewReader(line))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, nil, errNotRecord
	}
	seen := map[string]bool{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return key, value, errNotRecord
		}
		field := &key
		switch name {
		case "key":
		case "value":
			field = &value
		default:
			var other json.RawMessage
			if d.Decode(&other) != nil {
				return key, value, errNotRecord
			}
			continue
		}
		if seen[name.(string)] {
			return key, value, fmt.Errorf("the line has %q twice", name)
		}
		seen[name.(string)] = true
		if d.Decode(field) != nil {
			return key, value, errNotRecord
		}
	}
	if _, err := d.Token(); err != nil { // the closing brace
		return key, value, errNotRecord
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return key, value, errNotRecord
	}
	return key, value, nil
}

func (s *file) fetch(_ context.Context, refs []ref) ([]item, error) {
	items := make([]item, len(refs))
	for i, r := range refs {
		line, err := s.lines.LineAt(r.at)
		if err != nil {
			return nil, err
		}
		key, value, err := parseLine(line)
		if err != nil || key != r.key {
			err = errMoved
		}
		items[i] = item{ref: r, value: value, err: err}
	}
	return items, nil
}
