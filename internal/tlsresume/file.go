package tlsresume

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

const (
	// maxFile bounds a file of keys, in bytes.
	maxFile = 16 << 10
	// maxKeys bounds the keys in a file: each of them is tried on a ticket that none opens. A key a day makes nine.
	maxKeys = 16
)

const header = `# Keys of TLS session tickets, newest first, each with when it was made. ` +
	`The node makes a new one every day
# and erases those whose tickets are dead. A thief of them can pose as this node to players who come back. Without this
# file they make a full handshake once.
`

// layout is that of times in RFC 3339, in UTC.
const layout = "2006-01-02T15:04:05Z"

// parse reads 1 to maxKeys lines of a time as in layout and 64 hexadecimal digits, newest first. Empty lines and lines
// that begin with # do not count. Errors never contain a part of a line.
func parse(b []byte) ([]key, error) {
	if len(b) > maxFile {
		return nil, fmt.Errorf("it is larger than %d bytes", maxFile)
	}
	var keys []key
	for n, line := range bytes.Split(b, []byte("\n")) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		next, ok := parseLine(line)
		switch {
		case !ok:
			return nil, fmt.Errorf("line %d is not a time and a key of %d hexadecimal digits", n+1, 2*len(next.secret))
		case len(keys) == maxKeys:
			return nil, fmt.Errorf("line %d is one key too many: %d are allowed", n+1, maxKeys)
		case len(keys) > 0 && !next.made.Before(keys[len(keys)-1].made):
			return nil, fmt.Errorf("line %d is not older than the key before", n+1)
		}
		keys = append(keys, next)
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no key in it")
	}
	return keys, nil
}

// parseLine reads a line with a key.
func parseLine(line []byte) (k key, ok bool) {
	made, digits, _ := bytes.Cut(line, []byte(" "))
	at, err := time.Parse(layout, string(made))
	if err != nil || len(digits) != hex.EncodedLen(len(k.secret)) {
		return key{}, false
	}
	if _, err := hex.Decode(k.secret[:], digits); err != nil {
		return key{}, false
	}
	k.made = at.Truncate(time.Second)
	return k, true
}

// format writes what parse reads.
func format(keys []key) []byte {
	b := []byte(header)
	for _, k := range keys {
		b = append(k.made.AppendFormat(b, layout), ' ')
		b = append(hex.AppendEncode(b, k.secret[:]), '\n')
	}
	return b
}
