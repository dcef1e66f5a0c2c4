package validate

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rushgate/rushgate"
)

// Noted reports the first event of a batch that no history keeps.
func Noted(events []rushgate.Noted) error {
	for i := range events {
		if err := AccountEvent(&events[i].AccountEvent); err != nil {
			return fmt.Errorf("event %d of %d: %w", i+1, len(events), err)
		}
	}
	return nil
}

// AccountEvent reports an event that no history keeps. The error repeats no part of it.
func AccountEvent(e *rushgate.AccountEvent) error {
	switch {
	case !rushgate.ValidAttempt(e.ID):
		return fmt.Errorf("id of %d bytes is none", len(e.ID))
	case e.Kind == "":
		return errors.New("event has no kind")
	}
	if err := moment(e.At); err != nil {
		return err
	}
	for field, s := range map[string]string{"kind": e.Kind, "by": e.By, "from": e.From} {
		if err := text(field, s, rushgate.MaxEventWord); err != nil {
			return err
		}
	}
	return text("text", strings.ReplaceAll(e.Text, "\n", " "), rushgate.MaxEventText)
}

func text(field, s string, longest int) error {
	switch {
	case len(s) > longest:
		return fmt.Errorf("%s has %d bytes, more than %d", field, len(s), longest)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		return fmt.Errorf("%s is not UTF-8 without control characters", field)
	}
	return nil
}

// moment reports a time that no store keeps.
func moment(t time.Time) error {
	if !t.After(time.UnixMilli(0)) || t.After(rushgate.Forever()) {
		return fmt.Errorf("time %v is not after 1970 and in the year 9999 at most", t)
	}
	return nil
}
