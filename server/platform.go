package server

import (
	"log/slog"
	"runtime"
)

// absent returns what a node does without on an operating system, as an operator would put it; nothing on Linux, for
// which nodes are made.
func absent(goos string) (all []string) {
	if goos == "linux" {
		return nil
	}
	all = []string{
		"many datagrams in one system call (a call for each costs several times the CPU at a thousand players)",
		"answers by UDP from the address that a player wrote to, where the machine has several",
		"the second clock of the tick (steps begin later on a busy machine)",
		"memory and CPU time of the process on the dashboard",
	}
	if goos != "darwin" {
		all = append(all, "the check of --max-conns against the limit on open files")
	}
	if goos == "windows" {
		all = append(all, "the check that key and token files are readable by their owner only")
	}
	return all
}

// sayWhatIsAbsent tells the operator, in one line of the log, on systems other than Linux.
func sayWhatIsAbsent(log *slog.Logger) {
	if all := absent(runtime.GOOS); len(all) > 0 {
		log.Warn("this system lacks what a node has on Linux: good for development, less so for a rush",
			"system", runtime.GOOS, "absent", all)
	}
}
