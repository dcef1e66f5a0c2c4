package pbkdf2x

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
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
var kernels = append(vectorKernels(), &kernel{name: "portable", width: 1, chunk: 320, supported: true, iterate: iteratePortable})

// forced, if not nil, is the kernel that [Force] has named.
var forced atomic.Pointer[kernel]

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

// Force makes [Derive] use one kernel for everything, or with [Auto] whatever is fastest, which is the default. The error
// tells that there is no such kernel or that this CPU does not support it.
func Force(name string) error {
	if name == Auto {
		forced.Store(nil)
		return nil
	}
	for _, k := range kernels {
		if k.name != name {
			continue
		}
		if !k.supported {
			return fmt.Errorf("pbkdf2x: kernel %s: not supported by this CPU", name)
		}
		forced.Store(k)
		return nil
	}
	return fmt.Errorf("pbkdf2x: no kernel %q, only %s", name, strings.Join(Names(), ", "))
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

// Choice returns the name of the kernel that [Derive] uses while n lanes, 1 or more, are open.
func Choice(n int) string { return choose(n).name }

// choose returns the kernel that takes the least time per lane when so many are open.
func choose(open int) *kernel {
	if k := forced.Load(); k != nil {
		return k
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
