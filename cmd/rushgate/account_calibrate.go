package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/opaqueclient"
	"github.com/rushgate/rushgate/password"
)

func newAccountCalibrate() *cobra.Command {
	kernel := choice{"auto", password.Kernels()}
	f := newFlags(`Usage: rushgate account calibrate [flags]

Measures how fast this machine hashes passwords, and prints for some costs what that means for a rush of logins: each
login is one hash. Run it on the machine of the node while nothing else does. It takes a few seconds and needs no data
folder. With the figures, choose --password-hash-iterations of "rushgate serve".

Beside them it shows what a login by OPAQUE costs, which needs no hash here: with those figures, choose --opaque.

Then it measures what a TLS handshake costs here, by the kind of the certificate's key and of the key exchange: each new
connection costs that on top, with --tls. With those figures, choose the kind of the key for --tls-cert.

  rushgate account calibrate
  rushgate account calibrate --hash-kernel portable       what the machine would do without its vector units`)
	f.add(&kernel, "hash-kernel", "", "`KERNEL` that computes hashes: "+strings.Join(password.Kernels(), ", "))
	return newCommand("calibrate", "measure what proving a password costs on this machine", f,
		func(ctx context.Context, args []string, stdout, stderr io.Writer) error {
			if err := f.none(args); err != nil {
				return err
			}
			return calibrate(ctx, kernel.value, stdout, stderr)
		})
}

// calibrate measures hashes and handshakes, and prints what they cost.
func calibrate(ctx context.Context, kernel string, stdout, stderr io.Writer) error {
	hasher, err := password.NewHasher(password.Config{Kernel: kernel})
	if err != nil {
		return usageError{err}
	}
	c := &calibration{
		costs:    []int{10_000, 100_000, 600_000},
		batch:    auth.BatchMax,
		cores:    runtime.GOMAXPROCS(0),
		budget:   400 * time.Millisecond,
		now:      time.Now,
		derive:   deriveWith(kernel),
		kernel:   hasher.Kernel,
		progress: progressTo(stderr),
	}
	rows, err := c.run(ctx)
	if err != nil {
		return err
	}
	if err := c.writeText(stdout, rows); err != nil {
		return err
	}
	if err := calibrateOpaque(ctx, rows, c.batch, stdout); err != nil {
		return err
	}
	h := &handshakeCalibration{
		budget: 300 * time.Millisecond, now: time.Now, prepare: prepareHandshakes, progress: c.progress,
	}
	costs, err := h.run(ctx)
	if err != nil {
		return err
	}
	return writeHandshakes(stdout, costs)
}

// calibrateOpaque measures logins by OPAQUE, and prints what they cost beside the hashes.
func calibrateOpaque(ctx context.Context, rows []calibrated, batch int, stdout io.Writer) error {
	login, err := prepareOpaque(ctx)
	if err != nil {
		return err
	}
	o := &opaqueCalibration{
		budget: 400 * time.Millisecond, now: time.Now, login: login, stretch: opaqueclient.MeasureStretching,
	}
	cost, err := o.run(ctx)
	if err != nil {
		return err
	}
	return writeProofs(stdout, rows, batch, cost)
}

// progressTo returns a function that shows on a terminal, and nowhere else, how far the measurement is.
func progressTo(w io.Writer) func(done, of int) {
	if !isTerminal(w) {
		return func(int, int) {}
	}
	return func(done, of int) {
		line := fmt.Sprintf("measuring, %d of %d", done+1, of)
		if done == of {
			line = strings.Repeat(" ", len(line))
		}
		fmt.Fprintf(w, "\r%s\r", line)
	}
}

// calibration measures what hashes cost.
type calibration struct {
	// costs are the numbers of iterations to measure, least first.
	costs []int
	// batch is how many passwords are hashed together, and cores how many such batches at once.
	batch, cores int
	// budget is the time to take for one figure. A hash that takes longer is measured with fewer iterations, to which
	// the time is in proportion.
	budget time.Duration
	now    func() time.Time
	// derive makes size hashes in each of some batches, all batches at once.
	derive func(ctx context.Context, iterations, batches, size int) error
	// kernel names what a batch of so many begins with.
	kernel func(batch int) string
	// progress is told how many figures of how many are done.
	progress func(done, of int)
}

// shape is a way to hash: size passwords in each of some batches at once.
type shape struct{ batches, size int }

// calibrated is what one cost was found to take.
type calibrated struct {
	iterations int
	// measured is the least number of iterations that a figure was measured with: iterations, unless that would have
	// taken too long.
	measured int
	// alone is the time of one hash by itself, full that of a batch on one core, all that of a batch on every core.
	alone, full, all time.Duration
}

