package main

import "context"

// parse reads flags as a command does: the command line, the environment and the configuration file.
func (f *flags) parse(args []string) error {
	if err := f.Parse(args); err != nil {
		return f.explain(err)
	}
	if err := f.none(f.Args()); err != nil {
		return err
	}
	return f.settle(context.Background())
}
