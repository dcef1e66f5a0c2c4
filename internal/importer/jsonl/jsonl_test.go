package jsonl

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every line that is not blank is visited, found again where it was, and harmed by none that is too long.
func TestLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lines")
	long := strings.Repeat("x", 3*usualLineLen)
	text := "a\n\n" + long + "\n  \n" + strings.Repeat("y", MaxLineLen+1) + "\nb"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var found []Line
	if err := f.Scan(t.Context(), func(l Line) error {
		l.Text = []byte(strings.TrimSpace(string(l.Text)))
		found = append(found, l)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	numbers := []int{1, 3, 5, 6}
	if len(found) != len(numbers) || found[3].Next != f.Size() {
		t.Fatalf("%d lines, want %d", len(found), len(numbers))
	}
	for i, l := range found {
		again, err := f.LineAt(l.At)
		tooLong := i == 2
		if err != nil || l.Number != numbers[i] || errors.Is(l.Err, ErrLineTooLong) != tooLong {
			t.Errorf("line %d is number %d: %v, %v", i+1, l.Number, l.Err, err)
		}
		if !tooLong && string(again) != string(l.Text) {
			t.Errorf("line %d is another when it is read again", l.Number)
		}
	}
	if _, err := Open(t.TempDir()); err == nil {
		t.Error("a folder is opened")
	}
}
