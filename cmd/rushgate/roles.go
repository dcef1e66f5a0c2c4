package main

import (
	"fmt"
	"strings"

	"github.com/rushgate/rushgate/internal/admin"
	"github.com/rushgate/rushgate/internal/operator"
)

// helpWidth is how many columns a line has at most that is folded.
const helpWidth = 110

// explainRoles says what each role may do, as the admin listener has it, in lines for a help text.
func explainRoles() string {
	var b strings.Builder
	for role := operator.Look; role <= operator.All; role++ {
		does := "sees everything but secrets, and changes nothing"
		if role > operator.Look {
			does = "may also " + strings.Join(admin.Deeds(role), ", ")
		}
		b.WriteString(folded(fmt.Sprintf("  %-5s", role), does))
	}
	return b.String()
}

// folded returns text behind a head, in lines of at most helpWidth columns where words allow it; those after the first
// are indented by as much as the head is long.
func folded(head, text string) string {
	var b strings.Builder
	line := head
	for _, word := range strings.Fields(text) {
		if len(line) > len(head) && len(line)+1+len(word) > helpWidth {
			b.WriteString(line + "\n")
			line = strings.Repeat(" ", len(head))
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
	return b.String()
}
