package tlsresume

import (
	"slices"
	"strings"
	"testing"
)

// FuzzParse looks for files that crash the parser, are read as more than they hold, or change when written anew.
func FuzzParse(f *testing.F) {
	digits := strings.Repeat("0123456789abcdef", 4)
	f.Add([]byte(header + "2026-11-28T12:00:00Z " + digits + "\n"))
	f.Add([]byte("2026-11-28T12:00:00Z " + digits + "\r\n2026-11-27T12:00:00Z " + strings.ToUpper(digits)))
	f.Add([]byte("2026-11-28T12:00:00.5Z " + digits))
	f.Add([]byte("#"))
	f.Fuzz(func(t *testing.T, b []byte) {
		keys, err := parse(b)
		if (len(keys) == 0) == (err == nil) || len(keys) > maxKeys || len(keys)*64 > len(b) {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		if err != nil {
			return
		}
		if again, err := parse(format(keys)); err != nil || !slices.Equal(again, keys) {
			t.Errorf("written and read again: %d keys, %v", len(again), err)
		}
	})
}
