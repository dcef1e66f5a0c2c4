package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"

	"go.yaml.in/yaml/v3"
)

const maxSettingsFile = 1 << 20 // bytes

// readSettings reads a YAML file of settings, a line each, of which there are none in an empty file.
func readSettings(path string) (map[string]yaml.Node, fs.FileInfo, error) {
	data, info, err := readAtMost(path, maxSettingsFile)
	if err != nil {
		return nil, nil, err
	}
	settings, err := parseSettings(data)
	if err != nil && mayHoldPassword(err.Error()) {
		return nil, nil, usagef("%s is not a list of settings, one \"flag: value\" on each line", path)
	} else if err != nil {
		return nil, nil, usagef("%s is not a list of settings: %w", path, err)
	}
	return settings, info, nil
}

func parseSettings(data []byte) (settings map[string]yaml.Node, err error) {
	parts := yaml.NewDecoder(bytes.NewReader(data))
	if err := parts.Decode(&settings); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if err := parts.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("it has more than one part, divided by ---")
	}
	return settings, nil
}
