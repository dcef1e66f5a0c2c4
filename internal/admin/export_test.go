package admin

// LeastRoles returns the names of the roles that routes take at least.
func LeastRoles() map[string]string {
	out := make(map[string]string, len(leastRoles))
	for pattern, role := range leastRoles {
		out[pattern] = role.String()
	}
	return out
}
