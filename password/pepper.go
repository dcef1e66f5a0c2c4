package password

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rushgate/rushgate/internal/smallfile"
)

// maxPepperFile bounds a file of peppers.
const maxPepperFile = 64 << 10

// Pepper is a set of server-side keys that passwords are keyed with before they are hashed, so that a stolen database
// alone is of no use. The first one is for new hashes; the others are for hashes made before it was.
type Pepper struct {
	current string
	keys    map[string][]byte
}

// LoadPepper reads a file of peppers: a line each, an id of 1 to 16 letters or digits, a colon, and 32 to 64 bytes in
// hexadecimal. The first line is the current pepper; to rotate, put a new one before it and remove the old when no
// stored hash names it any more. Empty lines and lines that begin with # do not count. Errors never contain a key.
func LoadPepper(path string) (*Pepper, error) {
	b, _, err := smallfile.Read(path, maxPepperFile)
	if err != nil {
		return nil, fmt.Errorf("password: pepper: %w", err)
	}
	p, err := parsePepper(b)
	if err != nil {
		return nil, fmt.Errorf("password: pepper %s: %w", path, err)
	}
	return p, nil
}

func parsePepper(b []byte) (*Pepper, error) {
	if len(b) > maxPepperFile {
		return nil, fmt.Errorf("larger than %d bytes", maxPepperFile)
	}
	p := &Pepper{keys: make(map[string][]byte)}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		id, digits, ok := strings.Cut(line, ":")
		key, err := hex.DecodeString(digits)
		switch {
		case !ok || !validPepperID(id):
			return nil, fmt.Errorf("line %d does not begin with an id of 1 to 16 letters or digits and a colon", n)
		case err != nil || len(key) < 32 || len(key) > 64:
			return nil, fmt.Errorf("line %d: the key is not 32 to 64 bytes in hexadecimal", n)
		case p.keys[id] != nil:
			return nil, fmt.Errorf("line %d: the id %s is there twice", n, id)
		}
		if p.current == "" {
			p.current = id
		}
		p.keys[id] = key
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if p.current == "" {
		return nil, fmt.Errorf("there is no key in it")
	}
	return p, nil
}

func validPepperID(id string) bool {
	const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	return id != "" && len(id) <= 16 && strings.Trim(id, allowed) == ""
}

// with returns the pepper that has the keys of both and goes by next, and the ids that only p has.
func (p *Pepper) with(next *Pepper) (all *Pepper, kept []string, err error) {
	all = &Pepper{current: next.current, keys: maps.Clone(next.keys)}
	if p == nil {
		return all, nil, nil
	}
	for _, id := range slices.Sorted(maps.Keys(p.keys)) {
		switch key, there := next.keys[id]; {
		case !there:
			all.keys[id] = p.keys[id]
			kept = append(kept, id)
		case !hmac.Equal(key, p.keys[id]):
			return nil, nil, fmt.Errorf("password: pepper %s: %w", id, ErrPepperChanged)
		}
	}
	return all, kept, nil
}

// apply returns what is hashed in a password's place: the password itself without a pepper, else HMAC-SHA256 (RFC 2104)
// of it under the pepper of that id. False means that there is no such pepper.
func (p *Pepper) apply(id, password string) ([]byte, bool) {
	if id == "" {
		return []byte(password), true
	}
	if p == nil || p.keys[id] == nil {
		return nil, false
	}
	mac := hmac.New(sha256.New, p.keys[id])
	mac.Write([]byte(password))
	return mac.Sum(nil), true
}

// currentID returns the id of the pepper for new hashes; empty without one.
func (p *Pepper) currentID() string {
	if p == nil {
		return ""
	}
	return p.current
}
