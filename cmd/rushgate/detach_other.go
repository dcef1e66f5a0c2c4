//go:build !unix

package main

import "syscall"

// inOwnSession is for systems where a node can be handed over.
func inOwnSession() *syscall.SysProcAttr { return nil }

func syscallHandle(fd int) syscall.Handle { return syscall.Handle(fd) }
