package operator

import "strings"

// Role says what an operator may do. Each one may do what those below it may. The zero Role may do nothing.
type Role uint8

// The roles, least first.
const (
	// Look may see everything, but no secret, and change nothing.
	Look Role = iota + 1
	// Help may also do what helps one player: end a session, write a note, give another name, a code for a lost password.
	Help
	// Run may also keep players out, set passwords, make accounts, and end the node.
	Run
	// All may also make operators, delete accounts, and take profiles of the process.
	All
)

// roles are the names, by which roles are stored and typed.
var roles = [...]string{Look: "look", Help: "help", Run: "run", All: "all"}

// Roles are the names of all roles, least first.
func Roles() []string { return roles[Look:] }

// ParseRole returns the role of a name. The error is an [ErrInvalid].
func ParseRole(name string) (Role, error) {
	for r := Look; r <= All; r++ {
		if roles[r] == name {
			return r, nil
		}
	}
	return 0, invalidf("a role is one of %s", strings.Join(Roles(), ", "))
}

// String returns the name of a role, and "none" for what is no role.
func (r Role) String() string {
	if r < Look || r > All {
		return "none"
	}
	return roles[r]
}

// May reports whether an operator with this role may do what takes at least another one.
func (r Role) May(least Role) bool { return least >= Look && r >= least && r <= All }
