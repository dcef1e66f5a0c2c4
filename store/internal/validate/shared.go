package validate

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rushgate/rushgate"
)

// nameCharacters are those of the names that programs give.
const nameCharacters = "abcdefghijklmnopqrstuvwxyz0123456789-"

// SharedName reports a name that a value of a fleet cannot have.
func SharedName(name string) error {
	if name == "" || len(name) > rushgate.MaxSharedNameLen {
		return fmt.Errorf("name of a shared value has %d bytes, want 1 to %d", len(name), rushgate.MaxSharedNameLen)
	}
	if strings.Trim(name, nameCharacters) != "" {
		return fmt.Errorf("name of a shared value %q has other characters than a-z, 0-9 and -", name)
	}
	return nil
}

// Swap reports what keeps a swap of a value of a fleet from being carried out as it is written. The error holds no
// value.
func Swap(name string, oldValue, newValue []byte) error {
	if err := SharedName(name); err != nil {
		return err
	}
	if len(oldValue) > rushgate.MaxSharedLen {
		return fmt.Errorf("old value of %s has %d bytes, more than %d", name, len(oldValue), rushgate.MaxSharedLen)
	}
	if len(newValue) == 0 || len(newValue) > rushgate.MaxSharedLen {
		return fmt.Errorf("new value of %s has %d bytes, want 1 to %d", name, len(newValue), rushgate.MaxSharedLen)
	}
	return nil
}

// Beat reports what keeps a node from being known to the others as it says.
func Beat(beat rushgate.NodeBeat) error {
	if err := Instance(beat.Instance); err != nil {
		return err
	}
	switch a := beat.Address; {
	case !utf8.ValidString(beat.Node) || !utf8.ValidString(beat.Run):
		return fmt.Errorf("node id %q or run id %q is not UTF-8", beat.Node, beat.Run)
	case len(a) > rushgate.MaxNodeAddressLen:
		return fmt.Errorf("address of a node has %d bytes, more than %d", len(a), rushgate.MaxNodeAddressLen)
	case !utf8.ValidString(a) || strings.ContainsFunc(a, unicode.IsControl):
		return fmt.Errorf("address of a node %q is not UTF-8 without control characters", a)
	}
	return nil
}

// Shared reports what is stored under the name of a value of a fleet and cannot be one. The error wraps
// [rushgate.ErrDamagedRecord] and holds no value.
func Shared(name string, value []byte) error {
	if len(value) == 0 || len(value) > rushgate.MaxSharedLen {
		return fmt.Errorf("%w: shared value %s has %d bytes, want 1 to %d",
			rushgate.ErrDamagedRecord, name, len(value), rushgate.MaxSharedLen)
	}
	return nil
}
