package table

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// jsonReader goes through a JSON document value by value: those that are wanted are taken whole, and the others skipped
// whatever their length. So one that is broken within itself harms no other.
type jsonReader struct {
	r    *bufio.Reader
	line int
	at   int64
	buf  []byte
}

// deepest is how many lists and objects may stand within each other.
const deepest = 1 << 10

var (
	errNoList = errors.New("there is no list of rows in the JSON")
	errNoJSON = errors.New("it is not JSON, or not all there")
)

// readJSON visits the objects of a list in a JSON document.
func readJSON(r io.Reader, q *Query, visit func(Row) bool) error {
	b := bufio.NewReaderSize(r, headLen)
	skipMark(b)
	j := &jsonReader{r: b, line: 1}
	if q.List != "" {
		for name := range strings.SplitSeq(q.List, ".") {
			if err := j.descend(name); err != nil {
				return j.broken(err)
			}
		}
	}
	if c, err := j.next(); err != nil || c != '[' {
		return fmt.Errorf("%w: %q is not a list", errNoList, q.List)
	}
	return j.broken(j.list(visit))
}

// list visits the elements of a list after its bracket.
func (j *jsonReader) list(visit func(Row) bool) error {
	for first := true; ; first = false {
		c, err := j.next()
		if err != nil || first && c == ']' {
			return err
		}
		row := Row{Line: j.line}
		whole, err := j.value(c)
		if err != nil {
			return err
		}
		row.Done, row.Err = j.at, errRow
		if whole {
			row.Values, row.Err = object(j.buf)
		}
		if !visit(row) {
			return nil
		}
		if c, err = j.next(); err != nil || c == ']' {
			return err
		}
		if c != ',' {
			return errNoJSON
		}
	}
}

// descend goes to the value of a name in an object.
func (j *jsonReader) descend(name string) error {
	if c, err := j.next(); err != nil || c != '{' {
		return fmt.Errorf("%w: nothing has a %q", errNoList, name)
	}
	for {
		c, err := j.next()
		if err != nil {
			return err
		}
		if c != '"' {
			return fmt.Errorf("%w: nothing has a %q", errNoList, name)
		}
		if _, err := j.value(c); err != nil {
			return err
		}
		var key string
		found := json.Unmarshal(j.buf, &key) == nil && key == name
		if c, err = j.next(); err == nil && c != ':' {
			err = errNoJSON
		}
		if err != nil || found {
			return err
		}
		if c, err = j.next(); err == nil {
			_, err = j.value(c)
		}
		if err == nil {
			c, err = j.next()
		}
		switch {
		case err != nil:
			return err
		case c == '}':
			return fmt.Errorf("%w: nothing has a %q", errNoList, name)
		case c != ',':
			return errNoJSON
		}
	}
}

func (j *jsonReader) readByte() (byte, error) {
	c, err := j.r.ReadByte()
	if err == nil {
		j.at++
		if c == '\n' {
			j.line++
		}
	}
	return c, err
}

// next returns the next byte that is not white.
func (j *jsonReader) next() (byte, error) {
	for {
		c, err := j.readByte()
		if err != nil || strings.IndexByte(" \t\r\n", c) < 0 {
			return c, err
		}
	}
}

// value reads a value whose first byte is c into buf; whole tells that all of it is there, and not too long. It ends
// where the brackets say so: what stands between them is looked at later.
func (j *jsonReader) value(c byte) (whole bool, err error) {
	j.buf = j.buf[:0]
	whole = true
	text, escaped := false, false
	for depth := 0; ; {
		if whole = whole && len(j.buf) < MaxRowLen; whole {
			j.buf = append(j.buf, c)
		}
		switch {
		case escaped:
			escaped = false
		case text && c == '\\':
			escaped = true
		case c == '"':
			text = !text
		case text:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
		if depth < 0 || depth > deepest {
			return false, errNoJSON
		}
		if depth == 0 && !text && (c == '"' || c == '}' || c == ']' || j.ends()) {
			return whole, nil
		}
		if c, err = j.readByte(); err != nil {
			return false, err
		}
	}
}

// ends reports whether a number or a word ends before the next byte.
func (j *jsonReader) ends() bool {
	b, err := j.r.Peek(1)
	return err != nil || strings.IndexByte(" \t\r\n,:{}[]\"", b[0]) >= 0
}

// broken is the error for a document that is not JSON, without what stands in it.
func (j *jsonReader) broken(err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return fmt.Errorf("line %d of the JSON: the file ends within it: it is not all there", j.line)
	case errors.Is(err, errNoJSON):
		return fmt.Errorf("line %d of the JSON: %w", j.line, err)
	}
	return err
}
