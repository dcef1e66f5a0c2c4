// Package memnet is a datagram network in memory, for tests of code that speaks UDP.
//
// It loses, duplicates, reorders, delays and damages datagrams as its Options say. It blocks on condition variables
// and timers only, so it works inside a testing/synctest bubble, where a delay costs no real time. Every direction
// between two addresses draws from a random stream of its own, so what happens to the k-th datagram from one address
// to another depends on the seed alone and not on how goroutines were scheduled.
//
// The package imports nothing of this module, so in-package tests of any package can use it. That is why Listen is a
// function with a type parameter: the caller names its own message type.
//
//	network := memnet.New(memnet.Options{Loss: 0.1, Delay: 30 * time.Millisecond, Seed: 1})
//	server, err := memnet.Listen[netcode.Message](network, serverAddr) // a netcode.Conn
//	client, err := network.Dial(clientAddr, serverAddr)                // a net.Conn
package memnet

import (
	"container/heap"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

// DefaultQueue is the number of datagrams an endpoint holds for its reader unless Options.Queue says otherwise.
const DefaultQueue = 4096

// MaxHoldBack bounds how much later than its time a reordered datagram arrives.
const MaxHoldBack = 250 * time.Millisecond

// Options describe how a Network treats datagrams. The zero value delivers each one at once, once and in order.
type Options struct {
	Loss      float64       // share of datagrams that vanish, 0 to 1
	Duplicate float64       // share of datagrams that arrive twice, 0 to 1
	Reorder   float64       // share of datagrams held back for a random time of up to MaxHoldBack, 0 to 1
	Corrupt   float64       // share of datagrams in which one bit is flipped, 0 to 1
	Delay     time.Duration // time in flight of every datagram
	Queue     int           // datagrams an endpoint holds, further ones are dropped; 0 means DefaultQueue
	Seed      uint64        // datagrams of the same seed, addresses and order meet the same fate
}

// Network connects endpoints made by Listen and Dial. Its methods are safe for use by several goroutines.
type Network struct {
	mu        sync.Mutex
	opts      Options
	endpoints map[netip.AddrPort]*endpoint
	links     map[link]*rand.Rand
	flying    flight
	sent      uint64 // numbers datagrams, so that those due at the same instant keep their order
	timer     *time.Timer
}

type link struct{ from, to netip.AddrPort }

// datagram is one delivery under way or waiting for its reader.
type datagram struct {
	link
	data  []byte
	due   time.Time
	order uint64
}

// New returns a network without endpoints.
func New(opts Options) *Network {
	return &Network{opts: opts, endpoints: map[netip.AddrPort]*endpoint{}, links: map[link]*rand.Rand{}}
}

// SetOptions changes how the network treats datagrams sent from now on. Loss: 1 is an outage. Queue applies to
// endpoints made from now on, Seed to directions not used so far.
func (n *Network) SetOptions(opts Options) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.opts = opts
}

// ErrAddressInUse is wrapped by the errors of Listen and Dial for an address that has an endpoint already.
var ErrAddressInUse = errors.New("memnet: address in use")

// attach makes an endpoint at addr. The error wraps ErrAddressInUse if there is one already.
func (n *Network) attach(addr, peer netip.AddrPort) (*endpoint, error) {
	if !addr.IsValid() {
		return nil, errors.New("memnet: invalid address")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.endpoints[addr] != nil {
		return nil, fmt.Errorf("%w: %v", ErrAddressInUse, addr)
	}
	limit := n.opts.Queue
	if limit <= 0 {
		limit = DefaultQueue
	}
	e := newEndpoint(n, addr, peer, limit)
	n.endpoints[addr] = e
	return e, nil
}

func (n *Network) detach(addr netip.AddrPort) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.endpoints, addr)
}

// send decides what becomes of a datagram. As with UDP, the sender does not learn of it.
func (n *Network) send(from, to netip.AddrPort, data []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := link{from, to}
	rng := n.links[l]
	if rng == nil {
		rng = rand.New(rand.NewPCG(n.opts.Seed, l.hash()))
		n.links[l] = rng
	}
	// Each datagram takes the same number of draws, so that one fate does not shift those of its successors.
	lost := rng.Float64() < n.opts.Loss
	twice := rng.Float64() < n.opts.Duplicate
	late := rng.Float64() < n.opts.Reorder
	damaged := rng.Float64() < n.opts.Corrupt
	holdBack := time.Duration(1 + rng.Int64N(int64(MaxHoldBack)))
	bit := rng.Uint64()
	if lost {
		return
	}
	data = append([]byte(nil), data...)
	if damaged && len(data) > 0 {
		bit %= uint64(len(data)) * 8
		data[bit/8] ^= 1 << (bit % 8)
	}
	delay := n.opts.Delay
	if twice {
		n.launch(l, data, delay)
	}
	if late {
		delay += holdBack
	}
	n.launch(l, data, delay)
}

// launch delivers a datagram now or puts it in flight. n.mu is held.
func (n *Network) launch(l link, data []byte, delay time.Duration) {
	d := datagram{link: l, data: data}
	if delay <= 0 {
		n.deliver(d)
		return
	}
	n.sent++
	d.due, d.order = time.Now().Add(delay), n.sent
	heap.Push(&n.flying, d)
	n.arm()
}

// arm sets the timer to the next arrival. n.mu is held.
func (n *Network) arm() {
	if len(n.flying) == 0 {
		return
	}
	wait := max(time.Until(n.flying[0].due), 1) // inside a synctest bubble a timer must not be set to the past
	if n.timer == nil {
		n.timer = time.AfterFunc(wait, n.land)
		return
	}
	n.timer.Reset(wait)
}

// land delivers what is due. One timer serves all datagrams, because timers of the same instant fire in any order.
func (n *Network) land() {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	for len(n.flying) > 0 && !n.flying[0].due.After(now) {
		n.deliver(heap.Pop(&n.flying).(datagram))
	}
	n.arm()
}

// deliver hands a datagram to the endpoint at its destination, if there is one. n.mu is held.
func (n *Network) deliver(d datagram) {
	if e := n.endpoints[d.to]; e != nil {
		e.put(d)
	}
}

func (l link) hash() uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%v>%v", l.from, l.to)
	return h.Sum64()
}

// flight is a heap of datagrams ordered by arrival.
type flight []datagram

func (f flight) Len() int { return len(f) }
func (f flight) Less(i, j int) bool {
	if f[i].due.Equal(f[j].due) {
		return f[i].order < f[j].order
	}
	return f[i].due.Before(f[j].due)
}
func (f flight) Swap(i, j int) { f[i], f[j] = f[j], f[i] }
func (f *flight) Push(x any)   { *f = append(*f, x.(datagram)) }
func (f *flight) Pop() any {
	last := len(*f) - 1
	d := (*f)[last]
	(*f)[last] = datagram{}
	*f = (*f)[:last]
	return d
}
