package server

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/netcode"
)

func TestKeysAreMadeOnce(t *testing.T) {
	dir := t.TempDir()
	first, err := loadKeys(dir)
	if err != nil || len(first) != 1 || first[0] == (netcode.Key{}) {
		t.Fatalf("%d keys, %v", len(first), err)
	}
	again, err := loadKeys(dir)
	if err != nil || !slices.Equal(again, first) {
		t.Errorf("the second start has other keys: %v", err)
	}
	info, err := os.Stat(filepath.Join(dir, KeysName))
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("more than the file is left: %v, %v", files, err)
	}
}

// A rotation puts a new key first and keeps one old key; the file is readable by its owner only, whatever it was
// before.
func TestRotateKeys(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, KeysName)
	old := strings.Repeat("0a", 32) + "\n" + strings.Repeat("0b", 32) + "\n"
	if err := os.WriteFile(path, []byte("# mine\n"+old), 0o644); err != nil {
		t.Fatal(err)
	}
	before, err := loadKeys(dir)
	if err != nil || len(before) != 2 {
		t.Fatalf("%d keys, %v", len(before), err)
	}
	for range 2 {
		if err := RotateKeys(dir); err != nil {
			t.Fatal(err)
		}
		after, err := loadKeys(dir)
		if err != nil || len(after) != 2 || after[1] != before[0] || slices.Contains(before, after[0]) {
			t.Errorf("%d keys after a rotation, %v; want a new one and the first of before", len(after), err)
		}
		before = after
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
}

func TestRotateLeavesABadFileAlone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, KeysName)
	bad := []byte("not a key\n")
	if err := os.WriteFile(path, bad, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := RotateKeys(dir); err == nil || !strings.Contains(err.Error(), path+": line 1 ") {
		t.Errorf("error %v", err)
	}
	if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, bad) {
		t.Errorf("the file is now %q, %v", b, err)
	}
	if err := RotateKeys(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

const digits = "0123456789abcdefABCDEF9876543210"

func TestParseKeys(t *testing.T) {
	one, two := digits+digits, digits+strings.Repeat("f", 32)
	distinct := func(n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(strings.Repeat(string(digits[i]), 64) + "\n")
		}
		return b.String()
	}
	tests := map[string]struct {
		in   string
		keys int
		err  string
	}{
		"one":               {one, 1, ""},
		"two":               {one + "\n" + two + "\n", 2, ""},
		"CRLF and space":    {" " + one + "\t\r\n\r\n" + two + "\r\n", 2, ""},
		"comments":          {"# " + one + "\n\n#\n" + two, 1, ""},
		"most":              {distinct(maxKeys), maxKeys, ""},
		"too many":          {distinct(maxKeys + 1), 0, "line 9 is one key too many: 8 are allowed"},
		"empty":             {"", 0, "no key"},
		"only comments":     {"# nothing\n", 0, "no key"},
		"short":             {"#\n" + one[1:], 0, "line 2 is not a key of 64"},
		"long":              {one + "0", 0, "line 1 is not a key of 64"},
		"no digit":          {two + "\n" + one[1:] + "g", 0, "line 2 is not a key of 64"},
		"two on a line":     {one + " " + two, 0, "line 1 is not a key of 64"},
		"comment behind":    {one + " # mine", 0, "line 1 is not a key of 64"},
		"with a prefix":     {"k1:" + one, 0, "line 1 is not a key of 64"},
		"twice":             {one + "\n\n" + strings.ToLower(one), 0, "line 3 repeats a key"},
		"huge":              {"#" + strings.Repeat("x", maxKeysFile), 0, "larger than"},
		"as huge as it may": {one + "\n#" + strings.Repeat("x", maxKeysFile-66), 1, ""},
	}
	for name, tt := range tests {
		keys, err := parseKeys([]byte(tt.in))
		if len(keys) != tt.keys || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %d keys, %v; want %d, %q", name, len(keys), err, tt.keys, tt.err)
		}
		if err != nil && (strings.Contains(err.Error(), digits[:8]) || strings.Contains(err.Error(), "'g'")) {
			t.Errorf("%s: the error shows a part of a key: %v", name, err)
		}
	}
	keys, err := parseKeys([]byte(strings.Repeat("0a", 32) + "\n" + strings.Repeat("B0", 32)))
	if err != nil || keys[0] != [32]byte(bytes.Repeat([]byte{0x0a}, 32)) ||
		keys[1] != [32]byte(bytes.Repeat([]byte{0xb0}, 32)) {
		t.Errorf("the keys are not what the lines say: %v", err)
	}
}

// FuzzParseKeys looks for files that crash the parser, are read as more than they hold, or change when written anew.
func FuzzParseKeys(f *testing.F) {
	f.Add([]byte(keysHeader + digits + digits + "\n"))
	f.Add([]byte(digits + digits + "\r\n# old\r\n" + digits + strings.Repeat("0", 32)))
	f.Add([]byte("\n\n" + digits))
	f.Add([]byte("#"))
	f.Fuzz(func(t *testing.T, b []byte) {
		keys, err := parseKeys(b)
		if (len(keys) == 0) == (err == nil) || len(keys) > maxKeys || len(keys)*64 > len(b) {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		if err != nil {
			return
		}
		if again, err := parseKeys(formatKeys(keys)); err != nil || !slices.Equal(again, keys) {
			t.Errorf("written and read again: %d keys, %v", len(again), err)
		}
	})
}
