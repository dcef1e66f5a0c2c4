package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const maxConfigFile = 1 << 20 // bytes

// notInFile are the flags of serve that say what to do now, and not what the node is like.
var notInFile = []string{"config", "handover", "detach"}

// readConfig sets the flags that are not given yet from a configuration file. A file may have all flags of serve, whatever
// command reads it, so that one file is good for all that concerns a node.
func (f *flags) readConfig(path string, given map[string]bool) error {
	settings, open, err := parseConfig(path)
	if err != nil {
		return err
	}
	known := newServeFlags().declare()
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		node := settings[name]
		where := fmt.Sprintf("%s, line %d", path, node.Line)
		if known.Lookup(name) == nil || slices.Contains(notInFile, name) {
			return unknownSetting(where, name, known)
		}
		text, err := settingOf(&node)
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

// parseConfig reads a configuration file. open says whether every user of the machine can do that.
func parseConfig(path string) (settings map[string]yaml.Node, open bool, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, false, fmt.Errorf("--config: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	info, err := file.Stat()
	if err != nil {
		return nil, false, fmt.Errorf("--config: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(file, maxConfigFile+1))
	if err != nil {
		return nil, false, fmt.Errorf("--config: %w", err)
	}
	if len(data) > maxConfigFile {
		return nil, false, usagef("--config: %s has more than %d bytes", path, maxConfigFile)
	}
	parts := yaml.NewDecoder(bytes.NewReader(data))
	err = parts.Decode(&settings)
	if more := parts.Decode(new(yaml.Node)); err == nil && !errors.Is(more, io.EOF) {
		err = errors.New("it has more than one part, divided by ---")
	}
	if errors.Is(err, io.EOF) {
		return nil, false, usagef("--config: %s has no settings", path)
	} else if err != nil && mayHoldPassword(err.Error()) {
		return nil, false, usagef("--config: %s is not a list of settings, one \"flag: value\" on each line", path)
	} else if err != nil {
		return nil, false, usagef("--config: %s is not a list of settings: %w", path, err)
	}
	return settings, info.Mode().Perm()&0o004 != 0 && runtime.GOOS != "windows", nil
}

// settingOf returns a value of a configuration file as a flag would have it: a list's items are separated by commas.
func settingOf(node *yaml.Node) (string, error) {
	switch {
	case node.Kind == yaml.ScalarNode && node.Tag != "!!null":
		return node.Value, nil
	case node.Kind == yaml.SequenceNode && len(node.Content) > 0:
		var items []string
		for _, item := range node.Content {
			if item.Kind != yaml.ScalarNode || item.Tag == "!!null" {
				return "", errors.New("takes a list of plain values")
			}
			items = append(items, item.Value)
		}
		return strings.Join(items, ","), nil
	}
	return "", errors.New("takes a value, or a list of values")
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
