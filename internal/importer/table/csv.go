package table

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// csvReader reads a CSV file as RFC 4180 has it: a value may stand in double quotes, in which line breaks stand for
// themselves and a quote is doubled.
type csvReader struct {
	r         *bufio.Reader
	separator byte
	line      int
	at        int64
}

var (
	errQuotes  = errors.New("a double quote stands where none belongs")
	errHeader  = errors.New("the first line has not the names of the columns")
	errNothing = errors.New("the file is empty")
)

// readCSV visits the rows of a CSV file. Its first line has the names of the columns, with commas, semicolons or tabs
// between them: whichever it has most of.
func readCSV(r io.Reader, q *Query, visit func(Row) bool) error {
	b := bufio.NewReaderSize(r, headLen)
	skipMark(b)
	c := &csvReader{r: b, line: 1, separator: separatorOf(b)}
	header, _, err := c.row()
	switch {
	case errors.Is(err, io.EOF):
		return errNothing
	case err != nil:
		return errors.Join(errHeader, err)
	}
	if name := q.absent(header); name != "" { // what is there in the place of names may be a player's hash
		return fmt.Errorf("%w: %+q; the first line has %d fields", ErrNoColumn, name, len(header))
	}
	wanted, err := q.pick(header)
	if err != nil {
		return err
	}
	for i, name := range wanted {
		again := func(c string) bool { return strings.EqualFold(c, name) }
		if name != "" && slices.ContainsFunc(header[i+1:], again) {
			return fmt.Errorf("the column %+q is there twice, and which of them is meant is not known", name)
		}
	}
	for {
		line := c.line
		values, blank, err := c.row()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if blank && err == nil {
			continue
		}
		row := Row{Line: line, Done: c.at, Err: err}
		if err == nil {
			row.Values, row.Err = assign(values, wanted)
		} else if !errors.Is(err, errQuotes) && !errors.Is(err, errRow) {
			return err
		}
		if !visit(row) {
			return nil
		}
	}
}

// separatorOf returns what a header has most of.
func separatorOf(b *bufio.Reader) byte {
	head, _ := b.Peek(headLen / 2) // or what there is
	first, _, _ := bytes.Cut(head, []byte("\n"))
	best := byte(',')
	for _, c := range []byte(";\t") {
		if bytes.Count(first, []byte{c}) > bytes.Count(first, []byte{best}) {
			best = c
		}
	}
	return best
}

// assign gives values the names of their columns. MySQL and PostgreSQL write NULL as \N.
func assign(values, wanted []string) (map[string]any, error) {
	if len(values) != len(wanted) {
		return nil, errWidth
	}
	row := make(map[string]any, len(wanted))
	for i, as := range wanted {
		switch {
		case as == "":
		case values[i] == `\N`:
			row[as] = nil
		case len(values[i]) > MaxValueLen:
			return row, inColumn(as, errValue)
		default:
			row[as] = values[i]
		}
	}
	return row, nil
}

// row reads a row. After an error that is not one of reading the next row is that of the next line.
func (c *csvReader) row() (values []string, blank bool, err error) {
	var b strings.Builder
	size, quoted, closed := 0, false, false
	for first := true; ; first = false {
		ch, err := c.r.ReadByte()
		switch {
		case errors.Is(err, io.EOF) && first:
			return nil, false, io.EOF
		case errors.Is(err, io.EOF) && quoted && !closed:
			return nil, false, errQuotes
		case errors.Is(err, io.EOF):
			ch = '\n'
		case err != nil:
			return nil, false, err
		default:
			c.at++
		}
		if ch == '\n' {
			c.line++
		}
		if size++; size > MaxRowLen {
			return nil, false, c.skip(ch, errRow)
		}
		if next, _ := c.r.Peek(1); ch == '\r' && (!quoted || closed) && string(next) == "\n" {
			continue
		}
		switch {
		case quoted && !closed && ch != '"':
			b.WriteByte(ch)
		case quoted && ch == '"' && closed: // it is doubled
			b.WriteByte(ch)
			closed = false
		case quoted && ch == '"':
			closed = true
		case ch == '"' && b.Len() == 0 && !quoted:
			quoted = true
		case ch == '"' || closed && ch != c.separator && ch != '\n':
			return nil, false, c.skip(ch, errQuotes)
		case ch == c.separator || ch == '\n':
			blank = ch == '\n' && len(values) == 0 && b.Len() == 0 && !quoted
			if values = append(values, b.String()); len(values) > MaxColumns {
				return nil, false, c.skip(ch, errRow)
			}
			b.Reset()
			quoted, closed = false, false
			if ch == '\n' {
				return values, blank, nil
			}
		default:
			b.WriteByte(ch)
		}
	}
}

// skip skips the rest of a line whose last byte that was read is ch, and returns an error.
func (c *csvReader) skip(ch byte, why error) error {
	for ch != '\n' {
		var err error
		if ch, err = c.r.ReadByte(); errors.Is(err, io.EOF) {
			return why
		} else if err != nil {
			return err
		}
		if c.at++; ch == '\n' {
			c.line++
		}
	}
	return why
}
