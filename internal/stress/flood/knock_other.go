//go:build !linux

package flood

import (
	"context"
	"syscall"
)

const supported = false

func (f *Flood) knock(context.Context) error { return ErrUnsupported }

func portLater(string, string, syscall.RawConn) error { return ErrUnsupported }

func isShortage(error) bool { return false }
