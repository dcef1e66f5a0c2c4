package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// writeFile writes a file so that after a crash it is there whole or not at all. Where the path is a link, what that
// leads to is written, and the link stays.
func writeFile(path string, data []byte, mode fs.FileMode) error {
	return writeFileLike(path, data, mode, nil)
}

// rewriteFile is writeFile for secrets that are there already: mode, owner and group stay, so that a node which could
// read the file before still can. One that is open to everybody on the machine becomes its owner's alone.
func rewriteFile(path string, data []byte) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	mode := info.Mode().Perm()
	if mode&0o007 != 0 {
		mode = 0o600
	}
	return writeFileLike(path, data, mode, info)
}

// writeFileLike is writeFile, with the owner and group of another file, unless that is nil.
func writeFileLike(path string, data []byte, mode fs.FileMode, like fs.FileInfo) error {
	path, err := behindLinks(path)
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		if at := (*fs.PathError)(nil); errors.As(err, &at) {
			err = at.Err // its path would be that of a file of which nobody has heard
		}
		return fmt.Errorf("server: write %s: folder %s: %w", path, filepath.Dir(path), err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if like != nil {
		err = errors.Join(err, keepOwner(f, like))
	}
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("server: write %s: %w", path, err)
	}
	return nil
}

// behindLinks returns where a file is that a path leads to, be it there or not. A link that leads nowhere is an error:
// what was there has been lost, or is not mounted, and is not to be made anew in another place.
func behindLinks(path string) (string, error) {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return path, nil // to whoever opens it the error is said again
	}
	target, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		leads, _ := os.Readlink(path) // to nowhere that can be named, at worst
		return "", fmt.Errorf("%s is a link to %s, where there is nothing: put back what was there, or remove the link",
			path, leads)
	}
	return target, err
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
