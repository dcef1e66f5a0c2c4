package run

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/stress/report"
)

const (
	// lookedFor is how many more connections to the target are made to find out which nodes are behind it, and
	// lookedForMore how many if there is more than one, or an admin listener is of none of those found.
	lookedFor, lookedForMore = 2, 16
	// maxAdmins bounds the admin listeners of a run.
	maxAdmins = 32
)

// admins returns the URLs of the admin listeners.
func (cfg *Config) admins() []string {
	if cfg.Admin == "" {
		return nil
	}
	return strings.Split(cfg.Admin, ",")
}

// node is a node behind the target whose admin listener is known.
type node struct {
	admin string
	via   *http.Transport // to the admin listener
	ours  func(ctx context.Context, run string) (bool, error)
	known atomic.Pointer[string] // the run of the node by which the listener was last found to be one behind the target
	lost  atomic.Bool            // the listener has become that of another node

	play *serverMetrics // from when the play began

	// Of the goroutine that watches:
	readings
	since *report.ServerPoint // what happened since all nodes were last known; nil: nothing is known
}

// metrics reads the node's figures. It may be called from several goroutines. The error says so if they are those of
// another node, as they are when the node has gone and another one has its address.
func (n *node) metrics(ctx context.Context) (*serverMetrics, error) {
	m, err := fetchMetrics(ctx, n.via, n.admin)
	if err != nil {
		return nil, err
	}
	if m.Node.Run == *n.known.Load() {
		return m, nil
	}
	switch ours, err := n.ours(ctx, m.Node.Run); {
	case err != nil:
		return nil, fmt.Errorf("whether %s is of a node behind the target is not known: %w", n.admin, err)
	case !ours:
		n.lost.Store(true)
		return nil, fmt.Errorf("%s is now the admin listener of another node than the target", n.admin)
	}
	n.known.Store(&m.Node.Run)
	return m, nil
}

// seenNodes are the nodes that have answered at the target. Its methods may be called from many goroutines.
type seenNodes struct {
	network *network

	mu   sync.Mutex
	runs []string // in the order in which they were seen
}

// has reports whether a node was seen at the target.
func (s *seenNodes) has(run string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.runs, run)
}

func (s *seenNodes) add(run string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if run != "" && !slices.Contains(s.runs, run) {
		s.runs = append(s.runs, run)
	}
}

func (s *seenNodes) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.runs)
}

// look asks for the state of the target over connections of their own, each of which a balancer may lead to another
// node, until enough says so or it has been asked so many times.
func (s *seenNodes) look(ctx context.Context, times int, enough func() bool) (last client.Status, err error) {
	via := s.network.transport(observers + 1)
	defer via.CloseIdleConnections()
	c, err := client.New(s.network.cfg.Target,
		client.Options{Transport: s.network.adapted(via), TryTimeout: observeTime})
	if err != nil {
		panic("stress: withDefaults let pass what client.New refuses: " + err.Error())
	}
	for range times {
		status, failed := c.Status(ctx)
		if failed != nil {
			return last, failed
		}
		last = status
		s.add(last.Run)
		if enough() {
			break
		}
		via.CloseIdleConnections()
	}
	return last, nil
}

// ours reports whether a node, of whose admin listener a run has figures, is behind the target. The error is that of
// the target which could not be asked often enough to say that it is not.
func (s *seenNodes) ours(ctx context.Context, run string) (bool, error) {
	if run == "" {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, metricsTime)
	defer cancel()
	found := func() bool { return s.has(run) }
	if found() {
		return true, nil
	}
	_, err := s.look(ctx, lookedForMore, found)
	if found() { // what it has seen counts, however it ended
		return true, nil
	}
	return false, err
}

// meet finds out which nodes are behind the target, and which admin listeners are theirs. What there is no use for, and
// which nodes there are no figures of, the report says.
func (o *observer) meet(ctx context.Context, rep *report.Report) {
	if kind := o.cfg.Adapter.Kind; kind != "" {
		rep.Note(fmt.Sprintf("no figures of the server: this tool can read none of %s", kind))
		return
	}
	status, err := o.client.Status(ctx)
	if o.seen.add(status.Run); err == nil && o.cfg.Admin != "" {
		status, err = o.seen.look(ctx, lookedFor, func() bool { return false })
	}
	if err != nil {
		rep.Note(fmt.Sprintf("players inside before the run unknown: %v", err))
	} else {
		rep.PlayersBefore = &status.Players
	}
	switch admins := o.cfg.admins(); {
	case len(admins) == 0:
		rep.Note("no figures of the server: no admin URL was given")
	case err == nil && len(o.seen.all()) == 0:
		rep.Note("no figures of the server: the target does not say which node it is, so that no admin listener is known" +
			" to be its own")
	default:
		for _, admin := range admins {
			if why := o.meetNode(ctx, admin, err); why != "" {
				rep.Note("no figures of the server: " + why)
			}
		}
	}
	if len(o.seen.all()) > 1 {
		_, _ = o.seen.look(ctx, lookedForMore, func() bool { return false }) // there may be more
	}
	for _, run := range o.seen.all() {
		if len(o.nodes) > 0 && !slices.ContainsFunc(o.nodes, func(n *node) bool { return n.first.Node.Run == run }) {
			rep.Note(fmt.Sprintf("the target is also node %.8s…, of which there are no figures: name its admin listener, too",
				run))
		}
	}
}

// meetNode takes the first figures of a node by its admin listener, or says why it does not. unseen is why the target
// has not said which node it is at first.
func (o *observer) meetNode(ctx context.Context, admin string, unseen error) (why string) {
	n := &node{admin: admin, via: o.network.transport(-1), ours: o.seen.ours}
	m, err := fetchMetrics(ctx, n.via, admin)
	ours := false
	if err == nil && m.Node.Run != "" {
		var failed error
		if ours, failed = o.seen.ours(ctx, m.Node.Run); failed != nil {
			unseen = failed
		}
	}
	switch {
	case err != nil:
		why = err.Error()
	case m.Node.Run == "":
		why = fmt.Sprintf("%s does not say which node's admin listener it is", admin)
	case ours:
		n.readings = readings{first: m, base: m, last: m, at: time.Now()}
		n.known.Store(&m.Node.Run)
		o.nodes = append(o.nodes, n)
		return ""
	case unseen != nil:
		why = fmt.Sprintf("the target has not said which nodes it is (%v), so that %s is not known to be its admin listener",
			unseen, admin)
	default:
		why = fmt.Sprintf("%s is the admin listener of another node (%s), not of the target", admin, m.Node.Address)
	}
	n.via.CloseIdleConnections()
	return why
}

// describe says what was measured, as the nodes describe themselves.
func (o *observer) describe(rep *report.Report) {
	for _, n := range o.nodes {
		d := n.first.Node
		rep.Nodes = append(rep.Nodes, report.Node{
			Run: d.Run, Admin: n.admin, Address: d.Address,
			Subject: report.Subject{
				Version: strings.TrimSpace(d.Version + " " + strings.TrimPrefix(d.Revision, "unknown")), System: d.System,
				CPUs: d.CPUs, Cores: n.first.Process.Cores, Store: d.Store, Hash: d.Hash,
			},
		})
	}
	if len(rep.Nodes) > 0 {
		rep.Subject = rep.Nodes[0].Or(rep.Subject)
	}
}
