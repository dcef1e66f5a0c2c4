package table

import (
	"bufio"
	"bytes"
	"errors"
)

// copy reads COPY … FROM stdin, with the lines after it.
func (d *dump) copy() error {
	mine, err := d.target()
	if err != nil {
		return err
	}
	if err := d.skipWords("FROM", "stdin"); err != nil {
		return err
	}
	if err := d.skipStatement(); err != nil {
		return err
	}
	if err := d.skipLine(); err != nil {
		return err
	}
	for {
		line, number, tooLong, err := d.copyLine()
		switch {
		case err != nil:
			return d.unended(err, "the rows of a COPY")
		case string(line) == `\.`:
			return nil
		case !mine:
			continue
		}
		r := Row{Line: number, Done: d.at, Err: errRow}
		if !tooLong {
			r.Values, r.Err = d.copyRow(line)
		}
		if !d.visit(r) {
			return errStop
		}
	}
}

// copyLine returns a line, without what ends it.
func (d *dump) copyLine() (line []byte, number int, tooLong bool, err error) {
	number = d.line
	d.buf = d.buf[:0]
	for {
		part, err := d.r.ReadSlice('\n')
		d.at += int64(len(part))
		if len(d.buf)+len(part) <= MaxRowLen {
			d.buf = append(d.buf, part...)
		} else {
			tooLong = true
		}
		switch {
		case err == nil:
			d.line++
			line = bytes.TrimSuffix(bytes.TrimSuffix(d.buf, []byte("\n")), []byte("\r"))
			return line, number, tooLong, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, number, tooLong, err
		}
	}
}

// copyRow takes a line of a COPY apart.
func (d *dump) copyRow(line []byte) (map[string]any, error) {
	values := make(map[string]any, len(d.q.Columns))
	if n := bytes.Count(line, []byte("\t")) + 1; n != len(d.wanted) {
		return nil, errWidth
	}
	for _, as := range d.wanted {
		field, rest, _ := bytes.Cut(line, []byte("\t"))
		line = rest
		switch {
		case as == "":
		case string(field) == `\N`:
			values[as] = nil
		default:
			v, err := unescapeCopy(field)
			if err != nil {
				return values, inColumn(as, err)
			}
			if len(v) > MaxValueLen {
				return values, inColumn(as, errValue)
			}
			values[as] = v
		}
	}
	return values, nil
}

var errEscape = errors.New("a backslash stands before nothing")

// unescapeCopy returns the text that a field of a COPY stands for.
func unescapeCopy(b []byte) (string, error) {
	if bytes.IndexByte(b, '\\') < 0 {
		return string(b), nil
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' {
			out = append(out, b[i])
			continue
		}
		if i++; i == len(b) {
			return "", errEscape
		}
		if n, v := coded(b[i:]); n > 0 {
			out = append(out, v)
			i += n - 1
			continue
		}
		out = append(out, plain(b[i]))
	}
	return string(out), nil
}

// plain returns what stands behind a backslash.
func plain(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'v':
		return '\v'
	}
	return c
}

// coded reads up to three octal digits, or an x and up to two hexadecimal ones. It returns how many bytes that took.
func coded(b []byte) (n int, v byte) {
	base, most := byte(8), 3
	if b[0] == 'x' {
		base, most, n = 16, 3, 1
	}
	for n < most && n < len(b) {
		digit := nibble(b[n])
		if digit >= base {
			break
		}
		v = v*base + digit
		n++
	}
	if base == 16 && n == 1 {
		return 0, 0 // an x that stands for itself
	}
	return n, v
}

func nibble(c byte) byte {
	switch {
	case digit(c):
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}
