package rushgate

// Health is what a [Store] tells of what it stands on: the server and the way there, or the files. Its names in JSON
// are part of what a node exports.
type Health struct {
	// Open reports that calls are refused at once, because the server has not answered for some time, or the files of the
	// database are gone.
	Open bool `json:"open"`
	// Failures counts the calls that have found no server since the last one that did.
	Failures int `json:"failures"`
	// Openings counts how often Open became true.
	Openings uint64 `json:"openings"`
	// Pending counts the players whose leaderboards still have to be brought up to date.
	Pending int `json:"pending"`
	// Warnings has a sentence for each thing by which the server may lose what it acknowledges, such as a setting, as of
	// the last time the store has looked.
	Warnings []string `json:"warnings,omitempty"`
	// LogBytes is the length of a write-ahead log, in bytes; 0 for a store that has none.
	LogBytes int64 `json:"log_bytes,omitempty"`
}

// HealthReporter may be implemented by a [Store]: a node then shows on its dashboard and exports in its metrics what
// Health returns. Health answers from memory, at any time and from many goroutines, and never waits for the network.
type HealthReporter interface {
	Health() Health
}
