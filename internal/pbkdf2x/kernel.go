package pbkdf2x

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"time"
)

// kernel is one way to iterate.
type kernel struct {
	name string
	// width is how many lanes it works on at once, for the price of one.
	width int
	// chunk is how many iterations it does between two calls of Gosched: 50 to 150 µs worth.
	chunk int
	// supported reports whether this CPU has what it takes.
	supported bool
	// iterate runs n iterations, 1 or more, of each of up to width lanes.
	iterate func(lanes []*Lane, n int)
}

// kernels are all that this program contains, the widest first. The last one runs anywhere.
var kernels = append(vectorKernels(),
	&kernel{name: "portable", width: 1, chunk: 320, supported: true, iterate: iteratePortable})

// Auto is the kernel name that leaves the choice to this package.
const Auto = "auto"

// Names returns the names of all kernels, supported or not, and [Auto].
func Names() []string {
	names := []string{Auto}
	for _, k := range kernels {
		names = append(names, k.name)
	}
	return names
}

// Kernel says how keys are derived: the zero value, like the one that is named [Auto], in the way that is fastest for
// the number of lanes. It may be used from many goroutines.
type Kernel struct{ only *kernel }

// Named returns the kernel of a name. The error tells that there is no such kernel or that this CPU does not support
// it.
func Named(name string) (Kernel, error) {
	if name == Auto {
		return Kernel{}, nil
	}
	for _, k := range kernels {
		if k.name != name {
			continue
		}
		if !k.supported {
			return Kernel{}, fmt.Errorf("pbkdf2x: kernel %s: not supported by this CPU", name)
		}
		return Kernel{k}, nil
	}
	return Kernel{}, fmt.Errorf("pbkdf2x: no kernel %q, only %s", name, strings.Join(Names(), ", "))
}

// measured holds what some iterations of each supported kernel cost on this machine, whatever the number of lanes.
var measured = sync.OnceValue(func() []kernelCost {
	const tries, iterations = 5, 256
	var all []kernelCost
	for _, k := range kernels {
		if !k.supported {
			continue
		}
		l := &Lane{Password: []byte("measure"), Iterations: 1}
		l.start()
		best := time.Duration(math.MaxInt64)
		for range tries {
			begin := time.Now()
			k.iterate([]*Lane{l}, iterations)
			best = min(best, time.Since(begin)) // whatever else is running only ever adds
		}
		all = append(all, kernelCost{k, best})
	}
	return all
})

type kernelCost struct {
	kernel *kernel
	cost   time.Duration
}

// Choice returns the name of what [Kernel.Derive] derives with while n lanes, 1 or more, are open.
func (k Kernel) Choice(n int) string { return k.choose(n).name }

// choose returns the kernel that takes the least time per lane when so many are open.
func (k Kernel) choose(open int) *kernel {
	if k.only != nil {
		return k.only
	}
	return cheapest(measured(), open)
}

// cheapest returns the kernel that costs least per lane.
func cheapest(costs []kernelCost, open int) *kernel {
	var best *kernel
	least := math.Inf(1)
	for _, m := range costs {
		if c := float64(m.cost) / float64(min(open, m.kernel.width)); c < least {
			best, least = m.kernel, c
		}
	}
	return best
}
