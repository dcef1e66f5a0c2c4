//go:build !linux

package cpuclock

import "time"

var start = time.Now()

// Known is whether this system tells how much CPU time has been used.
const Known = false

// Process stands for the CPU time of the process, which is not known here: the time since the start.
func Process() time.Duration { return time.Since(start) }

// Thread stands for the CPU time of the thread, which is not known here: the time since the start.
func Thread() time.Duration { return time.Since(start) }
