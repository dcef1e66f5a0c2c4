package validate

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/rushgate/rushgate"
)

// Rename reports what keeps a rename from being carried out as it is written.
func Rename(r *rushgate.Rename) error {
	switch {
	case r.Epoch >= rushgate.MaxEpoch:
		return fmt.Errorf("account epoch %d cannot be raised", r.Epoch)
	case r.NewName == "" || len(r.NewName) > rushgate.MaxRecordNameLen:
		return fmt.Errorf("new name has %d bytes, want 1 to %d", len(r.NewName), rushgate.MaxRecordNameLen)
	case !utf8.ValidString(r.NewName):
		return errors.New("new name is not UTF-8")
	case r.NewName == r.Name:
		return errors.New("new name is the old one")
	case r.Hold.After(rushgate.Forever()):
		return fmt.Errorf("name cannot be held until %v", r.Hold)
	}
	return nil
}
