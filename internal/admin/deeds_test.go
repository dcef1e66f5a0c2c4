package admin

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/internal/operator"
)

// What is said of the roles is what the routes take: each route beyond looking is part of one deed, whose routes take
// the same role, and the documents say the same.
func TestDeedsAreThoseOfTheRoutes(t *testing.T) {
	of := map[string]string{}
	for _, d := range deeds {
		for _, route := range d.routes {
			if least := leastRoles[route]; least != leastRoles[d.routes[0]] || least <= operator.Look || of[route] != "" {
				t.Errorf("%s, with which operators %s, takes the role %v, and is in %q", route, d.what, least, of[route])
			}
			of[route] = d.what
		}
	}
	for route, least := range leastRoles {
		if least > operator.Look && of[route] == "" {
			t.Errorf("nothing says what %s is for, which takes the role %v", route, least)
		}
	}
	page, err := os.ReadFile("../../docs/accounts.md")
	if err != nil {
		t.Fatal(err)
	}
	for role := operator.Help; role <= operator.All; role++ {
		row := fmt.Sprintf("\n| `%v` | also %s |\n", role, strings.Join(Deeds(role), ", "))
		if !strings.Contains(string(page), row) {
			t.Errorf("docs/accounts.md has no row%s", row)
		}
	}
}
