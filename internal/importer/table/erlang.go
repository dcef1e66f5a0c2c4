package table

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// erlangReader reads terms of Erlang as io_lib writes them with ~p, each with a full stop after it.
type erlangReader struct {
	r     *bufio.Reader
	line  int
	at    int64
	taken int // bytes of this term
}

var errTerm = errors.New("it is not a term of Erlang")

// readErlang visits the tuples whose first element is an atom of a name. Their other elements are the values "1", "2"
// and so on, and those of a tuple or a list within "1.0", "1.1".
func readErlang(r io.Reader, q *Query, visit func(Row) bool) error {
	b := bufio.NewReaderSize(r, headLen)
	skipMark(b)
	e := &erlangReader{r: b, line: 1}
	found := false
	for {
		c, err := e.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return e.broken(err)
		}
		line := e.line
		e.taken = 0
		values := map[string]any{}
		if err := e.term(c, "", 0, values); err != nil {
			return e.broken(err)
		}
		if c, err := e.next(); err != nil || c != '.' {
			return e.broken(errTerm)
		}
		if values["0"] != q.Table {
			continue
		}
		found = true
		if !visit(Row{Values: values, Line: line, Done: e.at}) {
			return nil
		}
	}
	if !found {
		return fmt.Errorf("%w: %s", ErrNoTable, q.Table)
	}
	return nil
}

func (e *erlangReader) broken(err error) error {
	if errors.Is(err, errTerm) || errors.Is(err, errRow) || errors.Is(err, io.EOF) {
		return fmt.Errorf("line %d: it is not a term of Erlang, not all there, or longer than %d bytes", e.line, MaxRowLen)
	}
	return err
}

func (e *erlangReader) readByte() (byte, error) {
	c, err := e.r.ReadByte()
	if err != nil {
		return 0, err
	}
	e.at++
	if e.taken++; e.taken > MaxRowLen {
		return 0, errRow
	}
	if c == '\n' {
		e.line++
	}
	return c, nil
}

// next returns the next byte that is not white or of a comment.
func (e *erlangReader) next() (byte, error) {
	for comment := false; ; {
		c, err := e.readByte()
		switch {
		case err != nil:
			return 0, err
		case comment:
			e.taken = 0
			comment = c != '\n'
		case c == '%':
			comment = true
		case c > ' ':
			return c, nil
		}
	}
}

func (e *erlangReader) peek() byte {
	b, err := e.r.Peek(1)
	if err != nil {
		return 0
	}
	return b[0]
}

// term reads a term whose first byte is c, and sets what it has under its place.
func (e *erlangReader) term(c byte, place string, depth int, values map[string]any) (err error) {
	const deepest = 32
	if depth > deepest || len(values) > MaxColumns {
		return errTerm
	}
	var v string
	switch {
	case c == '{':
		return e.elements('}', place, depth, values)
	case c == '[':
		return e.elements(']', place, depth, values)
	case c == '#' && e.peek() == '{':
		return errTerm // a map: no table that is read has one
	case c == '<' && e.peek() == '<':
		_, _ = e.readByte() // the second
		v, err = e.binary()
	case c == '"' || c == '\'':
		v, err = e.quoted(c)
	case wordByte(c) || c == '-':
		v = e.word(c)
	default:
		err = errTerm
	}
	values[place] = v
	return err
}

func (e *erlangReader) elements(end byte, place string, depth int, values map[string]any) error {
	if place != "" {
		place += "."
	}
	for i := 0; ; i++ {
		c, err := e.next()
		if err != nil {
			return err
		}
		if c == end && i == 0 {
			return nil
		}
		if err := e.term(c, place+strconv.Itoa(i), depth+1, values); err != nil {
			return err
		}
		switch c, err = e.next(); {
		case err != nil:
			return err
		case c == end:
			return nil
		case c != ',':
			return errTerm
		}
	}
}

func (e *erlangReader) word(c byte) string {
	b := []byte{c}
	for wordByte(e.peek()) || e.peek() == '@' || e.peek() == '.' && digit(b[len(b)-1]) && e.number() {
		c, err := e.readByte()
		if err != nil {
			break
		}
		b = append(b, c)
	}
	return string(b)
}

// number reports whether a full stop is followed by a digit.
func (e *erlangReader) number() bool {
	b, err := e.r.Peek(2)
	return err == nil && digit(b[1])
}

// binary reads a binary after its brackets: texts, and numbers of bytes.
func (e *erlangReader) binary() (string, error) {
	var out []byte
	for first := true; ; first = false {
		c, err := e.next()
		switch {
		case err != nil:
			return "", err
		case c == '>' && e.peek() == '>':
			_, err := e.readByte()
			return string(out), err
		case c == ',' && !first:
			continue
		case c == '"':
			s, err := e.quoted(c)
			if err != nil {
				return "", err
			}
			out = append(out, s...)
		case digit(c):
			n, err := strconv.ParseUint(e.word(c), 10, 8)
			if err != nil {
				return "", errTerm
			}
			out = append(out, byte(n))
		case c == '/' && string(out) != "": // a type, as in <<"…"/utf8>>
			c, err := e.readByte()
			if err != nil || e.word(c) != "utf8" {
				return "", errTerm
			}
		default:
			return "", errTerm
		}
	}
}

// quoted reads up to a second quote.
func (e *erlangReader) quoted(quote byte) (string, error) {
	var out []byte
	for {
		c, err := e.readByte()
		switch {
		case err != nil:
			return "", err
		case c == quote:
			return string(out), nil
		case c != '\\':
			out = append(out, c)
			continue
		}
		if out, err = e.escape(out); err != nil {
			return "", err
		}
	}
}

// escape appends what stands behind a backslash.
func (e *erlangReader) escape(out []byte) ([]byte, error) {
	c, err := e.readByte()
	if err != nil {
		return nil, err
	}
	switch {
	case c >= '0' && c <= '7':
		v := int(c - '0')
		for n := 1; n < 3 && e.peek() >= '0' && e.peek() <= '7'; n++ {
			c, _ := e.readByte()
			v = 8*v + int(c-'0')
		}
		return append(out, byte(v)), nil
	case c == 'x':
		return e.hexEscape(out)
	case c == 's':
		return append(out, ' '), nil
	case c == 'd':
		return append(out, 0x7f), nil
	case c == 'e':
		return append(out, 0x1b), nil
	default:
		return append(out, plain(c)), nil
	}
}

// hexEscape appends the character of \x{…}, or of \x and two digits.
func (e *erlangReader) hexEscape(out []byte) ([]byte, error) {
	c, err := e.readByte()
	if err != nil {
		return nil, err
	}
	digits := []byte{c}
	if c == '{' {
		digits = digits[:0]
		for len(digits) < 8 {
			if c, err = e.readByte(); err != nil || c == '}' {
				break
			}
			digits = append(digits, c)
		}
	} else if c, err = e.readByte(); err == nil {
		digits = append(digits, c)
	}
	if err != nil {
		return nil, err
	}
	v, err := strconv.ParseUint(string(digits), 16, 32)
	if err != nil {
		return nil, errTerm
	}
	return append(out, byte(v)), nil // of a character of Latin-1; others are written as numbers
}
