package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// errNoMaster says that no Sentinel that answers knows the master.
var errNoMaster = errors.New("no Sentinel knows the master")

// maxSentinels bounds what Sentinels can tell of further Sentinels.
const maxSentinels = 64

// sentinels finds the master, whenever a connection to it is made and every topologyRefresh in between, so that an
// announcement of a new one that is missed binds no connection to a master that is none any more. It asks all
// Sentinels that it has heard of and believes the one that knows of the latest failover.
type sentinels struct {
	name   string
	option rueidis.ClientOption // for a connection to one of them, without its address

	mu      sync.Mutex
	known   map[string]rueidis.Client // by address; nil while there is no connection
	current string                    // address of the master
	conn    net.Conn                  // to it, or nil

	stop, stopped chan struct{}
}

func newSentinels(name string, addresses []string, option rueidis.ClientOption) *sentinels {
	s := &sentinels{
		name: name, option: option, known: make(map[string]rueidis.Client),
		stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	for _, a := range addresses {
		s.known[a] = nil
	}
	go s.watch()
	return s
}

// report is what one Sentinel says.
type report struct {
	from   string
	master string
	epoch  uint64 // of the failover that has made it the master
	others []string
	err    error
}

// master returns the address of the master.
func (s *sentinels) master(ctx context.Context) (string, error) {
	s.mu.Lock()
	addresses, current := slices.Collect(maps.Keys(s.known)), s.current
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, dialTimeout/2)
	defer cancel()
	reports := make(chan report, len(addresses))
	for _, a := range addresses {
		go func() { reports <- s.ask(ctx, a) }()
	}
	best, found := report{}, false
	var failure error
	for range addresses {
		r := report{err: ctx.Err()}
		select {
		case r = <-reports:
		case <-ctx.Done():
		}
		if r.err != nil {
			failure = cmp.Or(failure, r.err)
			continue
		}
		s.learn(r.others)
		// Of those that know as much the one that names the master as before, lest a name and an address of it alternate.
		if !found || r.epoch > best.epoch || r.epoch == best.epoch && r.master == current {
			best, found = r, true
		}
	}
	if !found {
		return "", fmt.Errorf("%w %q: %w", errNoMaster, s.name, failure)
	}
	return best.master, nil
}

// ask asks one Sentinel for the master and for other Sentinels.
func (s *sentinels) ask(ctx context.Context, address string) report {
	r := report{from: address}
	client, err := s.client(address)
	if err != nil {
		r.err = err
		return r
	}
	answers := client.DoMulti(ctx,
		client.B().Arbitrary("SENTINEL", "MASTER", s.name).Build(),
		client.B().Arbitrary("SENTINEL", "SENTINELS", s.name).Build())
	fields, err := answers[0].AsStrMap()
	if err != nil {
		r.err = err
		return r
	}
	r.master, r.err = joinAddress(fields)
	r.epoch, _ = strconv.ParseUint(fields["config-epoch"], 10, 64)
	others, _ := answers[1].ToArray()
	for i := range others {
		if fields, err := others[i].AsStrMap(); err == nil {
			if a, err := joinAddress(fields); err == nil {
				r.others = append(r.others, a)
			}
		}
	}
	return r
}

func joinAddress(fields map[string]string) (string, error) {
	if fields["ip"] == "" || fields["port"] == "" {
		return "", errors.New("a Sentinel names no address")
	}
	return net.JoinHostPort(fields["ip"], fields["port"]), nil
}

// client returns the connection to a Sentinel, which mends itself once it is there.
func (s *sentinels) client(address string) (rueidis.Client, error) {
	s.mu.Lock()
	client := s.known[address]
	s.mu.Unlock()
	if client != nil {
		return client, nil
	}
	option := s.option
	option.InitAddress = []string{address}
	client, err := newClient(option)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if had, known := s.known[address]; had != nil || !known { // another call was faster, or close
		client.Close()
		if had == nil {
			return nil, ErrClosed
		}
		return had, nil
	}
	s.known[address] = client
	return client, nil
}

func (s *sentinels) learn(addresses []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range addresses {
		if _, known := s.known[a]; !known && len(s.known) > 0 && len(s.known) < maxSentinels {
			s.known[a] = nil
		}
	}
}

// follow notes the connection to the master.
func (s *sentinels) follow(address string, conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current, s.conn = address, conn
}

// watch ends the connection to a master that is none any more; the next one leads to the new master.
func (s *sentinels) watch() {
	defer close(s.stopped)
	again := time.NewTicker(topologyRefresh)
	defer again.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-again.C:
			s.look()
		}
	}
}

func (s *sentinels) look() {
	master, err := s.master(context.Background())
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil && s.current != master {
		_ = s.conn.Close()
		s.conn = nil
	}
}

// close ends the connections to the Sentinels. It is called once.
func (s *sentinels) close() {
	close(s.stop)
	<-s.stopped
	s.mu.Lock()
	clients := slices.Collect(maps.Values(s.known))
	clear(s.known) // and none comes back, see client and learn
	s.mu.Unlock()
	for _, c := range clients {
		if c != nil {
			c.Close()
		}
	}
}

// newClient is [rueidis.NewClient] for one server, of which nothing is left if there is an error.
func newClient(option rueidis.ClientOption) (rueidis.Client, error) {
	client, err := rueidis.NewClient(option)
	if err != nil && client != nil {
		client.Close()
	}
	return client, err
}
