package oldgame

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// MaxLineLen is the greatest length of a line of a JSONL file in bytes. Longer ones are refused.
const MaxLineLen = 256 << 10

// usualLineLen is what is read of a line at first: nearly always all of it.
const usualLineLen = 2 << 10

var (
	errLineTooLong = fmt.Errorf("a line of more than %d bytes", MaxLineLen)
	errMoved       = errors.New("no longer where it was found: the file was changed meanwhile")
)

// file is records in JSONL: one object {"key":"account:bob","value":"(:VERSION 2 …)"} on each line, with
// whatever other fields. Each of the two is there once, spelled like this. Blank lines do not count.
type file struct {
	f    *os.File
	size int64
	buf  []byte
}

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
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file, and could not be read twice", path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &file{f: f, size: info.Size(), buf: make([]byte, usualLineLen)}, nil
}

func (s *file) close() error { return s.f.Close() }

func (s *file) repeats() bool { return false }

func (s *file) scan(ctx context.Context, visit func(item) error) error {
	r := bufio.NewReaderSize(io.NewSectionReader(s.f, 0, s.size), MaxLineLen)
	at, number := int64(0), 0
	for {
		line, n, err := readLine(r)
		if err != nil && !errors.Is(err, errLineTooLong) {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if number++; number%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil || len(bytes.TrimSpace(line)) > 0 {
			it := item{ref: ref{at: at, line: number}, err: err, done: at + n, total: s.size}
			if err == nil {
				it.key, it.value, it.err = parseLine(line)
			} else {
				it.key, _, _ = parseLine(line)
			}
			if err := visit(it); err != nil {
				return err
			}
		}
		at += n
	}
}

// readLine returns a line, and how many bytes it takes in the file. With errLineTooLong it returns the beginning of the
// line, where the key may be, and reading may go on. The error is io.EOF at the end of the file.
func readLine(r *bufio.Reader) (line []byte, n int64, err error) {
	line, err = r.ReadSlice('\n')
	n = int64(len(line))
	if errors.Is(err, io.EOF) && n > 0 {
		return line, n, nil
	}
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, n, err
	}
	begin := bytes.Clone(line[:usualLineLen])
	for errors.Is(err, bufio.ErrBufferFull) {
		line, err = r.ReadSlice('\n')
		n += int64(len(line))
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, n, err
	}
	return begin, n, errLineTooLong
}

var errNotRecord = errors.New("the line is not a JSON object with the strings \"key\" and \"value\"")

// parseLine reads the two fields of a line. With an error the key is returned if it could be read, or empty. Errors
// quote nothing of the line: there may be passwords in other fields.
func parseLine(line []byte) (key, value string, err error) {
	line = bytes.TrimSpace(line)
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
		line, err := s.lineAt(r.at)
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

// lineAt returns the line that begins at an offset, until the next call.
func (s *file) lineAt(at int64) ([]byte, error) {
	for {
		n, err := s.f.ReadAt(s.buf, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if i := bytes.IndexByte(s.buf[:n], '\n'); i >= 0 {
			return s.buf[:i], nil
		}
		if n < len(s.buf) || len(s.buf) >= MaxLineLen {
			return s.buf[:n], nil
		}
		s.buf = make([]byte, 2*len(s.buf))
	}
}
