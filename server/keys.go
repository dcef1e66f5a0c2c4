package server

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/rushgate/rushgate/internal/smallfile"
	"github.com/rushgate/rushgate/netcode"
)

const (
	// maxKeys bounds the keys in a file: each of them is tried on a connect token that none opens.
	maxKeys = 8
	// maxKeysFile bounds a file of keys, in bytes.
	maxKeysFile = 64 << 10
)

const keysHeader = `# Keys of the realtime channel, 64 hexadecimal digits each. ` +
	`The first seals new connect tokens, all of them open
# tokens. "rushgate key rotate" puts a new one first. Whoever has a key can be any player.
`

// RotateKeys puts a new key first in the file [KeysName] of a data folder and keeps, of those before it, only the
// newest, so that tokens that were given out a moment ago still work. A file that is missing is made. A node that runs
// goes by it within a few seconds. The error names the line of a file that cannot be read, never a key.
func RotateKeys(dir string) error {
	path := filepath.Join(dir, KeysName)
	old, err := readKeys(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	key, err := netcode.NewKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("server: key: %w", err)
	}
	keys := formatKeys(append([]netcode.Key{key}, old[:min(len(old), 1)]...))
	if old == nil {
		return writeFile(path, keys, 0o600)
	}
	return rewriteFile(path, keys)
}

// loadKeys returns the keys of a data folder, the one for new tokens first; made when there is none yet.
func loadKeys(dir string) ([]netcode.Key, error) {
	path := filepath.Join(dir, KeysName)
	keys, err := readKeys(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := RotateKeys(dir); err != nil {
			return nil, err
		}
		return readKeys(path)
	}
	return keys, err
}

func readKeys(path string) ([]netcode.Key, error) {
	b, _, err := smallfile.Read(path, maxKeysFile)
	if err != nil {
		return nil, fmt.Errorf("server: keys: %w", err)
	}
	keys, err := parseKeys(b)
	if err != nil {
		return nil, fmt.Errorf("server: keys: %s: %w", path, err)
	}
	return keys, nil
}

// parseKeys reads 1 to maxKeys lines of 64 hexadecimal digits. Empty lines and lines that begin with # do not count,
// nor does space around a line. Errors never contain a key.
func parseKeys(b []byte) ([]netcode.Key, error) {
	if len(b) > maxKeysFile {
		return nil, fmt.Errorf("larger than %d bytes", maxKeysFile)
	}
	var keys []netcode.Key
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, maxKeysFile+1)
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		var key netcode.Key
		if len(line) != hex.EncodedLen(len(key)) {
			return nil, fmt.Errorf("line %d is not a key of %d hexadecimal digits", n, hex.EncodedLen(len(key)))
		}
		if _, err := hex.Decode(key[:], line); err != nil { // err would show a digit
			return nil, fmt.Errorf("line %d is not a key of %d hexadecimal digits", n, hex.EncodedLen(len(key)))
		}
		if slices.Contains(keys, key) {
			return nil, fmt.Errorf("line %d repeats a key", n)
		}
		if len(keys) == maxKeys {
			return nil, fmt.Errorf("line %d is one key too many: %d are allowed", n, maxKeys)
		}
		keys = append(keys, key)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no key in it")
	}
	return keys, nil
}

func formatKeys(keys []netcode.Key) []byte {
	b := []byte(keysHeader)
	for _, key := range keys {
		b = append(hex.AppendEncode(b, key[:]), '\n')
	}
	return b
}
