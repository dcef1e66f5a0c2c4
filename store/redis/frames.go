package redis

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bounds of one message, far beyond what a server has to say to this package. They also bound what the client, which
// makes room for a text or an array as soon as its length is announced, can be made to ask of this machine.
const (
	maxLine     = 64 << 10 // bytes of a line
	maxText     = 64 << 20 // bytes of a text that is announced with its length
	maxElements = 1 << 20  // elements of a message, those of arrays in arrays included
	maxDepth    = 16       // arrays in one another
)

// errFrame is wrapped by the errors about bytes that are not of the protocol.
var errFrame = errors.New("not what a Redis server says")

// frames follows a stream of messages in the protocol of Redis, piece by piece as it comes, and stops at the first byte
// that does not belong into one: a length that is none, an end of a line that is missing, an unknown type, and also
// types that the protocol has but that no server sends to a client like this one, which neither subscribes to anything
// nor has keys tracked. It keeps nothing but the line it is in.
type frames struct {
	// begins is called before the first byte of a message, ends after its last one with its first line. An error stops
	// the stream: before the message, or behind it.
	begins func() error
	ends   func(line []byte) error

	line     []byte // the line so far, its end included
	first    []byte // of the message, without its end
	text     int    // bytes left of a text
	end      int    // bytes left of the end of a text
	left     []int  // elements left of each array that is open, the innermost last
	elements int    // of the message so far
}

// feed takes the next bytes. It returns how many of them may be passed on: all, unless there is an error.
func (f *frames) feed(p []byte) (int, error) {
	for i := 0; i < len(p); {
		var n int
		var err error
		switch {
		case f.text > 0:
			n = min(f.text, len(p)-i)
			f.text -= n
		case f.end > 0:
			if p[i] != "\r\n"[2-f.end] {
				return i, fmt.Errorf("%w: a text without an end", errFrame)
			}
			n = 1
			if f.end--; f.end == 0 {
				err = f.finish()
			}
		default:
			n, err = f.readLine(p[i:])
		}
		i += n
		if err != nil {
			return i, err
		}
	}
	return len(p), nil
}

// readLine takes bytes up to the end of the line at most.
func (f *frames) readLine(p []byte) (int, error) {
	if len(f.line) == 0 && len(f.left) == 0 {
		if err := f.begins(); err != nil {
			return 0, err
		}
	}
	n := bytes.IndexByte(p, '\n') + 1
	if n == 0 {
		n = len(p)
	}
	if len(f.line)+n > maxLine {
		return 0, fmt.Errorf("%w: a line without an end", errFrame)
	}
	f.line = append(f.line, p[:n]...)
	if f.line[len(f.line)-1] != '\n' {
		if !strings.ContainsRune("+-:$*_,#=(%~", rune(f.line[0])) {
			return 0, fmt.Errorf("%w: a message that begins with %q", errFrame, f.line[0])
		}
		return n, nil
	}
	body, whole := bytes.CutSuffix(f.line[1:], []byte("\r\n"))
	if !whole {
		return 0, fmt.Errorf("%w: a line without an end", errFrame)
	}
	if len(f.left) == 0 {
		f.first = append(f.first[:0], f.line[:len(body)+1]...)
	}
	kind := f.line[0]
	f.line = f.line[:0]
	if err := f.open(kind, string(body)); err != nil {
		if errors.Is(err, errFrame) {
			return 0, err
		}
		return n, err
	}
	return n, nil
}

// open takes the line with which a value begins, and which is all there is of most.
func (f *frames) open(kind byte, body string) error {
	var whole bool
	switch kind {
	case '+', ',', '(':
		whole = true
	case '-':
		whole = isErrorLine(body)
	case ':':
		_, err := strconv.ParseInt(body, 10, 64)
		whole = err == nil && body[0] != '+'
	case '_':
		whole = body == ""
	case '#':
		whole = body == "t" || body == "f"
	case '$', '=':
		n, ok := parseLength(body, maxText)
		if !ok {
			return fmt.Errorf("%w: a text of length %.20q", errFrame, body)
		}
		if whole = n < 0; !whole {
			f.text, f.end = n, 2
			return nil
		}
	case '*', '~':
		return f.openArray(body, 1)
	case '%':
		return f.openArray(body, 2)
	}
	if !whole {
		return fmt.Errorf("%w: %q with %.40q", errFrame, kind, body)
	}
	return f.finish()
}

// openArray takes the number of an array's elements, each of so many values.
func (f *frames) openArray(body string, values int) error {
	n, ok := parseLength(body, maxElements)
	if !ok || len(f.left) == maxDepth || f.elements+n*values > maxElements {
		return fmt.Errorf("%w: an array of length %.20q", errFrame, body)
	}
	if n <= 0 {
		return f.finish()
	}
	f.elements += n * values
	f.left = append(f.left, n*values)
	return nil
}

// finish ends a value, and all arrays whose last one it was.
func (f *frames) finish() error {
	for len(f.left) > 0 {
		innermost := len(f.left) - 1
		if f.left[innermost]--; f.left[innermost] > 0 {
			return nil
		}
		f.left = f.left[:innermost]
	}
	f.elements = 0
	return f.ends(f.first)
}

// parseLength reads a length in decimal; -1 stands for no value at all.
func parseLength(s string, most int) (int, bool) {
	if s == "-1" {
		return -1, true
	}
	n, err := strconv.ParseUint(s, 10, 31)
	return int(min(n, math.MaxInt32)), err == nil && int(n) <= most
}

// isErrorLine reports whether an error names all that its first word promises. The client takes an address out of those
// that send it elsewhere, without asking whether there is one.
func isErrorLine(body string) bool {
	body = strings.TrimPrefix(body, "ERR ")
	for elsewhere, words := range map[string]int{"MOVED": 2, "ASK": 2, "REDIRECT": 1} {
		if strings.HasPrefix(body, elsewhere) && strings.Count(body, " ") < words {
			return false
		}
	}
	return true
}
