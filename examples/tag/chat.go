package main

import (
	"strings"
	"unicode"

	"github.com/rushgate/rushgate"
)

// maxLine is how much of what a player says is passed on, in bytes.
const maxLine = 200

// Hear has all players hear what one says. It comes from the network and may be anything; what is passed on is a line
// of text. With [field.Speak] it makes a [rushgate.Messenger].
func (f *field) Hear(m rushgate.Message) {
	r := f.runners[m.Player]
	if r == nil || len(m.Data) > maxLine {
		return
	}
	line := strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return -1
		}
		return c
	}, string(m.Data))
	if line = strings.TrimSpace(line); line != "" {
		f.said = append(f.said, r.Name+": "+line)
	}
}

// Speak says to all on the field what was said since the last step.
func (f *field) Speak(dst []rushgate.Message) []rushgate.Message {
	for _, line := range f.said {
		dst = append(dst, rushgate.Message{Reliable: true, Data: []byte(line)})
	}
	f.said = f.said[:0]
	return dst
}
