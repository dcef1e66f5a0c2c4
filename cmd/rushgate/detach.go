package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// detachedVariable is set for a node that another process has detached and waits for: it writes to descriptor 3, once,
// that it serves.
const detachedVariable = "RUSHGATE_DETACHED"

// serves is what it writes.
const serves = "serves"

// reloadFails is how much later than the new process a command ends that a service manager has run to reload the service:
// the process may have said that it is the main one, and systemd stops a service whose main process is gone when the
// reload ends, unless it has heard by then that the one that goes on is.
const reloadFails = 500 * time.Millisecond

// detach starts the node as a process of its own, which lasts, and returns once it serves, or has ended.
func detach(ctx context.Context) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // it was only read
	cmd := exec.Command(program, os.Args[1:]...)
	cmd.Env = append(os.Environ(), detachedVariable+"=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr // themselves: the node outlives this process
	cmd.ExtraFiles = []*os.File{w}
	cmd.SysProcAttr = inOwnSession()
	err = cmd.Start()
	_ = w.Close() // the node has a copy
	if err != nil {
		return err
	}
	// Before it serves, it gives up by that, and the node that runs goes on.
	defer context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })()
	if line, _ := bufio.NewReader(r).ReadString('\n'); strings.TrimSpace(line) == serves {
		return cmd.Process.Release()
	}
	err = cmd.Wait()
	if os.Getenv("NOTIFY_SOCKET") != "" {
		time.Sleep(reloadFails)
	}
	if err != nil {
		return fmt.Errorf("the new process says above why it does not serve: %w", err)
	}
	return errors.New("the new process has ended")
}

// detached returns how a node that was detached reports that it serves; for others that is nothing.
func detached() (report io.WriteCloser) {
	if os.Getenv(detachedVariable) == "" {
		return nil
	}
	_ = os.Unsetenv(detachedVariable) // it is not for processes that come after
	f := os.NewFile(3, "report")
	syscall.CloseOnExec(syscallHandle(3))
	return f
}
