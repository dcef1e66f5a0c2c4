package opaque

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"runtime"
)

// maxKeyFile bounds a file of keys, in bytes.
const maxKeyFile = 64 << 10

const (
	keyFileHeader = `# Keys of OPAQUE. The first registers players. ` +
		`Each is for the records that were made with it: without it these
# players have lost their passwords. With this file and the players' records a thief can guess at passwords.
`
	keyFileVersion = "rushgate-opaque-keys 1"
	// preparedMark begins the line that names a key which is not in use yet. It is a comment, as what reads a file to
	// answer by it need not know: whoever moves a key to the top by hand puts it to use, whatever is marked.
	preparedMark = "# prepared "
)

// Marshal returns the keys as they are in a file, which only its owner may be able to read: write it with mode 0600.
//
// It is text. Empty lines and lines that begin with # do not count. The first line is "rushgate-opaque-keys 1"; then
// comes a line for each key, the one in use first, of four fields with a space between: the id, and in lower-case
// hexadecimal the private key (32 bytes), the OPRF seed (64 bytes) and the key that seals states (32 bytes). Before the
// line of a key that is prepared comes one of "# prepared " and its id.
func (k *Keys) Marshal() []byte {
	b := []byte(keyFileHeader + keyFileVersion + "\n")
	for _, one := range k.list {
		if k.IsPrepared(one.id) {
			b = append(b, preparedMark+one.id.String()+"\n"...)
		}
		b = append(hex.AppendEncode(b, one.id[:]), ' ')
		b = append(hex.AppendEncode(b, one.secret[:scalarSize]), ' ')
		b = append(hex.AppendEncode(b, one.secret[scalarSize:scalarSize+hashSize]), ' ')
		b = append(hex.AppendEncode(b, one.secret[scalarSize+hashSize:]), '\n')
	}
	return b
}

// ParseKeys reads what [Keys.Marshal] writes. The errors wrap [ErrBadKeys], name a line, and hold no part of one.
func ParseKeys(b []byte) (*Keys, error) {
	if len(b) > maxKeyFile {
		return nil, fmt.Errorf("%w: larger than %d bytes", ErrBadKeys, maxKeyFile)
	}
	k, version, marked := new(Keys), false, make(map[string]bool)
	for n, line := range bytes.Split(b, []byte("\n")) {
		line = bytes.TrimSuffix(line, []byte("\r"))
		switch {
		case bytes.HasPrefix(line, []byte(preparedMark)):
			marked[string(line[len(preparedMark):])] = true
			continue
		case len(line) == 0 || line[0] == '#':
			continue
		case !version:
			if string(line) != keyFileVersion {
				return nil, fmt.Errorf("%w: line %d is not %q", ErrBadKeys, n+1, keyFileVersion)
			}
			version = true
			continue
		case len(k.list) == MaxKeys:
			return nil, fmt.Errorf("%w: line %d is one key too many: %d are allowed", ErrBadKeys, n+1, MaxKeys)
		}
		one, err := parseKey(line)
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrBadKeys, n+1, err)
		}
		if k.find(one.id) != nil {
			return nil, fmt.Errorf("%w: line %d: the key is there twice", ErrBadKeys, n+1)
		}
		k.list = append(k.list, one)
	}
	if len(k.list) == 0 {
		return nil, fmt.Errorf("%w: there is no key in it", ErrBadKeys)
	}
	for _, one := range k.list[1:] {
		if marked[one.id.String()] {
			k.prepared = append(k.prepared, one.id)
		}
	}
	return k, nil
}

// parseKey reads a line with a key. The error holds no part of it.
func parseKey(line []byte) (*key, error) {
	fields := bytes.Split(line, []byte(" "))
	sizes := []int{len(KeyID{}), scalarSize, hashSize, sealSize}
	if len(fields) != len(sizes) {
		return nil, fmt.Errorf("%d fields, want %d", len(fields), len(sizes))
	}
	var all []byte
	for i, f := range fields {
		value := make([]byte, len(f)/2)
		if _, err := hex.Decode(value, f); err != nil || len(value) != sizes[i] || !bytes.Equal(f, bytes.ToLower(f)) {
			return nil, fmt.Errorf("field %d is not %d lower-case hexadecimal digits", i+1, 2*sizes[i])
		}
		all = append(all, value...)
	}
	one, err := newKey(all[len(KeyID{}):])
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(one.id[:], all[:len(KeyID{})]) {
		return nil, fmt.Errorf("the id is not that of the key, which is %v", one.id)
	}
	return one, nil
}

// LoadKeys reads a file of keys, which everybody on the machine must not be able to read. The errors are those of
// package os, or wrap [ErrBadKeys].
func LoadKeys(path string) (*Keys, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opaque: keys: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("opaque: keys: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o007 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("%w: %s is open to everybody on this machine (mode %#o); chmod 600 it", ErrBadKeys, path, mode)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, fmt.Errorf("opaque: keys: %w", err)
	}
	k, err := ParseKeys(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: put back your copy of it", path, err)
	}
	return k, nil
}
