//go:build race

package sqlite

// underRace says that the race detector slows SQLite down, which is much code.
const underRace = true
