package admin

import (
	"runtime"
	"runtime/debug"
)

// Build says what is running.
type Build struct {
	Version  string `json:"version"`  // of the module; (devel) if it was not built from a release
	Go       string `json:"go"`       // the Go release, as in go1.26.0
	Revision string `json:"revision"` // the commit, or unknown
}

// ReadBuild returns what the build has left in the binary.
func ReadBuild() Build {
	b := Build{Version: "(devel)", Go: runtime.Version(), Revision: "unknown"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Version != "" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			b.Revision = s.Value
		}
	}
	return b
}
