//go:build unix

package tlsresume

import (
	"io/fs"
	"os"
	"syscall"
)

// foreign reports whether a file belongs to another user than the one whom the process runs as.
func foreign(info fs.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(s.Uid) != os.Geteuid()
}
