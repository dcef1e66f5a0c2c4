package main

import (
	"strings"
	"testing"

	"github.com/rushgate/rushgate/internal/admin"
	"github.com/rushgate/rushgate/internal/operator"
)

// The helps say of each role all that the admin listener lets it do, and of none what takes a greater one.
func TestHelpSaysWhatRolesMayDo(t *testing.T) {
	for _, group := range []string{"operator", "admin"} {
		o := runProcess(t, "", group, "--help")
		o.want(t, 0, "", "")
		words := strings.Join(strings.Fields(o.stdout), " ")
		for role := operator.Help; role <= operator.All; role++ {
			if want := role.String() + " may also " + strings.Join(admin.Deeds(role), ", "); !strings.Contains(words, want) {
				t.Errorf("%s --help does not say %q:\n%s", group, want, o.stdout)
			}
		}
		for line := range strings.Lines(o.stdout) {
			if len(line) > 121 {
				t.Errorf("%s --help has a line of %d columns: %s", group, len(line), line)
			}
		}
	}
}