// run measures, smallest cost first: what that takes tells what the others may be measured with.
func (c *calibration) run(ctx context.Context) ([]calibrated, error) {
	shapes := []shape{{1, 1}, {1, c.batch}, {c.cores, c.batch}}
	perIteration := make([]float64, len(shapes)) // in nanoseconds
	rows := make([]calibrated, len(c.costs))
	for i, cost := range c.costs {
		row := &rows[i]
		row.iterations, row.measured = cost, cost
		for j, took := range []*time.Duration{&row.alone, &row.full, &row.all} {
			c.progress(i*len(shapes)+j, len(c.costs)*len(shapes))
			iterations := cost
			if whole := perIteration[j] * float64(cost); whole > float64(c.budget) {
				affordable := int(float64(c.budget)/perIteration[j]) / 1000 * 1000
				iterations = min(cost, max(c.costs[0], affordable))
			}
			best, err := c.best(ctx, iterations, shapes[j])
			if err != nil {
				return nil, err
			}
			perIteration[j] = float64(best) / float64(iterations)
			row.measured = min(row.measured, iterations)
			*took = time.Duration(perIteration[j] * float64(cost))
		}
	}
	c.progress(len(c.costs)*len(shapes), len(c.costs)*len(shapes))
	return rows, nil
}

// best returns the least time that a shape has taken within the budget, since whatever else is running only ever adds.
func (c *calibration) best(ctx context.Context, iterations int, s shape) (time.Duration, error) {
	begin := c.now()
	best := time.Duration(1<<63 - 1)
	for {
		start := c.now()
		if err := c.derive(ctx, iterations, s.batches, s.size); err != nil {
			return 0, err
		}
		end := c.now()
		best = max(min(best, end.Sub(start)), 1) // a clock may be too coarse to see it
		if end.Sub(begin)+best > c.budget {
			return best, nil
		}
	}
}

// deriveWith returns a function that hashes as a node with such a kernel does.
func deriveWith(kernel string) func(ctx context.Context, iterations, batches, size int) error {
	return func(ctx context.Context, iterations, batches, size int) error {
		hasher, err := password.NewHasher(password.Config{Iterations: iterations, Kernel: kernel})
		if err != nil {
			return err
		}
		return derive(ctx, hasher, batches, size)
	}
}

// derive hashes size passwords in each of some batches, all batches at once.
func derive(ctx context.Context, hasher *password.Hasher, batches, size int) error {
	errs := make([]error, batches)
	var wg sync.WaitGroup
	for i := range batches {
		wg.Go(func() {
			jobs := make([]*password.Job, size)
			for j := range jobs {
				job := password.New("calibrate")
				jobs[j] = &job
			}
			hasher.Run(ctx, jobs)
			for _, job := range jobs {
				errs[i] = cmp.Or(errs[i], job.Err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// perSecond returns how many logins n at once in a time are.
func perSecond(n int, took time.Duration) float64 { return float64(n) / took.Seconds() }

func (c *calibration) writeText(w io.Writer, rows []calibrated) error {
	b := &strings.Builder{}
	fmt.Fprintf(b, "PBKDF2-HMAC-SHA256 on %d cores; kernel %s for batches of %d, %s for one alone\n\n",
		c.cores, c.kernel(c.batch), c.batch, c.kernel(1))
	t := tabwriter.NewWriter(b, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "iterations\tone alone\teach of %d\tlogins/s\tlogins/s\t1000 at once\t\n", c.batch)
	fmt.Fprint(t, "\t\ton one core\tone core\tall cores\ttake at least\t\n")
	var scaled []string
	for _, r := range rows {
		all := perSecond(c.cores*c.batch, r.all)
		fmt.Fprintf(t, "%d\t%s\t%s\t%.0f\t%.0f\t%.1f s\t\n", r.iterations, milliseconds(r.alone), milliseconds(r.full/time.Duration(c.batch)),
			perSecond(c.batch, r.full), all, 1000/all)
		if r.measured < r.iterations {
			scaled = append(scaled, fmt.Sprintf("%d with %d", r.iterations, r.measured))
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if scaled != nil {
		fmt.Fprintf(b, "\nTo save time some figures were measured with fewer iterations and scaled up: %s.\n", strings.Join(scaled, ", "))
	}
	b.WriteString(`
How to read it: each login costs one hash. "One alone" is what a single player waits for it; in a rush a node hashes up
to ` + fmt.Sprint(c.batch) + ` passwords together on each core, and the last column is the least time in which a thousand who come at once can be
let in. A thief of the database pays the same price for every guess, so take the greatest number of iterations whose
last column you can live with. OWASP recommends 600000 for PBKDF2-HMAC-SHA256; the default here is ` + fmt.Sprint(password.DefaultIterations) + `. Set it with
--password-hash-iterations; hashes of another cost are replaced as their players log in.
`)
	_, err := io.WriteString(w, b.String())
	return err
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
}
