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

// ensureFolder makes the data folder unless it is there.
func ensureFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("server: data folder: %w", err)
	}
	return nil
}
