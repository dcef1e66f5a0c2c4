package table

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// muxReader reads a flat file of TinyMUX: objects, each with a name, some numbers, and attributes. The passwords are
// the attribute 5, which only players have.
type muxReader struct {
	lines  *lineReader
	q      *Query
	row    Row
	object string // "" between objects
}

const (
	muxPassword = "5"
	muxEnd      = "***END OF DUMP***"
)

// readTinyMUX visits the players of a flat file. Their values are "name", "object", and the attributes that are asked
// for, by number.
func readTinyMUX(r io.Reader, q *Query, visit func(Row) bool) error {
	m := &muxReader{lines: newLineReader(r), q: q}
	for {
		line, err := m.lines.next()
		if errors.Is(err, io.EOF) {
			return m.broken()
		}
		if err != nil && !errors.Is(err, errRow) {
			return err
		}
		switch {
		case m.object == "" && string(line) == muxEnd:
			return nil
		case m.object == "" && err == nil && len(line) > 1 && line[0] == '!':
			if err := m.begin(string(line[1:])); err != nil {
				return err
			}
		case m.object == "": // a setting, or the name of an attribute
		case string(line) == "<":
			_, player := m.row.Values[muxPassword]
			if m.row.Done = m.lines.at; (player || m.row.Err != nil) && !visit(m.row) {
				return nil
			}
			m.object = ""
		case len(line) > 1 && line[0] == '>':
			if err := m.attribute(string(line[1:])); err != nil {
				return err
			}
		}
	}
}

func (m *muxReader) broken() error {
	return fmt.Errorf("line %d: it is not a flat file of TinyMUX, or not all there", m.lines.number)
}

// begin reads the name of an object.
func (m *muxReader) begin(object string) error {
	m.object = object
	m.row = Row{Line: m.lines.number, Values: map[string]any{"object": object}}
	return m.value("name")
}

// attribute reads an attribute of a number.
func (m *muxReader) attribute(number string) error {
	if number == muxPassword || slices.Contains(m.q.Columns, number) {
		return m.value(number)
	}
	_, _, err := m.text()
	return err
}

// value reads a text that is a value of the row. One that is too long refuses the row.
func (m *muxReader) value(name string) error {
	text, long, err := m.text()
	if m.row.Values[name] = text; long {
		m.row.Err = inColumn(name, errValue)
	}
	return err
}

// text reads a text in quotes, which may have line breaks, and tells whether it was too long to be kept.
func (m *muxReader) text() (_ string, long bool, _ error) {
	var out []byte
	for first := true; ; first = false {
		line, err := m.lines.next()
		switch {
		case errors.Is(err, errRow):
			return "", false, m.broken()
		case errors.Is(err, io.EOF), err == nil && first && !bytes.HasPrefix(line, []byte(`"`)):
			return "", false, m.broken()
		case err != nil:
			return "", false, err
		case first:
			line = line[1:]
		default:
			out = append(out, '\n')
		}
		var closed, whole bool
		out, closed, whole = appendMux(out, line)
		switch {
		case closed && !whole:
			return "", false, m.broken()
		case len(out) > MaxValueLen:
			out, long = out[:0], true
		}
		if closed {
			return string(out), long, nil
		}
	}
}

// appendMux appends what a line of a text stands for. It tells whether the text ends in it, and whether the line does
// there.
func appendMux(out, line []byte) (more []byte, closed, whole bool) {
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '"':
			return out, true, i == len(line)-1
		case c == '\\' && i+1 < len(line):
			i++
			if j := strings.IndexByte("nrte", line[i]); j >= 0 {
				out = append(out, "\n\r\t\x1b"[j])
			} else {
				out = append(out, line[i])
			}
		default:
			out = append(out, c)
		}
	}
	return out, false, false
}
