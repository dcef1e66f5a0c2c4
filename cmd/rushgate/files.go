package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/term"

	"github.com/rushgate/rushgate/world"
)

const maxDefinitionFile = 16 << 20 // bytes

// readDefinition reads the file that defines the reference world, or returns nil for the definition built in if no file
// is named.
func readDefinition(ctx context.Context, file text) (*world.Definition, error) {
	if file == "" {
		return nil, nil
	}
	b, _, err := readAtMost(ctx, string(file), maxDefinitionFile)
	if err != nil {
		return nil, fmt.Errorf("--world: %w", err)
	}
	def, err := world.ParseDefinition(b)
	if err != nil {
		return nil, usagef("--world %q: %w", string(file), err)
	}
	return def, nil
}

// contents is what there is in a file, and what that is.
type contents struct {
	data []byte
	info fs.FileInfo
}

// readAtMost reads a file of limit bytes at most, and tells what it is. The error is one of usage if it has more, and the
// context's if that ends first: a file may be a pipe to which nobody writes.
func readAtMost(ctx context.Context, path string, limit int64) ([]byte, fs.FileInfo, error) {
	read := func() (contents, error) { return readAll(path, limit) }
	if info, err := os.Stat(path); err != nil || info.Mode().IsRegular() { // which is there, or fails, at once
		c, err := read()
		return c.data, c.info, err
	}
	c, err := await(ctx, read)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%s was not read to its end: %w", path, err)
	}
	return c.data, c.info, err
}

func readAll(path string, limit int64) (c contents, err error) {
	file, err := os.Open(path)
	if err != nil {
		return c, err
	}
	defer func() { _ = file.Close() }() // it was only read
	if c.info, err = file.Stat(); err != nil {
		return c, err
	}
	c.data, err = io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(c.data)) > limit {
		err = usagef("%s has more than %d bytes", path, limit)
	}
	return c, err
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
	if t, ok := w.(*inTurn); ok {
		w = t.w
	}
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
