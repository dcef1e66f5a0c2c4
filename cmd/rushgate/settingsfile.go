package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
)

const maxSettingsFile = 1 << 20 // bytes

// readSettings reads a YAML file of settings, a line each, of which there are none in an empty file.
func readSettings(ctx context.Context, path string) (map[string]yaml.Node, fs.FileInfo, error) {
	data, info, err := readAtMost(ctx, path, maxSettingsFile)
	if err != nil {
		return nil, nil, err
	}
	settings, err := parseSettings(data)
	if wrong := (*settingsError)(nil); errors.As(err, &wrong) {
		return nil, nil, usagef("%s%w", path, wrong)
	}
	return settings, info, err
}

// settingsError says what is wrong with a file of settings. It never repeats a value.
type settingsError struct {
	line int // 0: not known, or the whole file
	said string
}

func (e *settingsError) Error() string {
	if e.line == 0 {
		return " is not a list of settings, one \"flag: value\" on each line: " + e.said
	}
	return fmt.Sprintf(", line %d: %s", e.line, e.said)
}

// parseSettings returns the settings by their names, or a [settingsError].
func parseSettings(data []byte) (map[string]yaml.Node, error) {
	parts := yaml.NewDecoder(bytes.NewReader(data))
	var file yaml.Node
	if err := parts.Decode(&file); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, notYAML(err)
	}
	if err := parts.Decode(new(yaml.Node)); err == nil {
		return nil, &settingsError{0, "it has more than one part, divided by ---"}
	} else if !errors.Is(err, io.EOF) {
		return nil, notYAML(err)
	}
	root := file.Content[0]
	switch {
	case root.Kind == yaml.ScalarNode && root.Tag == "!!null":
		return nil, nil
	case root.Kind != yaml.MappingNode:
		return nil, &settingsError{0, "line " + strconv.Itoa(root.Line) + " is none"}
	}
	settings := make(map[string]yaml.Node)
	for pair := range slices.Chunk(root.Content, 2) {
		name, value := pair[0], pair[1]
		first, twice := settings[name.Value]
		switch {
		case name.Kind != yaml.ScalarNode:
			return nil, &settingsError{name.Line, "what stands before the colon is not the name of a flag"}
		case twice:
			return nil, &settingsError{name.Line, fmt.Sprintf("%s is already set in line %d", quote(name.Value), first.Line)}
		case value.Kind == yaml.AliasNode:
			value = value.Alias
		}
		setting := *value
		setting.LineComment = cmp.Or(setting.LineComment, name.LineComment) // where that is of a line without a value
		settings[name.Value] = setting
	}
	return settings, nil
}

// inYAML finds where and why a text is no YAML in the words of package yaml.
var inYAML = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)

// notYAML says the same in ours.
func notYAML(err error) error {
	m := inYAML.FindStringSubmatch(err.Error())
	if m == nil || mayHoldPassword(m[2]) {
		return &settingsError{0, "it is not YAML"}
	}
	line, _ := strconv.Atoi(m[1]) // 0 where none is named
	return &settingsError{line, "not YAML: " + m[2]}
}
