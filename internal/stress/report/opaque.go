package report

import (
	"bytes"
	"fmt"

	"github.com/rushgate/rushgate/internal/latency"
)

// OpaqueCost is what OPAQUE cost the players' side, which the generator computes for all of them.
type OpaqueCost struct {
	// Prepared is how many accounts were registered for it before the load.
	Prepared int `json:"prepared"`
	// Computed is what the generator took for the players' half of each try: after the answer to the first of the two
	// requests, before the second. It is a part of the latency of the try, and has no Argon2id to speak of in it.
	Computed latency.Summary `json:"computed"`
	// Argon2id is what a player's own device computes besides, in ms: measured once on the generator's machine before the
	// load, and no part of any other figure.
	Argon2id float64 `json:"argon2id_ms"`
}

// Explained says in sentences what the figures have of OPAQUE in them.
func (o *OpaqueCost) Explained() string {
	return fmt.Sprintf("%s accounts were registered before. What the players compute is done beforehand, but for %s "+
		"(p50) and %s (p99) of each login, which are in its latency. An Argon2id takes %s more here, on a device with "+
		"nothing else to do, and is in no figure: a player is in that much later.",
		formatCount(float64(o.Prepared)), UnitMillis.Format(o.Computed.P50), UnitMillis.Format(o.Computed.P99),
		UnitMillis.Format(o.Argon2id))
}

func (o *OpaqueCost) write(b *bytes.Buffer) { fmt.Fprintf(b, "\nOPAQUE: %s\n", o.Explained()) }
