package server

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// nodeIDName is the name of the file with the node's id within the data folder.
const nodeIDName = "node-id"

// nodeID returns the node's id from the data folder, made when there is none yet.
func nodeID(dir string) (string, error) {
	path := filepath.Join(dir, nodeIDName)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		id := rand.Text()
		return id, writeFile(path, []byte(id+"\n"), 0o644)
	}
	if err != nil {
		return "", fmt.Errorf("server: node id: %w", err)
	}
	id := string(bytes.TrimSpace(b))
	if id == "" || len(id) > 64 {
		return "", fmt.Errorf("server: node id: %s does not hold one; remove it to get a new one", path)
	}
	return id, nil
}

// writeFile writes a file so that after a crash it is there whole or not at all.
func writeFile(path string, data []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("server: write %s: %w", path, err)
	}
	return nil
}

// replaceFile is writeFile for what is written again every moment: it does not wait for the disk. When the process dies
// the file is there whole; when the machine does it may be damaged, which its reader has to notice. Only one process
// may write the file.
func replaceFile(path string, data []byte) error {
	next := path + ".new" // always the same, so that what a kill leaves does not pile up
	err := os.WriteFile(next, data, 0o600)
	if err == nil {
		err = os.Rename(next, path)
	}
	if err != nil {
		return fmt.Errorf("server: write %s: %w", path, err)
	}
	return nil
}

// ensureFolder makes the data folder unless it is there.
func ensureFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("server: data folder: %w", err)
	}
	return nil
}
