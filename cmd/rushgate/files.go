package main

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/term"

	"github.com/rushgate/rushgate/world"
)

// readDefinition reads the file that defines the reference world, or returns nil for the definition built in if no file
// is named.
func readDefinition(file text) (*world.Definition, error) {
	if file == "" {
		return nil, nil
	}
	b, err := os.ReadFile(string(file))
	if err != nil {
		return nil, fmt.Errorf("--world: %w", err)
	}
	def, err := world.ParseDefinition(b)
	if err != nil {
		return nil, usagef("--world %q: %w", string(file), err)
	}
	return def, nil
}

// readAtMost reads a file of limit bytes at most, and tells what it is. The error is one of usage if it has more.
func readAtMost(path string, limit int64) ([]byte, fs.FileInfo, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	info, err := file.Stat()
	if err != nil {
		return nil, nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = usagef("%s has more than %d bytes", path, limit)
	}
	return data, info, err
}

// writeJSON writes a report to a file, if one is named.
func writeJSON(file text, report any) error {
	if file == "" {
		return nil
	}
	b, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(string(file), append(b, '\n'), 0o644)
}

// isTerminal reports whether what is written to w, or read from it, goes to a terminal.
func isTerminal(w any) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
