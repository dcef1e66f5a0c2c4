//go:build unix

package main

import "syscall"

// inOwnSession has a process not hear the signals of this one's terminal.
func inOwnSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func syscallHandle(fd int) int { return fd }
