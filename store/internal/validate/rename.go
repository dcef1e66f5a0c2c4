package validate

import (
	"errors"
	"fmt"
	"math"
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

// HeldNames reports the first of a batch of names that cannot be held as it is written.
func HeldNames(held []rushgate.HeldName) error {
	for i := range held {
		if err := heldName(&held[i]); err != nil {
			return fmt.Errorf("name %d of %d: %w", i+1, len(held), err)
		}
	}
	return nil
}

func heldName(h *rushgate.HeldName) error {
	switch {
	case h.Name == "" || len(h.Name) > rushgate.MaxRecordNameLen:
		return fmt.Errorf("held name has %d bytes, want 1 to %d", len(h.Name), rushgate.MaxRecordNameLen)
	case !utf8.ValidString(h.Name):
		return errors.New("held name is not UTF-8")
	case h.Player == 0 || h.Player > math.MaxInt64:
		return fmt.Errorf("name cannot be held for player %d", h.Player)
	case h.Until.After(rushgate.Forever()):
		return fmt.Errorf("name cannot be held until %v", h.Until)
	}
	return nil
}
