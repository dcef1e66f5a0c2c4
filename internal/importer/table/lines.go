package table

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/rushgate/rushgate/internal/strictjson"
)

// lineReader reads lines, and of those that are too long that they are.
type lineReader struct {
	r      *bufio.Reader
	number int
	at     int64
}

func newLineReader(r io.Reader) *lineReader {
	b := bufio.NewReaderSize(r, MaxRowLen)
	skipMark(b)
	return &lineReader{r: b}
}

// next returns a line without what ends it, until the next call, or errRow for one that is too long.
func (l *lineReader) next() ([]byte, error) {
	line, err := l.r.ReadSlice('\n')
	l.at += int64(len(line))
	l.number++
	tooLong := errors.Is(err, bufio.ErrBufferFull)
	for errors.Is(err, bufio.ErrBufferFull) {
		line, err = l.r.ReadSlice('\n')
		l.at += int64(len(line))
	}
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, err
	case tooLong:
		return nil, errRow
	case err != nil && len(line) == 0:
		return nil, io.EOF
	}
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")), nil
}

// readLines visits the rows of a file that has one on each line, blank ones left out.
func readLines(r io.Reader, kind Kind, q *Query, visit func(Row) bool) error {
	l := newLineReader(r)
	for {
		line, err := l.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && !errors.Is(err, errRow):
			return err
		case err == nil && len(bytes.TrimSpace(line)) == 0:
			continue
		}
		row := Row{Line: l.number, Done: l.at, Err: err}
		switch {
		case err != nil:
		case kind == JSONL:
			row.Values, row.Err = object(line)
		default:
			row.Values, row.Err = q.split(line)
		}
		if !visit(row) {
			return nil
		}
	}
}

// split takes a line with separators apart. What it has behind the last value that is known is left out.
func (q *Query) split(line []byte) (map[string]any, error) {
	values := strings.SplitN(string(line), q.Separator, len(q.Fields)+1)
	row := make(map[string]any, len(q.Fields))
	for i, field := range q.Fields {
		name, optional := strings.CutSuffix(field, "?")
		switch {
		case i < len(values):
			row[name] = values[i]
		case !optional:
			return nil, errWidth
		}
	}
	return row, nil
}

var errObject = errors.New("it is not a JSON object")

// object returns the values of a JSON object. One that has a name twice is refused.
func object(b []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	v, err := strictjson.Value(d)
	var twice *strictjson.TwiceError
	if errors.As(err, &twice) {
		return nil, twice
	}
	values, ok := v.(map[string]any)
	if err != nil || !ok {
		return nil, errObject
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errObject
	}
	return values, nil
}
