package admin

import (
	"regexp"
	"runtime"
	"runtime/debug"
)

// module is the path of the module that this package is in.
const module = "github.com/rushgate/rushgate"

var release = regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+$`)

// docs returns where the documentation is on the web: that of the release which the binary was built with, and else the
// newest one.
func docs(info *debug.BuildInfo) string {
	version := ""
	if info != nil {
		for _, m := range append(info.Deps, &info.Main) {
			if m.Path == module {
				version = m.Version
			}
		}
	}
	if !release.MatchString(version) {
		version = "main"
	}
	return "https://" + module + "/blob/" + version + "/docs/"
}

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
