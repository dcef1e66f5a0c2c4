package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/rushgate/rushgate/internal/opaque"
	"github.com/rushgate/rushgate/internal/opaqueclient"
)

// opaqueCalibration measures what a login by OPAQUE costs a node.
type opaqueCalibration struct {
	budget time.Duration // for all of it
	now    func() time.Time
	// login computes a node's part of one login, both requests, on the calling goroutine.
	login func() error
	// stretch does what a player's device does once for a login, and returns how long that took.
	stretch func() time.Duration
}

// opaqueCost is what a login by OPAQUE was found to take.
type opaqueCost struct{ node, device time.Duration }

const opaqueRound = 16 // logins that are measured together

// run returns the least that a login took in any round, since whatever else is running only ever adds.
func (c *opaqueCalibration) run(ctx context.Context) (opaqueCost, error) {
	begin := c.now()
	best := time.Duration(1<<63 - 1)
	for {
		start := c.now()
		for range opaqueRound {
			if err := c.login(); err != nil {
				return opaqueCost{}, err
			}
		}
		end := c.now()
		best = max(min(best, end.Sub(start)/opaqueRound), 1) // a clock may be too coarse to see it
		if err := ctx.Err(); err != nil {
			return opaqueCost{}, err
		}
		if end.Sub(begin)+best*opaqueRound > c.budget {
			return opaqueCost{node: best, device: c.stretch()}, nil
		}
	}
}

// maxCalibrated bounds the logins of a calibration, whose states are remembered.
const maxCalibrated = 1 << 20

// prepareOpaque registers an account with keys of its own, and returns a login to it. The proof is a wrong one, which
// costs as much as a right one.
func prepareOpaque(ctx context.Context) (login func() error, err error) {
	keys, err := opaque.NewKeys(nil)
	if err != nil {
		return nil, err
	}
	s, err := opaque.NewServer(opaque.Config{Keys: keys, Used: opaque.NewUsed(opaque.DefaultLife, maxCalibrated)})
	if err != nil {
		return nil, err
	}
	registration, request, err := opaqueclient.Register("calibrate")
	if err != nil {
		return nil, err
	}
	response, state, err := s.RegisterStart("calibrate", request)
	if err != nil {
		return nil, err
	}
	least := opaqueclient.Options{Cost: opaqueclient.Cost{Passes: 1, Memory: 8, Lanes: 1}}
	upload, err := registration.Finish(ctx, response, least)
	if err != nil {
		return nil, err
	}
	_, record, err := s.RegisterFinish(state, upload)
	if err != nil {
		return nil, err
	}
	_, ke1, err := opaqueclient.Login("calibrate")
	if err != nil {
		return nil, err
	}
	return func() error {
		_, state, err := s.LoginStart("calibrate", &record, ke1, opaque.PurposeLogin)
		if err != nil {
			return err
		}
		pending, err := s.LoginOpen(state, opaque.PurposeLogin)
		if err != nil {
			return err
		}
		if _, err := s.LoginFinish(pending, &record, make([]byte, opaque.KE3Size)); !errors.Is(err, opaque.ErrRefused) {
			return fmt.Errorf("a proof that is none: %w", err)
		}
		return nil
	}, nil
}

// writeProofs writes what each way to prove a password costs a core, from the same run.
func writeProofs(w io.Writer, rows []calibrated, batch int, o opaqueCost) error {
	b := &strings.Builder{}
	b.WriteString("\nWhat a login costs one core of the node, by how its password is proved\n\n")
	t := tabwriter.NewWriter(b, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "proof\teach\tlogins/s\tby OPAQUE meanwhile\t\n")
	for _, r := range rows {
		each := r.full / time.Duration(batch)
		fmt.Fprintf(t, "a hash of %d iterations, of %d together\t%s\t%.0f\t%.1f\t\n", r.iterations, batch, milliseconds(each),
			perSecond(1, each), float64(each)/float64(o.node))
	}
	fmt.Fprintf(t, "OPAQUE, both requests\t%s\t%.0f\t1.0\t\n", milliseconds(o.node), perSecond(1, o.node))
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(b, `
With --opaque prefer or only the costly part, an Argon2id over 64 MiB, is the player's own device's: it took %s on
this machine. What HTTP, the store and the world cost on top is the same for both: see "rushgate stress".
`, milliseconds(o.device))
	_, err := io.WriteString(w, b.String())
	return err
}
