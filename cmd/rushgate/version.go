package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersion() *cobra.Command {
	f := newFlags("Usage: rushgate version\n\nPrints the version, the revision it was built from and the Go release.")
	return newCommand("version", "print the version", f, func(_ context.Context, args []string, stdout, _ io.Writer) error {
		if err := f.none(args); err != nil {
			return err
		}
		_, err := fmt.Fprintln(stdout, versionLine())
		return err
	})
}

// versionLine returns what the program is.
func versionLine() string {
	release, revision := "(devel)", "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		if info.Main.Version != "" {
			release = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	return fmt.Sprintf("rushgate %s revision=%s %s %s/%s", release, revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
