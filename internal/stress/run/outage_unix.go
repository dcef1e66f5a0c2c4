//go:build unix

package run

import (
	"os/exec"
	"syscall"
)

// ownGroup has a command run in a process group of its own, so that an interrupt at the keyboard ends the run and not
// the server that the command has started.
func ownGroup(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
