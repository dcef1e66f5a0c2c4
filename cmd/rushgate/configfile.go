package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// notInFile are the flags of serve that say what to do now, and not what the node is like.
var notInFile = []string{"config", "handover", "detach"}

// readConfig sets the flags that are not given yet from a configuration file. A file may have all flags of serve, whatever
// command reads it, so that one file is good for all that concerns a node.
func (f *flags) readConfig(ctx context.Context, path string, given map[string]bool) error {
	settings, info, err := readSettings(ctx, path)
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	if len(settings) == 0 {
		return usagef("--config: %s has no settings", path)
	}
	open := info.Mode().Perm()&0o004 != 0 && runtime.GOOS != "windows" // to every user of the machine
	known := newServeFlags().declare()
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		node := settings[name]
		where := fmt.Sprintf("%s, line %d", path, node.Line)
		if known.Lookup(name) == nil || slices.Contains(notInFile, name) {
			return unknownSetting(where, name, known)
		}
		text, err := settingOf(&node, takesList(known.valueOf(name)))
		if err != nil {
			return usagef("%s: %s %w", where, name, err)
		}
		_, secretive := known.valueOf(name).(*urls)
		if secretive && open && strings.Contains(text, "@") {
			return usagef("%s: %s holds a password, and every user of this machine can read the file: chmod o-r %s", where, name, path)
		}
		if f.Lookup(name) == nil || given[name] {
			continue
		}
		if err := f.Set(name, text); err != nil {
			return f.refuse(where+": "+name, name, text, err)
		}
	}
	return nil
}

// takesList reports whether a flag has several values.
func takesList(v value) bool {
	switch v.(type) {
	case *words, *repeated, *zones, *prefixes, *urls:
		return true
	}
	return false
}

// settingOf returns a value of a configuration file as a flag would have it: the items of a list, which not all flags
// take, are separated by commas.
func settingOf(node *yaml.Node, list bool) (string, error) {
	takes := "one value"
	if list {
		takes = "a value, or a list of values"
	}
	switch {
	case node.Kind == yaml.ScalarNode && node.Tag != "!!null":
		return node.Value, nil
	case node.Kind == yaml.ScalarNode && node.LineComment != "":
		return "", fmt.Errorf("takes %s: what follows # is a comment in YAML, unless it stands in quotes", takes)
	case list && node.Kind == yaml.SequenceNode && len(node.Content) > 0:
		var items []string
		for _, item := range node.Content {
			if item.Kind != yaml.ScalarNode || item.Tag == "!!null" {
				return "", errors.New("takes a list of plain values")
			}
			items = append(items, item.Value)
		}
		return strings.Join(items, ","), nil
	}
	return "", errors.New("takes " + takes)
}

func unknownSetting(where, name string, known *flags) error {
	var names []string
	for _, d := range known.declared {
		names = append(names, d.name)
	}
	switch meant := closest(strings.TrimPrefix(name, "--"), names); {
	case slices.Contains(notInFile, name):
		return usagef("%s: %s is for the command line only", where, name)
	case meant != "":
		return usagef("%s: there is no setting %s; did you mean %s?", where, quote(name), meant)
	}
	return usagef("%s: there is no setting %s; a file has flags of \"rushgate serve\", without the dashes", where, quote(name))
}
