package table

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/rushgate/rushgate/internal/textfile"
)

// Sniff returns which of some kinds a file is of, by how it begins.
func Sniff(path string, among []Kind) (Kind, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.IsDir() {
		if slices.Contains(among, Lua) {
			return Lua, nil
		}
		return "", fmt.Errorf("%s is a folder", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // it was only read
	head := make([]byte, headLen)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", err
	}
	if err := textfile.Check(head[:n]); err != nil {
		return "", fmt.Errorf("%s is %w", path, err)
	}
	if kind := kindOf(head[:n], among); kind != "" {
		return kind, nil
	}
	return "", fmt.Errorf("%s is %s, and this reads %v", path, describe(head[:n]), among)
}

// kindOf returns which of some kinds a file is of that begins with head.
func kindOf(head []byte, among []Kind) Kind {
	for _, kind := range among {
		if begins(head, kind) {
			return kind
		}
	}
	return ""
}

// begins reports whether a file of a kind may begin like this.
func begins(head []byte, kind Kind) bool {
	text := strings.TrimLeft(strings.TrimPrefix(string(head), textfile.Mark), " \t\r\n")
	first, _, _ := strings.Cut(text, "\n")
	switch kind {
	case SQLite:
		return isSQLite(head)
	case SQL:
		upper := strings.ToUpper(text)
		return isText(head) && (strings.Contains(upper, "INSERT INTO ") || strings.Contains(upper, "CREATE TABLE ") ||
			strings.Contains(upper, "\nCOPY ") || strings.HasPrefix(text, "--") || strings.HasPrefix(text, "/*"))
	case JSONL:
		return strings.HasPrefix(text, "{") && json.Valid([]byte(first)) || len(first) == headLen && text[0] == '{'
	case JSON:
		return strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[")
	case XML:
		return strings.HasPrefix(text, "<")
	case TinyMUX:
		return len(text) > 1 && strings.IndexByte("+-!", text[0]) >= 0 && isText(head) && !strings.HasPrefix(text, "--")
	case Erlang:
		return strings.HasPrefix(text, "{") || strings.HasPrefix(text, "%")
	case CSV:
		return isText(head) && strings.ContainsAny(first, ",;\t")
	case Lines:
		return isText(head)
	default:
		return false
	}
}

func isText(head []byte) bool {
	return bytes.IndexByte(head, 0) < 0 && !bytes.HasPrefix(head, []byte("PGDMP")) && !compressed(head)
}

// compressed reports whether a file begins as one of gzip, zip, zstd or xz.
func compressed(head []byte) bool {
	for _, magic := range []string{"\x1f\x8b", "PK\x03\x04", "\x28\xb5\x2f\xfd", "\xfd7zXZ"} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return true
		}
	}
	return false
}

// describe says what a file is that nothing reads.
func describe(head []byte) string {
	switch {
	case len(head) == 0:
		return "empty"
	case bytes.HasPrefix(head, []byte("PGDMP")):
		return "an archive of pg_dump (make a plain dump of it with pg_restore --file)"
	case compressed(head):
		return "compressed (unpack it first)"
	case isSQLite(head):
		return "a database of SQLite"
	default:
		return "something else"
	}
}
